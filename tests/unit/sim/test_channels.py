"""Every channel: how it is spelled back, what comes first, what comes later and how often."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from hlfast.sim.actions import convert_envelope
from hlfast.sim.channels import InvalidError, UnknownCoinError, UnreadableError, read_subscription
from sim.desk import Desk, Wallet

USER = Wallet(1).address
ECHOES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "l2Book", "coin": "ETH"}, {"nSigFigs": None, "mantissa": None, "fast": False}),
    ({"type": "userFills", "user": USER.upper().replace("0X", "0x")}, {"user": USER, "aggregateByTime": False}),
    ({"type": "spotState", "user": USER}, {"ignorePortfolioMargin": False}),
    ({"type": "clearinghouseState", "user": USER}, {"dex": ""}),
    ({"type": "openOrders", "user": USER}, {"dex": ""}),
    ({"type": "allMids"}, {}),
    ({"type": "bbo", "coin": "@107"}, {}),
    ({"type": "webData3", "user": USER}, {}),
]
# Channels that repeat themselves: the period in ms that was measured on the live venue.
CADENCES: list[tuple[dict[str, Any], int]] = [
    ({"type": "l2Book", "coin": "ETH"}, 5_000),
    ({"type": "l2Book", "coin": "ETH", "fast": True}, 500),
    ({"type": "allMids"}, 5_000),
    ({"type": "activeAssetCtx", "coin": "ETH"}, 1_000),
    ({"type": "activeAssetCtx", "coin": "@107"}, 1_000),
    ({"type": "assetCtxs", "dex": "xyz"}, 14_000),
    ({"type": "spotAssetCtxs"}, 14_000),
    ({"type": "allDexsAssetCtxs"}, 14_000),
    ({"type": "activeAssetData", "user": USER, "coin": "ETH"}, 5_000),
    ({"type": "clearinghouseState", "user": USER, "dex": "xyz"}, 5_000),
    ({"type": "openOrders", "user": USER}, 5_000),
    ({"type": "spotState", "user": USER}, 5_000),
    ({"type": "twapStates", "user": USER}, 5_000),
    ({"type": "allDexsClearinghouseState", "user": USER}, 5_000),
    ({"type": "webData3", "user": USER}, 5_000),
]
CHANNELS = {"userEvents": "user"}
SILENT = ("userEvents", "orderUpdates", "notification", "outcomeMetaUpdates")


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.wallet(1)
    return desk


@pytest.mark.parametrize(("sent", "defaults"), ECHOES, ids=lambda value: str(value)[:50])
def test_acknowledgements_fill_in_defaults(desk: Desk, sent: dict[str, Any], defaults: dict[str, Any]) -> None:
    assert read_subscription(sent, desk.venue) == sent | defaults


@pytest.mark.parametrize(("sent", "period"), CADENCES, ids=lambda value: str(value)[:60])
def test_states_are_pushed_whole_at_their_pace(desk: Desk, sent: dict[str, Any], period: int) -> None:
    sub = read_subscription(sent, desk.venue)
    first = desk.server.hub.snapshots.first(sub)
    assert first is not None
    listener = desk.listen(**{"kind": sent["type"]} | {key: value for key, value in sent.items() if key != "type"})
    desk.now_ms += period - 1
    desk.server.hub.push_states()
    assert listener.frames == []
    desk.now_ms += 1
    desk.server.hub.push_states()
    desk.server.hub.push_states()
    assert [frame["channel"] for frame in listener.frames] == [first[0]]
    shape = json.loads(json.dumps(first[1]))
    assert type(listener.frames[0]["data"]) is type(shape)
    if isinstance(shape, dict):
        assert list(listener.frames[0]["data"]) == list(shape)


@pytest.mark.parametrize("kind", SILENT)
def test_event_channels_start_without_a_snapshot(desk: Desk, kind: str) -> None:
    sent = {"type": kind, "user": USER} if kind != "outcomeMetaUpdates" else {"type": kind}
    assert desk.server.hub.snapshots.first(read_subscription(sent, desk.venue)) is None


def unpacked(data: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(data), wbits=-15))


def test_fast_contexts_send_what_changed(desk: Desk) -> None:
    sub = read_subscription({"type": "fastAssetCtxs"}, desk.venue)
    first = desk.server.hub.snapshots.first(sub)
    assert first is not None
    whole = unpacked(first[1])
    assert set(whole["ETH"]) == {"markPx", "midPx"}
    assert "@107" in whole
    assert "xyz:CL" in whole
    listener = desk.listen("fastAssetCtxs")
    for _ in range(3):
        desk.now_ms += 1_000
        desk.server.hub.push_states()
    assert len(listener.frames) == 1
    desk.control(op="set_book", coin="ETH", mid="3000")
    desk.now_ms += 1_000
    desk.server.hub.push_states()
    assert unpacked(listener.of("fastAssetCtxs")[1]) == {"ETH": {"markPx": "3000.0", "midPx": "3000.0"}}


def test_resting_fills_are_notified(desk: Desk) -> None:
    maker, taker = Wallet(1), desk.wallet(2)
    desk.control(op="set_book", coin="ETH", mid="2000", depth_usd=0)
    notes = desk.listen("notification", user=maker.address)
    desk.order(maker, "ETH", "B", "1990", "1", tif="Gtc")
    desk.order(taker, "ETH", "A", "1990", "0.4")
    assert notes.of("notification") == [{"notification": "Resting order filled: Bought 0.4 ETH at $1990.0"}]


def test_historical_orders_stream_whole_rows(desk: Desk) -> None:
    rows = desk.listen("userHistoricalOrders", user=USER)
    desk.order(Wallet(1), "ETH", "B", "2500", "0.1")
    (frame,) = rows.of("userHistoricalOrders")
    assert "isSnapshot" not in frame
    assert [(row["status"], row["order"]["sz"]) for row in frame["orderHistory"]] == [
        ("open", "0.1"),
        ("filled", "0.0"),
    ]
    known = desk.info("historicalOrders", user=USER)[0]
    assert set(frame["orderHistory"][0]["order"]) == set(known["order"])


@pytest.mark.parametrize(("switch", "sizes"), [("block", [["0.1", "0.2"]]), ("taker", [["0.1"], ["0.2"]])])
def test_takers_of_a_block_share_a_frame_or_do_not(switch: str, sizes: list[list[str]]) -> None:
    desk = Desk(trades_frame=switch)
    wallet = desk.wallet(1)
    tape = desk.listen("trades", coin="ETH")
    server = desk.server
    bodies = [desk.body(wallet, {"type": "order", "orders": [row], "grouping": "na"}) for row in (
        desk.row("ETH", "B", "2500", "0.1"), desk.row("ETH", "B", "2500", "0.2")
    )]  # fmt: skip
    for body in bodies:
        server.exchange.receive(convert_envelope(body), "127.0.0.1", lambda _: None)
    block = desk.venue.begin_block()
    for pending in server.exchange.due(block.time_ms):
        server.exchange.execute(pending, block)
    server.hub.publish(block)
    assert [[row["sz"] for row in frame] for frame in tape.of("trades")] == sizes


def test_web_data_2_needs_its_switch(desk: Desk) -> None:
    with pytest.raises(UnreadableError):
        read_subscription({"type": "webData2", "user": USER}, desk.venue)
    desk.control(op="config", web_data2="serve")
    listener = desk.listen("webData2", user=USER)
    desk.now_ms += 5_000
    desk.server.hub.push_states()
    (data,) = listener.of("webData2")
    assert data["user"] == USER
    assert len(data["assetCtxs"]) == len(data["meta"]["universe"])


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"type": "trades", "coin": "eth"}, UnknownCoinError),
        ({"type": "l2Book", "coin": "ETH", "nSigFigs": 7}, UnknownCoinError),
        ({"type": "assetCtxs", "dex": "none"}, UnknownCoinError),
        ({"type": "activeAssetData", "user": USER, "coin": "@107"}, InvalidError),
        ({"type": "noSuchType", "coin": "BTC"}, UnreadableError),
        ({"type": "userFills", "user": "0x12"}, UnreadableError),
        ({"type": "trades"}, UnreadableError),
        ([], UnreadableError),
    ],
    ids=str,
)
def test_bad_subscriptions_fail_as_the_venue_fails_them(desk: Desk, sent: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_subscription(sent, desk.venue)
