"""Open-interest caps: what an order may still add once a market is full, or fills too fast."""

from __future__ import annotations

from hlfast.sim.numbers import SCALE, times
from hlfast.sim.orders import Order
from hlfast.sim.universe import Asset
from hlfast.sim.venue import Venue

CAPPED = "Order would increase open interest while open interest is capped"
TOO_AGGRESSIVE = "Order rejected due to price more aggressive than oracle while at open interest cap"
TOO_QUICK = "Order would increase open interest too quickly"
WINDOW_MS = 60_000


class OpenInterest:
    """Compares the longs of all accounts, as of the last block, with an asset's cap. Exits always pass."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._starts: dict[int, tuple[int, int]] = {}  # by asset: (minute, open interest at its first order)

    def value(self, asset: Asset) -> int:
        """Return the open interest in USD, at the oracle's price."""
        return times(self._venue.oracle(asset), self._venue.audit.long.get(asset.coin, 0))

    def is_capped(self, asset: Asset) -> bool:
        """Tell whether an asset's open interest has reached its cap."""
        return asset.cap_usd is not None and self.value(asset) >= asset.cap_usd * SCALE

    def capped(self, dex: str) -> list[str]:
        """Return the coins of a dex whose open interest has reached its cap."""
        return [asset.coin for asset in self._venue.universe.by_dex.get(dex, []) if self.is_capped(asset)]

    def _opened(self, order: Order, size: int) -> int:
        signed = size if order.is_buy else -size
        position = order.owner.position(order.asset)
        return max(0, abs(position + signed) - abs(position)) if position * signed < 0 else size

    def refusal(self, order: Order, *, crosses: bool) -> str | None:
        """Return the item error of an order that would open what a cap forbids.

        At the cap, what would trade at once may not open; what would rest may, if its price is no better for the other
        side than the oracle's. (The documents name the refusals without saying where each begins.)
        """
        asset = order.asset
        if asset.is_spot or (asset.cap_usd is None and asset.step_usd is None):
            return None
        opened = self._opened(order, order.remaining)
        position = order.owner.position(asset)
        is_flip = position * (1 if order.is_buy else -1) < 0 and order.remaining > abs(position)
        if opened == 0 and not is_flip:
            return None
        if self.is_capped(asset):
            if crosses or order.tif in ("Ioc", "FrontendMarket"):
                return CAPPED
            oracle = self._venue.oracle(asset)
            if order.price > oracle if order.is_buy else order.price < oracle:
                return TOO_AGGRESSIVE
        return TOO_QUICK if self._is_too_quick(order, opened) else None

    def _is_too_quick(self, order: Order, opened: int) -> bool:
        asset = order.asset
        if asset.step_usd is None:
            return False
        value, minute = self.value(asset), order.time_ms // WINDOW_MS
        start = self._starts.get(asset.asset_id)
        if start is None or start[0] != minute:
            start = self._starts[asset.asset_id] = (minute, value)
        return value - start[1] + times(self._venue.oracle(asset), opened) > asset.step_usd * SCALE

    def lapsed(self, resting: Order, taker: Order, size: int) -> str | None:
        """Name the status of a resting order whose trade would open on both sides at the cap."""
        if resting.asset.cap_usd is None or not (self._opened(resting, size) and self._opened(taker, size)):
            return None
        return "openInterestCapCanceled" if self.is_capped(resting.asset) else None
