"""What is assumed of the venue where nothing was recorded, and what was measured to assume it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

RATE: Final = 100_000_000  # units of a rate of one in the core's replay
MICRO: Final = 1_000_000  # units of a dollar there
FUNDING_RATE: Final = 1_000_000_000_000
# Taker fee of the perps in basis points, by tier of 14-day volume (documents of 2026-08).
TAKER_BPS: Final = tuple(Decimal(bps) for bps in ("4.5", "4.0", "3.5", "3.0", "2.8", "2.6", "2.4"))
MAKER_BPS: Final = tuple(Decimal(bps) for bps in ("1.5", "1.2", "0.8", "0.4", "0", "0", "0"))
# A builder-deployed dex adds its own share on top; double is the usual (documents of 2026-08: 0 to 300 %).
BUILDER_FACTOR: Final = 2
# The venue quotes impact prices for these notionals (metaAndAssetCtxs).
_IMPACT_USD: Final = {"BTC": Decimal(20_000), "ETH": Decimal(20_000)}
_OTHER_IMPACT_USD: Final = Decimal(6_000)
_LEAST_BPS: Final = Decimal("0.05")


class Liquidity(msgspec.Struct, frozen=True, kw_only=True):
    """A book in two numbers: half the spread, and dollars on one side within 10 bps behind the touch."""

    half_spread_bps: Decimal
    depth_usd: Decimal
    measured: bool = False


# From the venue's impact prices of 229 perps on 2026-03-10 and books of five coins on 2026-07-22.
_RANKED: Final = {
    "BTC": Liquidity(half_spread_bps=Decimal("0.08"), depth_usd=Decimal(5_000_000)),
    "ETH": Liquidity(half_spread_bps=Decimal("0.25"), depth_usd=Decimal(2_000_000)),
    "SOL": Liquidity(half_spread_bps=Decimal("0.6"), depth_usd=Decimal(700_000)),
    "HYPE": Liquidity(half_spread_bps=Decimal("1.7"), depth_usd=Decimal(500_000)),
    "XRP": Liquidity(half_spread_bps=Decimal(1), depth_usd=Decimal(200_000)),
}
OTHER_COIN: Final = Liquidity(half_spread_bps=Decimal("5.5"), depth_usd=Decimal(50_000))
BUILDER_COIN: Final = Liquidity(half_spread_bps=Decimal(7), depth_usd=Decimal(15_000))


def assumed_liquidity(coin: str) -> Liquidity:
    """Return the assumption for a coin that nothing was measured of."""
    return BUILDER_COIN if ":" in coin else _RANKED.get(coin, OTHER_COIN)


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one coin; None: not known."""

    size_decimals: int | None = None
    max_leverage: int | None = None
    liquidity: Liquidity | None = None
    # Dollars traded in a day, and dollars of open positions.
    activity: tuple[Decimal, Decimal] | None = None
    # (start of a day in ms, closing price), oldest first.
    days: tuple[tuple[int, Decimal], ...] = ()
    # (time_ms, middle price), (time_ms, hourly rate), (time_ms, bids, asks) with (price, size) levels, best first.
    prices: tuple[tuple[int, Decimal], ...] = ()
    funding: tuple[tuple[int, Decimal], ...] = ()
    books: tuple[tuple[int, tuple[tuple[Decimal, Decimal], ...], tuple[tuple[Decimal, Decimal], ...]], ...] = ()


Markets = Mapping[str, Market]


def measured_liquidity(coin: str, middle: Decimal, impact: tuple[Decimal, Decimal]) -> Liquidity:
    """Read the venue's impact prices: half of the distance counts as spread, half as impact of their notional."""
    size = _IMPACT_USD.get(coin, _OTHER_IMPACT_USD)
    distance = max((impact[1] - impact[0]) / 2 / middle * 10_000, _LEAST_BPS)
    return Liquidity(half_spread_bps=distance / 2, depth_usd=10 * size / distance, measured=True)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One set of assumptions. What the engine draws (the jitter of portions) comes from `seed`; nothing else is drawn.

    Attributes:
        latency_ms: from the leader's fill to ours. 700: what the protocol notes find over the public API.
        fee_tier: 0 to 6, of the follower's 14-day volume; `taker_bps` overrides it.
        equity_usd: what the follower begins with.
        leader_equity_usd: what the leader begins with; None: his largest exposure in the record.
        leverage: of every position, as far as the coin allows it.
        funding_rate: hourly, where no rate was recorded; 0.0000125 is the venue's base rate.
        book_age_ms: how long a recorded book stands for the present one.
        seed: of the engine's entropy.
    """

    latency_ms: int = 700
    fee_tier: int = 0
    taker_bps: Decimal | None = None
    equity_usd: Decimal = Decimal(10_000)
    leader_equity_usd: Decimal | None = None
    leverage: int = 10
    funding_rate: Decimal = Decimal("0.0000125")
    book_age_ms: int = 10_000
    seed: int = 1

    @property
    def taker(self) -> Decimal:
        """The taker fee in basis points."""
        return TAKER_BPS[self.fee_tier] if self.taker_bps is None else self.taker_bps

    def to_core(self, leader_equity_usd: Decimal) -> bytes:
        """Write it as the core's replay reads it."""
        # An order is on its way for half a second at most; what is longer is the way to the engine (protocol notes).
        order_ms = min(500, self.latency_ms * 7 // 10)
        taker = int(self.taker * RATE / 10_000)
        fields: dict[str, Any] = {
            "see_ms": self.latency_ms - order_ms,
            "order_ms": order_ms,
            "answer_ms": min(100, self.latency_ms),
            "taker": taker,
            "maker": int(MAKER_BPS[self.fee_tier] * RATE / 10_000),
            "builder_factor": BUILDER_FACTOR,
            "seed": self.seed,
            "equity": int(self.equity_usd * MICRO),
            "leader_equity": int(leader_equity_usd * MICRO),
            "leverage": self.leverage,
            "funding": int(self.funding_rate * FUNDING_RATE),
            "book_age_ms": self.book_age_ms,
        }
        return msgspec.json.encode(fields)


def check(model: Model) -> None:
    """Raise ValueError for the first number that makes no sense, by name."""
    _within("fee_tier", model.fee_tier, 0, len(TAKER_BPS) - 1)
    _within("latency_ms", model.latency_ms, 0, 600_000)
    _within("taker_bps", model.taker, 0, 1_000)
    _within("equity_usd", model.equity_usd, Decimal("0.01"), 10**12)
    if model.leader_equity_usd is not None:
        _within("leader_equity_usd", model.leader_equity_usd, Decimal("0.01"), 10**12)
    _within("leverage", model.leverage, 1, 100)
    _within("funding_rate", model.funding_rate, Decimal("-0.04"), Decimal("0.04"))
    _within("book_age_ms", model.book_age_ms, 0, 600_000)
    _within("seed", model.seed, 0, 2**64 - 1)


def _within(name: str, value: Decimal | int, least: Decimal | int, most: Decimal | int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}: write {least} to {most}")
