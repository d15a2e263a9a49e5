"""Ratios over returns, defined as the empyrical library defines them, so that figures can be compared."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

TAIL = 0.05
# Fewer returns than this say nothing; a ratio of them would only look like knowledge.
FEWEST_RETURNS = 5

Returns = npt.NDArray[np.float64]


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """Ratios over the returns of an equity curve. None: not defined (too few returns, or nothing to divide by)."""

    returns: int
    total_return: float | None = None
    annual_return: float | None = None
    annual_volatility: float | None = None
    sharpe: float | None = None
    sortino: float | None = None
    calmar: float | None = None
    max_drawdown: float | None = None  # as a fraction of the peak, zero or negative
    longest_drawdown_steps: int = 0
    value_at_risk: float | None = None  # 5 % of steps return this or less
    expected_shortfall: float | None = None  # the mean of those
    best: float | None = None
    worst: float | None = None


def risk_of(returns: Returns, per_year: float) -> Risk:
    """Compute all ratios.

    Args:
        returns: one per step, as fractions; no NaN.
        per_year: steps in a year.
    """
    count = len(returns)
    if count == 0:
        return Risk(returns=0)
    index = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    drops = drawdowns(index)
    total = float(index[-1] - 1.0)
    basic = Risk(
        returns=count,
        total_return=total,
        max_drawdown=float(drops.min()),
        longest_drawdown_steps=_longest_run(drops < 0),
        best=float(returns.max()),
        worst=float(returns.min()),
    )
    if count < FEWEST_RETURNS:
        return basic
    annual = float(index[-1] ** (per_year / count) - 1.0) if index[-1] > 0 else -1.0
    tail = np.sort(returns)[: int((count - 1) * TAIL) + 1]
    return msgspec.structs.replace(
        basic,
        annual_return=annual if math.isfinite(annual) else None,
        annual_volatility=float(np.std(returns, ddof=1) * math.sqrt(per_year)),
        sharpe=sharpe(returns, per_year),
        sortino=sortino(returns, per_year),
        calmar=annual / -basic.max_drawdown if basic.max_drawdown else None,
        value_at_risk=float(np.percentile(returns, 100 * TAIL)),
        expected_shortfall=float(tail.mean()),
    )


def sharpe(returns: Returns, per_year: float) -> float | None:
    """Mean over sample deviation, annualised; the risk-free rate is zero."""
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    # A constant return has a deviation of rounding noise, not of risk.
    if deviation <= 1e-12 * max(1.0, abs(float(np.mean(returns)))):
        return None
    return float(np.mean(returns)) / deviation * math.sqrt(per_year)


def sortino(returns: Returns, per_year: float) -> float | None:
    """Annual mean over annual downside deviation, taken over all steps."""
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns)) * per_year / (downside * math.sqrt(per_year)) if downside else None


def drawdowns(index: Returns) -> Returns:
    """Return how far each point is below the highest before it, as a fraction, zero or negative."""
    peaks = np.maximum.accumulate(index)
    return np.asarray(index / peaks - 1.0, dtype=np.float64)


def _longest_run(under: npt.NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], under, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
