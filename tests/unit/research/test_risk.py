from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hlfast.research.equity import DAY_MS, Equity, equity_from_days, equity_from_portfolio, returns_of, steps_per_year
from hlfast.research.history import MONEY
from hlfast.research.risk import risk_of

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "risk_empyrical.json").read_text(encoding="utf-8"))
RATIOS = (
    "total_return",
    "annual_return",
    "annual_volatility",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "value_at_risk",
    "expected_shortfall",
)


@pytest.mark.parametrize("case", VECTOR["cases"], ids=lambda case: case["name"])
@pytest.mark.parametrize("ratio", RATIOS)
def test_ratio_equals_that_of_empyrical(case: dict[str, Any], ratio: str) -> None:
    mine = getattr(risk_of(np.array(case["returns"]), case["per_year"]), ratio)
    if case[ratio] is None:
        assert mine is None
    else:
        assert mine == pytest.approx(case[ratio], rel=1e-9, abs=1e-12)


def test_ratios_by_hand() -> None:
    """+10 %, -50 %, +20 %: index 1.1, 0.55, 0.66; below its peak from the second step on."""
    risk = risk_of(np.array([0.1, -0.5, 0.2]), 365)
    assert risk.total_return == pytest.approx(-0.34)
    assert risk.max_drawdown == pytest.approx(-0.5)
    assert risk.longest_drawdown_steps == 2
    assert (risk.best, risk.worst) == (0.2, -0.5)
    assert risk.sharpe is None, "three returns are too few for a ratio"


@pytest.mark.parametrize("returns", [[], [0.0] * 10, [0.001] * 10])
def test_ratios_without_spread_are_none_not_infinite(returns: list[float]) -> None:
    risk = risk_of(np.array(returns), 365)
    assert risk.sharpe is None
    assert risk.sortino is None
    assert risk.calmar is None


def curve(points: list[tuple[int, int, int]]) -> Equity:
    schema = {"time_ms": pl.Int64, "equity_usd": MONEY, "pnl_usd": MONEY}
    return Equity(
        basis="given",
        curve=pl.DataFrame([(t, Decimal(e), Decimal(p)) for t, e, p in points], schema=schema, orient="row"),
    )


def test_deposit_is_no_profit_and_withdrawal_no_loss() -> None:
    # 100 → +10 → deposit of 890 → +100 → withdrawal of 900 → -20
    rows = returns_of(curve([(0, 100, 0), (1, 110, 10), (2, 1000, 10), (3, 1100, 110), (4, 200, 110), (5, 180, 90)]))
    assert rows["ret"].to_list() == pytest.approx([0.1, 0.0, 0.1, 0.0, -0.1])


def test_money_that_came_in_during_a_step_is_in_its_base() -> None:
    assert returns_of(curve([(0, 100, 0), (1, 1100, 100)]))["ret"].to_list() == pytest.approx([100 / 1000])


def test_step_without_money_has_no_return() -> None:
    assert returns_of(curve([(0, 0, 0), (1, -5, -5), (2, 100, -5)]))["ret"].to_list()[0] is None


def test_days_make_a_curve_with_transfers() -> None:
    days = pl.DataFrame(
        {"day": [10, 11], "pnl_usd": [Decimal(5), Decimal(-10)]}, schema={"day": pl.Int64, "pnl_usd": MONEY}
    )
    moved = pl.DataFrame(
        {"time_ms": [10 * DAY_MS + 5], "usd": [Decimal(95)]}, schema={"time_ms": pl.Int64, "usd": MONEY}
    )
    equity = equity_from_days(days, Decimal(100), basis="given", transfers=moved)
    assert equity.curve["equity_usd"].to_list() == [100, 200, 190]
    assert equity.curve["pnl_usd"].to_list() == [0, 5, -5]
    assert returns_of(equity)["ret"].to_list() == pytest.approx([5 / 195, -10 / 200])
    assert steps_per_year(equity) == pytest.approx(365.0)


def test_portfolio_points_are_joined_by_time() -> None:
    equity = equity_from_portfolio(
        [(2, Decimal(110)), (1, Decimal(100)), (3, Decimal(1))], [(1, Decimal(0)), (2, Decimal(10))]
    )
    assert equity is not None
    assert equity.curve.rows() == [(1, Decimal(100), Decimal(0)), (2, Decimal(110), Decimal(10))]
    assert equity_from_portfolio([], []) is None
