"""What a request costs, and an optional bucket that keeps one address within the venue's budget.

The engine has a governor of its own in the core and passes no limiter; a library user takes `WeightBudget` or none.
Figures are the venue's documentation of 2026-08.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

WEIGHT_PER_MINUTE: Final = 1_200
_LIGHT: Final = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)
_ROWS_PER_WEIGHT: Final = {
    "recentTrades": 20,
    "historicalOrders": 20,
    "userFills": 20,
    "userFillsByTime": 20,
    "fundingHistory": 20,
    "userFunding": 20,
    "userNonFundingLedgerUpdates": 20,
    "twapHistory": 20,
    "userTwapSliceFills": 20,
    "userTwapSliceFillsByTime": 20,
    "delegatorHistory": 20,
    "delegatorRewards": 20,
    "candleSnapshot": 60,
}


def info_weight(request: str) -> int:
    """Return what a read costs before its answer is known."""
    if request in _LIGHT:
        return 2
    return 60 if request == "userRole" else 20


def row_weight(request: str, rows: int) -> int:
    """Return what the rows of an answer cost on top."""
    per = _ROWS_PER_WEIGHT.get(request)
    return rows // per if per is not None else 0


def action_weight(items: int) -> int:
    """Return what an action of `items` orders or cancels costs: 1 and another for each full 40."""
    return 1 + items // 40


class Limiter(Protocol):
    """Whoever keeps the budget of this source address."""

    async def take(self, weight: int) -> None:
        """Wait until `weight` may be spent, and spend it."""

    def spend(self, weight: int) -> None:
        """Spend what was only known afterwards, without waiting."""


class WeightBudget:
    """A bucket that refills evenly: `per_minute` weight, of which all may be spent at once after a quiet minute.

    Args:
        per_minute: what the address may spend in 60 s.
        burst: what a quiet time may save up; all of a minute by default. No 60 s see more than both together.
        clock: seconds, monotonic.
    """

    def __init__(
        self, per_minute: int = WEIGHT_PER_MINUTE, *, burst: int | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._clock = clock
        self._per_s = per_minute / 60
        self._most = float(per_minute if burst is None else burst)
        self._left = self._most
        self._at = clock()
        self._turn = asyncio.Lock()

    async def take(self, weight: int) -> None:
        """Wait, first come first served, until `weight` is there; more than the whole budget waits for all of it."""
        async with self._turn:
            wanted = min(float(weight), self._most)
            missing = wanted - self._refilled()
            if missing > 0:
                await asyncio.sleep(missing / self._per_s)
                self._refilled()
            self._left -= weight

    def spend(self, weight: int) -> None:
        """Spend at once; the bucket may go below zero, and the next `take` waits longer."""
        self._refilled()
        self._left -= weight

    def left(self) -> int:
        """Return the weight that could be spent now; negative when overspent."""
        return int(self._refilled())

    def _refilled(self) -> float:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        return self._left
