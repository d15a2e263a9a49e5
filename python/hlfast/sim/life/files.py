"""Plays of the command line and of scenarios: their files are read here, so that the control door never reads one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from hlfast.sim.life.cues import SourceError
from hlfast.sim.life.packaged import read_rows

_FIELDS = {"capture": "frames", "candles": "rows", "fills": "rows"}


def with_files(ops: Any, folder: Path) -> Any:
    """Return a scenario whose `play` ops hold what their `file` (relative to `folder`) held.

    Raises:
        SourceError: a file that can't be read, or an op that takes none.
    """
    if not isinstance(ops, list):
        return ops
    return [_with_file(op, folder) for op in ops]


def _with_file(op: Any, folder: Path) -> Any:
    if not isinstance(op, dict) or op.get("op") != "play" or "file" not in op:
        return op
    field = _FIELDS.get(str(op.get("what")))
    if field is None or not isinstance(op["file"], str):
        raise SourceError(f"play: {op.get('what')!r} takes no file")
    rest = {key: value for key, value in op.items() if key != "file"}
    return rest | {field: read_rows(folder / op["file"])}


def life_op(life: str, *, seed: int, speed: str, coins: list[str]) -> dict[str, Any]:
    """Return the `play` op of `--life`: `walk`, `capture` (the packaged one), or a file of frames or candles.

    Raises:
        SourceError: the file can't be read or holds neither.
    """
    chosen: dict[str, Any] = {"coins": coins} if coins else {}
    if life == "walk":
        return {"op": "play", "what": "walk", "seed": seed, "speed": speed} | chosen
    if life == "capture":
        return {"op": "play", "what": "capture", "speed": speed, "loop": True} | chosen
    path = Path(life)
    if not path.exists():
        raise SourceError(f"{life!r} is neither walk nor capture nor a file")
    rows = read_rows(path)
    first = rows[0] if rows and isinstance(rows[0], dict) else {}
    if "channel" in first:
        return {"op": "play", "what": "capture", "frames": rows, "speed": speed} | chosen
    if "o" in first:
        return {"op": "play", "what": "candles", "rows": rows, "speed": speed}
    raise SourceError(f"{life}: rows are neither frames (channel, data) nor candles (t, T, s, o, h, l, c, v)")


def leader_op(text: str) -> dict[str, Any]:
    """Return the `play` op of one `--leader [ADDRESS=]SOURCE[@SPEED]`; a source is a file or a packaged recording.

    Raises:
        SourceError: not of this form, or the file can't be read.
    """
    address, equals, rest = text.rpartition("=")
    source, _, speed = rest.partition("@")
    if not source:
        raise SourceError(f"{text!r} is not [ADDRESS=]SOURCE[@SPEED]")
    if not equals:
        address = "0x" + hashlib.sha256(source.encode()).hexdigest()[:40]
    op: dict[str, Any] = {"op": "play", "what": "fills", "address": address, "speed": speed or 1, "usdc": "10000000"}
    path = Path(source)
    return op | ({"rows": read_rows(path)} if path.exists() else {"recording": source})
