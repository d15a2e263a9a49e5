"""Where cues happen: the only part of life that touches accounts and books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.book import Quote, round_price
from hlfast.sim.leaders import LeaderTape
from hlfast.sim.life.cues import Act, Best, Deal, Drift, Fills, Mid, Shape
from hlfast.sim.numbers import SCALE
from hlfast.sim.orders import Order
from hlfast.sim.trading import Trading
from hlfast.sim.universe import USDC, Asset
from hlfast.sim.venue import Venue

UNIT: Final = 10**9
LOWEST_TICKS = 1_000  # a walk turns here: below, one tick is more than ten basis points
STRANGER_USD = 100_000_000
REACH_BPS = 500  # how far a stranger without a price follows the book


class Stage:
    """Performs acts inside a block. `counts` tells what happened: acts by kind, and `refused` deals."""

    def __init__(self, venue: Venue, trading: Trading, tape: LeaderTape) -> None:
        self._venue = venue
        self._trading = trading
        self._tape = tape
        # Of a walked book: the mid that was set, and the price behind it with all its digits.
        self._fine: dict[int, tuple[int, int]] = {}
        self.strangers: set[str] = set()

    def perform(self, acts: Iterable[Act], counts: Counter[str], block: Block) -> None:
        """Let acts happen, in their order."""
        for act in acts:
            counts[type(act).__name__.lower()] += 1
            if isinstance(act, Fills):
                self._tape.replay(self._venue.account(act.address), list(act.rows), block)
                continue
            asset = self._venue.universe.by_coin[act.coin]
            if isinstance(act, Drift):
                self._drift(asset, act.parts, block)
            elif isinstance(act, Mid):
                self._trading.move(asset, round_price(asset, act.price, up=False), block)
            elif isinstance(act, Shape):
                self._shape(asset, act.quotes, block)
            elif isinstance(act, Best):
                self._shape(asset, self._with_best(asset, act), block)
            elif not self._deal(asset, act, block):
                counts["refused"] += 1

    def _drift(self, asset: Asset, parts: int, block: Block) -> None:
        mid = self._venue.book(asset).mid
        known, fine = self._fine.get(asset.asset_id, (0, 0))
        if known != mid:
            fine = mid  # moved by somebody else since: walk on from there
        moved = fine * (UNIT + parts) // UNIT
        if moved < LOWEST_TICKS * asset.finest_tick:
            moved = fine * (UNIT + abs(parts)) // UNIT
        fresh = round_price(asset, moved, up=False)
        self._fine[asset.asset_id] = (fresh, moved)
        if fresh != mid:
            self._trading.move(asset, fresh, block)

    def _quotes(self, asset: Asset) -> tuple[Quote, ...]:
        """Return the maker's present quotes, one a level."""
        book = self._venue.book(asset)
        if book.quotes is not None:
            return book.quotes
        maker = self._venue.maker
        sides = ((True, book.bids), (False, book.asks))
        return tuple(
            (is_buy, row[2].price, row[2].size) for is_buy, side in sides for row in side if row[2].owner is maker
        )

    def _shape(self, asset: Asset, quotes: tuple[Quote, ...], block: Block) -> None:
        bid, ask = _top(quotes, is_buy=True), _top(quotes, is_buy=False)
        middle = (bid + ask) // 2 if bid and ask else bid or ask
        mid = round_price(asset, middle, up=False) if middle else self._venue.book(asset).mid
        self._trading.move(asset, mid, block, quotes=quotes)

    def _with_best(self, asset: Asset, act: Best) -> tuple[Quote, ...]:
        quotes: list[Quote] = []
        for is_buy, best in ((True, act.bid), (False, act.ask)):
            if best is None:
                continue
            quotes.append((is_buy, *best))
            quotes.extend(row for row in self._quotes(asset) if row[0] is is_buy and _is_behind(row, best[0]))
        return tuple(quotes)

    def _deal(self, asset: Asset, act: Deal, block: Block) -> bool:
        """Let a stranger trade; False when the venue refused the order."""
        if asset.is_spot or asset.quote_token != USDC or asset.is_delisted:
            return False  # strangers hold nothing but USDC
        if act.price is not None:
            self._make_way(asset, act, act.price, block)
        book = self._trading.open_book(asset, block)
        best = book.best(is_buy=not act.is_buy)
        if best is None:
            return False
        price = act.price
        if price is None:
            away = best.price * REACH_BPS // 10_000
            price = round_price(asset, best.price + (away if act.is_buy else -away), up=not act.is_buy)
        trader = self._stranger(act.trader, block)
        oid = self._venue.next_oid()
        order = Order(oid, trader, asset, act.is_buy, price, act.size, act.size, "Ioc", False, None, block.time_ms)
        return self._trading.admit(order, block) is None

    def _make_way(self, asset: Asset, act: Deal, price: int, block: Block) -> None:
        """Put the maker's quotes where this trade can happen: none better, enough at its price."""
        hit = not act.is_buy
        self._trading.open_book(asset, block)
        known = self._quotes(asset)
        there = sum(size for is_buy, level, size in known if is_buy is hit and level == price)
        changed = [(hit, price, max(there, act.size))]
        changed.extend(row for row in known if row[0] is hit and _is_behind(row, price))
        # On the other side nothing may stand where the trade went through.
        changed.extend(row for row in known if row[0] is not hit and _is_behind(row, price))
        changed.sort(key=lambda row: (not row[0], -row[1] if row[0] else row[1]))
        if tuple(changed) != known:
            self._trading.move(asset, self._venue.book(asset).mid, block, quotes=tuple(changed))

    def _stranger(self, address: str, block: Block) -> Account:
        account = self._venue.account(address)
        if address not in self.strangers:
            self.strangers.add(address)
            self._venue.deposit(account, STRANGER_USD * SCALE, block)
        return account


def _top(quotes: tuple[Quote, ...], *, is_buy: bool) -> int:
    return next((price for side, price, _ in quotes if side is is_buy), 0)


def _is_behind(quote: Quote, price: int) -> bool:
    """Tell whether a quote is strictly worse, seen from who takes it."""
    return quote[1] < price if quote[0] else quote[1] > price
