"""Recorded market channels: books, best prices and trades of a WebSocket capture, one frame a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from hlfast.sim.book import Quote
from hlfast.sim.life.cues import Act, Best, Cue, Deal, Shape, SourceError
from hlfast.sim.numbers import parse
from hlfast.sim.universe import Universe

Timed = tuple[int, Act]


def read_capture(frames: Iterable[Any], universe: Universe, coins: frozenset[str] | None = None) -> list[Cue]:
    """Turn frames `{"channel", "data"}` of `l2Book`, `bbo` and `trades` into cues in order of venue time.

    Other channels, other keys of a frame and coins outside `coins` are passed over.

    Raises:
        SourceError: a frame that doesn't fit, named by its place; nothing to play.
    """
    timed: list[Timed] = []
    for index, sent in enumerate(frames):
        try:
            timed.extend(row for row in _read(sent, universe) if coins is None or row[1].coin in coins)  # type: ignore[union-attr]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise SourceError(f"frames[{index}] ({_channel(sent)}): {error!r}") from None
    if not timed:
        raise SourceError("no l2Book, bbo or trades frame of a listed coin")
    # A subscription's first trades are history: with a book to start from, they are before the beginning.
    first_ms = min((time_ms for time_ms, act in timed if not isinstance(act, Deal)), default=0)
    timed = [row for row in timed if row[0] >= first_ms]
    # Stable: of one millisecond, what arrived first happens first.
    timed.sort(key=lambda row: row[0])
    first_ms = timed[0][0]
    return [
        Cue(time_ms - first_ms, tuple(act for _, act in rows))
        for time_ms, rows in groupby(timed, key=lambda row: row[0])
    ]


def _channel(sent: Any) -> str:
    return str(sent.get("channel")) if isinstance(sent, dict) else type(sent).__name__


def _read(sent: Any, universe: Universe) -> Iterator[Timed]:
    if not isinstance(sent, dict):
        raise TypeError("a frame is an object")
    reader = _READERS.get(str(sent.get("channel")))
    if reader is not None:
        yield from reader(sent["data"], universe)


def _listed(data: Any, universe: Universe) -> bool:
    return data["coin"] in universe.by_coin


def _book(data: Any, universe: Universe) -> Iterator[Timed]:
    if _listed(data, universe):
        bids, asks = data["levels"]
        quotes = [_quote(level, is_buy=True) for level in bids] + [_quote(level, is_buy=False) for level in asks]
        yield int(data["time"]), Shape(data["coin"], tuple(quotes))


def _quote(level: Any, *, is_buy: bool) -> Quote:
    price, size = parse(level["px"]), parse(level["sz"])
    if price <= 0 or size <= 0:
        raise ValueError(f"px {level['px']!r} and sz {level['sz']!r} must be above zero")
    return is_buy, price, size


def _best(data: Any, universe: Universe) -> Iterator[Timed]:
    if _listed(data, universe):
        bid, ask = (None if side is None else _quote(side, is_buy=True)[1:] for side in data["bbo"])
        yield int(data["time"]), Best(data["coin"], bid, ask)


def _trades(data: Any, universe: Universe) -> Iterator[Timed]:
    for row in data:
        if not _listed(row, universe):
            continue
        is_buy = {"B": True, "A": False}[row["side"]]
        _, price, size = _quote(row, is_buy=is_buy)
        buyer, seller = row["users"]
        trader = str(buyer if is_buy else seller).lower()
        yield int(row["time"]), Deal(row["coin"], is_buy, size, price, trader)


_READERS: dict[str, Callable[[Any, Universe], Iterator[Timed]]] = {"l2Book": _book, "bbo": _best, "trades": _trades}
