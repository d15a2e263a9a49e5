"""What the market does by itself: funding, liquidation, deleveraging, delisting, TWAPs, caps; and fees."""

from __future__ import annotations

from typing import Any

import pytest

from hlfast.sim.actions import convert_envelope
from hlfast.sim.funding import hourly_rate
from hlfast.sim.numbers import SCALE, parse
from sim.desk import START_MS, Desk, Wallet

HOUR_MS = 3_600_000


@pytest.fixture
def desk() -> Desk:
    return Desk()


def tick(desk: Desk, ms: int = 0) -> Any:
    """Advance the clock and let the market act once, as the server's own tick does."""
    desk.now_ms += ms
    return desk.server.run_block(desk.server.exchange.run_due)


def account(desk: Desk, wallet: Wallet) -> Any:
    return desk.venue.account(wallet.address)


def leverage(desk: Desk, wallet: Wallet, coin: str, value: int, *, is_cross: bool) -> None:
    action = {"type": "updateLeverage", "asset": desk.asset(coin), "isCross": is_cross, "leverage": value}
    assert desk.act(wallet, action)["status"] == "ok"


def twap(desk: Desk, wallet: Wallet, coin: str, side: str, size: str, minutes: int, **fields: Any) -> Any:
    sent = {"a": desk.asset(coin), "b": side == "B", "s": size, "r": fields.pop("reduce_only", False), "m": minutes}
    action = {"type": "twapOrder", "twap": sent | {"t": fields.pop("randomize", False)}} | fields
    return desk.act(wallet, action)["response"]["data"]["status"]


def test_rate_is_an_eighth_of_premium_and_clamped_interest_capped_at_four_percent() -> None:
    assert hourly_rate(0) == 1_250
    assert hourly_rate(10_000) == 1_250
    assert hourly_rate(200_000) == (200_000 - 50_000) // 8
    assert hourly_rate(-200_000) == -((200_000 - 50_000) // 8)
    assert hourly_rate(100 * SCALE) == 4_000_000


def test_longs_pay_shorts_each_hour_and_it_is_written_down(desk: Desk) -> None:
    long, short = desk.wallet(1), desk.wallet(2)
    desk.order(long, "ETH", "B", "2100", "1")
    desk.order(short, "ETH", "A", "2000", "1")
    heard = desk.listen("userFundings", user=long.address)
    tick(desk)
    before = [account(desk, wallet).raw[""] for wallet in (long, short)]
    tick(desk, HOUR_MS)
    after = [account(desk, wallet).raw[""] for wallet in (long, short)]
    owed = desk.venue.mark(desk.venue.universe.by_coin["ETH"]) * 1_250 // SCALE // 100 * 100
    assert [b - a for a, b in zip(before, after, strict=True)] == [-owed, owed]
    (row,) = desk.info("userFunding", user=long.address)
    assert row["delta"] == {
        "type": "funding", "coin": "ETH", "usdc": "-0.025737", "szi": "1.0", "fundingRate": "0.0000125", "nSamples": None,
    }  # fmt: skip
    assert row["time"] % HOUR_MS == 0
    assert heard.of("userFundings")[-1]["fundings"][0]["usdc"] == "-0.025737"
    paid = desk.info("fundingHistory", coin="ETH", startTime=START_MS)
    assert paid[0]["time"] == row["time"]


def test_mark_above_oracle_makes_longs_pay_more(desk: Desk) -> None:
    wallet = desk.wallet(1)
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.control(op="set_market", coin="ETH", oracle="2030")
    for _ in range(3):
        tick(desk, 5_000)
    context = desk.info("metaAndAssetCtxs")[1][1]
    assert parse(context["premium"]) > 1_000_000
    assert parse(context["funding"]) > 100_000
    assert context["oraclePx"] == "2030.0"


def test_every_hour_passed_is_paid_once(desk: Desk) -> None:
    wallet = desk.wallet(1)
    desk.order(wallet, "ETH", "A", "2000", "1")
    tick(desk)
    tick(desk, 3 * HOUR_MS)
    tick(desk)
    assert len(desk.info("userFunding", user=wallet.address)) == 3


def test_cross_position_is_sold_into_the_book_below_maintenance(desk: Desk) -> None:
    wallet = desk.wallet(1, "100")
    leverage(desk, wallet, "ETH", 25, is_cross=True)
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.order(wallet, "ETH", "B", "1000", "0.1", tif="Gtc")
    desk.control(op="set_book", coin="ETH", mid="1998")
    heard = desk.listen("userEvents", user=wallet.address)
    tick(desk)
    assert desk.position(wallet, "ETH") == "0.0"
    fill = desk.info("userFills", user=wallet.address)[0]
    assert fill["liquidation"] == {"liquidatedUser": wallet.address, "markPx": "1998.0", "method": "market"}
    assert fill["hash"] == "0x" + "0" * 64
    assert desk.info("openOrders", user=wallet.address) == []
    assert "liquidatedCanceled" in {row["status"] for row in desk.info("historicalOrders", user=wallet.address)}
    told = [data["liquidation"] for data in heard.of("user") if "liquidation" in data]
    assert set(told[0]) == {
        "lid", "liquidator", "liquidated_user", "liquidated_ntl_pos", "liquidated_account_value",
    }  # fmt: skip
    ledger = desk.info("userNonFundingLedgerUpdates", user=wallet.address)
    assert ledger[-1]["delta"]["liquidatedPositions"] == [{"coin": "ETH", "szi": "1.0"}]


def test_large_position_goes_in_a_slice_then_waits_thirty_seconds(desk: Desk) -> None:
    wallet = desk.wallet(1, "10000")
    leverage(desk, wallet, "ETH", 25, is_cross=True)
    desk.order(wallet, "ETH", "B", "2100", "100")
    desk.control(op="set_book", coin="ETH", mid="1998")
    tick(desk)
    assert desk.position(wallet, "ETH") == "80.0"
    desk.control(op="set_book", coin="ETH", mid="1990")
    tick(desk, 1_000)
    assert desk.position(wallet, "ETH") == "80.0"
    tick(desk, 30_000)
    assert desk.position(wallet, "ETH") == "0.0"


def test_backstop_takes_all_below_two_thirds_of_maintenance(desk: Desk) -> None:
    wallet = desk.wallet(1, "100")
    leverage(desk, wallet, "ETH", 25, is_cross=True)
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.control(op="set_book", coin="ETH", mid="1975")
    tick(desk)
    assert desk.position(wallet, "ETH") == "0.0"
    assert account(desk, wallet).raw[""] == 0
    fill = desk.info("userFills", user=wallet.address)[0]
    assert (fill["dir"], fill["liquidation"]["method"], fill["fee"]) == ("Liquidated Cross Long", "backstop", "0.0")
    assert desk.venue.backstop.position(desk.venue.universe.by_coin["ETH"]) == SCALE


def test_isolated_position_loses_its_pot_and_nothing_else(desk: Desk) -> None:
    wallet = desk.wallet(1, "1000")
    leverage(desk, wallet, "ETH", 25, is_cross=False)
    desk.order(wallet, "ETH", "B", "2100", "1")
    free = account(desk, wallet).raw[""]
    desk.control(op="set_book", coin="ETH", mid="1995")
    tick(desk)
    assert desk.position(wallet, "ETH") == "0.0"
    assert account(desk, wallet).raw[""] == free
    assert desk.info("userFills", user=wallet.address)[0]["dir"] == "Liquidated Isolated Long"


def test_jump_below_zero_is_deleveraged_against_the_most_profitable(desk: Desk) -> None:
    loser, winner, idle = desk.wallet(1, "100"), desk.wallet(2, "500"), desk.wallet(3, "100000")
    leverage(desk, loser, "ETH", 25, is_cross=True)
    desk.order(loser, "ETH", "B", "2100", "1")
    desk.order(winner, "ETH", "A", "2000", "0.6")
    desk.order(idle, "ETH", "A", "2000", "3")
    desk.control(op="set_book", coin="ETH", mid="1800")
    tick(desk)
    assert desk.position(loser, "ETH") == "0.0"
    assert account(desk, loser).raw[""] >= 0
    assert desk.position(winner, "ETH") == "0.0", "leverage makes it the first in the queue"
    assert desk.position(idle, "ETH") == "-2.6"
    rows = [desk.info("userFills", user=wallet.address)[0] for wallet in (loser, winner, idle)]
    assert {row["dir"] for row in rows} == {"Auto-Deleveraging"}
    assert {row["liquidation"]["liquidatedUser"] for row in rows} == {loser.address}
    assert {row["liquidation"]["method"] for row in rows} == {"backstop"}
    assert {row["px"] for row in rows} == {"2059.0"}, "the mark before the jump, at which the loser could pay"


def test_replayed_leader_is_never_liquidated(desk: Desk) -> None:
    leader = "0x" + "77" * 20
    desk.control(op="set_position", address=leader, coin="ETH", size="50", entry_px="2059")
    desk.control(op="set_book", coin="ETH", mid="1500")
    tick(desk)
    assert desk.position(leader, "ETH") == "50.0"


def test_delisting_cancels_settles_and_halts(desk: Desk) -> None:
    wallet, other = desk.wallet(1), desk.wallet(2)
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.order(other, "ETH", "B", "1900", "1", tif="Gtc")
    running = twap(desk, wallet, "ETH", "B", "1", 30)["running"]["twapId"]
    desk.control(op="delist", coin="ETH", px="2060")
    tick(desk)
    assert desk.position(wallet, "ETH") == "0.0"
    fill = desk.info("userFills", user=wallet.address)[0]
    assert (fill["dir"], fill["px"], fill["fee"]) == ("Settlement", "2060.0", "0.0")
    assert desk.info("historicalOrders", user=other.address)[0]["status"] == "delistedCanceled"
    assert desk.info("meta")["universe"][1]["isDelisted"] is True
    assert "Trading is halted." in desk.order(wallet, "ETH", "B", "2100", "1")["error"]
    last = desk.info("twapHistory", user=wallet.address)[0]
    assert (last["twapId"], last["status"]["status"]) == (running, "error")


def test_twap_trades_slice_by_slice_apart_from_other_fills(desk: Desk) -> None:
    wallet = desk.wallet(1)
    heard = desk.listen("userTwapSliceFills", user=wallet.address)
    twap_id = twap(desk, wallet, "ETH", "B", "1.1", 5)["running"]["twapId"]
    tick(desk)
    state = dict(map(tuple, desk.info("webData2", user=wallet.address)["twapStates"]))[twap_id]
    assert (state["sz"], state["executedSz"], state["minutes"]) == ("1.1", "0.1", 5)
    for _ in range(10):
        tick(desk, 30_000)
    assert desk.position(wallet, "ETH") == "1.1"
    assert desk.info("userFills", user=wallet.address) == []
    slices = desk.info("userTwapSliceFills", user=wallet.address)
    assert len(slices) == 11
    assert {row["twapId"] for row in slices} == {twap_id}
    assert {row["fill"]["hash"] for row in slices} == {"0x" + "0" * 64}
    assert len(heard.of("userTwapSliceFills")) == 11
    rows = desk.info("twapHistory", user=wallet.address)
    assert [row["status"]["status"] for row in rows] == ["finished", "activated"]
    assert rows[0]["time"] - rows[1]["time"] == 300


def test_twap_catches_up_three_slices_at_most(desk: Desk) -> None:
    wallet = desk.wallet(1)
    twap(desk, wallet, "ETH", "B", "1.1", 5)
    desk.control(op="set_book", coin="ETH", mid="2059", depth_usd=0)
    for _ in range(6):
        tick(desk, 30_000)
    assert desk.position(wallet, "ETH") == "0.0"
    desk.control(op="set_book", coin="ETH", mid="2059", depth_usd=1_000_000)
    tick(desk, 30_000)
    assert desk.position(wallet, "ETH") == "0.3"


def test_twap_ends_by_cancel_stop_price_and_lack_of_margin(desk: Desk) -> None:
    wallet, poor = desk.wallet(1), desk.wallet(2, "20")
    first = twap(desk, wallet, "ETH", "B", "1", 30)["running"]["twapId"]
    cancel = {"type": "twapCancel", "a": desk.asset("ETH"), "t": first}
    assert desk.act(wallet, cancel)["response"]["data"]["status"] == "success"
    assert "never placed" in desk.act(wallet, cancel)["response"]["data"]["status"]["error"]
    twap(desk, wallet, "ETH", "B", "1", 30, details={"t": None, "s": "2100"})
    waits = twap(desk, wallet, "ETH", "B", "1", 30, details={"t": {"p": "2150", "a": True}, "s": None})
    twap(desk, poor, "ETH", "B", "100", 5)
    tick(desk)
    assert desk.info("twapHistory", user=poor.address)[0]["status"]["description"].startswith("Insufficient margin")
    desk.control(op="set_book", coin="ETH", mid="2160")
    tick(desk)
    history = desk.info("twapHistory", user=wallet.address)
    assert [row["status"]["status"] for row in history] == [
        "activated", "stopped", "waitingForTrigger", "activated", "terminated", "activated",
    ]  # fmt: skip
    assert history[0]["twapId"] == waits["running"]["twapId"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"minutes": 4}, "Invalid TWAP duration: 4 min(s)"),
        ({"minutes": 10_081}, "Invalid TWAP duration: 10081 min(s)"),
        ({"size": "0.01"}, "minimum value of $100"),
        ({"size": "0.00001"}, "Order has invalid size."),
        ({"reduce_only": True}, "Reduce-only TWAP order would increase position."),
    ],
)
def test_twap_is_refused_in_words(desk: Desk, fields: dict[str, Any], text: str) -> None:
    values: dict[str, Any] = {"size": "1", "minutes": 30} | fields
    answer = twap(desk, desk.wallet(1), "ETH", "B", values.pop("size"), values.pop("minutes"), **values)
    assert text in answer["error"]


def test_open_interest_cap_refuses_what_opens_and_never_an_exit(desk: Desk) -> None:
    wallet = desk.wallet(1)
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.control(op="set_market", coin="ETH", oi_cap_usd=1_000)
    assert desk.info("perpsAtOpenInterestCap") == ["ETH"]
    refused = [
        desk.order(wallet, "ETH", "B", "2100", "1"),
        desk.order(wallet, "ETH", "A", "2000", "2"),
        desk.order(wallet, "ETH", "A", "2058.9", "3", tif="Alo", reduce_only=False),
    ]
    assert "while open interest is capped" in refused[0]["error"]
    assert "while open interest is capped" in refused[1]["error"]
    statuses = [row["status"] for row in desk.info("historicalOrders", user=wallet.address)]
    assert "positionIncreaseAtOpenInterestCapRejected" in statuses
    assert "positionFlipAtOpenInterestCapRejected" in statuses
    desk.control(op="set_book", coin="ETH", mid="2059", depth_usd=0)
    aggressive = desk.order(desk.wallet(2), "ETH", "B", "2060", "1", tif="Gtc")
    assert "more aggressive than oracle" in aggressive["error"]
    assert "resting" in desk.order(desk.wallet(2, None), "ETH", "B", "2050", "1", tif="Gtc")
    assert "filled" in desk.order(wallet, "ETH", "A", "2050", "1")


def test_open_interest_may_not_grow_too_quickly(desk: Desk) -> None:
    wallet = desk.wallet(1)
    desk.control(op="set_market", coin="ETH", oi_step_usd=3_000)
    assert "filled" in desk.order(wallet, "ETH", "B", "2100", "1")
    assert "too quickly" in desk.order(wallet, "ETH", "B", "2100", "1")["error"]
    desk.now_ms += 60_000
    assert "filled" in desk.order(wallet, "ETH", "B", "2100", "1")


def test_fees_follow_volume_referral_stake_and_growth(desk: Desk) -> None:
    wallet = desk.wallet(1, "1000000")
    desk.order(wallet, "ETH", "B", "2100", "1")
    assert desk.info("userFills", user=wallet.address)[0]["fee"] == "0.926685"
    account(desk, wallet).traded[START_MS // 86_400_000 - 1] = [30_000_000 * SCALE, 0]
    desk.now_ms += 1
    desk.venue.schedule._known.clear()
    assert desk.info("userFees", user=wallet.address)["userCrossRate"] == "0.00035"
    account(desk, wallet).referrer = "CODE"
    assert desk.info("userFees", user=wallet.address)["userCrossRate"] == "0.000336"
    desk.order(wallet, "xyz:SP500", "B", "8000", "0.1")
    fill = desk.info("userFills", user=wallet.address)[0]
    full = parse(fill["px"]) * parse(fill["sz"]) // SCALE * 3_360 // SCALE
    assert parse(fill["fee"]) == full // 100 * 100
    days = desk.info("userFees", user=wallet.address)["dailyUserVlm"]
    assert len(days) == 15
    assert days[-2]["userCross"] == "30000000.0"


def test_newer_reduce_only_order_pushes_older_ones_out(desk: Desk) -> None:
    wallet = desk.wallet(1)
    desk.order(wallet, "ETH", "B", "2100", "1")
    old = desk.order(wallet, "ETH", "A", "2200", "1", tif="Gtc", reduce_only=True)["resting"]["oid"]
    new = desk.order(wallet, "ETH", "A", "2150", "0.5", tif="Gtc", reduce_only=True)["resting"]["oid"]
    assert [row["oid"] for row in desk.info("openOrders", user=wallet.address)] == [new]
    status = desk.info("orderStatus", user=wallet.address, oid=old)["order"]["status"]
    assert status == "reduceOnlyCanceled"


def test_position_tpsl_goes_with_its_position(desk: Desk) -> None:
    wallet = desk.wallet(1)
    desk.order(wallet, "ETH", "B", "2100", "1")
    stop = {"trigger": {"isMarket": True, "triggerPx": "1900", "tpsl": "sl"}}
    row = desk.row("ETH", "A", "1800", "0", reduce_only=True, t=stop)
    assert desk.orders(wallet, row, grouping="positionTpsl")["response"]["data"]["statuses"] == ["waitingForTrigger"]
    desk.order(wallet, "ETH", "A", "2000", "1")
    assert desk.info("openOrders", user=wallet.address) == []


def test_order_beyond_its_margin_tier_is_refused(desk: Desk) -> None:
    wallet = desk.wallet(1, "100000000")
    leverage(desk, wallet, "SOL", 20, is_cross=True)
    item = desk.order(wallet, "SOL", "B", "90", "900000")
    assert "exceed margin tier limit" in item["error"]


def test_resting_order_without_margin_is_canceled_when_met(desk: Desk) -> None:
    wallet, other = desk.wallet(1, "150"), desk.wallet(2)
    leverage(desk, wallet, "ETH", 25, is_cross=True)
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.order(wallet, "ETH", "B", "2010", "0.5", tif="Gtc")
    desk.control(op="set_book", coin="ETH", mid="2015", depth_usd=0)
    desk.order(other, "ETH", "A", "2000", "0.5")
    assert "marginCanceled" in {row["status"] for row in desk.info("historicalOrders", user=wallet.address)}


def test_class_and_priority_fee_order_a_block() -> None:
    desk = Desk(block_ms=1_000)
    wallet = desk.wallet(1)
    stake = account(desk, wallet).stake
    stake.undelegated = 10 * SCALE
    stake.history.append({})
    account(desk, wallet).touch()
    desk.venue.audit.bring(150, 10 * SCALE)
    sent = [
        {"type": "order", "orders": [desk.row("ETH", "B", "2100", "1")], "grouping": "na"},
        {"type": "order", "orders": [desk.row("ETH", "B", "2100", "1")], "grouping": {"p": 90_000}},
        {"type": "cancel", "cancels": [{"a": 1, "o": 1}]},
        {"type": "order", "orders": [desk.row("ETH", "B", "2000", "1", tif="Alo")], "grouping": "na"},
        {"type": "batchModify", "modifies": [{"oid": 1, "order": desk.row("ETH", "B", "2000", "1", tif="Alo")}]},
    ]
    for action in sent:
        desk.server.exchange.receive(convert_envelope(desk.body(wallet, action)), "127.0.0.1", lambda _: None)
    block = desk.venue.begin_block()
    ranks = [pending.rank for pending in desk.server.exchange.due(block.time_ms)]
    assert ranks == [(0, 0), (0, 0), (1, 0), (2, -90_000), (2, 0)]


def test_priority_fee_is_burned_from_the_undelegated_stake(desk: Desk) -> None:
    wallet = desk.wallet(1)
    row = desk.row("ETH", "B", "2100", "1")
    answer = desk.orders(wallet, row, grouping={"p": 80_000})["response"]["data"]["statuses"]
    assert answer[0]["error"].startswith("Insufficient delegatable balance for priority order")
    desk.control(op="fund", address=wallet.address, token="HYPE", amount="1")
    deposit = {"type": "cDeposit", "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet", "wei": SCALE}
    desk.act(wallet, deposit | {"nonce": desk.nonce + 1})
    assert "filled" in desk.orders(wallet, row, grouping={"p": 80_000})["response"]["data"]["statuses"][0]
    fill = desk.info("userFills", user=wallet.address)[0]
    hype = desk.venue.mark(desk.venue.universe.by_coin["@107"])
    burned = SCALE - account(desk, wallet).stake.undelegated
    assert burned == parse(fill["px"]) * 80_000 // SCALE * SCALE // hype
    mixed = desk.orders(wallet, desk.row("ETH", "B", "2100", "1", tif="Gtc"), grouping={"p": 1})
    assert "only for batches of IOC" in mixed["response"]["data"]["statuses"][0]["error"]


def test_takers_wait_longer_unless_they_pay() -> None:
    desk = Desk(block_ms=1_000, taker_delay_ms=360)
    wallet = desk.wallet(1)
    row = desk.row("ETH", "B", "2100", "1")
    for grouping in ("na", {"p": 40_000}, {"p": 80_000}):
        action = {"type": "order", "orders": [row], "grouping": grouping}
        desk.server.exchange.receive(convert_envelope(desk.body(wallet, action)), "127.0.0.1", lambda _: None)
    taken = [len(desk.server.exchange.due(desk.now_ms + after)) for after in (0, 179, 180, 359, 360)]
    assert taken == [1, 0, 1, 0, 1]
