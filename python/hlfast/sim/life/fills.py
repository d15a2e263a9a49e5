"""Recorded fills of one leader as cues at their recorded times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from hlfast.sim.leaders import LeaderTape
from hlfast.sim.life.cues import Cue, Fills, SourceError

_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")


def read_fills(address: str, rows: Iterable[Any], tape: LeaderTape) -> list[Cue]:
    """Turn rows of `userFills` or `userFillsByTime`, oldest or newest first, into cues.

    Rows of one millisecond, order and coin are one cue, as the venue sends them in one frame.

    Raises:
        SourceError: a row that can't be replayed, named by its place; nothing to play.
    """
    if not _ADDRESS.fullmatch(address):
        raise SourceError(f"address must be 0x and 40 hex digits, not {address!r}")
    read = list(rows)
    try:
        tape.check(read)
    except ValueError as error:
        raise SourceError(str(error)) from None
    for index, row in enumerate(read):
        if type(row.get("time")) is not int:
            raise SourceError(f"rows[{index}].time must be whole milliseconds, not {row.get('time')!r}")
    if not read:
        raise SourceError("no fill row to play")
    if read[0]["time"] > read[-1]["time"]:
        read.reverse()
    read.sort(key=lambda row: int(row["time"]))
    first_ms = read[0]["time"]
    frames = groupby(read, key=lambda row: (row["time"], row.get("oid"), row["coin"]))
    return [Cue(time_ms - first_ms, (Fills(address.lower(), tuple(rows)),)) for (time_ms, _, _), rows in frames]
