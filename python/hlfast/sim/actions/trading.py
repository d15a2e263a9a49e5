"""L1 actions that trade: orders, cancels, modifies, TWAPs, leverage and margin."""

from __future__ import annotations

from hlfast.sim.actions.parts import (
    I64,
    U32,
    U64,
    Action,
    Builder,
    CancelCloidWire,
    CancelWire,
    Decimal,
    ModifyWire,
    OrderWire,
    Priority,
    TwapDetails,
    TwapWire,
)


class OrderAction(Action, tag="order"):
    """Place a batch of orders."""

    orders: list[OrderWire]
    grouping: str | Priority
    builder: Builder | None = None

    def __post_init__(self) -> None:
        if isinstance(self.grouping, str) and self.grouping not in ("na", "normalTpsl", "positionTpsl"):
            raise ValueError(f"unknown variant `{self.grouping}`")

    def requests(self) -> int:
        """Return how many requests of the address budget the action takes: one an order."""
        return len(self.orders) or 1


class CancelAction(Action, tag="cancel"):
    """Cancel by oid; `f` asks for the fast lane."""

    cancels: list[CancelWire]
    f: bool | None = None

    def __post_init__(self) -> None:
        self.f = self.f or None

    def requests(self) -> int:
        """Return how many requests of the address budget the action takes: one a cancel."""
        return len(self.cancels) or 1


class CancelByCloidAction(Action, tag="cancelByCloid"):
    """Cancel by client order id."""

    cancels: list[CancelCloidWire]
    f: bool | None = None

    def __post_init__(self) -> None:
        self.f = self.f or None

    def requests(self) -> int:
        """Return how many requests of the address budget the action takes: one a cancel."""
        return len(self.cancels) or 1


class ModifyAction(Action, tag="modify"):
    """Replace one order; `a` places it whatever became of the old one."""

    oid: U64 | str
    order: OrderWire
    a: bool | None = None

    def __post_init__(self) -> None:
        self.a = self.a or None


class BatchModifyAction(Action, tag="batchModify"):
    """Replace several orders."""

    modifies: list[ModifyWire]
    a: bool | None = None

    def __post_init__(self) -> None:
        self.a = self.a or None

    def requests(self) -> int:
        """Return how many requests of the address budget the action takes: one a modify."""
        return len(self.modifies) or 1


class ScheduleCancelAction(Action, tag="scheduleCancel"):
    """Set or clear the dead man's switch."""

    time: U64 | None = None


class UpdateLeverageAction(Action, tag="updateLeverage"):
    """Set leverage and margin mode of one asset."""

    asset: U32
    is_cross: bool
    leverage: U32


class TopUpIsolatedOnlyMarginAction(Action, tag="topUpIsolatedOnlyMargin"):
    """Bring an isolated position to a leverage by adding margin."""

    asset: U32
    leverage: Decimal


class UpdateIsolatedMarginAction(Action, tag="updateIsolatedMargin"):
    """Move margin, in 1e-6 USDC, into or out of an isolated position."""

    asset: U32
    is_buy: bool
    ntli: I64


class TwapOrderAction(Action, tag="twapOrder"):
    """Start a TWAP."""

    twap: TwapWire
    details: TwapDetails | None = None


class TwapCancelAction(Action, tag="twapCancel"):
    """Stop a TWAP."""

    a: U32
    t: U64


class NoopAction(Action, tag="noop"):
    """Burn a nonce."""
