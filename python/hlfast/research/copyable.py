"""What a follower of a given size would have kept of a trader, after fees, slippage and the venue's minimum.

By the engine's own decisions where his record was replayed (`whatif.sizes`), between two sizes in proportion. Else by
a model over his orders: exact in what it leaves out (orders below the minimum at the follower's scale), assumed in what
it adds (cost in basis points of every order that is copied).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from decimal import Decimal
from math import log
from statistics import median
from typing import Literal

import msgspec
import polars as pl

from hlfast.research.figures import Analysis, CopyAt

MIN_ORDER_USD = Decimal(10)


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Of one copied order, basis points of its value: the taker fee of the lowest tier, and price lost to latency."""

    fee_bps: Decimal = Decimal("4.5")
    slippage_bps: Decimal = Decimal(5)


class Copyable(msgspec.Struct, frozen=True, kw_only=True):
    """What remains for a follower."""

    ratio: float  # follower's capital over the trader's
    not_copied: float  # share of the trader's value that a follower of this size leaves out
    gross_usd: Decimal  # profit at that ratio, before any cost
    cost_usd: Decimal
    kept_usd: Decimal
    kept_share: float | None  # kept over gross; None unless gross is above zero
    break_even_bps: float | None  # cost a side at which nothing would be kept
    by: Literal["replay", "model"]


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
    """`copyable` from the figures alone, for any follower: of the replays, unless there are none or costs are given.

    In the model, orders in the step around the minimum count as too small.

    Raises:
        ValueError: the follower's capital is not above zero.
    """
    if follower_usd <= 0:
        raise ValueError(f"capitals must be above zero, got {follower_usd}")
    ratio = follower_usd / capital_of(one)
    if one.copies and costs is None:
        return _replayed(one.copies, follower_usd, ratio)
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


def _replayed(copies: tuple[CopyAt, ...], follower_usd: Decimal, ratio: Decimal) -> Copyable:
    """Between two replayed sizes by their logarithms; nothing is copied below all of them; above, as by the largest."""
    after = bisect_left(copies, follower_usd, key=lambda one: one.follower_usd)
    low, high = copies[max(after - 1, 0)], copies[min(after, len(copies) - 1)]
    weight = _between(low.follower_usd, high.follower_usd, follower_usd)

    def at(share: Callable[[CopyAt], Decimal]) -> Decimal:
        return share(low) * (1 - weight) + share(high) * weight

    small = follower_usd < copies[0].follower_usd
    gross = at(lambda one: one.edge_usd / one.follower_usd) * follower_usd
    net = Decimal(0) if small else at(lambda one: one.net_usd / one.follower_usd) * follower_usd
    cost = Decimal(0) if small else at(lambda one: one.cost_usd / one.follower_usd) * follower_usd
    volume = Decimal(0) if small else at(lambda one: one.volume_usd / one.follower_usd) * follower_usd
    ideal = at(lambda one: one.ideal_usd / one.follower_usd) * follower_usd
    return _rounded(ratio, volume / ideal if ideal else Decimal(0), gross, cost, net, volume, "replay")


def _between(low: Decimal, high: Decimal, size: Decimal) -> Decimal:
    if low == high:
        return Decimal(0)
    return Decimal(str(round(log(size / low) / log(high / low), 12)))


def _kept(ratio: Decimal, total: Decimal, copied: Decimal, closed_pnl: Decimal, costs: Costs) -> Copyable:
    # Profit is made by positions, not by orders: what can't be copied takes its share of it away.
    share = copied / total if total else Decimal(0)
    gross = closed_pnl * ratio
    cost = copied * ratio * (costs.fee_bps + costs.slippage_bps) / 10_000
    kept = (gross * share if gross > 0 else gross) - cost
    return _rounded(ratio, share, gross, cost, kept, copied * ratio, "model")


def _rounded(
    ratio: Decimal,
    share: Decimal,
    gross: Decimal,
    cost: Decimal,
    kept: Decimal,
    volume: Decimal,
    by: Literal["replay", "model"],
) -> Copyable:
    cent = Decimal("0.01")
    return Copyable(
        ratio=float(ratio),
        not_copied=float(max(1 - share, Decimal(0))),
        gross_usd=gross.quantize(cent),
        cost_usd=cost.quantize(cent),
        kept_usd=kept.quantize(cent),
        kept_share=float(kept / gross) if gross > 0 else None,
        break_even_bps=float((kept + cost) / volume * 10_000) if volume and gross > 0 and kept + cost > 0 else None,
        by=by,
    )
