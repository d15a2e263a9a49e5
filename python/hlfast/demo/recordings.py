"""Recorded fills of one trader, read from a file of the API's fill rows and put into execution order.

Accepted: `userFills` and `userFillsByTime` rows as a JSON array or as JSON lines, plain or gzip, oldest or newest
first; rows without `tid` (an identity is made), without `oid`, `hash`, `fee` or `dir` (made too), and exports whose
time was cut to whole minutes. What had to be made or left out is counted and said in `Recording.notes`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The venue prints sizes and prices with at most 8 decimals; 30 digits hold any of them.
MOST_DIGITS = 30
# Exports through 32-bit floats keep about 7 digits of startPosition: closer than this is the same position.
SAME_POSITION = Decimal("0.000001")
MINUTE_MS = 60_000
# A recording that needs more than this much memory is not a demo.
MOST_ROWS = 200_000
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
# Recordings inside the package, by the name each leader gets.
PACKAGED = {
    "maker": "maker_0xb7b6f3cea3f66bf525f5d8f965f6dbf6d9b017b2.json.gz",
    "vault": "vault_0x15be61aef0ea4e4dc93c79b668f26b3f1be75a66.jsonl.gz",
    "day": "leader_acc2.jsonl.gz",
    "kbonk": "leader_acc3.jsonl.gz",
    "xyz": "leader_acc5.jsonl.gz",
    "scalper": "leader_acc6.jsonl.gz",
    "shorts": "leader_acc10.jsonl.gz",
}


class RecordingError(ValueError):
    """A fill file that can't be replayed: names the file, the line or row, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One recorded fill. Sizes are unsigned, positions signed; `time_ms` is the recorded venue time."""

    coin: str
    price: Decimal
    size: Decimal
    is_buy: bool
    start: Decimal
    time_ms: int
    oid: int
    row: dict[str, Any] = field(repr=False, compare=False)

    @property
    def end(self) -> Decimal:
        """The position after this fill."""
        return self.start + (self.size if self.is_buy else -self.size)


@dataclass(frozen=True, slots=True)
class Recording:
    """One leader's fills in execution order, and what the reader had to change."""

    name: str
    address: str
    fills: tuple[Fill, ...]
    notes: tuple[str, ...]

    def groups(self) -> Iterator[tuple[Fill, ...]]:
        """Fills of one millisecond, order and coin: what the venue sends in one frame."""
        for _, rows in groupby(self.fills, key=lambda fill: (fill.time_ms, fill.oid, fill.coin)):
            yield tuple(rows)

    def first_positions(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Per coin the position before the first fill, and that fill's price."""
        first: dict[str, tuple[Decimal, Decimal]] = {}
        for fill in self.fills:
            first.setdefault(fill.coin, (fill.start, fill.price))
        return first


def packaged() -> list[Recording]:
    """The recordings that come with hlfast: seven real traders; sources and licences in `data/NOTICE`."""
    data = Path(__file__).parent / "data"
    return [replace(load(data / file), name=name) for name, file in PACKAGED.items()]


def load(path: Path) -> Recording:
    """Read one file.

    Raises:
        RecordingError: the file can't be read, a row is malformed, or nothing in it can be replayed.
    """
    rows = [_parse_fill(row, place, index) for index, (row, place) in enumerate(_rows(path))]
    if not rows:
        raise RecordingError(f"{path}: no fills in it; expected the rows of userFills or userFillsByTime")
    notes: list[str] = []
    made = sum(1 for fill in rows if "tid" not in fill.row)
    if made:
        notes.append(f"{made} rows have no tid: identities are made from their place in the file")
    if len(rows) > 1 and all(fill.time_ms % MINUTE_MS == 0 for fill in rows):
        notes.append("times are whole minutes: the order inside a minute comes from startPosition, then from the file")
    perps = [fill for fill in rows if not _is_spot(fill.coin)]
    if len(perps) < len(rows):
        notes.append(f"{len(rows) - len(perps)} spot rows are left out: fees and transfers move those balances too")
    if perps and perps[0].time_ms > perps[-1].time_ms:
        perps.reverse()
    kept = _without_self_trades(perps)
    if len(kept) < len(perps):
        notes.append(f"{len(perps) - len(kept)} rows are the trader trading with himself: no position change, left out")
    if not kept:
        raise RecordingError(f"{path}: no perpetual fills in it that change a position")
    fills, gaps = _rebase(_in_chain_order(kept))
    if gaps:
        notes.append(f"{gaps} gaps in the recording: from each on, startPosition is counted from the row before")
    return Recording(_name(path), _address(path), tuple(fills), tuple(notes))


def _name(path: Path) -> str:
    return re.sub(r"\.(jsonl?|gz)$", "", re.sub(r"\.gz$", "", path.name)) or path.name


def _address(path: Path) -> str:
    """The address in the file's name, else one made from the name."""
    found = ADDRESS.search(path.name)
    if found:
        return found.group().lower()
    return "0x" + hashlib.sha256(b"hlfast demo leader " + _name(path).encode()).hexdigest()[:40]


def _rows(path: Path) -> Iterator[tuple[Any, str]]:
    """Rows with the place to name in an error."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    except (OSError, EOFError, UnicodeDecodeError) as why:
        raise RecordingError(f"{path}: can't be read: {why}") from why
    if text.lstrip()[:1] == "[":
        rows = _parse_json(text, str(path))
        places = (f"{path} row {number}" for number in range(1, len(rows) + 1))
        pairs: Iterable[tuple[Any, str]] = zip(rows, places, strict=True)
    else:
        lines = ((line, f"{path}:{number}") for number, line in enumerate(text.splitlines(), 1) if line.strip())
        pairs = ((_parse_json(line, place), place) for line, place in lines)
    for count, pair in enumerate(pairs):
        if count >= MOST_ROWS:
            raise RecordingError(f"{path}: more than {MOST_ROWS} rows; split the file")
        yield pair


def _parse_json(text: str, place: str) -> Any:
    try:
        # Numbers that are not strings keep every digit.
        return json.loads(text, parse_float=Decimal, parse_constant=lambda name: _refuse_constant(name, place))
    except (json.JSONDecodeError, RecursionError) as why:
        raise RecordingError(f"{place}: not JSON: {why}") from why


def _refuse_constant(name: str, place: str) -> None:
    raise RecordingError(f"{place}: {name} is not a number")


def _parse_fill(row: Any, place: str, index: int) -> Fill:
    if not isinstance(row, dict):
        raise RecordingError(f"{place}: expected one fill as an object, got {type(row).__name__}")
    missing = [name for name in ("coin", "px", "sz", "side", "time", "startPosition") if name not in row]
    if missing:
        raise RecordingError(
            f"{place}: {', '.join(missing)} missing; a fill row needs coin, px, sz, side, time, startPosition"
        )
    coin = row["coin"]
    if not isinstance(coin, str) or not 0 < len(coin) <= 40:
        raise RecordingError(f'{place}: coin is {coin!r}; expected a name such as "BTC"')
    if row["side"] not in ("A", "B"):
        raise RecordingError(f'{place}: side is {row["side"]!r}; expected "B" (buy) or "A" (sell)')
    price, size = (_parse_decimal(row, name, place) for name in ("px", "sz"))
    if price <= 0 or size <= 0:
        raise RecordingError(f"{place}: px and sz must be above zero, got {price} and {size}")
    time_ms = _parse_whole(row, "time", place)
    if not 1_600_000_000_000 <= time_ms < 10_000_000_000_000:
        raise RecordingError(f"{place}: time is {time_ms}; expected Unix milliseconds")
    oid = _parse_whole(row, "oid", place) if "oid" in row else index + 1
    return Fill(coin, price, size, row["side"] == "B", _parse_decimal(row, "startPosition", place), time_ms, oid, row)


def _parse_whole(row: dict[str, Any], name: str, place: str) -> int:
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RecordingError(f"{place}: {name} is {value!r}; expected a whole number")
    return value


def _parse_decimal(row: dict[str, Any], name: str, place: str) -> Decimal:
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise RecordingError(f"{place}: {name} is {value!r}; expected a decimal string")
    try:
        number = Decimal(value)
    except InvalidOperation as why:
        raise RecordingError(f"{place}: {name} is {value!r}; expected a decimal string") from why
    if not number.is_finite():
        raise RecordingError(f"{place}: {name} is {value!r}; expected a finite number")
    _, digits, exponent = number.as_tuple()
    if len(digits) > MOST_DIGITS or not isinstance(exponent, int) or abs(exponent) > MOST_DIGITS:
        raise RecordingError(f"{place}: {name} has more than {MOST_DIGITS} digits")
    return number


def _is_spot(coin: str) -> bool:
    return coin.startswith("@") or "/" in coin


def _without_self_trades(fills: list[Fill]) -> list[Fill]:
    """Drop pairs of one trade in which the trader was both sides: both rows carry one startPosition and cancel out."""
    open_legs: dict[tuple[Any, ...], list[int]] = {}
    dropped: set[int] = set()
    for index, fill in enumerate(fills):
        trade = (fill.time_ms, fill.coin, fill.start, fill.price, fill.size)
        others = open_legs.get((*trade, not fill.is_buy))
        if others:
            dropped |= {index, others.pop()}
        else:
            open_legs.setdefault((*trade, fill.is_buy), []).append(index)
    return [fill for index, fill in enumerate(fills) if index not in dropped]


def _in_chain_order(fills: list[Fill]) -> list[Fill]:
    """Sort by time; inside one millisecond by the startPosition chain of each coin, then as given."""
    ordered: list[Fill] = []
    position: dict[str, Decimal] = {}
    for _, same_time in groupby(sorted(fills, key=lambda fill: fill.time_ms), key=lambda fill: fill.time_ms):
        waiting = list(same_time)
        while waiting:
            fill = waiting.pop(_next_in_chain(waiting, position))
            position[fill.coin] = fill.end
            ordered.append(fill)
    return ordered


def _next_in_chain(waiting: list[Fill], position: dict[str, Decimal]) -> int:
    for index, fill in enumerate(waiting):
        held = position.get(fill.coin)
        if held is not None and _same(fill.start, held):
            return index
        if held is None and not any(
            _same(other.end, fill.start) for other in waiting if other.coin == fill.coin and other is not fill
        ):
            return index
    return 0


def _same(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= SAME_POSITION * max(abs(one), abs(other))


def _rebase(fills: list[Fill]) -> tuple[list[Fill], int]:
    """Make every startPosition the end of the fill before it; count the gaps, which are more than rounding."""
    recorded: dict[str, Decimal] = {}
    position: dict[str, Decimal] = {}
    linked: list[Fill] = []
    gaps = 0
    for fill in fills:
        gaps += not _same(recorded.get(fill.coin, fill.start), fill.start)
        recorded[fill.coin] = fill.end
        held = position.get(fill.coin, fill.start)
        linked.append(fill if held == fill.start else replace(fill, start=held))
        position[fill.coin] = linked[-1].end
    return linked, gaps
