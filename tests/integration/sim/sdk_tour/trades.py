"""Steps that trade."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hyperliquid.utils.types import Cloid
from tour import DEFAULT, GTC, IOC, Tour, step


def wire(price: float, size: float) -> dict[str, Any]:
    """Return an order request of the SDK."""
    limit = {"sz": size, "limit_px": price, "order_type": GTC}
    return {"coin": "ETH", "is_buy": True, "reduce_only": False} | limit


@step("Exchange.order", "query_order_by_oid: open")
def order(tour: Tour) -> None:
    assert tour.status(tour.rest(1_000)) == "open"


@step("Exchange.bulk_orders", "open_orders shows both")
def bulk_orders(tour: Tour) -> None:
    answer = tour.exchange.bulk_orders([wire(price, 0.1) for price in (1_001, 1_002)])
    oids = {item["resting"]["oid"] for item in answer["response"]["data"]["statuses"]}
    assert len(oids) == 2
    assert oids <= {row["oid"] for row in tour.info.open_orders(tour.user)}


@step("Exchange.modify_order", "query_order_by_oid: old canceled, new open")
def modify_order(tour: Tour) -> None:
    oid = tour.rest(1_003)
    answer = tour.exchange.modify_order(oid, "ETH", True, 0.2, 1_004, GTC, cloid=Cloid.from_int(8))
    assert (tour.status(oid), tour.status(tour.item(answer)["resting"]["oid"])) == ("canceled", "open")


@step("Exchange.bulk_modify_orders_new", "query_order_by_oid: the new size")
def bulk_modify(tour: Tour) -> None:
    answer = tour.exchange.bulk_modify_orders_new([{"oid": tour.rest(1_005), "order": wire(1_006, 0.3)}])
    oid = tour.item(answer)["resting"]["oid"]
    assert tour.info.query_order_by_oid(tour.user, oid)["order"]["order"]["sz"] == "0.3"


def cancel_one(tour: Tour, call: Callable[[int, Cloid], Any]) -> None:
    """Cancel a fresh order by whatever the call takes, and see it canceled under both of its ids."""
    cloid = Cloid.from_int(int(time.time() * 1000))
    oid = tour.rest(1_007, cloid=cloid)
    assert tour.item(call(oid, cloid)) == "success"
    assert tour.info.query_order_by_cloid(tour.user, cloid)["order"]["status"] == "canceled"
    assert tour.status(oid) == "canceled"


CANCELED = "query_order_by_oid and _by_cloid: canceled"


@step("Exchange.cancel", CANCELED)
def cancel(tour: Tour) -> None:
    cancel_one(tour, lambda oid, _: tour.exchange.cancel("ETH", oid))


@step("Exchange.cancel_by_cloid", CANCELED)
def cancel_by_cloid(tour: Tour) -> None:
    cancel_one(tour, lambda _, cloid: tour.exchange.cancel_by_cloid("ETH", cloid))


@step("Exchange.bulk_cancel", CANCELED)
def bulk_cancel(tour: Tour) -> None:
    cancel_one(tour, lambda oid, _: tour.exchange.bulk_cancel([{"coin": "ETH", "oid": oid}]))


@step("Exchange.bulk_cancel_by_cloid", CANCELED)
def bulk_cancel_by_cloid(tour: Tour) -> None:
    cancel_one(tour, lambda _, cloid: tour.exchange.bulk_cancel_by_cloid([{"coin": "ETH", "cloid": cloid}]))


@step("Exchange.market_open", "user_state: the position")
def market_open(tour: Tour) -> None:
    assert tour.item(tour.exchange.market_open("ETH", True, 0.5))["filled"]["totalSz"] == "0.5"
    assert tour.position("ETH")["szi"] == "0.5"


@step("Exchange.market_close", "user_state: the position is gone")
def market_close(tour: Tour) -> None:
    tour.item(tour.exchange.market_open("DOGE", False, 1_000))
    assert tour.position("DOGE")["szi"] == "-1000.0"
    tour.item(tour.exchange.market_close("DOGE"))
    assert tour.position("DOGE") is None


@step("Exchange.update_leverage", "post activeAssetData: leverage 5")
def update_leverage(tour: Tour) -> None:
    assert tour.exchange.update_leverage(5, "SOL", is_cross=False) == DEFAULT
    shown = tour.info.post("/info", {"type": "activeAssetData", "user": tour.user, "coin": "SOL"})
    assert shown["leverage"]["value"] == 5


@step("Exchange.update_isolated_margin", "user_state: marginUsed grew by 10")
def update_isolated_margin(tour: Tour) -> None:
    tour.item(tour.exchange.market_open("SOL", True, 5))
    before = float(tour.position("SOL")["marginUsed"])
    assert tour.exchange.update_isolated_margin(10.0, "SOL") == DEFAULT
    assert abs(float(tour.position("SOL")["marginUsed"]) - before - 10) < 1e-6


@step("Exchange.set_expires_after", "a late order is refused as expired")
def set_expires_after(tour: Tour) -> None:
    tour.exchange.set_expires_after(1_600_000_000_000)
    answer = tour.exchange.order("ETH", True, 0.1, 9_000, IOC)
    tour.exchange.set_expires_after(None)
    assert answer == {"status": "err", "response": "Action already expired"}


@step("Exchange.noop", "the nonce is used: duplicate")
def noop(tour: Tour) -> None:
    nonce = int(time.time() * 1000) + 5
    assert tour.exchange.noop(nonce) == DEFAULT
    assert tour.exchange.noop(nonce)["response"] == f"Invalid nonce: duplicate nonce {nonce}"


@step("Exchange.schedule_cancel", "query_order_by_oid: scheduledCancel")
def schedule_cancel(tour: Tour) -> None:
    oid = tour.rest(1_008)
    due = time.time() + 5.3
    assert tour.exchange.schedule_cancel(int(due * 1000)) == DEFAULT
    while time.time() < due + 3 and tour.status(oid) == "open":
        time.sleep(0.05)
    assert tour.status(oid) == "scheduledCancel"
    assert time.time() >= due
