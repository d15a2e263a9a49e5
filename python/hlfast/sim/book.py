"""One asset's order book: price-time priority, with the synthetic maker's ladder around a mid."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from hlfast.sim.numbers import SCALE
from hlfast.sim.orders import Order
from hlfast.sim.universe import Asset

# (sort key, arrival, order): bids sort by falling price, asks by rising, both by arrival inside a price.
Entry = tuple[int, int, Order]
# (is_buy, price, size) of one quote of the synthetic maker.
Quote = tuple[bool, int, int]


def round_price(asset: Asset, price: int, *, up: bool) -> int:
    """Return the nearest legal price at or above (`up`) or at or below `price`, never zero."""
    tick = asset.tick(price)
    lower = price // tick * tick
    if lower == price and lower > 0:
        return price
    return lower + tick if up or lower == 0 else lower


class Book:
    """Resting orders of one asset. `mid` is the synthetic maker's centre and the venue's mark price."""

    __slots__ = (
        "_arrivals",
        "asks",
        "asset",
        "bids",
        "depth_usd",
        "last_price",
        "mid",
        "oracle",
        "previous_mid",
        "quotes",
        "spread_bps",
    )

    def __init__(self, asset: Asset) -> None:
        self.asset = asset
        self.mid = asset.mid
        self.previous_mid = asset.mid
        self.oracle: int | None = None
        self.last_price = asset.mid
        self.bids: list[Entry] = []
        self.asks: list[Entry] = []
        self.spread_bps: int | None = None
        self.depth_usd: int | None = None
        self.quotes: tuple[Quote, ...] | None = None  # the maker's, when given one by one; None: a ladder around mid
        self._arrivals = 0

    def add(self, order: Order) -> None:
        """Put an order at the end of its price's queue."""
        self._arrivals += 1
        key = -order.price if order.is_buy else order.price
        insort(self.bids if order.is_buy else self.asks, (key, self._arrivals, order))

    def remove(self, order: Order) -> None:
        """Take an order out, wherever it rests; nothing happens when it doesn't."""
        side = self.bids if order.is_buy else self.asks
        key = -order.price if order.is_buy else order.price
        for index in range(bisect_left(side, (key, 0)), len(side)):
            if side[index][2] is order:
                del side[index]
                return
            if side[index][0] != key:
                return

    def best(self, *, is_buy: bool) -> Order | None:
        """Return the first order of the bids (`is_buy`) or the asks."""
        side = self.bids if is_buy else self.asks
        return side[0][2] if side else None

    def impact(self, notional: int, *, is_buy: bool) -> int | None:
        """Return the average price of trading `notional` against the bids (`is_buy`) or asks, None when too thin."""
        size, left = 0, notional
        for _, _, order in self.bids if is_buy else self.asks:
            value = order.price * order.remaining // SCALE
            if value >= left:
                size += left * SCALE // order.price
                return notional * SCALE // size if size else None
            size, left = size + order.remaining, left - value
        return None

    def drop_owner(self, owner: object) -> None:
        """Take all orders of one owner out."""
        self.bids = [entry for entry in self.bids if entry[2].owner is not owner]
        self.asks = [entry for entry in self.asks if entry[2].owner is not owner]

    def levels(self, *, is_buy: bool, limit: int) -> list[tuple[int, int, int]]:
        """Return [(price, size, orders)…] from the best price on."""
        found: list[tuple[int, int, int]] = []
        for _, _, order in self.bids if is_buy else self.asks:
            if found and found[-1][0] == order.price:
                price, size, count = found[-1]
                found[-1] = (price, size + order.remaining, count + 1)
            elif len(found) == limit:
                break
            else:
                found.append((order.price, order.remaining, 1))
        return found


def ladder(asset: Asset, mid: int, spread_bps: int, depth_usd: int, levels: int) -> Iterator[Quote]:
    """Yield (is_buy, price, size) of a maker's quotes: half the spread away from mid, then a spread between levels.

    Depth is notional per side, the outer levels deeper than the inner ones.
    """
    weights = levels * (levels + 1) // 2
    for is_buy in (True, False):
        previous = 0
        for level in range(levels):
            away = mid * spread_bps * (2 * level + 1) // 20_000
            price = round_price(asset, mid - away if is_buy else mid + away, up=not is_buy)
            if previous and (price >= previous if is_buy else price <= previous):
                tick = asset.tick(previous)
                price = previous - tick if is_buy else previous + tick
            if not is_buy and level == 0 and price <= round_price(asset, mid - away, up=False):
                price += asset.tick(price)
            if price <= 0:
                break
            previous = price
            notional = depth_usd * SCALE * (level + 1) // weights
            size = notional * SCALE // price // asset.lot * asset.lot
            yield is_buy, price, max(size, asset.lot)
