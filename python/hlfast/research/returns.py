"""Daily returns of several traders over the same days, and how much they move together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import numpy as np

from hlfast.research.copyable import capital_of
from hlfast.research.equity import DAY_MS
from hlfast.research.figures import Analysis

# Older days say little of how a trader works now, and fewer say nothing of a correlation.
LATEST_DAYS = 90
FEWEST_DAYS = 14


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """How traders move.

    `deviation` is of a day's return, by address in the order given; None: too few days, or none moved. `alike` holds
    correlations by address and other address where both are known over `days` common days.
    """

    days: int
    deviation: dict[str, float | None]
    alike: dict[str, dict[str, float]]


def daily_returns(one: Analysis) -> dict[int, float]:
    """Return the realised return of each UTC day, quiet ones too; days that began without money have none."""
    times = [at for at, _, _ in one.equity]
    usual = capital_of(one)
    returns = {}
    for day, usd in one.daily:
        at = bisect_right(times, day * DAY_MS) - 1
        base = one.equity[at][1] if at >= 0 and one.equity_basis == "venue" else usual
        if base > 0:
            returns[day] = float(usd / Decimal(base))
    return returns


def together(traders: Mapping[str, Analysis]) -> Together:
    """Compare traders over the latest days in all records; who did not trade on one of them returned nothing."""
    returns = {address: daily_returns(one) for address, one in traders.items()}
    spans = [(min(days), max(days)) for days in returns.values() if days]
    if not spans:
        return Together(days=0, deviation=dict.fromkeys(traders), alike={})
    last = min(end for _, end in spans)
    first = max(*(begin for begin, _ in spans), last - LATEST_DAYS + 1)
    common = last - first + 1
    deviation = {address: _deviation(days) for address, days in returns.items()}
    moving = [address for address in traders if deviation[address]]
    if common < FEWEST_DAYS or len(moving) < 2:
        return Together(days=max(0, common), deviation=deviation, alike={})
    table = np.array([[returns[address].get(day, 0.0) for day in range(first, last + 1)] for address in moving])
    moved = table.std(axis=1) > 0
    moving = [address for address, has in zip(moving, moved, strict=True) if has]
    alike = np.atleast_2d(np.corrcoef(table[moved])) if len(moving) > 1 else np.ones((1, 1))
    return Together(
        days=common,
        deviation=deviation,
        alike={
            address: {
                other: round(float(alike[row, column]), 4) for column, other in enumerate(moving) if column != row
            }
            for row, address in enumerate(moving)
        },
    )


def _deviation(days: Mapping[int, float]) -> float | None:
    """Sample deviation over a trader's own latest days."""
    if not days:
        return None
    last = max(days)
    first = max(min(days), last - LATEST_DAYS + 1)
    values = [days.get(day, 0.0) for day in range(first, last + 1)]
    if len(values) < FEWEST_DAYS:
        return None
    return float(np.std(values, ddof=1)) or None
