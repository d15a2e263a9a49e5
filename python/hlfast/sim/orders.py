"""An order of an account, and the rows in which the venue shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hlfast.sim.numbers import wire
from hlfast.sim.universe import Asset

if TYPE_CHECKING:
    from hlfast.sim.accounts import Account


_SIDES = ("A", "B")


class TriggerTerms(msgspec.Struct, frozen=True):
    """When a trigger order fires: on mark, `above` or below `price`."""

    price: int
    is_market: bool
    tpsl: str
    above: bool

    def condition(self) -> str:
        """Return the venue's display text."""
        return f"Price {'above' if self.above else 'below'} {wire(self.price).removesuffix('.0')}"


class Order(msgspec.Struct, eq=False):
    """`remaining` is what is still open; sizes and prices count 1e-8; times are venue ms."""

    oid: int
    owner: Account
    asset: Asset
    is_buy: bool
    price: int
    size: int
    remaining: int
    tif: str
    reduce_only: bool
    cloid: str | None
    time_ms: int
    nonce: int = 0
    signer: str = ""
    tx_hash: str = ""
    builder: tuple[str, int] | None = None  # address and tenths of a basis point
    status: str = "open"
    status_ms: int = 0
    trigger: TriggerTerms | None = None
    is_position_tpsl: bool = False
    children: tuple[Order, ...] = ()
    parent: Order | None = None
    filled: int = 0
    filled_value: int = 0
    twap_id: int | None = None
    liquidation: dict[str, str] | None = None  # what both sides' fills say of a forced trade

    @property
    def side(self) -> str:
        """`B` for a buy, `A` for a sell."""
        return _SIDES[self.is_buy]

    @property
    def kind(self) -> str:
        """The venue's `orderType`."""
        if self.trigger is None:
            return "Market" if self.tif == "FrontendMarket" else "Limit"
        name = "Stop" if self.trigger.tpsl == "sl" else "Take Profit"
        return f"{name} {'Market' if self.trigger.is_market else 'Limit'}"

    def row(self) -> dict[str, Any]:
        """Return the row of `openOrders` and `orderUpdates`; options appear only when set."""
        row: dict[str, Any] = {
            "coin": self.asset.coin,
            "side": _SIDES[self.is_buy],
            "limitPx": wire(self.price),
            "sz": wire(self.remaining),
            "oid": self.oid,
            "timestamp": self.time_ms,
            "origSz": wire(self.size),
        }
        if self.cloid is not None:
            row["cloid"] = self.cloid
        if self.reduce_only:
            row["reduceOnly"] = True
        return row

    def frontend_row(self) -> dict[str, Any]:
        """Return the row of `frontendOpenOrders`, `orderStatus` and `historicalOrders`."""
        trigger = self.trigger
        return {
            "coin": self.asset.coin,
            "side": self.side,
            "limitPx": wire(self.price),
            "sz": wire(self.remaining),
            "oid": self.oid,
            "timestamp": self.time_ms,
            "triggerCondition": trigger.condition() if trigger else "N/A",
            "isTrigger": trigger is not None,
            "triggerPx": wire(trigger.price) if trigger else "0.0",
            "children": [child.frontend_row() for child in self.children if child.status == "open"],
            "isPositionTpsl": self.is_position_tpsl,
            "reduceOnly": self.reduce_only,
            "orderType": self.kind,
            "origSz": wire(self.size),
            "tif": None if trigger else self.tif,
            "cloid": self.cloid,
        }

    def update(self) -> dict[str, Any]:
        """Return the row of the `orderUpdates` channel for the order's present status."""
        return {"order": self.row(), "status": self.status, "statusTimestamp": self.status_ms}
