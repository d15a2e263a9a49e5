"""Bars of what traded: one minute and one hour wide, from which every candle and day figure is made."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hlfast.sim.numbers import times

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

    def take(self, later: Bar) -> None:
        """Take in what traded after this bar's own trades."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.notional += later.notional
        self.trades += later.trades


class Bars:
    """Bars of all coins; nothing is kept of a stretch without trades."""

    def __init__(self) -> None:
        self._by_width: dict[int, dict[str, deque[Bar]]] = {MINUTE_MS: {}, HOUR_MS: {}}
        self._noted: dict[str, list[tuple[int, int]]] = {}  # by coin: (price, size) of each trade of this block

    def note(self, coin: str, price: int, size: int) -> None:
        """Take in a trade of the present block, to be shown from its close on."""
        self._noted.setdefault(coin, []).append((price, size))

    def close_block(self, time_ms: int) -> None:
        """Add the block's trades to the bars that they fall into."""
        for coin, trades in self._noted.items():
            prices = [price for price, _ in trades]
            volume = sum(size for _, size in trades)
            notional = sum(times(price, size) for price, size in trades)
            for width, coins in self._by_width.items():
                start = time_ms // width * width
                bar = Bar(start, prices[0], max(prices), min(prices), prices[-1], volume, notional, len(trades))
                bars = coins.setdefault(coin, deque(maxlen=KEPT))
                if bars and bars[-1].start_ms == start:
                    bars[-1].take(bar)
                else:
                    bars.append(bar)
        self._noted.clear()

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
        first = parts[0]
        whole = Bar(start_ms, first.open, first.high, first.low, first.close)
        for bar in parts:
            whole.take(bar)
        return whole

    def day(self, coin: str, now_ms: int) -> Bar | None:
        """Return the last 24 hours, in hours begun; None where nothing traded."""
        end = now_ms // HOUR_MS * HOUR_MS + HOUR_MS
        return self.merged(coin, end - DAY_MS, DAY_MS)
