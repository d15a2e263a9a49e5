"""Answers about markets."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hlfast.venue.shapes import Answer, Side


class PerpAsset(Answer, frozen=True, kw_only=True):
    """One perp of a dex. Its place in `Meta.universe` is its id there."""

    name: str
    sz_decimals: int
    max_leverage: int
    margin_table_id: int | None = None
    only_isolated: bool = False
    is_delisted: bool = False
    margin_mode: str | None = None  # "strictIsolated" or "noCross"
    growth_mode: str | None = None


class MarginTier(Answer, frozen=True, kw_only=True):
    """Largest leverage from a notional upwards."""

    lower_bound: Decimal
    max_leverage: int


class MarginTable(Answer, frozen=True, kw_only=True):
    """Tiers of one margin table, lowest first."""

    description: str = ""
    margin_tiers: tuple[MarginTier, ...] = ()


class Meta(Answer, frozen=True, kw_only=True):
    """The perps of one dex."""

    universe: tuple[PerpAsset, ...]
    margin_tables: tuple[tuple[int, MarginTable], ...] = ()
    collateral_token: int = 0


class AssetContext(Answer, frozen=True, kw_only=True):
    """Market values of one perp. `funding` is per hour, `open_interest` in base units."""

    funding: Decimal
    open_interest: Decimal
    prev_day_px: Decimal
    day_ntl_vlm: Decimal
    oracle_px: Decimal
    mark_px: Decimal
    premium: Decimal | None = None
    mid_px: Decimal | None = None  # None: a side of the book is empty
    impact_pxs: tuple[Decimal, Decimal] | None = None
    day_base_vlm: Decimal | None = None


class PerpDex(Answer, frozen=True, kw_only=True):
    """A builder-deployed perp dex."""

    name: str
    full_name: str = ""
    deployer: str = ""
    oracle_updater: str | None = None
    fee_recipient: str | None = None


class SpotPair(Answer, frozen=True, kw_only=True):
    """One spot pair. `index` + 10000 is its asset id; it is neither its place nor a token's index."""

    name: str
    tokens: tuple[int, int]  # base, quote
    index: int
    is_canonical: bool = False


class SpotToken(Answer, frozen=True, kw_only=True):
    """One token."""

    name: str
    sz_decimals: int
    wei_decimals: int
    index: int
    token_id: str = ""
    is_canonical: bool = False
    full_name: str | None = None


class SpotMeta(Answer, frozen=True, kw_only=True):
    """All spot pairs and tokens."""

    universe: tuple[SpotPair, ...]
    tokens: tuple[SpotToken, ...]


class SpotContext(Answer, frozen=True, kw_only=True):
    """Market values of one spot pair. Match by `coin`: the order is not that of the pairs."""

    coin: str
    prev_day_px: Decimal
    day_ntl_vlm: Decimal
    mark_px: Decimal
    mid_px: Decimal | None = None
    circulating_supply: Decimal | None = None
    total_supply: Decimal | None = None
    day_base_vlm: Decimal | None = None


class Level(Answer, frozen=True, kw_only=True):
    """One price of a book: size and number of orders."""

    px: Decimal
    sz: Decimal
    n: int


class Book(Answer, frozen=True, kw_only=True):
    """At most 20 levels a side: bids from the best down, asks from the best up."""

    coin: str
    time: int
    levels: tuple[tuple[Level, ...], tuple[Level, ...]]


class BestPrices(Answer, frozen=True, kw_only=True):
    """Frame of `bbo`."""

    coin: str
    time: int
    bbo: tuple[Level | None, Level | None]


class Trade(Answer, frozen=True, kw_only=True):
    """One match of the public tape. `users` is buyer, seller; `side` is the aggressor's."""

    coin: str
    side: Side
    px: Decimal
    sz: Decimal
    time: int
    hash: str
    tid: int
    users: tuple[str, str] | None = None


class Candle(Answer, frozen=True, kw_only=True):
    """One candle; times are its first and last millisecond."""

    open_ms: int = msgspec.field(name="t")
    close_ms: int = msgspec.field(name="T")
    coin: str = msgspec.field(name="s")
    interval: str = msgspec.field(name="i")
    open: Decimal = msgspec.field(name="o")
    close: Decimal = msgspec.field(name="c")
    high: Decimal = msgspec.field(name="h")
    low: Decimal = msgspec.field(name="l")
    volume: Decimal = msgspec.field(name="v")
    trades: int = msgspec.field(name="n")


class FundingRate(Answer, frozen=True, kw_only=True):
    """Funding of one coin in one hour."""

    coin: str
    funding_rate: Decimal
    premium: Decimal
    time: int


class ExchangeStatus(Answer, frozen=True, kw_only=True):
    """The venue's clock, and what it says about itself."""

    time: int
    special_statuses: msgspec.Raw | None = None
