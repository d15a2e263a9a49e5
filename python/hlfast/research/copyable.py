"""What a follower of a given size would have kept of a trader, after fees, slippage and the venue's minimum.

A model over the trader's own orders, not a replay: exact in what it leaves out (orders below the minimum at the
follower's scale), assumed in what it adds (cost in basis points of every order that is copied).
"""

from __future__ import annotations

from decimal import Decimal
from statistics import median

import msgspec
import polars as pl

from hlfast.research.figures import Analysis

MIN_ORDER_USD = Decimal(10)


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Of one copied order, basis points of its value: the taker fee of the lowest tier, and price lost to latency."""

    fee_bps: Decimal = Decimal("4.5")
    slippage_bps: Decimal = Decimal(5)


class Copyable(msgspec.Struct, frozen=True, kw_only=True):
    """What remains for a follower."""

    ratio: float  # follower's capital over the trader's
    below_minimum: float  # share of the trader's value in orders too small to copy
    gross_usd: Decimal  # closed profit at that ratio, before any cost
    cost_usd: Decimal
    kept_usd: Decimal
    kept_share: float | None  # kept over gross; None unless gross is above zero
    break_even_bps: float | None  # cost a side at which nothing would be kept


def copyable(legs: pl.DataFrame, trader_usd: Decimal, follower_usd: Decimal, costs: Costs | None = None) -> Copyable:
    """Scale a trader's orders down to a follower.

    Args:
        legs: of `episodes_of`.
        trader_usd: the trader's capital; above zero.
        follower_usd: the follower's; above zero.
        costs: what each copied order loses.
    """
    if trader_usd <= 0 or follower_usd <= 0:
        raise ValueError(f"capitals must be above zero, got {trader_usd} and {follower_usd}")
    ratio = follower_usd / trader_usd
    # A row without an order id is an order of its own.
    alone = -pl.int_range(1, pl.len() + 1)
    orders = legs.group_by(pl.col("oid").fill_null(alone)).agg(pl.col("usd").sum(), pl.col("closed_pnl").sum())
    floor = pl.lit(MIN_ORDER_USD / ratio).cast(pl.Decimal(38, 10))
    copied = Decimal(orders.filter(pl.col("usd") >= floor)["usd"].sum())
    return _kept(ratio, Decimal(orders["usd"].sum()), copied, Decimal(orders["closed_pnl"].sum()), costs or Costs())


def copyable_of(one: Analysis, follower_usd: Decimal, costs: Costs | None = None) -> Copyable:
    """`copyable` from the figures alone, for any follower. Orders in the step around the minimum count as too small.

    Raises:
        ValueError: the follower's capital is not above zero.
    """
    if follower_usd <= 0:
        raise ValueError(f"capitals must be above zero, got {follower_usd}")
    ratio = follower_usd / capital_of(one)
    floor = MIN_ORDER_USD / ratio
    total = sum((usd for _, _, usd in one.order_values), Decimal(0))
    copied = sum((usd for least, _, usd in one.order_values if least >= floor), Decimal(0))
    return _kept(ratio, total, copied, one.money.closed_pnl_usd, costs or Costs())


def capital_of(one: Analysis) -> Decimal:
    """Return what the trader worked with, above zero.

    His median equity during the record, else the latest known, else his largest exposure (a leverage of 1).
    """
    points = [(at, usd) for at, usd, _ in one.equity if usd > 0]
    during = [usd for at, usd in points if one.first_ms <= at <= one.last_ms]
    if during:
        return Decimal(median(during))
    return points[-1][1] if points else max(one.exposure.largest_gross_usd, Decimal(1))


def _kept(ratio: Decimal, total: Decimal, copied: Decimal, closed_pnl: Decimal, costs: Costs) -> Copyable:
    # Profit is made by positions, not by orders: what can't be copied takes its share of it away.
    share = copied / total if total else Decimal(0)
    gross = closed_pnl * ratio
    cost = copied * ratio * (costs.fee_bps + costs.slippage_bps) / 10_000
    kept = (gross * share if gross > 0 else gross) - cost
    cent = Decimal("0.01")
    return Copyable(
        ratio=float(ratio),
        below_minimum=float(1 - share),
        gross_usd=gross.quantize(cent),
        cost_usd=cost.quantize(cent),
        kept_usd=kept.quantize(cent),
        kept_share=float(kept / gross) if gross > 0 else None,
        break_even_bps=float(gross * share / (copied * ratio) * 10_000) if copied and gross > 0 else None,
    )
