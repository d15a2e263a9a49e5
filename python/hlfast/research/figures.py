"""What is said of a trader, as plain frozen values. Money is in USD and exact, shares and ratios are fractions.

docs/analytics.md gives every formula.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from hlfast.research.equity import Basis
from hlfast.research.history import Issue
from hlfast.research.risk import Risk


def plain(value: Any) -> Decimal:
    """Return a decimal of a table without the zeros behind its last digit."""
    number = Decimal(value).normalize()
    exponent = number.as_tuple().exponent
    return number.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else number


def cents(value: Any) -> Decimal | None:
    """Return a mean or percentile in whole cents; None stays None."""
    return None if value is None else Decimal(str(value)).quantize(Decimal("0.01"))


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all figures."""


class Money(Figures, frozen=True):
    """Sums over the whole record. `net_usd` = closed_pnl_usd less fees_usd plus funding_usd."""

    volume_usd: Decimal
    closed_pnl_usd: Decimal
    fees_usd: Decimal
    funding_usd: Decimal
    net_usd: Decimal
    funding_known: bool


class Trades(Figures, frozen=True):
    """Round trips: episodes that began and ended flat in the record, judged by their net result."""

    closed: int
    open: int
    partial: int  # closed, but begun before the record or with fills missing: in the sums, not judged
    won: int
    lost: int
    win_rate: float | None
    profit_factor: float | None
    expectancy_usd: Decimal | None
    average_win_usd: Decimal | None
    average_loss_usd: Decimal | None
    largest_win_usd: Decimal | None
    largest_loss_usd: Decimal | None
    longest_winning_streak: int
    longest_losing_streak: int
    streak: int  # the present one: positive won, negative lost
    liquidations: int
    flips: int


class Holding(Figures, frozen=True):
    """Length of round trips, milliseconds."""

    mean_ms: int | None
    median_ms: int | None
    shortest_ms: int | None
    longest_ms: int | None
    tenth_ms: int | None
    ninetieth_ms: int | None
    winners_median_ms: int | None
    losers_median_ms: int | None


class Sizes(Figures, frozen=True):
    """Values of fills, orders (fills of one order id) and positions at their peak, USD."""

    mean_fill_usd: Decimal
    median_order_usd: Decimal
    ninetieth_order_usd: Decimal
    median_peak_usd: Decimal | None
    largest_peak_usd: Decimal | None


class Exposure(Figures, frozen=True):
    """Sum of position values, weighted by time. Positions that no fill has shown yet are not in it."""

    in_market: float | None  # share of time with any position
    mean_gross_usd: Decimal
    largest_gross_usd: Decimal
    mean_leverage: float | None  # gross over equity
    largest_leverage: float | None
    long_share: float | None  # of opened value


class CoinShare(Figures, frozen=True):
    """One coin's part."""

    coin: str
    volume_usd: Decimal
    share: float
    net_usd: Decimal
    closed: int
    won: int
    maker_share: float | None


class Bucket(Figures, frozen=True):
    """Round trips that closed in one hour of the day, weekday or month (UTC), or in one kind of market."""

    label: str
    trades: int
    won: int
    net_usd: Decimal


class CopyAt(Figures, frozen=True):
    """What the engine's replay found for a follower of one size. `net_usd` is after `cost_usd` and funding.

    Attributes:
        edge_usd: profit of an ideal copy of that size: the leader's prices, all of it, free of charge.
        cost_usd: fees, spread, impact, and what latency lost.
        ideal_usd, volume_usd: value traded, by the ideal copy and by ours.
    """

    follower_usd: Decimal
    edge_usd: Decimal
    cost_usd: Decimal
    net_usd: Decimal
    ideal_usd: Decimal
    volume_usd: Decimal


class Analysis(Figures, frozen=True):
    """Everything about one trader."""

    name: str
    first_ms: int
    last_ms: int
    days: float
    active_days: int
    fills: int
    orders: int
    money: Money
    trades: Trades
    holding: Holding
    sizes: Sizes
    exposure: Exposure
    maker_share: float | None
    twap_share: float
    coins: tuple[CoinShare, ...]
    hours: tuple[Bucket, ...]
    weekdays: tuple[Bucket, ...]
    months: tuple[Bucket, ...]
    heat: tuple[tuple[Decimal, ...], ...]  # net USD by weekday (Monday first) and hour of closing
    markets: tuple[Bucket, ...]  # rising, falling, sideways, unknown
    market_prices: Literal["candles", "fills"]
    risk: Risk
    equity_basis: Basis
    capital_usd: Decimal
    equity: tuple[tuple[int, Decimal, float], ...]  # (Unix ms, equity USD, drawdown)
    daily: tuple[tuple[int, Decimal], ...]  # (day since 1970, realised profit after fees and funding), latest 730 days
    order_values: tuple[tuple[Decimal, int, Decimal], ...]  # (from USD, orders, their value), ten steps a decade
    holding_times_ms: tuple[int, ...]  # of the latest 10,000 round trips
    issues: tuple[Issue, ...]
    copies: tuple[CopyAt, ...] = ()  # by size of the follower, the smallest first; empty: not replayed

    @property
    def cut(self) -> bool:
        """Whether the venue's horizon cut the record."""
        return any(issue.kind == "horizon" for issue in self.issues)
