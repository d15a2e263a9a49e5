"""The operator's door: who may come in, what a line is, and what a former process leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from hlfast.control.client import EngineAwayError, RequestRefusedError, ask
from hlfast.engine import control_socket
from hlfast.engine.control_socket import ControlSocket, refusal
from hlfast.errors import ConfigError


async def echo(request: bytes) -> bytes:
    fields = json.loads(request)
    if fields["do"] == "fail":
        return refusal("no", "ask for something else")
    return json.dumps({"ok": True, "asked": fields}).encode()


def served(path: Path, *calls) -> list:
    """Run each call in a thread beside a serving socket."""

    async def main() -> list:
        door = ControlSocket(path, echo)
        await door.start()
        try:
            return [await asyncio.to_thread(call) for call in calls]
        finally:
            await door.close()

    return asyncio.run(main())


def test_socket_answers_each_line_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    def two_lines() -> list[dict]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b'{"do":"a"}\n{"do":"b"}\n')
            with connection.makefile() as lines:
                return [json.loads(lines.readline())["asked"]["do"] for _ in range(2)]

    mode, both = served(path, lambda: stat.S_IMODE(path.stat().st_mode), two_lines)
    assert mode == 0o600
    assert both == ["a", "b"]
    assert not path.exists(), "it goes with its engine"


def test_client_tells_an_answer_from_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    def refused() -> RequestRefusedError:
        with pytest.raises(RequestRefusedError, match="no: ask for something else") as found:
            ask(path, {"do": "fail"})
        return found.value

    answer, error = served(path, lambda: ask(path, {"do": "it", "why": "ü"}), refused)
    assert answer["asked"] == {"do": "it", "why": "ü"}
    assert (error.what, error.fix) == ("no", "ask for something else")


def test_client_says_that_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(EngineAwayError, match="no engine listens"):
        ask(tmp_path / "control.sock", {"do": "it"})


@pytest.mark.parametrize(("user", "is_ours"), [(os.geteuid(), True), (0, True), (os.geteuid() + 4242, False)])
def test_socket_knows_its_peers_by_the_kernels_word(user: int, is_ours: bool) -> None:
    peer = SimpleNamespace(getsockopt=lambda *_: struct.pack("3i", 1, user, 1))
    assert control_socket._is_ours(SimpleNamespace(get_extra_info=lambda _: peer)) is is_ours


def test_stranger_is_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "control.sock"
    monkeypatch.setattr(control_socket, "_is_ours", lambda _: False)

    def turned_away() -> None:
        with pytest.raises(EngineAwayError):
            ask(path, {"do": "it"})

    served(path, turned_away)


def test_socket_works_at_a_path_that_is_too_long_for_an_address(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 100)
    directory.mkdir()
    (answer,) = served(directory / "control.sock", lambda: ask(directory / "control.sock", {"do": "it"}))
    assert answer["ok"]


def test_socket_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    (answer,) = served(path, lambda: ask(path, {"do": "it"}))
    assert answer["ok"]


def test_socket_takes_no_place_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"):
        served(path)
    assert path.read_text() == "precious"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        with pytest.raises(ConfigError, match="another process listens"):
            served(path)
    with pytest.raises(ConfigError, match="cannot be made"):
        served(tmp_path / "nowhere" / "control.sock")


def test_line_without_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "control.sock"
    monkeypatch.setattr(control_socket, "MAX_CONFIGURATION", 1_000)

    def endless() -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"x" * 5_000)
            return connection.recv(100)

    assert served(path, endless) == [b""]
