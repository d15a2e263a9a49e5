"""Order entry and matching: the venue's checks, words and accounting."""

from __future__ import annotations

from typing import Any

import pytest

from sim.desk import Desk


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.control(op="set_book", coin="ETH", mid="2000")
    return desk


def error(item: Any) -> str:
    assert isinstance(item, dict), item
    assert "error" in item, item
    return str(item["error"])


def test_ioc_fills_and_pays_the_taker_fee(desk: Desk) -> None:
    wallet = desk.wallet()
    item = desk.order(wallet, "ETH", "B", "2100", "0.5", c="0x" + "0" * 31 + "7")
    assert item["filled"]["totalSz"] == "0.5"
    assert item["filled"]["cloid"].endswith("7")
    (row,) = desk.info("userFills", user=wallet.address)
    notional = float(row["px"]) * 0.5
    assert float(row["fee"]) == pytest.approx(notional * 0.00045, abs=1e-6)
    assert (row["dir"], row["startPosition"], row["closedPnl"], row["crossed"]) == ("Open Long", "0.0", "0.0", True)
    state = desk.info("clearinghouseState", user=wallet.address)
    assert float(state["marginSummary"]["totalRawUsd"]) == pytest.approx(10_000 - notional - float(row["fee"]))


def test_entry_price_averages_and_pnl_excludes_the_fee(desk: Desk) -> None:
    wallet = desk.wallet()
    for mid in ("2000", "2100"):
        desk.control(op="set_book", coin="ETH", mid=mid, spread_bps=1)
        desk.order(wallet, "ETH", "B", "2500", "1")
    desk.control(op="set_book", coin="ETH", mid="2200", spread_bps=1)
    desk.order(wallet, "ETH", "A", "1900", "1.5")
    rows = desk.info("userFills", user=wallet.address)
    entry = (float(rows[2]["px"]) + float(rows[1]["px"])) / 2
    assert float(rows[0]["closedPnl"]) == pytest.approx((float(rows[0]["px"]) - entry) * 1.5, abs=1e-4)
    (held,) = desk.info("clearinghouseState", user=wallet.address)["assetPositions"]
    assert float(held["position"]["entryPx"]) == pytest.approx(entry, abs=1e-3)


def test_flip_is_one_row_with_its_own_text(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.order(wallet, "ETH", "B", "2100", "0.5")
    desk.order(wallet, "ETH", "A", "1900", "1.25")
    assert desk.info("userFills", user=wallet.address)[0]["dir"] == "Long > Short"
    assert desk.position(wallet, "ETH") == "-0.75"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"s": "0"}, "Order has zero size."),
        ({"s": "0.00005"}, "Order has invalid size."),
        ({"p": "0"}, "Order has invalid price."),
        ({"s": "0.001"}, "Order must have minimum value of $10."),
        ({"s": "500"}, "Insufficient margin to place order."),
        ({"p": "1500"}, "Order could not immediately match against any resting orders."),
        ({"r": True}, "Reduce only order would increase position."),
        ({"a": 10_999}, "Invalid spot"),
        ({"t": {"limit": {"tif": "Alo"}}}, "Post only order would have immediately matched, bbo was 1999.8@2000.2."),
        ({"t": {"trigger": {"isMarket": True, "triggerPx": "1000", "tpsl": "tp"}}, "r": True}, "Invalid TP/SL price."),
    ],
)
def test_item_errors_in_the_venue_words(desk: Desk, changes: dict[str, Any], text: str) -> None:
    wallet = desk.wallet()
    row = desk.row("ETH", "B", "2100", "0.1") | changes
    if "t" in changes and "trigger" in changes["t"]:
        row["b"] = False
    answer = desk.orders(wallet, row)
    assert error(answer["response"]["data"]["statuses"][0]) == f"{text} asset={row['a']}"
    desk.control(op="config", asset_suffix=False)
    answer = desk.orders(wallet, row)
    assert error(answer["response"]["data"]["statuses"][0]) == text


def test_spot_errors(desk: Desk) -> None:
    wallet = desk.wallet()
    item = desk.order(wallet, "PURR/USDC", "B", "0.22", "1000")
    assert error(item).startswith("Order has insufficient spot balance to trade")
    item = desk.order(wallet, "PURR/USDC", "B", "0.22", "1000", reduce_only=True)
    assert error(item).startswith("Reduce-only is invalid for spot trading.")


def test_bad_tick_is_one_error_for_the_batch(desk: Desk) -> None:
    wallet = desk.wallet()
    good = desk.row("ETH", "B", "2100", "0.1")
    answer = desk.orders(wallet, good, desk.row("ETH", "B", "2100.55", "0.1"), good)
    statuses = answer["response"]["data"]["statuses"]
    assert len(statuses) == 1
    assert error(statuses[0]).startswith("Price must be divisible by tick size.")
    assert desk.position(wallet, "ETH") == "0.0"


@pytest.mark.parametrize("price", ["300", "10100"])
def test_price_far_from_reference_refuses_the_action(desk: Desk, price: str) -> None:
    answer = desk.orders(desk.wallet(), desk.row("ETH", "B", price, "0.1"))
    assert answer == {"status": "err", "response": "Order price cannot be more than 80% away from the reference price"}


def test_empty_batch(desk: Desk) -> None:
    assert desk.orders(desk.wallet()) == {"status": "err", "response": "Orders are empty."}


def test_minimum_exempts_only_a_full_close(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.control(op="set_position", address=wallet.address, coin="ETH", size="0.004", entry_px="2000")
    assert error(desk.order(wallet, "ETH", "A", "1900", "0.002", reduce_only=True)).startswith(
        "Order must have minimum"
    )
    assert desk.order(wallet, "ETH", "A", "1900", "0.004")["filled"]["totalSz"] == "0.004"


def test_reduce_only_shrinks_to_the_position(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.order(wallet, "ETH", "B", "2100", "0.5")
    assert desk.order(wallet, "ETH", "A", "1900", "2", reduce_only=True)["filled"]["totalSz"] == "0.5"
    assert desk.position(wallet, "ETH") == "0.0"


def test_exit_needs_no_margin(desk: Desk) -> None:
    wallet = desk.wallet(usdc="150")
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.control(op="set_book", coin="ETH", mid="1860")
    assert desk.order(wallet, "ETH", "A", "1700", "1")["filled"]["totalSz"] == "1.0"


def test_resting_order_fills_when_the_price_comes(desk: Desk) -> None:
    wallet = desk.wallet()
    updates = desk.listen("orderUpdates", user=wallet.address)
    oid = desk.order(wallet, "ETH", "B", "1990", "0.5", tif="Gtc")["resting"]["oid"]
    assert desk.info("openOrders", user=wallet.address)[0]["oid"] == oid
    desk.control(op="set_book", coin="ETH", mid="1980")
    (row,) = desk.info("userFills", user=wallet.address)
    assert (row["px"], row["crossed"]) == ("1990.0", False)
    assert float(row["fee"]) == pytest.approx(1990 * 0.5 * 0.00015, abs=1e-6)
    assert [update["status"] for frame in updates.of("orderUpdates") for update in frame] == ["open", "filled"]


def test_price_time_priority_between_clients(desk: Desk) -> None:
    first, second, taker = desk.wallet(1), desk.wallet(2), desk.wallet(3)
    for wallet in (first, second):
        desk.order(wallet, "ETH", "B", "1999.9", "0.5", tif="Gtc")
    tape = desk.listen("trades", coin="ETH")
    desk.order(taker, "ETH", "A", "1900", "0.7")
    (trades,) = tape.of("trades")
    assert [(row["users"][0], row["sz"]) for row in trades] == [(first.address, "0.5"), (second.address, "0.2")]
    assert {row["side"] for row in trades} == {"A"}


def test_self_trade_cancels_the_resting_order(desk: Desk) -> None:
    wallet = desk.wallet()
    oid = desk.order(wallet, "ETH", "B", "1999.9", "0.5", tif="Gtc")["resting"]["oid"]
    desk.order(wallet, "ETH", "A", "1900", "0.5")
    assert desk.info("orderStatus", user=wallet.address, oid=oid)["order"]["status"] == "selfTradeCanceled"
    assert len(desk.info("userFills", user=wallet.address)) == 1


def test_partly_filled_ioc_says_how_much(desk: Desk) -> None:
    wallet = desk.wallet(usdc="10000000")
    desk.control(op="set_book", coin="ETH", mid="2000", depth_usd=50_000)
    item = desk.order(wallet, "ETH", "B", "2000.2", "400")
    assert 0 < float(item["filled"]["totalSz"]) < 400
    status = desk.info("orderStatus", user=wallet.address, oid=item["filled"]["oid"])
    assert status["order"]["status"] == "canceled"


def test_empty_book_has_its_own_words(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.control(op="set_book", coin="ETH", mid="2000", depth_usd=0)
    assert error(desk.order(wallet, "ETH", "B", "2100", "1")).startswith("Order could not immediately match")
    item = desk.order(wallet, "ETH", "B", "2100", "1", tif="FrontendMarket")
    assert error(item).startswith("No liquidity available for market order.")


def test_cancel_and_modify(desk: Desk) -> None:
    wallet = desk.wallet()
    cloid = "0x" + "c" * 32
    oid = desk.order(wallet, "ETH", "B", "1900", "0.5", tif="Gtc", c=cloid)["resting"]["oid"]
    changed = desk.act(
        wallet,
        {
            "type": "batchModify",
            "modifies": [{"oid": cloid, "order": desk.row("ETH", "B", "1890", "0.5", tif="Gtc", c=cloid)}],
        },
    )
    new_oid = changed["response"]["data"]["statuses"][0]["resting"]["oid"]
    assert new_oid != oid
    assert desk.info("orderStatus", user=wallet.address, oid=oid)["order"]["status"] == "canceled"
    assert desk.info("orderStatus", user=wallet.address, oid=cloid)["order"]["order"]["oid"] == new_oid
    cancel = {"type": "cancelByCloid", "cancels": [{"asset": desk.asset("ETH"), "cloid": cloid}]}
    assert desk.act(wallet, cancel)["response"]["data"]["statuses"] == ["success"]
    gone = desk.act(wallet, cancel)["response"]["data"]["statuses"][0]
    assert error(gone).startswith("Order was never placed, already canceled, or filled.")
    lost = desk.act(wallet, {"type": "modify", "oid": oid, "order": desk.row("ETH", "B", "1890", "0.5", tif="Gtc")})
    assert lost == {"status": "err", "response": "Cannot modify canceled or filled order"}


def test_refused_order_is_in_the_history(desk: Desk) -> None:
    wallet = desk.wallet()
    cloid = "0x" + "d" * 32
    desk.order(wallet, "ETH", "B", "1500", "0.5", c=cloid)
    status = desk.info("orderStatus", user=wallet.address, oid=cloid)
    assert status["order"]["status"] == "iocCancelRejected"


def test_trigger_fires_on_mark_and_closes(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.order(wallet, "ETH", "B", "2100", "0.5")
    stop = {"trigger": {"isMarket": True, "triggerPx": "1950", "tpsl": "sl"}}
    assert desk.order(wallet, "ETH", "A", "1800", "0.5", t=stop, reduce_only=True) == "waitingForTrigger"
    (row,) = desk.info("frontendOpenOrders", user=wallet.address)
    assert (row["orderType"], row["triggerCondition"], row["tif"]) == ("Stop Market", "Price below 1950", None)
    desk.control(op="set_book", coin="ETH", mid="1940")
    assert desk.position(wallet, "ETH") == "0.0"
    assert desk.info("openOrders", user=wallet.address) == []


def test_parent_with_children_and_siblings(desk: Desk) -> None:
    wallet = desk.wallet()
    take = {"trigger": {"isMarket": True, "triggerPx": "2100", "tpsl": "tp"}}
    stop = {"trigger": {"isMarket": True, "triggerPx": "1900", "tpsl": "sl"}}
    answer = desk.orders(
        wallet,
        desk.row("ETH", "B", "1990", "0.5", tif="Gtc"),
        desk.row("ETH", "A", "2000", "0.5", t=take, reduce_only=True),
        desk.row("ETH", "A", "1800", "0.5", t=stop, reduce_only=True),
        grouping="normalTpsl",
    )
    statuses = answer["response"]["data"]["statuses"]
    assert "resting" in statuses[0]
    assert statuses[1:] == ["waitingForFill", "waitingForFill"]
    desk.control(op="set_book", coin="ETH", mid="1980")
    assert desk.position(wallet, "ETH") == "0.5"
    desk.control(op="set_book", coin="ETH", mid="2110")
    assert desk.position(wallet, "ETH") == "0.0"
    assert "siblingFilledCanceled" in {row["status"] for row in desk.info("historicalOrders", user=wallet.address)}


def test_isolated_position_has_its_own_pot(desk: Desk) -> None:
    wallet = desk.wallet()
    asset = desk.asset("ETH")
    desk.act(wallet, {"type": "updateLeverage", "asset": asset, "isCross": False, "leverage": 5})
    desk.order(wallet, "ETH", "B", "2100", "1")
    (held,) = desk.info("clearinghouseState", user=wallet.address)["assetPositions"]
    assert held["position"]["leverage"]["type"] == "isolated"
    assert float(held["position"]["marginUsed"]) == pytest.approx(400, rel=0.01)
    switch = {"type": "updateLeverage", "asset": asset, "isCross": True, "leverage": 5}
    assert desk.act(wallet, switch)["response"] == "Cannot switch leverage type with open position."
    before = desk.venue.total()
    desk.order(wallet, "ETH", "A", "1900", "1")
    assert desk.venue.total() == before
    state = desk.info("clearinghouseState", user=wallet.address)
    assert float(state["marginSummary"]["accountValue"]) == pytest.approx(9_997.8, abs=0.5)


def test_partial_close_frees_its_share_of_the_pot(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.act(wallet, {"type": "updateLeverage", "asset": desk.asset("ETH"), "isCross": False, "leverage": 5})
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.order(wallet, "ETH", "A", "1900", "0.25")
    (held,) = desk.info("clearinghouseState", user=wallet.address)["assetPositions"]
    assert float(held["position"]["marginUsed"]) == pytest.approx(300, rel=0.01)


def test_leverage_errors(desk: Desk) -> None:
    wallet = desk.wallet()
    action = {"type": "updateLeverage", "asset": desk.asset("ETH"), "isCross": True, "leverage": 26}
    assert desk.act(wallet, action)["response"] == "Invalid leverage value"
    action = {"type": "updateLeverage", "asset": desk.asset("xyz:CXMT"), "isCross": True, "leverage": 2}
    assert desk.act(wallet, action)["response"] == "Cross margin is not allowed for this asset."
    margin = {"type": "updateIsolatedMargin", "asset": desk.asset("ETH"), "isBuy": True, "ntli": 1_000_000}
    assert desk.act(wallet, margin)["response"] == "Position does not use isolated margin."


def test_builder_dex_draws_and_returns_collateral(desk: Desk) -> None:
    wallet = desk.wallet()
    assert desk.order(wallet, "xyz:SP500", "B", "7700", "0.1")["filled"]["totalSz"] == "0.1"
    assert desk.position(wallet, "xyz:SP500") == "0.1"
    assert float(desk.info("clearinghouseState", user=wallet.address)["withdrawable"]) < 10_000
    desk.order(wallet, "xyz:SP500", "A", "7000", "0.1")
    assert float(desk.info("clearinghouseState", user=wallet.address)["withdrawable"]) == pytest.approx(9_999, abs=1)


def test_builder_is_paid_what_was_approved(desk: Desk) -> None:
    wallet, builder = desk.wallet(), "0x" + "b1" * 20
    desk.control(op="fund", address=builder, usdc="100")
    rows = {"type": "order", "orders": [desk.row("ETH", "B", "2100", "1")], "grouping": "na"}
    action = rows | {"builder": {"b": builder, "f": 50}}
    assert desk.act(wallet, action)["response"] == "Builder fee has not been approved."
    approval = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet", "maxFeeRate": "0.05%", "builder": builder}
    desk.act(wallet, {"type": "approveBuilderFee", "nonce": desk.nonce + 1} | approval)
    assert desk.info("maxBuilderFee", user=wallet.address, builder=builder) == 50
    before = desk.venue.total()
    desk.act(wallet, action)
    (row,) = desk.info("userFills", user=wallet.address)
    notional = float(row["px"])
    assert float(row["builderFee"]) == pytest.approx(notional * 0.0005, abs=1e-6)
    assert float(row["fee"]) == pytest.approx(notional * 0.00095, abs=2e-6)
    earned = float(desk.info("clearinghouseState", user=builder)["withdrawable"]) - 100
    assert earned == pytest.approx(float(row["builderFee"]))
    assert desk.venue.total() == before


def test_repeated_cloid_follows_its_switch(desk: Desk) -> None:
    wallet = desk.wallet()
    cloid = "0x" + "e" * 32
    for _ in range(2):
        assert "filled" in desk.order(wallet, "ETH", "B", "2100", "0.1", c=cloid)
    desk.control(op="config", repeated_cloid="refuse")
    assert error(desk.order(wallet, "ETH", "B", "2100", "0.1", c=cloid)).startswith("Duplicate client order id.")
