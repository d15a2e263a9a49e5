"""Actions as the venue hashes them: the order of fields is part of the signature (protocol notes, signing §5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from hlfast.venue.metadata import Asset, Assets
from hlfast.venue.numbers import Amount, to_decimal, to_micros, to_wire

Tif = Literal["Gtc", "Ioc", "Alo", "FrontendMarket"]
Grouping = Literal["na", "normalTpsl", "positionTpsl"]
Action = dict[str, Any]
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_CLOID = re.compile(r"0x[0-9a-fA-F]{32}")


class Trigger(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """When a waiting order becomes live. Fires on the mark price."""

    price: Amount
    kind: Literal["tp", "sl"]
    is_market: bool = True


class OrderRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One order. There are no market orders: send "Ioc" with a limit that bounds the slippage.

    `cloid` is 0x and 32 hex digits; with one, an order whose answer is lost can be looked up (`Info.order_status`).
    """

    coin: str
    is_buy: bool
    size: Amount
    price: Amount
    tif: Tif = "Gtc"
    reduce_only: bool = False
    cloid: str | None = None
    trigger: Trigger | None = None


def address(value: str) -> str:
    """Check an address and return it as hashed: in lower case."""
    if not _ADDRESS.fullmatch(value):
        raise ValueError(f"{value[:50]!r} is no address: 0x and 40 hexadecimal digits")
    return value.lower()


def cloid(value: str) -> str:
    """Check a client order id and return it as hashed: in lower case."""
    if not _CLOID.fullmatch(value):
        raise ValueError(f"{value[:50]!r} is no client order id: 0x and 32 hexadecimal digits")
    return value.lower()


def order_wire(order: OrderRequest, assets: Assets) -> Action:
    """Write one order, after the checks that the venue would make on its lot and tick."""
    asset = assets[order.coin]
    _require_open(asset, order)
    asset.require_order(order.size, order.price)
    wire: Action = {
        "a": asset.id,
        "b": order.is_buy,
        "p": to_wire(order.price),
        "s": to_wire(order.size),
        "r": order.reduce_only,
        "t": _kind(order, asset),
    }
    if order.cloid is not None:
        wire["c"] = cloid(order.cloid)
    return wire


def _require_open(asset: Asset, order: OrderRequest) -> None:
    if asset.is_delisted and not order.reduce_only:
        raise ValueError(f"{asset.coin} is delisted: only reduce-only orders make sense there")


def _kind(order: OrderRequest, asset: Asset) -> Action:
    if order.trigger is None:
        return {"limit": {"tif": order.tif}}
    trigger_price = to_decimal(order.trigger.price)
    if trigger_price != asset.round_price(trigger_price, up=False):
        raise ValueError(f"{asset.coin}: trigger price {trigger_price} is off its tick")
    return {
        "trigger": {
            "isMarket": order.trigger.is_market,
            "triggerPx": to_wire(trigger_price),
            "tpsl": order.trigger.kind,
        }
    }


def orders(
    requests: Sequence[OrderRequest],
    assets: Assets,
    *,
    grouping: Grouping = "na",
    builder: tuple[str, int] | None = None,
) -> Action:
    """Write a batch. `builder` is an address and a fee in tenths of a basis point."""
    if not requests:
        raise ValueError("no orders: an empty batch is refused by the venue")
    action: Action = {
        "type": "order",
        "orders": [order_wire(request, assets) for request in requests],
        "grouping": grouping,
    }
    if builder is not None:
        action["builder"] = {"b": address(builder[0]), "f": builder[1]}
    return action


def cancels(asset_oids: Sequence[tuple[int, int]]) -> Action:
    """Write cancels by (asset id, oid)."""
    return {"type": "cancel", "cancels": [{"a": asset, "o": oid} for asset, oid in asset_oids]}


def cancels_by_cloid(asset_cloids: Sequence[tuple[int, str]]) -> Action:
    """Write cancels by (asset id, cloid)."""
    pairs = [{"asset": asset, "cloid": cloid(name)} for asset, name in asset_cloids]
    return {"type": "cancelByCloid", "cancels": pairs}


def modifies(changes: Sequence[tuple[int | str, OrderRequest]], assets: Assets) -> Action:
    """Write changes of (oid or cloid, the order that takes its place)."""
    rows = [
        {"oid": cloid(old) if isinstance(old, str) else old, "order": order_wire(new, assets)} for old, new in changes
    ]
    return {"type": "batchModify", "modifies": rows}


def update_leverage(asset: Asset, leverage: int, *, cross: bool) -> Action:
    """Write a change of leverage, after the asset's own limits."""
    if asset.is_spot:
        raise ValueError(f"{asset.coin} is spot: it has no leverage")
    if not 1 <= leverage <= (asset.max_leverage or leverage):
        raise ValueError(f"{asset.coin}: leverage {leverage} is not within 1 to {asset.max_leverage}")
    if cross and asset.isolated_only:
        raise ValueError(f"{asset.coin} takes isolated margin only")
    return {"type": "updateLeverage", "asset": asset.id, "isCross": cross, "leverage": leverage}


def update_isolated_margin(asset: Asset, usd: Amount) -> Action:
    """Write a change of isolated margin: positive adds, negative removes."""
    return {"type": "updateIsolatedMargin", "asset": asset.id, "isBuy": True, "ntli": to_micros(usd)}


def schedule_cancel(at_ms: int | None) -> Action:
    """Write the dead man's switch; None clears it."""
    return {"type": "scheduleCancel"} if at_ms is None else {"type": "scheduleCancel", "time": at_ms}


def vault_transfer(vault: str, usd: Amount, *, deposit: bool) -> Action:
    """Write a deposit into or a withdrawal from a vault."""
    return {"type": "vaultTransfer", "vaultAddress": address(vault), "isDeposit": deposit, "usd": to_micros(usd)}


def sub_account_transfer(sub_account: str, usd: Amount, *, deposit: bool) -> Action:
    """Write a transfer of USDC between master and sub-account."""
    return {
        "type": "subAccountTransfer",
        "subAccountUser": address(sub_account),
        "isDeposit": deposit,
        "usd": to_micros(usd),
    }
