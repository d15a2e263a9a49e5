"""Given candles: the price goes through open, both extremes and close, and the volume trades on the way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hlfast.sim.life.cues import Act, Cue, Deal, Mid, SourceError
from hlfast.sim.numbers import parse
from hlfast.sim.universe import Asset, Universe

QUARTERS = 4
STEPS = 15  # moves between two of a candle's four prices


def read_candles(rows: Iterable[Any], universe: Universe) -> list[Cue]:
    """Turn rows of `candleSnapshot` (`t, T, s, o, h, l, c, v`) of one or more coins into cues.

    The four prices are printed exactly, each with a quarter of the volume (the first with the rest), so that
    candles of the same interval read back as they were given, if they start with the interval. Between them the mid
    moves in straight lines.

    Raises:
        SourceError: a row that doesn't fit, named by its place; nothing to play.
    """
    read = [_read(index, row, universe) for index, row in enumerate(rows)]
    if not read:
        raise SourceError("no candle to play")
    first_ms = min(candle[0] for candle in read)
    timed: list[tuple[int, Act]] = []
    for start_ms, length_ms, asset, prices, volume in read:
        timed.extend(_acts(start_ms - first_ms, length_ms, asset, prices, volume))
    timed.sort(key=lambda row: row[0])
    return [Cue(at_ms, (act,)) for at_ms, act in timed]


Candle = tuple[int, int, Asset, tuple[int, ...], int]


def _read(index: int, row: Any, universe: Universe) -> Candle:
    try:
        asset = universe.by_coin.get(row["s"])
        if asset is None:
            raise SourceError(f"s {row['s']!r} is not listed here; see /info meta and spotMeta")
        opening, high, low, close = (parse(str(row[key])) for key in "ohlc")
        start_ms, length_ms = int(row["t"]), int(row["T"]) - int(row["t"]) + 1
        volume = parse(str(row["v"])[:40]) if _is_short(row["v"]) else _cut(str(row["v"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"candles[{index}]: {error}") from None
    if not 0 < low <= min(opening, close) <= max(opening, close) <= high or length_ms < QUARTERS * STEPS:
        raise SourceError(f"candles[{index}]: l <= o, c <= h and T > t must hold, prices above zero")
    # A rising candle dips first: the usual reading, and the path that moves least.
    turns = (low, high) if close >= opening else (high, low)
    return start_ms, length_ms, asset, (opening, *turns, close), volume


def _is_short(volume: Any) -> bool:
    return len(str(volume).partition(".")[2]) <= 8


def _cut(volume: str) -> int:
    # The venue sums volumes in floats: "3495670.8399999999" is really sent.
    whole, _, part = volume.partition(".")
    return parse(f"{whole}.{part[:8]}")


def _acts(
    start_ms: int, length_ms: int, asset: Asset, prices: tuple[int, ...], volume: int
) -> Iterable[tuple[int, Act]]:
    quarter = volume // QUARTERS // asset.lot * asset.lot
    # The last price comes just before the end: a trade at the end would belong to the next candle.
    times = [start_ms + (length_ms - 1) * index // (QUARTERS - 1) for index in range(QUARTERS)]
    for index, (at_ms, price) in enumerate(zip(times, prices, strict=True)):
        if index:
            begin_ms, begin = times[index - 1], prices[index - 1]
            for step in range(1, STEPS):
                share = begin + (price - begin) * step // STEPS
                yield begin_ms + (at_ms - begin_ms) * step // STEPS, Mid(asset.coin, share)
        size = volume - (QUARTERS - 1) * quarter if index == 0 else quarter
        yield at_ms, Mid(asset.coin, price)
        if size // asset.lot:
            is_buy = price >= prices[max(index - 1, 0)]
            yield at_ms, Deal(asset.coin, is_buy, size // asset.lot * asset.lot, price)
