"""The file: JSON lines, the head first, then what happened in order. `t` is the venue's clock in Unix ms."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hlfast.sim.sessions.head import VERSION, Head


class SessionError(ValueError):
    """A file that is no recorded session: names the line and what is wrong."""


class Row(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One happening. What a client did: `request`, `knock` (a socket asked for), `open`, `said`, `left`. What the venue
    did: `timer`, `answer` or `no_answer`, `refused` or admitted (`status` 0), `told`, `cut`.

    Fields that fit the kind: `id` of a request or number of a socket, `source` address, `status`, `text` or (not
    UTF-8) `base64`.
    """  # noqa: D205 - the list of kinds is the summary

    t: int
    kind: str
    id: int = 0
    name: str = ""
    source: str = ""
    method: str = ""
    path: str = ""
    status: int = 0
    text: str | None = None
    base64: str | None = None

    def payload(self) -> bytes:
        """Return the bytes that were sent."""
        return self.text.encode() if self.text is not None else base64.b64decode(self.base64 or "")


def spelled(payload: bytes) -> dict[str, str]:
    """Return the row's field that holds these bytes."""
    try:
        return {"text": payload.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(payload).decode()}


def read_session(path: Path) -> tuple[Head, Iterator[tuple[int, Row]]]:
    """Read a recording: its head, and (line, row) pairs as they are asked for.

    A last line without its end, as a killed process leaves it, is left out.

    Raises:
        OSError: the file can't be read.
        SessionError: the head isn't one; later, from the iterator, a row that isn't one.
    """
    lines = _lines(path)
    try:
        head = msgspec.json.decode(next(lines, b""), type=Head)
    except msgspec.MsgspecError as error:
        raise SessionError(f"{path}:1: no head of a recorded session: {error}") from None
    if head.hlfast_sim_session != VERSION:
        raise SessionError(f"{path}: version {head.hlfast_sim_session}, this program reads {VERSION}")
    return head, _rows(path, lines)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line


def _rows(path: Path, lines: Iterator[bytes]) -> Iterator[tuple[int, Row]]:
    decoder = msgspec.json.Decoder(Row)
    for number, line in enumerate(lines, start=2):
        try:
            yield number, decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise SessionError(f"{path}:{number}: {error}") from None
