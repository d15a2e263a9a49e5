"""Matching: what the venue does with a checked order in its book, and with the orders that wait for a price."""

from __future__ import annotations

from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.book import Book, Quote, ladder
from hlfast.sim.numbers import times, wire
from hlfast.sim.open_interest import CAPPED, TOO_AGGRESSIVE, TOO_QUICK, OpenInterest
from hlfast.sim.orders import Order
from hlfast.sim.settlement import Settlement, Transfer
from hlfast.sim.universe import USDC, Asset
from hlfast.sim.venue import Venue


class Trading:
    """Moves orders through books; every change lands in the block it is given."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.settlement = Settlement(venue)
        self._quoted: set[int] = set()
        self._worn: dict[int, dict[int, Order]] = {}  # by asset: the maker's quotes that were taken from, by oid
        self._triggers: dict[int, dict[int, Order]] = {}
        self._moved: dict[int, Asset] = {}
        self.interest = OpenInterest(venue)

    def open_book(self, asset: Asset, block: Block) -> Book:
        """Return the asset's book with the synthetic maker's quotes in it."""
        book = self._venue.book(asset)
        if asset.asset_id not in self._quoted:
            self._quote(book, block)
        elif asset.asset_id in self._worn:
            self._refill(book)
        return book

    def move(
        self,
        asset: Asset,
        mid: int,
        block: Block,
        *,
        spread_bps: int | None = None,
        depth_usd: int | None = None,
        quotes: tuple[Quote, ...] | None = None,
    ) -> None:
        """Put the synthetic maker around a new mid; it takes resting orders that it meets, and triggers fire.

        `quotes` are the maker's from now on, best first on each side, until the next move; without them it quotes a
        ladder around the mid.
        """
        book = self._venue.book(asset)
        if mid != book.mid:
            book.previous_mid = book.mid
            self.note_moved(asset)
        book.mid = mid
        book.quotes = quotes
        if spread_bps is not None:
            book.spread_bps = spread_bps
        if depth_usd is not None:
            book.depth_usd = depth_usd
        self._quote(book, block)
        self._fire_triggers(asset, mid, block)

    def note_moved(self, asset: Asset) -> None:
        """Have those who hold an asset looked at for liquidation."""
        if not asset.is_spot:
            self._moved[asset.asset_id] = asset

    def take_moved(self) -> list[Asset]:
        """Return the assets whose mark moved since the last call."""
        moved, self._moved = list(self._moved.values()), {}
        return moved

    def close_book(self, asset: Asset, block: Block) -> None:
        """Take the maker out of a delisted asset's book."""
        self._quote(self._venue.book(asset), block)

    def transfer(self, deal: Transfer, block: Block) -> None:
        """Let two accounts trade outside the book, and bring their resting orders into line."""
        self.settlement.transfer(deal, block)
        for party in (deal.account, deal.other):
            if party.orders:
                self._follow_position(party, deal.asset, block)

    def execute(self, order: Order, block: Block) -> None:
        """Let the venue's own market order take what the book offers; margin and size rules don't bind it."""
        self._sweep(self.open_book(order.asset, block), order, block)
        self.finish(order, "filled" if order.remaining == 0 else "canceled", block, announce_open=True)

    def _quote(self, book: Book, block: Block) -> None:
        asset, venue = book.asset, self._venue
        settings = venue.settings
        book.drop_owner(venue.maker)
        spread = settings.spread_bps if book.spread_bps is None else book.spread_bps
        depth = settings.depth_usd if book.depth_usd is None else book.depth_usd
        quotes: list[Order] = []
        if depth and not asset.is_delisted:
            rungs = book.quotes
            if rungs is None:
                rungs = tuple(ladder(asset, book.mid, max(spread, 1), depth, settings.levels))
            for is_buy, price, size in rungs:
                order = Order(
                    venue.next_oid(), venue.maker, asset, is_buy, price, size, size, "Alo", False, None, block.time_ms
                )
                self._sweep(book, order, block)
                order.remaining = size
                quotes.append(order)
        for order in quotes:
            book.add(order)
        self._quoted.add(asset.asset_id)
        self._worn.pop(asset.asset_id, None)
        block.coins.add(asset.coin)

    def _refill(self, book: Book) -> None:
        for order in self._worn.pop(book.asset.asset_id).values():
            if order.remaining == 0:
                book.add(order)
            order.remaining = order.size

    def refill_worn(self, block: Block) -> None:
        """Bring the maker's taken quotes back; called between blocks."""
        for asset_id in list(self._worn):
            book = self._venue.books[asset_id]
            self._refill(book)
            block.coins.add(book.asset.coin)

    def admit(self, order: Order, block: Block) -> str | None:
        """Send a checked order into its book; the returned text is the item error, None when it rests or filled."""
        book = self.open_book(order.asset, block)
        crosses = self._crosses(book, order)
        if order.tif == "Alo" and crosses:
            bid, ask = book.best(is_buy=True), book.best(is_buy=False)
            shown = f"{wire_price(bid)}@{wire_price(ask)}"
            return f"Post only order would have immediately matched, bbo was {shown}."
        refusal = self.interest.refusal(order, crosses=crosses) or self._margin_refusal(order)
        if refusal:
            return refusal
        if order.tif != "Alo":
            self._sweep(book, order, block)
        if order.remaining == 0:
            self.finish(order, "filled", block, announce_open=True)
        elif order.tif in ("Ioc", "FrontendMarket"):
            if order.filled == 0:
                empty = not (book.asks if order.is_buy else book.bids)
                if order.tif == "FrontendMarket" and empty:
                    return "No liquidity available for market order."
                return "Order could not immediately match against any resting orders."
            # What is left of a partly filled IOC is gone without an error of its own.
            self.finish(order, "canceled", block, announce_open=True)
        else:
            self._rest(book, order, block)
        return None

    def _rest(self, book: Book, order: Order, block: Block) -> None:
        order.owner.orders[order.oid] = order
        order.owner.remember(order)
        book.add(order)
        self.announce(order, block)
        block.coins.add(order.asset.coin)
        if order.reduce_only:
            self._make_room(order, block)

    def _make_room(self, newest: Order, block: Block) -> None:
        """Cancel older reduce-only orders beyond what the position and the newest one leave."""
        account, asset = newest.owner, newest.asset
        room = abs(account.position(asset)) - newest.remaining
        for order in reversed(list(account.orders.values())):
            is_rival = order.reduce_only and order.trigger is None and order.asset is asset and order is not newest
            if is_rival and order.is_buy == newest.is_buy:
                room -= order.remaining
                if room < 0:
                    self.withdraw(order, "reduceOnlyCanceled", block)

    @staticmethod
    def _crosses(book: Book, order: Order) -> bool:
        opposite = book.asks if order.is_buy else book.bids
        if not opposite:
            return False
        best = opposite[0][2].price
        return order.price >= best if order.is_buy else order.price <= best

    def _margin_refusal(self, order: Order) -> str | None:
        account, asset = order.owner, order.asset
        if asset.is_spot:
            token = asset.quote_token if order.is_buy else asset.base_token
            need = times(order.price, order.remaining) if order.is_buy else order.remaining
            if self._venue.margin.spendable(account, token) < need:
                return "Order has insufficient spot balance to trade"
            return None
        position = account.position(asset)
        signed = order.remaining if order.is_buy else -order.remaining
        increase = abs(position + signed) - abs(position) if position * signed < 0 else order.remaining
        if increase <= 0:
            return None
        leverage = account.leverage(asset).value
        limit = self._venue.margin.notional_limit(asset, leverage)
        if limit is not None and times(order.price, abs(position + signed)) > limit:
            return "Order would cause position to exceed margin tier limit at current leverage"
        need = times(order.price, increase) // leverage
        margin = self._venue.margin
        free = margin.free(account, asset.dex)
        if free < need and self._draws_collateral(account, asset):
            moved = min(need - free, max(0, margin.withdrawable(account, "")))
            account.raw[""] -= moved
            account.raw[asset.dex] = account.raw.get(asset.dex, 0) + moved
            free += moved
        return "Insufficient margin to place order." if free < need else None

    def _draws_collateral(self, account: Account, asset: Asset) -> bool:
        is_ready = self._venue.settings.dex_collateral and not account.is_unified
        return is_ready and asset.dex != "" and asset.quote_token == USDC

    def _sweep(self, book: Book, taker: Order, block: Block) -> None:
        opposite, maker = book.asks if taker.is_buy else book.bids, self._venue.maker
        while taker.remaining and opposite:
            resting = opposite[0][2]
            if resting.price > taker.price if taker.is_buy else resting.price < taker.price:
                return
            if resting.owner is taker.owner:
                # Self-trade prevention: the resting order goes, nothing trades.
                self.withdraw(resting, "selfTradeCanceled", block)
                continue
            is_quote = resting.owner is maker
            size = min(taker.remaining, resting.remaining if is_quote else self._tradable(resting))
            lapsed = None if is_quote else self._lapsed(resting, taker, size)
            if lapsed is not None:
                self.withdraw(resting, lapsed, block)
                continue
            self.settlement.settle(taker, resting, size, block)
            book.last_price = resting.price
            for party in (taker.owner, resting.owner):
                if party.orders:
                    self._follow_position(party, book.asset, block)
            if is_quote:
                self._worn.setdefault(book.asset.asset_id, {})[resting.oid] = resting
            if resting.remaining == 0:
                book.remove(resting)
                if not is_quote:
                    self.finish(resting, "filled", block)

    @staticmethod
    def _tradable(resting: Order) -> int:
        if not resting.reduce_only:
            return resting.remaining
        position = resting.owner.position(resting.asset)
        opposite = position < 0 if resting.is_buy else position > 0
        return min(resting.remaining, abs(position)) if opposite else 0

    def _lapsed(self, resting: Order, taker: Order, size: int) -> str | None:
        """Name the status of a client's resting order that may no longer trade, None when it may."""
        if size == 0:
            return "reduceOnlyCanceled"
        return self.interest.lapsed(resting, taker, size) or self._unfunded(resting, size)

    def _unfunded(self, resting: Order, size: int) -> str | None:
        """Name the status of a resting order that its account can no longer pay for."""
        account, asset = resting.owner, resting.asset
        if asset.is_spot:
            token = asset.quote_token if resting.is_buy else asset.base_token
            if account.is_unified and self._venue.margin.sharing(token):
                return "marginCanceled" if self._venue.margin.spendable(account, token) < 0 else None
            need = times(resting.price, size) if resting.is_buy else size
            return "marginCanceled" if account.spot.get(token, 0) < need else None
        signed = size if resting.is_buy else -size
        if resting.reduce_only or account.position(asset) * signed < 0:
            return None
        return "marginCanceled" if self._venue.margin.free(account, asset.dex) < 0 else None

    def _follow_position(self, account: Account, asset: Asset, block: Block) -> None:
        self._shrink_reduce_only(account, asset, block)
        if asset.asset_id not in account.positions:
            for order in list(account.orders.values()):
                if order.is_position_tpsl and order.asset is asset:
                    self.withdraw(order, "reduceOnlyCanceled", block)

    def _shrink_reduce_only(self, account: Account, asset: Asset, block: Block) -> None:
        # Resting reduce-only orders never outgrow the position: sz shrinks with it, origSz stays.
        position = account.position(asset)
        for order in [o for o in account.orders.values() if o.reduce_only and o.asset is asset and o.remaining]:
            if order.trigger is not None:
                continue
            room = abs(position) if (position < 0 if order.is_buy else position > 0) else 0
            if room == 0:
                self.withdraw(order, "reduceOnlyCanceled", block)
            else:
                order.remaining = min(order.remaining, room)

    def finish(self, order: Order, status: str, block: Block, *, announce_open: bool = False) -> None:
        """Give an order its last status and tell its account."""
        owner, row = order.owner, order.row()
        updates = block.order_updates.setdefault(owner.address, [])
        if announce_open:
            opened = row | {"sz": wire(order.size)}
            updates.append(
                {"order": opened, "status": order.status, "statusTimestamp": order.status_ms or block.time_ms}
            )
        owner.orders.pop(order.oid, None)
        order.status = status
        order.status_ms = block.time_ms
        if order.oid not in owner.by_oid:
            owner.remember(order)
        updates.append({"order": row, "status": status, "statusTimestamp": block.time_ms})
        for child in order.children:
            if status != "filled":
                self.withdraw(child, "canceled", block)
            elif child.status == "open":
                self.arm(child, block)

    def announce(self, order: Order, block: Block) -> None:
        """Publish the order's present status."""
        order.status_ms = order.status_ms or block.time_ms
        block.order_updates.setdefault(order.owner.address, []).append(order.update())

    def reject(self, order: Order, status: str, block: Block) -> None:
        """Remember a refused order: it has an oid in the history although the answer shows none."""
        order.status, order.status_ms = status, block.time_ms
        order.owner.remember(order)
        self.announce(order, block)

    def withdraw(self, order: Order, status: str, block: Block) -> None:
        """Cancel an order that rests or waits for its trigger."""
        if order.status != "open":
            return
        self._venue.book(order.asset).remove(order)
        self._triggers.get(order.asset.asset_id, {}).pop(order.oid, None)
        if order.owner is self._venue.maker:
            return
        if status != "canceled":
            cancels = block.venue_cancels.setdefault(order.owner.address, [])
            cancels.append({"coin": order.asset.coin, "oid": order.oid})
        self.finish(order, status, block)
        block.coins.add(order.asset.coin)

    def arm(self, order: Order, block: Block) -> None:
        """Let a trigger order wait for its price."""
        owner = order.owner
        owner.orders[order.oid] = order
        if order.oid not in owner.by_oid:
            owner.remember(order)
        self._triggers.setdefault(order.asset.asset_id, {})[order.oid] = order
        self.announce(order, block)

    def _fire_triggers(self, asset: Asset, mark: int, block: Block) -> None:
        for order in list(self._triggers.get(asset.asset_id, {}).values()):
            terms = order.trigger
            if terms is None or (mark < terms.price if terms.above else mark > terms.price):
                continue
            if order.status != "open":
                continue  # a sibling or the position that it belonged to went with an order that fired just now
            del self._triggers[asset.asset_id][order.oid]
            order.owner.orders.pop(order.oid, None)
            order.status, order.status_ms = "triggered", block.time_ms
            self.announce(order, block)
            self._execute_trigger(order, block)

    def _execute_trigger(self, order: Order, block: Block) -> None:
        position = order.owner.position(order.asset)
        if order.reduce_only:
            opposite = position < 0 if order.is_buy else position > 0
            room = abs(position) if opposite else 0
            order.size = order.remaining = room if order.is_position_tpsl else min(order.remaining, room)
            if room == 0:
                self.finish(order, "reduceOnlyRejected", block)
                return
        terms, order.trigger = order.trigger, None
        order.status = "open"
        order.tx_hash = ""
        if terms is not None and terms.is_market:
            order.tif = "FrontendMarket"
        error = self.admit(order, block)
        if error is not None:
            self.finish(order, rejected_status(error, order), block)
        for sibling in order.parent.children if order.parent else []:
            if sibling is not order:
                self.withdraw(sibling, "siblingFilledCanceled", block)


def wire_price(order: Order | None) -> str:
    """Spell a best price for the post-only text; the venue trims it."""
    return "none" if order is None else wire(order.price).removesuffix(".0")


_REJECTED = {
    "Price must be divisible": "tickRejected",
    "Order must have minimum": "minTradeNtlRejected",
    "Insufficient margin": "perpMarginRejected",
    "Reduce only order": "reduceOnlyRejected",
    "Post only order": "badAloPxRejected",
    "Order could not immediately": "iocCancelRejected",
    "Invalid TP/SL": "badTriggerPxRejected",
    "No liquidity": "marketOrderNoLiquidityRejected",
    "Order has insufficient spot": "insufficientSpotBalanceRejected",
    "Order price too far": "oracleRejected",
    "Order would cause position": "perpMaxPositionRejected",
    "Too many open orders": "tooManyOpenOrdersRejected",
    CAPPED: "positionIncreaseAtOpenInterestCapRejected",
    TOO_AGGRESSIVE: "tooAggressiveAtOpenInterestCapRejected",
    TOO_QUICK: "openInterestIncreaseRejected",
}


def rejected_status(error: str, order: Order | None = None) -> str:
    """Return the history status that belongs to an item error; one text of the cap stands for two statuses."""
    if order is not None and error == CAPPED and order.owner.position(order.asset) * (1 if order.is_buy else -1) < 0:
        return "positionFlipAtOpenInterestCapRejected"
    return next((status for prefix, status in _REJECTED.items() if error.startswith(prefix)), "rejected")
