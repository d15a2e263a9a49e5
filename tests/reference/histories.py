"""Recorded histories as changes of leaders: every recorded trader, each with its whole record."""

from __future__ import annotations

import gzip
import heapq
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.reference.compare import Change
from tests.reference.world import Coin

ZERO = Decimal(0)
# So that a record of minutes sees all hours of a day.
WAIT_EACH, WAIT_MS = 70, 83 * 60_000


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of the API, oldest first."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = json.loads(text) if text.lstrip()[:1] == b"[" else [json.loads(line) for line in text.splitlines() if line]
    rows = [row.get("fill", row) for row in rows]
    return sorted((row for row in rows if Decimal(row["sz"]) > 0), key=lambda row: int(row["time"]))


def coins_of(histories: list[list[dict[str, Any]]]) -> tuple[Coin, ...]:
    """All coins of some histories, as perps: what copying does with them is the same."""
    digits: dict[str, int] = {}
    for row in (row for rows in histories for row in rows):
        decimals = len(row["sz"].rstrip("0").partition(".")[2])
        digits[_name(row["coin"])] = min(5, max(decimals, digits.get(_name(row["coin"]), 0)))
    return tuple(Coin(name, size_decimals) for name, size_decimals in sorted(digits.items()))


def changes(
    leader: str, rows: list[dict[str, Any]], first_tid: int, *, coalesced: bool
) -> Iterator[tuple[float, Change]]:
    """One change per fill, or (coalesced) per millisecond and coin. Each position is carried on from the coin's first row, so
    that a gap in the record is none here. With each goes its place in the record, from 0 to 1."""
    positions: dict[str, Decimal] = {}
    tid = first_tid
    groups = groupby(enumerate(rows), key=lambda item: (item[1]["time"] if coalesced else item[0], item[1]["coin"]))
    for (_, coin), group in groups:
        name, made, place = _name(coin), [], 0.0
        for at, row in group:
            start = positions.get(name, Decimal(row["startPosition"]))
            tid += 1
            made.append(_row(name, row, start, tid))
            positions[name] = start + (Decimal(row["sz"]) if row["side"] == "B" else -Decimal(row["sz"]))
            place = at / len(rows)
        yield place, Change(leader, name, tuple(made))


def together(histories: dict[str, list[dict[str, Any]]], *, coalesced: bool) -> Iterator[Change]:
    """Several leaders' records side by side: each from its beginning to its end."""
    streams = [
        changes(name, rows, 1 + at * 10_000_000, coalesced=coalesced)
        for at, (name, rows) in enumerate(histories.items())
    ]
    for at, (_, change) in enumerate(heapq.merge(*streams, key=lambda item: item[0])):
        yield replace(change, wait_ms=WAIT_MS) if at % WAIT_EACH == 0 else change


def held_first(histories: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """What each leader held of a coin ahead of its first row, and that row's price."""
    held: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for leader, rows in histories.items():
        for row in rows:
            held.setdefault((leader, _name(row["coin"])), (Decimal(row["startPosition"]), Decimal(row["px"])))
    return {where: what for where, what in held.items() if what[0] != 0}


def _name(coin: str) -> str:
    return coin.replace(":", "-").replace("/", "-").replace("@", "at")


def _row(coin: str, row: dict[str, Any], start: Decimal, tid: int) -> dict[str, Any]:
    return {
        "coin": coin, "px": row["px"], "sz": row["sz"], "side": row["side"], "startPosition": f"{start:f}", "dir": "",
        "closedPnl": "0.0", "hash": "0x" + "0" * 64, "oid": 1, "crossed": True, "fee": "0.0", "tid": tid,
        "feeToken": "USDC", "twapId": None,
    }  # fmt: skip
