"""Histories in files: JSON arrays or lines, plain or gzip, as the venue's answers are saved."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from hlfast.errors import HlfastError
from hlfast.research.history import History, history_from_rows

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
# 1,000,000 rows of the venue are about 450 MB of text.
MOST_BYTES = 2 * 1024**3
_LONGEST_LINE = 1 << 20
_GZIP = b"\x1f\x8b"


class FileRefusedError(HlfastError):
    """A file that holds no history. The message names the file and what is wrong with it."""


def history_from_file(path: Path) -> History:
    """Read one file; damaged lines are counted as bad rows of the history, never the end of it.

    Raises:
        FileRefusedError: it can't be opened or decompressed, is larger than 2 GiB of text, or holds no usable fill.
    """
    found = ADDRESS.search(path.name)
    try:
        history = history_from_rows(_title(path), _rows(path), address=found.group().lower() if found else None)
    except (OSError, EOFError, zlib.error) as error:
        raise FileRefusedError(_unreadable(path, error)) from error
    if not history.fills.height:
        said = "; ".join(issue.text for issue in history.issues)
        raise FileRefusedError(f"{path}: no fills in it ({said}). Expected rows of userFills or userFillsByTime")
    return history


def rows_of_file(path: Path) -> list[dict[str, Any]]:
    """Read the objects of a JSON array or of JSON lines (funding, transfers); what is no object is passed over.

    Raises:
        FileRefusedError: the file can't be read.
    """
    try:
        return [row for row in _rows(path) if isinstance(row, dict)]
    except (OSError, EOFError, zlib.error) as error:
        raise FileRefusedError(_unreadable(path, error)) from error


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        digits = path.name.removeprefix("0x")
        said = f", and no address: one has 40 digits behind 0x, not {len(digits)}" if digits != path.name else ""
        return f"{path}: no such file{said}"
    return f"{path}: can't be read: {getattr(error, 'strerror', None) or error}"


def _title(path: Path) -> str:
    name = path.name
    for ending in (".gz", ".jsonl", ".json", ".ndjson"):
        name = name.removesuffix(ending)
    return name or path.name


def _rows(path: Path) -> Iterator[Any]:
    with _open(path) as file:
        head = file.read(64).lstrip()
    with _open(path) as file:
        if head[:1] == b"[":
            yield from _array(path, file)
        else:
            yield from _lines(path, file)


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as file:
        magic = file.read(2)
    return gzip.open(path, "rb") if magic == _GZIP else path.open("rb")


def _array(path: Path, file: BinaryIO | gzip.GzipFile) -> Iterator[Any]:
    text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise FileRefusedError(f"{path}: more than {MOST_BYTES >> 30} GiB of text; split it")
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FileRefusedError(f"{path}: not JSON: {error}") from error
    yield from rows


def _lines(path: Path, file: BinaryIO | gzip.GzipFile) -> Iterator[Any]:
    size = 0
    while line := file.readline(_LONGEST_LINE):
        size += len(line)
        if size > MOST_BYTES:
            raise FileRefusedError(f"{path}: more than {MOST_BYTES >> 30} GiB of text; split it")
        if line.isspace():
            continue
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            # Counted and named by its place, like a row without a price.
            yield None
