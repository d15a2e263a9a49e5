"""Bars of what traded: one minute and one hour wide, from which every candle and day figure is made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hlfast.sim.numbers import parse, times

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KEPT = 5_000  # as many candles as the venue shows


@dataclass(slots=True)
class Bar:
    """Prices, base volume, notional and trades of one stretch of time; all but `trades` count 1e-8."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    notional: int = 0
    trades: int = 0

    def add(self, price: int, size: int) -> None:
        """Take a trade in."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += size
        self.notional += times(price, size)
        self.trades += 1


class Bars:
    """Bars of all coins; nothing is kept of a stretch without trades."""

    def __init__(self) -> None:
        self._by_width: dict[int, dict[str, deque[Bar]]] = {MINUTE_MS: {}, HOUR_MS: {}}

    def record(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take in trade rows, in order of time."""
        for row in rows:
            price, size = parse(row["px"]), parse(row["sz"])
            for width, coins in self._by_width.items():
                bars = coins.setdefault(row["coin"], deque(maxlen=KEPT))
                start = row["time"] // width * width
                if not bars or bars[-1].start_ms != start:
                    bars.append(Bar(start, price, price, price, price))
                bars[-1].add(price, size)

    def between(self, coin: str, width_ms: int, start_ms: int, end_ms: int) -> list[Bar]:
        """Return the bars that start in [start, end), oldest first; the width must be one that is kept."""
        found = []
        for bar in reversed(self._by_width[width_ms].get(coin, ())):
            if bar.start_ms < start_ms:
                break
            if bar.start_ms < end_ms:
                found.append(bar)
        return found[::-1]

    def merged(self, coin: str, start_ms: int, width_ms: int) -> Bar | None:
        """Return one bar over a stretch, None where nothing traded."""
        kept = HOUR_MS if width_ms % HOUR_MS == 0 else MINUTE_MS
        parts = self.between(coin, kept, start_ms, start_ms + width_ms)
        if not parts:
            return None
        whole = Bar(
            start_ms,
            parts[0].open,
            max(bar.high for bar in parts),
            min(bar.low for bar in parts),
            parts[-1].close,
        )
        for bar in parts:
            whole.volume += bar.volume
            whole.notional += bar.notional
            whole.trades += bar.trades
        return whole

    def day(self, coin: str, now_ms: int) -> Bar | None:
        """Return the last 24 hours, in hours begun; None where nothing traded."""
        end = now_ms // HOUR_MS * HOUR_MS + HOUR_MS
        return self.merged(coin, end - DAY_MS, DAY_MS)
