"""Positions as episodes: from flat to flat, rebuilt from fills in chain order.

A flip ends one episode and begins the next; a partial close belongs to the episode it shrinks. Every fill belongs to
exactly one episode, a flip to two: its closed profit to the first, its fee to both by size.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl

from hlfast.research.chain import SPOT_DUST_USD, in_chain_order
from hlfast.research.history import MONEY, History, Issue

_USD = pl.Decimal(38, 10)


def episodes_of(
    history: History, funding: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, tuple[Issue, ...]]:
    """Rebuild the episodes of a history.

    Args:
        history: the fills.
        funding: payments as (coin, time_ms, usd), received positive; each goes to the episode open at its time.

    Returns:
        Episodes, legs (fills in chain order, flips in two), and what is to be known about the record. Episodes have:
        coin, spot, is_long, opened_ms, closed_ms (null: open at the end of the record), complete (from flat to flat,
        nothing missing), fills, orders, entry_size, entry_usd, exit_size, exit_usd, peak_size, peak_usd, volume_usd,
        maker_usd, closed_pnl (before fees), cash_usd (what its trades paid out), fees_usd, funding_usd, net_usd,
        gaps, from_flat, to_flat, liquidated, twap_fills.
    """
    fills, issues = in_chain_order(history)
    legs = _numbered(_legs(fills))
    episodes = _summed(legs)
    if funding is not None and funding.height:
        episodes, missed = _with_funding(episodes, funding)
        issues += missed
    else:
        episodes = episodes.with_columns(pl.lit(0).cast(_USD).alias("funding_usd"))
    net = pl.col("closed_pnl") - pl.col("fees_usd") + pl.col("funding_usd")
    return episodes.with_columns(net.alias("net_usd")), legs, issues


def _legs(fills: pl.DataFrame) -> pl.DataFrame:
    """Split each flip at flat."""
    flips = fills.select(
        ((pl.col("start") > 0) & (pl.col("end") < 0)) | ((pl.col("start") < 0) & (pl.col("end") > 0))
    ).to_series()
    if not flips.any():
        return fills.with_columns(pl.lit(value=False).alias("second"))
    twice = flips.to_numpy()
    legs = fills[np.repeat(np.arange(fills.height), 1 + twice)]
    split = np.repeat(twice, 1 + twice)
    second = split & np.concatenate(([False], split[:-1])) & (np.cumsum(split) % 2 == 0)
    legs = legs.with_columns(pl.Series("second", second), pl.Series("first", split & ~second))
    zero = pl.lit(0).cast(MONEY)
    share = pl.col("start").abs().cast(pl.Float64) / pl.col("delta").abs().cast(pl.Float64)
    closing_fee = (pl.col("fee_usd").cast(pl.Float64) * share).cast(MONEY)

    def parted(name: str, first: pl.Expr, rest: pl.Expr) -> pl.Expr:
        return pl.when("first").then(first).when("second").then(rest).otherwise(pl.col(name)).alias(name)

    return legs.with_columns(
        parted("start", pl.col("start"), zero),
        parted("end", zero, pl.col("end")),
        parted("delta", -pl.col("start"), pl.col("end")),
        parted("size", pl.col("start").abs(), pl.col("end").abs()),
        # The rest, so that both parts are the whole to the last digit.
        parted("fee_usd", closing_fee, pl.col("fee_usd") - closing_fee),
        parted("closed_pnl", pl.col("closed_pnl"), zero),
        (pl.col("gap") & ~pl.col("second")).alias("gap"),
    ).drop("first")


def _numbered(legs: pl.DataFrame) -> pl.DataFrame:
    """Give each leg the number of its episode."""
    long = pl.when(pl.col("start") != 0).then(pl.col("start") > 0).otherwise(pl.col("delta") > 0)

    def flat(position: str) -> pl.Expr:
        worth = pl.col(position).abs().cast(pl.Float64) * pl.col("price").cast(pl.Float64)
        return (pl.col(position) == 0) | (pl.col("spot") & (worth < SPOT_DUST_USD))

    legs = legs.with_columns(long.alias("is_long"), flat("start").alias("from_flat"), flat("end").alias("to_flat"))
    same = pl.col("coin") == pl.col("coin").shift(1)
    begins = (
        ~same | pl.col("to_flat").shift(1) | pl.col("from_flat") | (pl.col("is_long") != pl.col("is_long").shift(1))
    )
    return legs.with_columns(
        begins.fill_null(value=True).cum_sum().cast(pl.UInt32).alias("episode"),
        (pl.col("size") * pl.col("price")).alias("usd"),
    )


def _summed(legs: pl.DataFrame) -> pl.DataFrame:
    grows = (pl.col("delta") > 0) == pl.col("is_long")
    held = pl.max_horizontal(pl.col("start").abs(), pl.col("end").abs())
    none = pl.lit(0).cast(MONEY)
    rows = legs.with_columns(
        pl.when(grows).then("size").otherwise(none).alias("entry_size"),
        pl.when(grows).then("usd").otherwise(none).alias("entry_usd"),
        pl.when(grows).then(none).otherwise("size").alias("exit_size"),
        pl.when(grows).then(none).otherwise("usd").alias("exit_usd"),
        pl.when(~pl.col("crossed")).then("usd").otherwise(none).alias("maker_usd"),
        (-(pl.col("delta") * pl.col("price"))).alias("cash_usd"),
        held.alias("held"),
        (held * pl.col("price")).alias("held_usd"),
    )
    sums = ("entry_size", "entry_usd", "exit_size", "exit_usd", "maker_usd", "cash_usd", "closed_pnl")
    episodes = rows.group_by("episode", maintain_order=True).agg(
        pl.col("coin", "spot", "is_long", "from_flat").first(),
        pl.col("to_flat").last(),
        pl.col("time_ms").first().alias("opened_ms"),
        pl.col("time_ms").last().alias("last_ms"),
        pl.len().alias("fills"),
        pl.col("oid").n_unique().alias("orders"),
        pl.col("held").max().alias("peak_size"),
        pl.col("held_usd").max().alias("peak_usd"),
        pl.col("usd").sum().alias("volume_usd"),
        *(pl.col(name).sum() for name in sums),
        pl.col("fee_usd").sum().alias("fees_usd"),
        pl.col("gap").sum().alias("gaps"),
        pl.col("gap").first().alias("cut"),
        pl.col("liquidated").any(),
        pl.col("twap").sum().alias("twap_fills"),
        (pl.col("delta") == 0).all().alias("idle"),
    )
    episodes = episodes.filter(pl.len() > 0)
    whole = pl.col("from_flat") & pl.col("to_flat") & ((pl.col("gaps") == 0) | ((pl.col("gaps") == 1) & pl.col("cut")))
    return episodes.with_columns(
        pl.when("to_flat").then("last_ms").alias("closed_ms"),
        (whole & ~pl.col("idle")).alias("complete"),
    ).drop("cut")


def _with_funding(episodes: pl.DataFrame, funding: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Issue, ...]]:
    spans = episodes.select("episode", "coin", "opened_ms", pl.col("last_ms"), "to_flat").sort("opened_ms")
    paid = funding.sort("time_ms").join_asof(
        spans, left_on="time_ms", right_on="opened_ms", by="coin", strategy="backward", check_sortedness=False
    )
    inside = (pl.col("time_ms") <= pl.col("last_ms")) | ~pl.col("to_flat")
    sums = paid.filter(inside).group_by("episode").agg(pl.col("usd").sum().alias("funding_usd"))
    outside = paid.filter(~inside | pl.col("episode").is_null())
    issues: tuple[Issue, ...] = ()
    if outside.height:
        total = Decimal(outside["usd"].sum()).normalize()
        text = f"funding payments ({total:f} USD) of positions that the fills do not show"
        issues = (Issue(kind="funding_outside", count=outside.height, text=text),)
    joined = episodes.join(sums, on="episode", how="left", maintain_order="left")
    return joined.with_columns(pl.col("funding_usd").fill_null(0)), issues
