"""Asks a running engine for something, over its control socket."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Final

import msgspec

from hlfast.engine.control_socket import reachable
from hlfast.errors import HlfastError

_ANSWER_S: Final = 15.0
_PIECE: Final = 1 << 16


class EngineAwayError(HlfastError):
    """No engine listens at the path, or it went away before it answered."""


class RequestRefusedError(HlfastError):
    """The engine did not do it; nothing was changed."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}: {fix}")
        self.what = what
        self.fix = fix


def ask(path: Path, request: dict[str, Any], *, timeout_s: float = _ANSWER_S) -> dict[str, Any]:
    """Send one request and return the engine's answer.

    Raises:
        EngineAwayError: nobody answered. A request that was sent may have been carried out all the same: look first.
        RequestRefusedError: the engine says what is wrong and what to do.
    """
    answer = msgspec.json.decode(_exchange(path, msgspec.json.encode(request), timeout_s), type=dict[str, Any])
    if answer.get("ok") is not True:
        raise RequestRefusedError(str(answer.get("refused", answer)), str(answer.get("fix", "")))
    return answer


def _exchange(path: Path, request: bytes, timeout_s: float) -> bytes:
    sent = False
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            with reachable(path) as name:
                connection.connect(name)
            connection.sendall(request + b"\n")
            sent = True
            answer = bytearray()
            while not answer.endswith(b"\n"):
                piece = connection.recv(_PIECE)
                if not piece:
                    raise EngineAwayError(
                        "the engine ended before it answered: look at its log, then at hlfast positions"
                    )
                answer += piece
            return bytes(answer[:-1])
    except PermissionError:
        raise EngineAwayError(f"{path} belongs to another user: run this as the user that runs hlfast") from None
    except OSError as error:
        if sent:
            raise EngineAwayError(f"the engine did not answer in {timeout_s:g} s: look before you ask again") from error
        raise EngineAwayError(f"no engine listens at {path}") from None
