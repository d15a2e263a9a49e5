"""Equity, and returns with deposits and withdrawals taken out.

Returns are profit over the money that was there: equity before, plus what came in meanwhile. A deposit is no profit and
a withdrawal no loss, so neither moves the return, the Sharpe ratio or the drawdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import msgspec
import polars as pl

from hlfast.research.history import MONEY

DAY_MS = 86_400_000
Basis = Literal["venue", "given", "assumed"]


class Equity(msgspec.Struct, frozen=True, kw_only=True):
    """An equity curve. `curve` has time_ms, equity_usd and pnl_usd (cumulated, without transfers), oldest first.

    `basis`: from the venue's portfolio (positions at their marks), from a given capital, or from an assumed one.
    """

    basis: Basis
    curve: pl.DataFrame


def equity_from_portfolio(
    values: Sequence[tuple[int, Decimal]], profits: Sequence[tuple[int, Decimal]]
) -> Equity | None:
    """Join `accountValueHistory` and `pnlHistory` of the venue's portfolio on their times; None if they share none."""
    schema: dict[str, pl.DataType | type[pl.DataType]] = {"time_ms": pl.Int64, "usd": MONEY}
    value = pl.DataFrame(list(values), schema=schema, orient="row").rename({"usd": "equity_usd"})
    profit = pl.DataFrame(list(profits), schema=schema, orient="row").rename({"usd": "pnl_usd"})
    curve = value.join(profit, on="time_ms", how="inner").unique("time_ms", keep="last").sort("time_ms")
    return Equity(basis="venue", curve=curve) if curve.height else None


def equity_from_days(
    days: pl.DataFrame, capital: Decimal, *, basis: Basis, transfers: pl.DataFrame | None = None
) -> Equity:
    """Sum realised profit day by day over a capital.

    Args:
        days: day (days since 1970 UTC) and pnl_usd, every day of the record once.
        capital: what was there before the first day.
        basis: "given" or "assumed".
        transfers: time_ms and usd (in: positive); those before the first day are in the capital already.
    """
    moved = pl.DataFrame(schema={"day": pl.Int64, "moved_usd": MONEY})
    if transfers is not None and transfers.height:
        moved = (
            transfers.with_columns((pl.col("time_ms") // DAY_MS).alias("day"))
            .group_by("day")
            .agg(pl.col("usd").sum().alias("moved_usd"))
        )
    rows = days.join(moved, on="day", how="left", maintain_order="left").with_columns(pl.col("moved_usd").fill_null(0))
    first = pl.DataFrame(
        {
            "time_ms": [int(days["day"][0]) * DAY_MS if days.height else 0],
            "equity_usd": [capital],
            "pnl_usd": [Decimal(0)],
        },
        schema={"time_ms": pl.Int64, "equity_usd": MONEY, "pnl_usd": MONEY},
    )
    profit, flow = pl.col("pnl_usd").cum_sum(), pl.col("moved_usd").cum_sum()
    curve = rows.select(
        ((pl.col("day") + 1) * DAY_MS).alias("time_ms"),
        (profit + flow + pl.lit(capital).cast(MONEY)).cast(MONEY).alias("equity_usd"),
        profit.cast(MONEY).alias("pnl_usd"),
    )
    return Equity(basis=basis, curve=pl.concat([first, curve]))


def returns_of(equity: Equity) -> pl.DataFrame:
    """Return one row per step of the curve: time_ms, pnl_usd, base_usd and ret (null where there was no money)."""
    profit, value = pl.col("pnl_usd").diff(), pl.col("equity_usd").diff()
    arrived = value - profit
    base = pl.col("equity_usd").shift(1) + pl.when(arrived > 0).then(arrived).otherwise(0)
    steps = equity.curve.select("time_ms", profit.alias("pnl_usd"), base.cast(MONEY).alias("base_usd")).slice(1)
    ratio = pl.col("pnl_usd").cast(pl.Float64) / pl.col("base_usd").cast(pl.Float64)
    return steps.with_columns(pl.when(pl.col("base_usd") > 0).then(ratio).alias("ret"))


def steps_per_year(equity: Equity) -> float:
    """Return how many steps of the curve make a year of 365 days, from their mean length."""
    times = equity.curve["time_ms"]
    if len(times) < 2 or times[-1] <= times[0]:
        return 365.0
    return 365.0 * DAY_MS * (len(times) - 1) / float(times[-1] - times[0])
