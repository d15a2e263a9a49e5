"""What a what-if finds. Money is in USD and exact to 0.000001, shares are fractions. Formulas: docs/what-if.md."""

from __future__ import annotations

from decimal import Decimal

from hlfast.research.figures import Figures
from hlfast.research.history import Issue


class Money(Figures, frozen=True):
    """From the leader's edge to what is left: `net_usd` = edge - missed - drift - spread - impact - fees + funding.

    Attributes:
        edge_usd: profit of an ideal copy: at the leader's own prices, at once, all of it, free of charge.
        missed_usd: what the ideal copy earned with positions that the follower did not hold; negative: it lost there.
        drift_usd: cost of the middle's move between the leader's fills and ours.
        spread_usd: what we paid of the spread less what he did. impact_usd: cost of what our own size moved.
        funding_usd: received is positive.
        kept_share: net ÷ edge; None unless the edge is above zero.
    """

    edge_usd: Decimal
    missed_usd: Decimal
    drift_usd: Decimal
    spread_usd: Decimal
    impact_usd: Decimal
    fees_usd: Decimal
    funding_usd: Decimal
    net_usd: Decimal
    kept_share: float | None


class Copied(Figures, frozen=True):
    """How much of it was copied. `share` is the follower's value traded over the ideal copy's."""

    ideal_usd: Decimal
    volume_usd: Decimal
    share: float | None
    orders: int
    refused: dict[str, int]
    endings: dict[str, int]  # "outcome: reason" of every leader fill's receipt


class CoinMoney(Figures, frozen=True):
    """One coin."""

    coin: str
    edge_usd: Decimal
    net_usd: Decimal
    volume_usd: Decimal
    fees_usd: Decimal
    funding_usd: Decimal
    half_spread_bps: Decimal
    depth_usd: Decimal
    measured: bool


class Cause(Figures, frozen=True):
    """One cause of tracking error."""

    cause: str
    usd_hours: Decimal
    share: float  # of the error


class Error(Figures, frozen=True):
    """Tracking error: the time integral of the gap between ideal and held exposure."""

    usd_hours: Decimal
    ideal_usd_hours: Decimal
    share: float | None
    causes: tuple[Cause, ...]


class AtLatency(Figures, frozen=True):
    """One point of the curve of edge against latency."""

    latency_ms: int
    net_usd: Decimal
    kept_share: float | None
    drift_usd: Decimal
    copied_share: float | None


class AtEquity(Figures, frozen=True):
    """One point of the curve of copied share against the follower's equity."""

    equity_usd: Decimal
    copied_share: float | None
    net_usd: Decimal


class LeastEquity(Figures, frozen=True):
    """The least equity at which `wanted` of the volume is copied; None: no equity tried reaches it."""

    wanted: float
    equity_usd: Decimal | None
    tried: tuple[AtEquity, ...]  # by equity


class Result(Figures, frozen=True):
    """Everything. `curve` is (Unix ms, follower's profit, ideal copy's profit), at most 400 points."""

    name: str
    first_ms: int
    last_ms: int
    fills: int
    equity_usd: Decimal
    leader_equity_usd: Decimal
    latency_ms: int
    taker_bps: Decimal
    policy: dict[str, object]
    money: Money
    copied: Copied
    error: Error
    coins: tuple[CoinMoney, ...]
    return_share: float
    max_drawdown: float
    most_gross_usd: Decimal
    liquidations: int
    latencies: tuple[AtLatency, ...]
    least: LeastEquity | None
    curve: tuple[tuple[int, Decimal, Decimal], ...]
    measured: tuple[str, ...]
    assumed: tuple[str, ...]
    issues: tuple[Issue, ...]
