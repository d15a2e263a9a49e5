"""Priority fees of orders: a share of the notional, paid in HYPE from the undelegated stake and burned."""

from __future__ import annotations

from hlfast.sim.actions import OrderAction, OrderWire, Priority
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Entry, Item, Origin
from hlfast.sim.numbers import SCALE, parse, ratio, times, try_parse
from hlfast.sim.purse import HYPE, Purse

NO_STAKE = "Insufficient delegatable balance for priority order"
UNFIT = "Priority is only for batches of IOC orders, or of ALO orders that aren't reduce-only."  # words not known


class PriorityOrders:
    """Places batches whose grouping names a rate. Who pays more goes first within its class of a block.

    An IOC pays for what it filled, an ALO for what it put on the book, kept even when nothing of it trades.
    """

    def __init__(self, entry: Entry, purse: Purse) -> None:
        self._entry = entry
        self._purse = purse

    def place_all(self, action: OrderAction, rate: Priority, origin: Origin, block: Block) -> list[Item]:
        """Place a batch and charge its fee, or refuse all of it."""
        kinds = {sent.t.limit.tif if sent.t.limit else "" for sent in action.orders}
        if kinds != {"Ioc"} and (kinds != {"Alo"} or any(sent.r for sent in action.orders)):
            return [{"error": UNFIT} for _ in action.orders]
        worst = sum(_notional(sent) for sent in action.orders)
        if self._fee(worst, rate) > origin.account.stake.undelegated:
            return [{"error": NO_STAKE} for _ in action.orders]
        items = self._entry.place_all(action, origin, block)
        charged = sum(_charged(sent, item) for sent, item in zip(action.orders, items, strict=False))
        fee = min(self._fee(charged, rate), origin.account.stake.undelegated)
        if fee:
            origin.account.stake.undelegated -= fee
            origin.account.touch()
            self._purse.burn(self._purse.token(HYPE), fee)
        return items

    def _fee(self, notional: int, rate: Priority) -> int:
        price = self._purse.usdc_value(self._purse.token(HYPE), SCALE)
        return ratio(notional * rate.p // SCALE, price)


def _notional(sent: OrderWire) -> int:
    return times(try_parse(sent.p) or 0, try_parse(sent.s) or 0)


def _charged(sent: OrderWire, item: Item) -> int:
    if not isinstance(item, dict):
        return 0
    if "filled" in item:
        return times(parse(item["filled"]["avgPx"]), parse(item["filled"]["totalSz"]))
    return _notional(sent) if "resting" in item else 0
