"""Figures by coin, by time and by kind of market. All times are UTC."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from hlfast.research.equity import DAY_MS
from hlfast.research.figures import Bucket, CoinShare, plain

HOUR_MS = 3_600_000
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# A coin's day that moved further than this counts as rising or falling.
MARKET_MOVE = 0.02
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


def maker_share(legs: pl.DataFrame) -> float | None:
    """Share of value that rested in the book; None where no row says."""
    known = legs.filter(pl.col("crossed").is_not_null())
    total, maker = known.select(pl.col("usd").sum().alias("all"), pl.col("usd").filter(~pl.col("crossed")).sum()).row(0)
    return float(maker / total) if total else None


def by_coin(legs: pl.DataFrame, episodes: pl.DataFrame, judged: pl.DataFrame) -> tuple[CoinShare, ...]:
    """All coins, most traded first."""
    known = pl.col("crossed").is_not_null()
    volumes = legs.group_by("coin").agg(
        pl.col("usd").sum(),
        pl.col("usd").filter(known).sum().alias("known"),
        pl.col("usd").filter(known & ~pl.col("crossed")).sum().alias("maker"),
    )
    nets = episodes.group_by("coin").agg(pl.col("net_usd").sum())
    trips = judged.group_by("coin").agg(pl.len().alias("closed"), (pl.col("net_usd") > 0).sum().alias("won"))
    rows = (
        volumes.join(nets, on="coin").join(trips, on="coin", how="left").sort(["usd", "coin"], descending=[True, False])
    )
    total = rows["usd"].sum() or 1
    return tuple(
        CoinShare(
            coin=coin,
            volume_usd=plain(usd),
            share=float(usd / total),
            net_usd=plain(net),
            closed=closed or 0,
            won=won or 0,
            maker_share=float(maker / known_usd) if known_usd else None,
        )
        for coin, usd, known_usd, maker, net, closed, won in rows.iter_rows()
    )


def by_hour(judged: pl.DataFrame) -> tuple[Bucket, ...]:
    """The 24 hours of the day."""
    sums = _sums(judged, pl.col("closed_ms") % DAY_MS // HOUR_MS)
    return tuple(_bucket(f"{hour:02}", sums.get(hour)) for hour in range(24))


def by_weekday(judged: pl.DataFrame) -> tuple[Bucket, ...]:
    """Monday to Sunday."""
    sums = _sums(judged, _weekday())
    return tuple(_bucket(WEEKDAYS[day], sums.get(day)) for day in range(7))


def by_month(judged: pl.DataFrame) -> tuple[Bucket, ...]:
    """The months in which something closed, oldest first."""
    sums = _sums(judged, pl.from_epoch("closed_ms", time_unit="ms").dt.strftime("%Y-%m"))
    return tuple(_bucket(month, sums[month]) for month in sorted(sums))


def heat(judged: pl.DataFrame) -> tuple[tuple[Decimal, ...], ...]:
    """Net by weekday and hour."""
    sums = _sums(judged, _weekday() * 24 + pl.col("closed_ms") % DAY_MS // HOUR_MS)
    return tuple(tuple(_bucket("", sums.get(day * 24 + hour)).net_usd for hour in range(24)) for day in range(7))


def by_market(legs: pl.DataFrame, judged: pl.DataFrame, candles: pl.DataFrame | None) -> tuple[Bucket, ...]:
    """Judge the coin's day in which each round trip ended: rising, falling (by more than 2 %), sideways, unknown."""
    moves = _moves_of_fills(legs) if candles is None else _moves_of_candles(candles)
    kind = (
        pl.when(pl.col("move").is_null())
        .then(pl.lit("unknown"))
        .when(pl.col("move") > MARKET_MOVE)
        .then(pl.lit("rising"))
        .when(pl.col("move") < -MARKET_MOVE)
        .then(pl.lit("falling"))
        .otherwise(pl.lit("sideways"))
    )
    days = judged.with_columns((pl.col("closed_ms") // DAY_MS).alias("day"))
    sums = _sums(days.join(moves, on=["coin", "day"], how="left").with_columns(kind.alias("kind")), pl.col("kind"))
    return tuple(_bucket(name, sums.get(name)) for name in ("rising", "falling", "sideways", "unknown"))


def _moves_of_candles(candles: pl.DataFrame) -> pl.DataFrame:
    opened, closed = pl.col("open").cast(pl.Float64), pl.col("close").cast(pl.Float64)
    return candles.filter(opened > 0).select("coin", "day", (closed / opened - 1).alias("move")).unique(["coin", "day"])


def _moves_of_fills(legs: pl.DataFrame) -> pl.DataFrame:
    """From the trader's own prices: the day's last against the day before's last, where he traded on both."""
    days = (
        legs.with_columns((pl.col("time_ms") // DAY_MS).alias("day"))
        .group_by("coin", "day")
        .agg(pl.col("price").last().cast(pl.Float64))
        .sort(["coin", "day"])
    )
    before = (pl.col("coin") == pl.col("coin").shift(1)) & (pl.col("day") == pl.col("day").shift(1) + 1)
    move = pl.when(before).then(pl.col("price") / pl.col("price").shift(1) - 1)
    return days.select("coin", "day", move.alias("move"))


def _weekday() -> pl.Expr:
    return (pl.col("closed_ms") // DAY_MS + _EPOCH_WEEKDAY) % 7


def _sums(judged: pl.DataFrame, key: pl.Expr) -> dict[Any, tuple[int, int, Decimal]]:
    rows = judged.group_by(key.alias("key")).agg(
        pl.len().alias("trades"), (pl.col("net_usd") > 0).sum().alias("won"), pl.col("net_usd").sum()
    )
    return {name: (trades, won, net) for name, trades, won, net in rows.iter_rows()}


def _bucket(label: str, sums: tuple[int, int, Decimal] | None) -> Bucket:
    trades, won, net = sums or (0, 0, Decimal(0))
    return Bucket(label=label, trades=trades, won=won, net_usd=plain(net))
