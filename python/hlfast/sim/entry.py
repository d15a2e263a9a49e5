"""Order entry: from the wire's order to item results, with the venue's checks in the venue's order and words."""

from __future__ import annotations

from typing import Any

import msgspec

from hlfast.sim.accounts import Account
from hlfast.sim.actions import (
    BatchModifyAction,
    CancelAction,
    CancelByCloidAction,
    ModifyAction,
    OrderAction,
    OrderWire,
    Trigger,
)
from hlfast.sim.blocks import Block
from hlfast.sim.numbers import SCALE, ratio, read, times, wire
from hlfast.sim.orders import Order, TriggerTerms
from hlfast.sim.trading import Trading, rejected_status
from hlfast.sim.universe import Asset
from hlfast.sim.venue import Venue

MINIMUM_USD = 10 * SCALE
POST_ONLY = "Only post-only orders allowed immediately after a network upgrade"
FREE_OPEN_ORDERS = 1_000
MAX_OPEN_ORDERS = 5_000
VOLUME_PER_ORDER = 5_000_000 * SCALE  # traded, for each open order beyond the free ones
MAX_CANCELS = 200  # per action; more are refused whole (testnet, October 2026)
Item = dict[str, Any] | str


class Origin(msgspec.Struct, frozen=True):
    """Who stands behind an action: the account acted for, the key that signed, the nonce and the transaction hash."""

    account: Account
    signer: str
    nonce: int
    tx_hash: str
    builder: tuple[str, int] | None = None


class RefusedError(Exception):
    """The whole action is refused: `{"status":"err","response":text}`."""


class Entry:
    """Turns order, cancel and modify actions into item results."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading

    def place_all(self, action: OrderAction, origin: Origin, block: Block) -> list[Item]:
        """Place a batch, one after the other, without atomicity.

        Raises:
            RefusedError: pre-validation failed in a way that the venue answers for the whole action.
        """
        if not action.orders:
            raise RefusedError("Orders are empty.")
        if action.builder is not None:
            allowed = origin.account.builder_fees.get(action.builder.b, 0)
            if action.builder.f > allowed:
                raise RefusedError("Builder fee has not been approved.")
            origin = msgspec.structs.replace(origin, builder=(action.builder.b, action.builder.f))
        single = self._prevalidate(action, origin, block)
        if single is not None:
            return [single]
        if action.grouping == "normalTpsl":
            return self._place_group(action.orders, origin, block)
        is_position = action.grouping == "positionTpsl"
        return [self._place(wire_order, origin, block, is_position_tpsl=is_position) for wire_order in action.orders]

    def _prevalidate(self, action: OrderAction, origin: Origin, block: Block) -> Item | None:
        grouped = action.grouping in ("normalTpsl", "positionTpsl")
        for index, order in enumerate(action.orders):
            asset = self._venue.universe.by_id.get(order.a)
            price = read(order.p)
            if asset is None or price is None or price <= 0:
                continue
            trigger = order.t.trigger
            if grouped and trigger is not None and not order.r:
                return {"error": self._suffixed("Invalid TP/SL price.", order.a)}
            if not (asset.price_is_legal(price) and (trigger is None or self._fires_on_tick(asset, trigger))):
                text = "Price must be divisible by tick size."
                self._trading.reject(self._build(order, asset, price, 0, origin, block), "tickRejected", block)
                return {"error": self._suffixed(text, order.a)}
            reference = self._venue.mark(asset)
            if trigger is None and not reference // 5 < price < reference * 5:
                raise RefusedError("Order price cannot be more than 80% away from the reference price")
            if grouped and index == 0 and action.grouping == "normalTpsl" and trigger is not None:
                return {"error": self._suffixed("Invalid TP/SL price.", order.a)}
        return None

    @staticmethod
    def _fires_on_tick(asset: Asset, trigger: Trigger) -> bool:
        fires = read(trigger.trigger_px)
        return fires is not None and fires > 0 and asset.price_is_legal(fires)

    def _suffixed(self, text: str, asset_id: int) -> str:
        return f"{text} asset={asset_id}" if self._venue.settings.asset_suffix else text

    def _build(self, sent: OrderWire, asset: Asset, price: int, size: int, origin: Origin, block: Block) -> Order:
        limit = sent.t.limit
        return Order(
            self._venue.next_oid(),
            origin.account,
            asset,
            sent.b,
            price,
            size,
            size,
            limit.tif if limit else "Gtc",
            sent.r,
            sent.c,
            block.time_ms,
            origin.nonce,
            origin.signer,
            origin.tx_hash,
            origin.builder,
        )

    def _place(self, sent: OrderWire, origin: Origin, block: Block, *, is_position_tpsl: bool = False) -> Item:
        order = self._checked(sent, origin, block)
        if isinstance(order, str):
            return {"error": self._suffixed(order, sent.a)}
        if sent.t.trigger is not None:
            return self._place_trigger(order, sent, sent.t.trigger, block, is_position_tpsl=is_position_tpsl)
        error = self._refusal(order) or self._trading.admit(order, block)
        if error is not None:
            self._trading.reject(order, rejected_status(error, order), block)
            return {"error": self._suffixed(error, sent.a)}
        return self.result(order)

    def _checked(self, sent: OrderWire, origin: Origin, block: Block) -> Order | str:
        """Return the order, or the item error of what makes it no order at all."""
        asset = self._venue.universe.by_id.get(sent.a)
        if asset is None:
            return "Invalid spot" if 10_000 <= sent.a < 100_000 else "Invalid asset"
        price, size = read(sent.p), read(sent.s)
        if price is None or price <= 0:
            return "Order has invalid price."
        if size is None or size < 0 or size % asset.lot:
            return "Order has invalid size."
        if size == 0 and sent.t.trigger is None:
            return "Order has zero size."
        refusal = self._barred(sent, asset) or self._misfit(sent, asset, origin.account)
        return refusal or self._build(sent, asset, price, size, origin, block)

    def _barred(self, sent: OrderWire, asset: Asset) -> str | None:
        """Return the item error of what the market takes no order for now."""
        settings = self._venue.settings
        if settings.halted or asset.is_delisted or asset.coin in settings.halted_coins:
            return "Trading is halted."
        if settings.post_only and (sent.t.limit is None or sent.t.limit.tif != "Alo"):
            return POST_ONLY
        return None

    def _misfit(self, sent: OrderWire, asset: Asset, account: Account) -> str | None:
        """Return the item error of an order that its asset or its account doesn't allow."""
        if sent.r and asset.is_spot:
            return "Reduce-only is invalid for spot trading."
        if self._venue.settings.repeated_cloid != "accept" and self._repeats(account, sent.c):
            return "Duplicate client order id."
        if len(account.orders) >= FREE_OPEN_ORDERS and self._is_full(account, sent):
            return "Too many open orders"
        return None

    @staticmethod
    def _is_full(account: Account, sent: OrderWire) -> bool:
        """Tell whether one more than the free orders is too many; no reduce-only or trigger order may wait there."""
        limit = min(FREE_OPEN_ORDERS + account.volume // VOLUME_PER_ORDER, MAX_OPEN_ORDERS)
        # What takes at once doesn't wait in a book, so exits pass.
        waits = sent.t.limit is None or sent.t.limit.tif in ("Gtc", "Alo")
        return waits and (len(account.orders) >= limit or sent.r or sent.t.trigger is not None)

    def _repeats(self, account: Account, cloid: str | None) -> bool:
        known = None if cloid is None else account.by_cloid.get(cloid)
        if known is None:
            return False
        return self._venue.settings.repeated_cloid == "refuse" or known.status == "open"

    def _refusal(self, order: Order) -> str | None:
        # Where the oracle and the mark lie apart, the band of pre-validation holds around the oracle too.
        oracle = self._venue.oracle(order.asset)
        if not order.asset.is_spot and not oracle // 5 < order.price < oracle * 5:
            return "Order price too far from oracle"
        return self._size_refusal(order)

    def _size_refusal(self, order: Order) -> str | None:
        position = order.owner.position(order.asset)
        is_closing = position < 0 if order.is_buy else position > 0
        if order.reduce_only:
            if not is_closing:
                return "Reduce only order would increase position."
            order.remaining = min(order.remaining, abs(position))
        # The $10 rule has one exemption: an order that closes the whole position, flagged or not.
        closes_all = is_closing and order.remaining == abs(position) and not order.asset.is_spot
        if not closes_all and times(order.price, order.remaining) < MINIMUM_USD:
            if order.asset.is_spot:
                return f"Order must have minimum value of 10 {self._quote_name(order.asset)}."
            return "Order must have minimum value of $10."
        return None

    def _quote_name(self, asset: Asset) -> str:
        return str(self._venue.universe.tokens[asset.quote_token]["name"])

    def _place_trigger(
        self, order: Order, sent: OrderWire, trigger: Trigger, block: Block, *, is_position_tpsl: bool
    ) -> Item:
        order.trigger = self._terms(order, trigger)
        order.is_position_tpsl = is_position_tpsl
        mark = self._venue.mark(order.asset)
        fires_now = mark >= order.trigger.price if order.trigger.above else mark <= order.trigger.price
        if fires_now:
            self._trading.reject(order, "badTriggerPxRejected", block)
            return {"error": self._suffixed("Invalid TP/SL price.", sent.a)}
        self._trading.arm(order, block)
        return "waitingForTrigger"

    @staticmethod
    def _terms(order: Order, trigger: Trigger) -> TriggerTerms:
        # A stop of a sell waits below the mark, its take-profit above; buys the other way round.
        above = (trigger.tpsl == "tp") != order.is_buy
        return TriggerTerms(read(trigger.trigger_px) or 0, trigger.is_market, trigger.tpsl, above)

    def _place_group(self, sent: list[OrderWire], origin: Origin, block: Block) -> list[Item]:
        parent_order = self._checked(sent[0], origin, block)
        if isinstance(parent_order, str):
            return [{"error": self._suffixed(parent_order, sent[0].a)} for _ in sent]
        children: list[Order] = []
        for row in sent[1:]:
            child = self._checked(row, origin, block)
            if isinstance(child, str) or row.t.trigger is None:
                text = child if isinstance(child, str) else "Invalid TP/SL price."
                return [{"error": self._suffixed(text, row.a)} for _ in sent]
            child.trigger = self._terms(child, row.t.trigger)
            child.parent = parent_order
            children.append(child)
        parent_order.children = tuple(children)
        error = self._refusal(parent_order) or self._trading.admit(parent_order, block)
        if error is not None:
            parent_order.children = ()
            self._trading.reject(parent_order, rejected_status(error, parent_order), block)
            return [{"error": self._suffixed(error, row.a)} for row in sent]
        waiting = "waitingForTrigger" if parent_order.status == "filled" else "waitingForFill"
        return [self.result(parent_order), *(waiting for _ in children)]

    def result(self, order: Order) -> Item:
        """Return the item result of an accepted order."""
        shown: dict[str, Any] = {"oid": order.oid}
        if order.cloid is not None:
            shown["cloid"] = order.cloid
        rests = order.status == "open"
        if rests and (order.filled == 0 or self._venue.settings.partial_gtc == "resting"):
            return {"resting": shown}
        average = ratio(order.filled_value, order.filled)
        return {"filled": {"totalSz": wire(order.filled), "avgPx": wire(average)} | shown}

    def cancel_all(self, action: CancelAction | CancelByCloidAction, origin: Origin, block: Block) -> list[Item]:
        """Cancel by oid or by cloid, item by item.

        Raises:
            RefusedError: more cancels than one action may carry.
        """
        if len(action.cancels) > MAX_CANCELS:
            raise RefusedError(f"Too many cancels: {len(action.cancels)} > {MAX_CANCELS}")
        items: list[Item] = []
        for row in action.cancels:
            if isinstance(action, CancelAction):
                found, asset_id = origin.account.orders.get(row.o), row.a  # type: ignore[union-attr]
            else:
                found, asset_id = origin.account.by_cloid.get(row.cloid), row.asset  # type: ignore[union-attr]
            if found is None or found.status != "open" or found.asset.asset_id != asset_id:
                text = "Order was never placed, already canceled, or filled."
                items.append({"error": self._suffixed(text, asset_id)})
                continue
            self._trading.withdraw(found, "canceled", block)
            items.append("success")
        return items

    def modify_all(self, action: BatchModifyAction | ModifyAction, origin: Origin, block: Block) -> list[Item]:
        """Cancel and place anew, each with a new oid; `a` places whatever became of the old one."""
        rows = (
            [(row.oid, row.order) for row in action.modifies]
            if isinstance(action, BatchModifyAction)
            else [(action.oid, action.order)]
        )
        if not rows:
            raise RefusedError("Orders are empty.")
        items: list[Item] = []
        for oid, sent in rows:
            account = origin.account
            old = account.orders.get(oid) if isinstance(oid, int) else account.by_cloid.get(oid.lower())
            is_open = old is not None and old.status == "open"
            if not is_open and not action.a:
                items.append({"error": "Cannot modify canceled or filled order"})
                continue
            limit = sent.t.limit
            if limit is not None and limit.tif == "Gtc" and not action.a:
                # Since 2026 a modified GTC comes back as post-only, unless the client asks for `a`.
                limit.tif = "Alo"
            refusal = self._checked(sent, origin, block)
            asset = self._venue.universe.by_id.get(sent.a)
            price = read(sent.p)
            if isinstance(refusal, str):
                items.append({"error": self._suffixed(refusal, sent.a)})
            elif asset is None or price is None or not asset.price_is_legal(price):
                items.append({"error": self._suffixed("Price must be divisible by tick size.", sent.a)})
            else:
                if old is not None and is_open:
                    self._trading.withdraw(old, "canceled", block)
                items.append(self._place(sent, origin, block))
        return items
