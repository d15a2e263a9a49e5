"""Which asset a name means, and which prices and sizes are legal for it (the venue's documentation of 2026-08)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from hlfast.venue.info import Info
from hlfast.venue.markets import Meta, SpotMeta
from hlfast.venue.numbers import Amount, to_decimal

_SPOT_BASE: Final = 10_000
_DEX_BASE: Final = 100_000
_DEX_STEP: Final = 10_000
_OUTCOME_BASE: Final = 100_000_000
_SIGNIFICANT_DIGITS: Final = 5


class UnknownCoinError(ValueError):
    """A name that no asset has. The text holds the nearest one."""


class Asset(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One tradable thing."""

    id: int  # in actions
    coin: str  # in feeds and reads
    sz_decimals: int
    is_spot: bool = False
    is_delisted: bool = False
    max_leverage: int | None = None  # perps only
    isolated_only: bool = False

    @property
    def px_decimals(self) -> int:
        """Most decimals of a price: 6 less the size's for perps (builder-deployed ones too), 8 for spot."""
        return max((8 if self.is_spot else 6) - self.sz_decimals, 0)

    def round_size(self, size: Amount) -> Decimal:
        """Return the largest legal size not above `size`; zero if that is less than a lot."""
        return to_decimal(size).quantize(Decimal(1).scaleb(-self.sz_decimals), rounding=ROUND_DOWN)

    def round_price(self, price: Amount, *, up: bool) -> Decimal:
        """Return the nearest legal price not below (`up`) or not above `price`.

        A whole number is always legal; else at most 5 significant digits and `px_decimals` decimals.
        """
        exact = to_decimal(price)
        if exact <= 0:
            raise ValueError(f"{price} is no price")
        rounding = ROUND_CEILING if up else ROUND_FLOOR
        digits = max(_SIGNIFICANT_DIGITS - 1 - exact.adjusted(), 0)
        return exact.quantize(Decimal(1).scaleb(-min(digits, self.px_decimals)), rounding=rounding)

    def require_order(self, size: Amount, price: Amount) -> None:
        """Refuse what the venue would refuse for its lot or tick.

        Raises:
            ValueError: it names the asset and the nearest legal value.
        """
        exact = to_decimal(size)
        if exact <= 0:
            raise ValueError(f"{self.coin}: a size of {size} is no order")
        lot = self.round_size(size)
        if exact != lot:
            raise ValueError(f"{self.coin}: size {size} is no multiple of its lot; the nearest below is {lot}")
        if to_decimal(price) != (legal := self.round_price(price, up=False)):
            raise ValueError(f"{self.coin}: price {price} is off its tick; the nearest below is {legal}")


class Assets:
    """Every asset by name and by id.

    Names: `BTC` · `kPEPE` (case matters) · `@107` or `HYPE/USDC` (spot) · `xyz:TSLA` (builder-deployed) · `#10`
    (outcome markets: side 0 of outcome 1). Ids differ between the networks: never store them.
    """

    def __init__(self, assets: Iterable[Asset], aliases: Iterable[tuple[str, str]] = ()) -> None:
        self._by_coin = {asset.coin: asset for asset in assets}
        self._by_id = {asset.id: asset for asset in self._by_coin.values()}
        self._aliases = {alias: coin for alias, coin in aliases if alias not in self._by_coin}

    @classmethod
    async def load(cls, info: Info, dexs: Sequence[str] = ()) -> Assets:
        """Read the main perps, spot, and the named builder-deployed dexs.

        Raises:
            UnknownCoinError: the venue has no such dex.
            and what `Info` raises.
        """
        found = perps(await info.meta())
        if dexs:
            places = {dex.name: place for place, dex in enumerate(await info.perp_dexs()) if dex is not None}
            for dex in dexs:
                if dex not in places:
                    raise UnknownCoinError(f"the venue has no dex {dex!r}{_nearest(dex, places)}")
                found += perps(await info.meta(dex), place=places[dex])
        pairs, aliases = spots(await info.spot_meta())
        return cls(found + pairs, aliases)

    def __getitem__(self, name: str) -> Asset:
        """Return the asset of a name.

        Raises:
            UnknownCoinError: with the nearest name.
        """
        asset = self._by_coin.get(self._aliases.get(name, name)) or _outcome(name)
        if asset is None:
            raise UnknownCoinError(f"no asset is called {name!r}{_nearest(name, [*self._by_coin, *self._aliases])}")
        return asset

    def __contains__(self, name: str) -> bool:
        return name in self._by_coin or name in self._aliases or _outcome(name) is not None

    def __len__(self) -> int:
        return len(self._by_coin)

    def by_id(self, asset_id: int) -> Asset | None:
        """Return the asset with that id."""
        return self._by_id.get(asset_id)

    def coins(self) -> list[str]:
        """Return all names as the feeds spell them."""
        return list(self._by_coin)


def perps(meta: Meta, *, place: int = 0) -> list[Asset]:
    """Make the assets of one dex. `place` is the dex's place among `perp_dexs`; 0 is the main one."""
    base = _DEX_BASE + place * _DEX_STEP if place else 0
    return [
        Asset(
            id=base + index,
            coin=perp.name,
            sz_decimals=perp.sz_decimals,
            is_delisted=perp.is_delisted,
            max_leverage=perp.max_leverage,
            isolated_only=perp.only_isolated or perp.margin_mode in {"strictIsolated", "noCross"},
        )
        for index, perp in enumerate(meta.universe)
    ]


def spots(meta: SpotMeta) -> tuple[list[Asset], list[tuple[str, str]]]:
    """Make the spot assets, and their aliases BASE/QUOTE."""
    tokens = {token.index: token for token in meta.tokens}
    assets: list[Asset] = []
    aliases: list[tuple[str, str]] = []
    for pair in meta.universe:
        base, quote = tokens.get(pair.tokens[0]), tokens.get(pair.tokens[1])
        if base is None or quote is None:
            continue  # a pair of a token that is not listed cannot be sized
        assets.append(Asset(id=_SPOT_BASE + pair.index, coin=pair.name, sz_decimals=base.sz_decimals, is_spot=True))
        aliases.append((f"{base.name}/{quote.name}", pair.name))
    return assets, aliases


def _outcome(name: str) -> Asset | None:
    """Make the asset of an outcome market `#<10·outcome+side>`; sides are 0 and 1, sizes whole."""
    if not name.startswith("#") or not name[1:].isascii() or not name[1:].isdigit() or len(name) > 12:
        return None
    code = int(name[1:])
    return Asset(id=_OUTCOME_BASE + code, coin=name, sz_decimals=0, is_spot=True) if code % 10 in {0, 1} else None


def _nearest(name: str, known: Iterable[str]) -> str:
    by_fold = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.5)
    return f"; did you mean {by_fold[close[0]]!r}?" if close else ""
