"""Recorded sessions: a real server with real clients is written down, and its replay says the same to the byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parents[3]
LEADER = "0x" + "1e" * 20
LISTENS = 60
FAULTS = """
seed = 5
[[faults]]
kind = "duplicate_frames"
share = 0.2
[[faults]]
kind = "delay_frames"
share = 0.3
delay_ms = {least = 1, most = 80}
[[faults]]
kind = "late_inclusion"
share = 0.3
delay_ms = {least = 10, most = 120}
[[faults]]
kind = "lose_answers"
share = 0.2
cut = true
"""


def replayed(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hlfast.sim", "--replay", str(path)]
    env = {"PYTHONPATH": str(ROOT / "python"), "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


async def trader(url: str, source: str, sign: Callable[..., Any], key: int, rounds: int) -> None:
    """Subscribe, read, trade over both roads, lose sockets and answers to faults, come back."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        for turn in range(rounds):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, asyncio.TimeoutError, ConnectionError):
                async with session.ws_connect(f"{url}/ws") as socket:
                    for kind in ("trades", "bbo", "l2Book"):
                        sub = {"type": kind, "coin": "BTC"}
                        await socket.send_json({"method": "subscribe", "subscription": sub})
                    await socket.send_str("nonsense")
                    for index in range(4):
                        side, price = index % 2 == 0, "80000" if index % 2 == 0 else "60000"
                        order = {
                            "a": 0,
                            "b": side,
                            "p": price,
                            "s": "0.001",
                            "r": False,
                            "t": {"limit": {"tif": "Ioc"}},
                        }
                        body = sign(key, {"type": "order", "orders": [order], "grouping": "na"}, nonce=_nonce())
                        if index < 2:
                            async with session.post(f"{url}/exchange", json=body) as answer:
                                await answer.read()
                        else:
                            request = {"type": "action", "payload": body}
                            await socket.send_json({"method": "post", "id": turn * 10 + index, "request": request})
                        async with session.post(f"{url}/info", json={"type": "allMids"}) as answer:
                            await answer.read()
                        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                            await asyncio.wait_for(socket.receive(), 0.05)


async def listener(url: str, source: str) -> None:
    """Come and go on one socket until each coming and going was answered: how much is told depends on no clock."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    async with aiohttp.ClientSession(connector=connector) as session, session.ws_connect(f"{url}/ws") as socket:
        for method in ("subscribe", "unsubscribe") * LISTENS:
            await socket.send_json({"method": method, "subscription": {"type": "l2Book", "coin": "BTC"}})
        acknowledged = 0
        while acknowledged < 2 * LISTENS:
            message = await socket.receive(timeout=20)
            assert message.type is aiohttp.WSMsgType.TEXT
            acknowledged += message.json()["channel"] == "subscriptionResponse"


_nonces = iter(range(10**6))


def _nonce() -> int:
    return time.time_ns() // 1_000_000 + next(_nonces) % 50


@pytest.fixture(scope="module")
def session(start: Callable[..., Any], sign: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session")
    (folder / "faults.toml").write_text(FAULTS)
    path = folder / "session.jsonl"
    options = (
        "--auto-fund",
        "100000",
        "--life",
        "walk",
        "--leader",
        "leader_acc2@5000",
        "--faults",
        str(folder / "faults.toml"),
    )
    process = start("--record", str(path), *options)

    async def crowd() -> None:
        traders = [trader(process.base_url, f"127.0.0.{key}", sign, key, 3) for key in (2, 3, 4)]
        await asyncio.gather(*traders, listener(process.base_url, "127.0.0.5"))

    asyncio.run(crowd())
    process.control(op="add_faults", faults=[{"kind": "lose_answers", "cut": True}])
    order = {"a": 0, "b": True, "p": "80000", "s": "0.001", "r": False, "t": {"limit": {"tif": "Ioc"}}}
    with pytest.raises(OSError, match=r"Remote end closed|reset"):
        process.post("/exchange", sign(2, {"type": "order", "orders": [order], "grouping": "na"}))
    process.control(op="clear_faults")
    process.control(op="config", latency_ms=50)
    process.control(op="overview", coin="ETH")
    process.post("/control", b"not json")
    process.post("/exchange", b"\xff\xfe")
    for _ in range(60):
        process.info("l2Book", coin="BTC")
    code, _, err = process.stop()
    assert (code, err) == (0, "")
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_replay_is_equal_to_the_byte(session: Path) -> None:
    kinds = [row.get("kind") for row in rows(session)[1:]]
    assert kinds.count("request") > 30
    assert kinds.count("told") > 2 * LISTENS
    assert kinds.count("no_answer") > 0
    done = replayed(session)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    said = kinds.count("request") + kinds.count("said")
    assert done.stdout == f"{said} requests, {kinds.count('told') + kinds.count('answer')} frames, equal\n"


def test_a_recording_is_its_owners_alone_and_holds_no_key(session: Path) -> None:
    assert stat.S_IMODE(session.stat().st_mode) == 0o600
    assert f"{2:064x}" not in session.read_text()


def changed(session: Path, tmp_path: Path, change: Callable[[list[dict[str, Any]]], int]) -> tuple[Path, int]:
    """Return a copy with one row changed, and the line that must be named."""
    all_rows = rows(session)
    line = change(all_rows) + 1
    path = tmp_path / "changed.jsonl"
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in all_rows))
    return path, line


def first(all_rows: list[dict[str, Any]], kind: str, containing: str = "") -> int:
    return next(
        index for index, row in enumerate(all_rows) if row.get("kind") == kind and containing in row.get("text", "")
    )


def test_a_frame_that_differs_is_named_with_both_texts(session: Path, tmp_path: Path) -> None:
    def change(all_rows: list[dict[str, Any]]) -> int:
        index = first(all_rows, "told", '"channel":"l2Book"')
        all_rows[index]["text"] = all_rows[index]["text"].replace('"n":1', '"n":7', 1)
        return index

    path, line = changed(session, tmp_path, change)
    done = replayed(path)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{path}:{line}, venue time ")
    assert '"n":7' in done.stdout
    assert '"n":1' in done.stdout.partition(", now ")[2]


@pytest.mark.parametrize("kind", ["told", "timer", "said", "answer", "no_answer", "request"])
def test_a_row_taken_out_is_noticed(session: Path, tmp_path: Path, kind: str) -> None:
    def change(all_rows: list[dict[str, Any]]) -> int:
        index = first(all_rows, kind)
        del all_rows[index]
        return index

    path, _ = changed(session, tmp_path, change)
    done = replayed(path)
    assert done.returncode == 1, done.stdout
    assert done.stdout.startswith(f"{path}:")


def test_an_input_that_differs_makes_the_venue_say_something_else(session: Path, tmp_path: Path) -> None:
    def change(all_rows: list[dict[str, Any]]) -> int:
        index = first(all_rows, "request", '"type": "order"')
        all_rows[index]["text"] = all_rows[index]["text"].replace('"0.001"', '"0.002"')
        return index

    path, line = changed(session, tmp_path, change)
    done = replayed(path)
    assert done.returncode == 1
    assert int(done.stdout.removeprefix(f"{path}:").partition(",")[0]) > line


def test_a_torn_last_line_is_left_out(session: Path, tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_bytes(session.read_bytes() + b'{"t":17957')
    assert replayed(path).returncode == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: no head"),
        ("[]\n", ":1: no head"),
        ('{"hlfast_sim_session":9,"start_ms":1,"settings":{},"ops":[]}\n', "version 9"),
        ('{"hlfast_sim_session":1,"start_ms":1,"settings":{"colour":1},"ops":[]}\n', "colour"),
        ('{"hlfast_sim_session":1,"start_ms":1,"settings":{},"ops":[]}\n{"t":"x"}\n', ":2:"),
        ('{"hlfast_sim_session":1,"start_ms":1,"settings":{},"ops":[{"op":"x"}]}\n', "Unknown op 'x'"),
    ],
)
def test_what_is_no_session_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text(text)
    done = replayed(path)
    assert done.returncode == 2
    assert words in done.stderr.replace("\n", " ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = replayed(tmp_path / "gone.jsonl")
    assert done.returncode == 2
    assert "gone.jsonl" in done.stderr
