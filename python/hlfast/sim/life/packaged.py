"""Recordings that come with the package."""

from __future__ import annotations

import gzip
import io
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from hlfast.sim.life.cues import SourceError

CAPTURE = "market_2026-07-22.jsonl.gz"
MOST_BYTES = 512 * 1024 * 1024  # unpacked; more than this is no recording but a mistake


def packaged_capture() -> list[Any]:
    """Return five minutes of the books and trades of five mainnet markets; see `data/NOTICE`."""
    return _decode(resources.files("hlfast.sim").joinpath("data", CAPTURE).read_bytes(), CAPTURE)


def packaged_fills(name: str) -> list[Any]:
    """Return a packaged leader's fill rows.

    Raises:
        SourceError: no recording of this name; the text lists those that exist.
    """
    # By path and not by import: the simulator imports nothing of what it tests.
    known = {_stem(entry): entry for entry in resources.files("hlfast").joinpath("demo", "data").iterdir()}
    known = {stem: entry for stem, entry in known.items() if entry.name.endswith(".gz")}
    if name not in known:
        raise SourceError(f"no packaged recording {name!r}; known: {', '.join(sorted(known))}")
    return _decode(known[name].read_bytes(), name)


def _stem(entry: Traversable) -> str:
    return entry.name.partition(".")[0]


def read_rows(path: Path) -> list[Any]:
    """Read a JSON array or JSON lines, plain or gzip.

    Raises:
        SourceError: the file can't be read or isn't that; names the file and the line.
    """
    try:
        return _decode(path.read_bytes(), str(path))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from None


def _decode(raw: bytes, name: str) -> list[Any]:
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = packed.read(MOST_BYTES + 1)
        except (OSError, EOFError) as error:
            raise SourceError(f"{name}: {error}") from None
    if len(raw) > MOST_BYTES:
        raise SourceError(f"{name}: more than {MOST_BYTES} bytes")
    if raw.lstrip()[:1] == b"[":
        rows: list[Any] = _json(raw, name, list[Any])
        return rows
    lines = raw.splitlines()
    return [_json(line, f"{name}:{number}", Any) for number, line in enumerate(lines, start=1) if line.strip()]


def _json(raw: bytes, where: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SourceError(f"{where}: {error}") from None
