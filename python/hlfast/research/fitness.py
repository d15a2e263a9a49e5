"""Whether a leader is still fit to be copied, watched over his latest orders. Thresholds downgrade to close-only."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TypeVar

import msgspec

T = TypeVar("T")
# Verdicts on fewer would follow chance.
FEWEST = 20


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Where a leader stops being fit. None: not judged."""

    most_maker_share: float | None = 0.8
    shortest_holding_ms: int | None = 30_000
    most_below_minimum: float | None = 0.5
    most_slippage_bps: float | None = 25.0
    shortest_half_life_ms: int | None = 2_000


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One leader order and what became of it for a follower; None: not known."""

    maker: bool | None = None
    below_minimum: bool = False
    holding_ms: int | None = None  # of the round trip that it closed
    slippage_bps: float | None = None  # follower's average against the leader's price, positive costs
    # Signed move of the price in the leader's favour since his fill, (milliseconds after, bps), oldest first.
    drift: tuple[tuple[int, float], ...] = ()


class Fitness(msgspec.Struct, frozen=True, kw_only=True):
    """The present state; a figure that rests on too few orders is None. `reasons` is empty while the leader is fit."""

    orders: int
    maker_share: float | None
    median_holding_ms: int | None
    below_minimum: float | None
    mean_slippage_bps: float | None
    half_life_ms: int | None
    reasons: tuple[str, ...]

    @property
    def close_only(self) -> bool:
        """Whether new entries should stop."""
        return bool(self.reasons)


class Watch:
    """Keeps the latest orders of one leader.

    Args:
        thresholds: where fitness ends.
        window: orders kept.
        fewest: values that a figure needs.
    """

    def __init__(self, thresholds: Thresholds | None = None, window: int = 200, fewest: int = FEWEST) -> None:
        self._thresholds = thresholds or Thresholds()
        self._seen: deque[Seen] = deque(maxlen=window)
        self._fewest = fewest

    def add(self, seen: Seen) -> Fitness:
        """Take an order in and judge anew."""
        self._seen.append(seen)
        return self.judge()

    def forget(self) -> None:
        """Begin anew: what was judged once is not judged again."""
        self._seen.clear()

    def judge(self) -> Fitness:
        """Judge the window."""
        seen = self._seen
        roles = self._enough([one.maker for one in seen if one.maker is not None])
        holdings = self._enough([one.holding_ms for one in seen if one.holding_ms is not None])
        small = self._enough([one.below_minimum for one in seen])
        slips = self._enough([one.slippage_bps for one in seen if one.slippage_bps is not None])
        drifts = self._enough([one.drift for one in seen if one.drift])
        fitness = Fitness(
            orders=len(seen),
            maker_share=sum(roles) / len(roles) if roles else None,
            median_holding_ms=int(median(holdings)) if holdings else None,
            below_minimum=sum(small) / len(small) if small else None,
            mean_slippage_bps=sum(slips) / len(slips) if slips else None,
            half_life_ms=half_life(drifts),
            reasons=(),
        )
        return msgspec.structs.replace(fitness, reasons=self._reasons(fitness))

    def _enough(self, values: list[T]) -> list[T]:
        return values if len(values) >= self._fewest else []

    def _reasons(self, now: Fitness) -> tuple[str, ...]:
        least = self._thresholds
        high = (
            ("maker share", now.maker_share, least.most_maker_share, ""),
            ("share of orders below the minimum", now.below_minimum, least.most_below_minimum, ""),
            ("slippage", now.mean_slippage_bps, least.most_slippage_bps, " bps"),
        )
        low = (
            ("median holding time", now.median_holding_ms, least.shortest_holding_ms, " ms"),
            ("half-life of the edge", now.half_life_ms, least.shortest_half_life_ms, " ms"),
        )
        said = [f"{n} {v:.4g}{u} is above {t:g}{u}" for n, v, t, u in high if v is not None and t is not None and v > t]
        said += [f"{n} {v:,}{u} is below {t:,}{u}" for n, v, t, u in low if v is not None and t is not None and v < t]
        return tuple(said)


def half_life(drifts: list[tuple[tuple[int, float], ...]]) -> int | None:
    """Return after how many milliseconds half of the leader's edge is gone; None where there is no edge.

    The edge is the mean drift at the last horizon that all orders share; half of it is gone when the mean drift first
    reaches half, linear between horizons: who enters then keeps the other half.
    """
    if not drifts:
        return None
    times = sorted(set.intersection(*({at for at, _ in drift} for drift in drifts)))
    means = [sum(dict(drift)[at] for drift in drifts) / len(drifts) for at in times]
    if not means or means[-1] <= 0:
        return None
    half, before_at, before = means[-1] / 2, 0, 0.0
    for at, value in zip(times, means, strict=True):
        if value >= half:
            return round(before_at + (at - before_at) * (half - before) / (value - before))
        before_at, before = at, value
    return None
