"""Watches whether the leaders being copied are still fit, from what the projector has just written.

An order is judged a minute after its first fill: its receipts are there then, and the price had time to move.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from hlfast.config.model import Config
from hlfast.config.model import Fitness as Settings
from hlfast.research.fitness import Fitness, Seen, Thresholds, Watch
from hlfast.research.quotes import Quotes
from hlfast.store.tables import fills, receipts
from hlfast.store.writes import Batch

# Milliseconds after a fill at which the price is looked up, and how long an order waits for the last of them.
HORIZONS_MS: Final = (250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000)
WAIT_MS: Final = 65_000
_MOST_ORDERS = 10_000
_FILL = {name: place for place, name in enumerate(fills.c.keys())}
_RECEIPT = {name: place for place, name in enumerate(receipts.c.keys())}


class Unfit(msgspec.Struct, frozen=True, kw_only=True):
    """A leader who should get no more entries, and why."""

    leader: str
    fitness: Fitness

    @property
    def why(self) -> str:
        """The reasons in one line."""
        return "; ".join(self.fitness.reasons)


class _Order(msgspec.Struct):
    """What is known of one order so far."""

    leader: str
    coin: str
    time_ms: int
    sign: int = 0  # +1 bought, -1 sold, 0 not known
    price: float = 0.0
    maker: bool | None = None
    holding_ms: int | None = None
    receipts: int = 0
    small: int = 0
    slips: list[float] = []


def thresholds_of(settings: Settings) -> Thresholds:
    """Turn the settings' percentages into shares."""
    return Thresholds(
        most_maker_share=settings.most_maker_percent / 100,
        shortest_holding_ms=settings.shortest_holding_ms,
        most_below_minimum=settings.most_below_minimum_percent / 100,
        most_slippage_bps=float(settings.most_slippage_bps),
        shortest_half_life_ms=settings.shortest_half_life_ms,
    )


class Watcher:
    """Watches all leaders of the settings.

    Args:
        config: its leaders and `fitness`.
        quotes: of the coins that leaders trade.
        want: called with a coin that a leader traded, before its orders are judged.
    """

    def __init__(self, config: Config, quotes: Quotes, want: Callable[[str], None]) -> None:
        settings = config.fitness
        self._quotes = quotes
        self._want = want
        self._names = {leader.address.lower(): leader.name for leader in config.leaders}
        limits = thresholds_of(settings)
        self._watches = {leader.name: Watch(limits, settings.window, settings.fewest) for leader in config.leaders}
        # By (leader, coin, order id); where the account's own fills are not seen, by the time of the trade.
        self._orders: OrderedDict[tuple[str, str, int], _Order] = OrderedDict()
        self._order_of: OrderedDict[tuple[str, str, int, int], tuple[str, str, int]] = OrderedDict()
        self._opened: dict[tuple[str, str], int] = {}

    def take(self, batch: Batch) -> None:
        """Take rows in that were written just now."""
        for row in batch.rows.get("fills", ()):
            self._take_fill(row)
        for row in batch.rows.get("receipts", ()):
            self._take_receipt(row)

    def _take_fill(self, row: tuple[Any, ...]) -> None:
        leader = self._names.get(row[_FILL["account"]])
        if leader is None:
            return
        coin, time_ms, tid = (row[_FILL[name]] for name in ("coin", "time_ms", "tid"))
        identity = (leader, coin, time_ms, tid)
        if identity in self._order_of:
            return  # a second feed, or a snapshot
        order_id = row[_FILL["oid"]]
        key = (leader, coin, order_id if order_id is not None else -time_ms)
        self._order_of[identity] = key
        _bound(self._order_of)
        order = self._order(key, time_ms)
        order.sign = 1 if row[_FILL["side"]] == "B" else -1
        order.price = order.price or float(row[_FILL["price"]])
        crossed = row[_FILL["crossed"]]
        order.maker = order.maker if crossed is None else not crossed
        held = self._holding(
            leader, coin, time_ms, Decimal(row[_FILL["start_position"]]), Decimal(row[_FILL["size"]]) * order.sign
        )
        order.holding_ms = held if held is not None else order.holding_ms

    def _holding(self, leader: str, coin: str, time_ms: int, start: Decimal, delta: Decimal) -> int | None:
        """Note where a position begins; how long it was held when this fill ends it."""
        end = start + delta
        opened = self._opened.get((leader, coin))
        if end and (not start or (start > 0) != (end > 0)):
            self._opened[leader, coin] = time_ms
        elif not end:
            self._opened.pop((leader, coin), None)
        ends = start and (not end or (start > 0) != (end > 0))
        return time_ms - opened if ends and opened is not None else None

    def _take_receipt(self, row: tuple[Any, ...]) -> None:
        leader, coin, time_ms, tid = (row[_RECEIPT[name]] for name in ("leader", "coin", "time_ms", "tid"))
        if leader not in self._watches:
            return
        key = self._order_of.get((leader, coin, time_ms, tid), (leader, coin, -time_ms))
        order = self._order(key, time_ms)
        price, before, after = (
            float(row[_RECEIPT[name]]) for name in ("leader_price", "leader_before", "leader_after")
        )
        order.price = order.price or price
        order.sign = order.sign or (after > before) - (after < before)
        if row[_RECEIPT["outcome"]] == "merged_into":
            return  # another receipt carries what became of it
        order.receipts += 1
        order.small += row[_RECEIPT["reason"]] == "below_minimum"
        filled, average, ordered = (float(row[_RECEIPT[name]]) for name in ("filled", "average_price", "ordered"))
        if filled and price > 0:
            order.slips.append((average - price) / price * 10_000 * (1 if ordered > 0 else -1))

    def _order(self, key: tuple[str, str, int], time_ms: int) -> _Order:
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = _Order(leader=key[0], coin=key[1], time_ms=time_ms, slips=[])
            self._want(key[1])
            _bound(self._orders)
        return order

    def judge(self, now_ms: int) -> list[Unfit]:
        """Judge the orders whose time has come; returns the leaders who are no longer fit, each once."""
        unfit = []
        for key in [key for key, order in self._orders.items() if now_ms - order.time_ms >= WAIT_MS]:
            order = self._orders.pop(key)
            watch = self._watches[order.leader]
            fitness = watch.add(self._seen(order))
            if fitness.close_only:
                unfit.append(Unfit(leader=order.leader, fitness=fitness))
                # The next verdict needs new orders, so that a leader who was resumed is judged by what he does then.
                watch.forget()
        return unfit

    def _seen(self, order: _Order) -> Seen:
        return Seen(
            maker=order.maker,
            below_minimum=order.receipts > 0 and order.small * 2 >= order.receipts,
            holding_ms=order.holding_ms,
            slippage_bps=sum(order.slips) / len(order.slips) if order.slips else None,
            drift=self._drift(order),
        )

    def _drift(self, order: _Order) -> tuple[tuple[int, float], ...]:
        """How the middle moved in the leader's favour; empty where a quote is missing, before the fill or after it."""
        if not order.sign or order.price <= 0 or self._quotes.middle_at(order.coin, order.time_ms) is None:
            return ()
        moves = []
        for after_ms in HORIZONS_MS:
            middle = self._quotes.middle_at(order.coin, order.time_ms + after_ms)
            if middle is None:
                return ()
            moves.append((after_ms, (middle - order.price) / order.price * 10_000 * order.sign))
        return tuple(moves)

    def figures(self) -> dict[str, Fitness]:
        """Return the present state of every leader who traded."""
        found = {name: watch.judge() for name, watch in self._watches.items()}
        return {name: fitness for name, fitness in found.items() if fitness.orders}


def _bound(kept: OrderedDict[Any, Any]) -> None:
    if len(kept) > _MOST_ORDERS:
        kept.popitem(last=False)


# Series of more leaders than these say nothing that a person reads.
_MOST_SHOWN = 100
_SERIES: Final = (
    ("orders", "hlfast_fitness_orders", "Orders judged of the window."),
    ("maker_share", "hlfast_fitness_maker_ratio", "Share of orders that rested."),
    ("median_holding_ms", "hlfast_fitness_holding_ms", "Median round trip."),
    ("below_minimum", "hlfast_fitness_below_minimum_ratio", "Share of orders too small for followers."),
    ("mean_slippage_bps", "hlfast_fitness_slippage_bps", "Mean cost of what was copied."),
    ("half_life_ms", "hlfast_fitness_half_life_ms", "Until half of the edge is gone."),
)


def render(figures: Mapping[str, Fitness]) -> bytes:
    """Return figures as Prometheus text, one series a leader; a figure that rests on too little has none."""
    shown = sorted(figures.items(), key=lambda item: (-item[1].orders, item[0]))[:_MOST_SHOWN]
    lines = []
    for field, name, about in _SERIES:
        lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
        values = ((leader, getattr(fitness, field)) for leader, fitness in shown)
        lines += [f'{name}{{leader="{leader}"}} {value:.10g}' for leader, value in values if value is not None]
    return ("\n".join(lines) + "\n").encode()
