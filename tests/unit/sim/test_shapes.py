"""The simulator's answers have the keys and types of the protocol's fixtures and of recorded frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim.desk import START_MS, Desk, Wallet

VECTORS = Path(__file__).parents[2] / "vectors/protocol"
# Keys that the venue shows only when there is something to show.
OPTIONAL = {
    "cloid", "reduceOnly", "builderFee", "liquidation", "isDelisted", "onlyIsolated", "marginMode", "growthMode",
    "lastGrowthModeChangeTime", "rawUsd", "twapId", "dexAbstractionEnabled", "abstraction", "optOutOfSpotDusting",
    "tokenToAvailableAfterMaintenance", "leadingVaults", "isSnapshot", "spread", "fast", "spotHold", "data", "dex",
}  # fmt: skip


def fixture(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Return where two JSON values differ in keys or types; null fits everything, lists compare by first element."""
    if expected is None or found is None:
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        lacking = (set(expected) ^ set(found)) - OPTIONAL
        found_differences = [f"{path}.{key}: only on one side" for key in sorted(lacking)]
        for key in set(expected) & set(found):
            found_differences += differences(expected[key], found[key], f"{path}.{key}")
        return found_differences
    if isinstance(expected, list) and isinstance(found, list):
        return [text for pair in zip(expected[:3], found[:3], strict=False) for text in differences(*pair, f"{path}[]")]
    same = type(expected) is type(found)
    return [] if same else [f"{path}: {type(expected).__name__} and {type(found).__name__}"]


@pytest.fixture(scope="module")
def desk() -> Desk:
    """One account with a cross and an isolated position, a limit order, a stop, spot and an agent."""
    desk = Desk()
    wallet = desk.wallet(1)
    desk.control(op="fund", address=wallet.address, usdc="1000", spot=True)
    desk.agent_of(wallet, 2)
    desk.act(wallet, {"type": "updateLeverage", "asset": desk.asset("SOL"), "isCross": False, "leverage": 5})
    desk.order(wallet, "ETH", "B", "2500", "1", c="0x" + "1" * 32)
    desk.order(wallet, "SOL", "A", "70", "5")
    desk.order(wallet, "PURR/USDC", "B", "0.22", "100")
    desk.order(wallet, "SOL", "B", "60", "2", tif="Gtc", reduce_only=True)
    stop = {"trigger": {"isMarket": True, "triggerPx": "1500", "tpsl": "sl"}}
    desk.order(wallet, "ETH", "A", "1400", "1", t=stop, reduce_only=True)
    return desk


USER = Wallet(1).address
INFO = [
    ("clearinghouseState", {"dex": ""}, "response"),
    ("frontendOpenOrders", {"dex": ""}, "response"),
    ("openOrders", {"dex": ""}, "openOrders_response"),
    ("orderStatus", {"oid": "0x" + "1" * 32}, "response"),
    ("orderStatus", {"oid": 1}, "missing_response"),
    ("spotClearinghouseState", {}, "standard_account"),
    ("metaAndAssetCtxs", {}, "response"),
    ("meta", {"dex": "xyz"}, "response"),
    ("perpDexs", {}, "response"),
    ("spotMeta", {}, "response"),
]
FILES = {"openOrders": "frontendOpenOrders", "meta": "meta_hip3"}


@pytest.mark.parametrize(("kind", "fields", "part"), INFO, ids=lambda value: str(value)[:40])
def test_info_answers_have_the_fixture_shape(desk: Desk, kind: str, fields: dict[str, Any], part: str) -> None:
    answer = desk.info(kind, user=USER, **fields)
    assert differences(fixture(FILES.get(kind, kind))[part], answer) == []
    assert answer


@pytest.mark.parametrize("case", fixture("small_info")["cases"], ids=lambda case: case["request"]["type"])
def test_small_answers_have_the_fixture_shape(desk: Desk, case: dict[str, Any]) -> None:
    request = case["request"] | ({"user": USER} if "user" in case["request"] else {})
    answer = desk.info(request.pop("type"), **request)
    if case["response"] is not None:
        assert differences(case["response"], answer) == []
        assert type(answer) is type(case["response"])


@pytest.mark.parametrize("frame", fixture("recorded_frames")["frames"], ids=lambda frame: frame["channel"])
def test_frames_have_the_recorded_shape(desk: Desk, frame: dict[str, Any]) -> None:
    channel = frame["channel"]
    coin = "@107" if channel == "activeSpotAssetCtx" else "ETH"
    kind = "activeAssetCtx" if channel == "activeSpotAssetCtx" else channel
    sub: dict[str, Any] = {"type": kind, "user": USER, "coin": coin, "interval": "1m", "dex": ""}
    sub |= {"fast": False, "nSigFigs": None, "mantissa": None, "aggregateByTime": False}
    if kind in ("bbo", "l2Book", "activeAssetCtx", "trades", "candle"):
        del sub["user"]
    if channel == "orderUpdates":
        data: Any = [order.update() for order in desk.venue.accounts[USER].history]
    else:
        first = desk.server.hub.snapshots.first(sub)
        assert first is not None
        assert first[0] == channel
        data = json.loads(json.dumps(first[1]))
    assert differences(frame["data"], data) == []
    assert data


def test_streams_have_the_fixture_shape(desk: Desk) -> None:
    fills = desk.listen("userFills", user=USER)
    events = desk.listen("userEvents", user=USER)
    tape = desk.listen("trades", coin="ETH")
    updates = desk.listen("orderUpdates", user=USER)
    desk.order(Wallet(1), "ETH", "B", "2500", "0.1", c="0x" + "2" * 32)
    assert differences(fixture("ws_userFills_stream")["message"]["data"], fills.of("userFills")[0]) == []
    assert differences(fixture("ws_userEvents")["messages"][0]["data"], events.of("user")[0]) == []
    assert differences(fixture("ws_trades")["message"]["data"], tape.of("trades")[0]) == []
    assert differences(fixture("ws_orderUpdates")["message"]["data"], updates.of("orderUpdates")[0]) == []
    snapshot = desk.server.hub.snapshots.first({"type": "userFills", "user": USER, "aggregateByTime": False})
    assert snapshot is not None
    assert differences(fixture("ws_userFills_snapshot")["message"]["data"], snapshot[1]) == []


def test_recorded_fill_rows_have_our_keys_in_our_order(desk: Desk) -> None:
    (row, *_) = desk.info("userFills", user=USER)
    order = ["coin", "px", "sz", "side", "time", "startPosition", "dir", "closedPnl", "hash", "oid", "crossed", "fee"]
    assert list(row)[:12] == order


@pytest.mark.parametrize("coin", ["BTC", "kBONK", "xyz:CL", "@107", "PURR/USDC"])
def test_every_asset_has_its_ids(desk: Desk, coin: str) -> None:
    asset = desk.venue.universe.by_coin[coin]
    ids = {"BTC": 0, "xyz:CL": 110_001, "@107": 10_107, "PURR/USDC": 10_000}
    assert asset.asset_id == ids.get(coin, asset.asset_id)
    names = [row["name"] for row in desk.info("meta")["universe"]]
    if coin in names:
        assert names.index(coin) == asset.asset_id


def test_paging_by_time_meets_every_row_once() -> None:
    desk = Desk()
    leader = "0x" + "1e" * 20
    row = {"coin": "ETH", "px": "2000", "sz": "0.1", "side": "B"}
    for _ in range(45):
        desk.now_ms += 1
        desk.control(op="leader_fills", address=leader, rows=[row] * 100)
    seen: dict[int, None] = {}
    start = START_MS
    while True:
        page = desk.info("userFillsByTime", user=leader, startTime=start)
        assert len(page) <= 2_000
        fresh = [r for r in page if r["tid"] not in seen]
        if not fresh:
            break
        seen |= dict.fromkeys(r["tid"] for r in fresh)
        start = page[-1]["time"]
    assert len(seen) == 4_500
    newest = desk.info("userFills", user=leader)
    assert len(newest) == 2_000
    assert newest[0]["time"] == desk.now_ms


def test_aggregated_rows_merge_one_crossing_order() -> None:
    desk = Desk()
    wallet = desk.wallet(usdc="100000000")
    desk.control(op="set_book", coin="ETH", mid="2000", depth_usd=100_000)
    desk.order(wallet, "ETH", "B", "2400", "20")
    parts = desk.info("userFills", user=wallet.address)
    (whole,) = desk.info("userFillsByTime", user=wallet.address, startTime=0, aggregateByTime=True)
    assert len(parts) > 1
    assert float(whole["sz"]) == pytest.approx(20)
    assert float(whole["fee"]) == pytest.approx(sum(float(row["fee"]) for row in parts))
