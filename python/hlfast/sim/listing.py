"""The end of a listing: orders go, positions settle at the mark, the coin stays in the universe."""

from __future__ import annotations

from hlfast.sim.blocks import Block
from hlfast.sim.settlement import Transfer
from hlfast.sim.trading import Trading
from hlfast.sim.universe import Asset
from hlfast.sim.venue import Venue


class Listing:
    """Takes perps off the venue."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading

    def delist(self, asset: Asset, block: Block, price: int | None = None) -> None:
        """Cancel all orders of a perp and settle its positions, at its oracle price unless another is given.

        Raises:
            ValueError: a spot pair, or a perp that is delisted already.
        """
        if asset.is_spot or asset.is_delisted:
            raise ValueError(f"{asset.coin} is no listed perp")
        settled = self._venue.oracle(asset) if price is None else price
        for account in self._venue.everybody():
            for order in list(account.orders.values()):
                if order.asset is asset:
                    self._trading.withdraw(order, "delistedCanceled", block)
        maker = self._venue.maker
        # Not the audit's list of holders: positions of this very block settle too.
        for account in self._venue.everybody():
            size = account.position(asset)
            if size and account is not maker:
                self._trading.transfer(Transfer(account, maker, asset, -size, settled, "Settlement", None), block)
        asset.is_delisted = True
        asset.entry["isDelisted"] = True
        self._trading.close_book(asset, block)
