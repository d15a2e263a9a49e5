"""Typed reads: every documented shape decodes, damage is refused, and statuses become the right exception."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hlfast.errors import HttpStatusError, NoAnswerError, RateLimitedError, VenueError
from hlfast.venue.info import FILLS_PER_PAGE, Info
from hlfast.venue.limits import row_weight

from .fake_road import FakeRoad

pytestmark = pytest.mark.asyncio
VECTORS = Path(__file__).parents[2] / "vectors" / "protocol"
USER = "0x" + "1a" * 20


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


READS: dict[str, Callable[[Info], Awaitable[Any]]] = {
    "meta": lambda info: info.meta(),
    "metaAndAssetCtxs": lambda info: info.meta_and_contexts(),
    "perpDexs": lambda info: info.perp_dexs(),
    "spotMeta": lambda info: info.spot_meta(),
    "allMids": lambda info: info.all_mids(),
    "l2Book": lambda info: info.l2_book("BTC"),
    "candleSnapshot": lambda info: info.candles("BTC", "1h", 1, 2),
    "fundingHistory": lambda info: info.funding_history("BTC", 1),
    "exchangeStatus": lambda info: info.exchange_status(),
    "clearinghouseState": lambda info: info.clearinghouse_state(USER),
    "spotClearinghouseState": lambda info: info.spot_state(USER),
    "activeAssetData": lambda info: info.active_asset_data(USER, "ETH"),
    "openOrders": lambda info: info.open_orders(USER),
    "frontendOpenOrders": lambda info: info.frontend_open_orders(USER),
    "orderStatus": lambda info: info.order_status(USER, 1),
    "historicalOrders": lambda info: info.historical_orders(USER),
    "userFills": lambda info: info.user_fills(USER),
    "userTwapSliceFills": lambda info: info.twap_slice_fills(USER),
    "userFunding": lambda info: info.user_funding(USER, 1),
    "userNonFundingLedgerUpdates": lambda info: info.ledger_updates(USER, 1),
    "userRateLimit": lambda info: info.user_rate_limit(USER),
    "userRole": lambda info: info.user_role(USER),
    "extraAgents": lambda info: info.extra_agents(USER),
    "portfolio": lambda info: info.portfolio(USER),
    "subAccounts": lambda info: info.sub_accounts(USER),
    "userVaultEquities": lambda info: info.vault_equities(USER),
    "userAbstraction": lambda info: info.user_abstraction(USER),
    "maxBuilderFee": lambda info: info.max_builder_fee(USER, USER),
}


def documented() -> list[tuple[str, Any]]:
    cases = [(case["request"]["type"], case["response"]) for case in vector("small_info")["cases"]]
    named = ("meta", "meta_hip3", "metaAndAssetCtxs", "perpDexs", "spotMeta", "allMids", "clearinghouseState")
    cases += [(vector(name)["request"]["type"], vector(name)["response"]) for name in named]
    orders, spot = vector("frontendOpenOrders"), vector("spotClearinghouseState")
    cases += [
        ("frontendOpenOrders", orders["response"]),
        ("openOrders", orders["openOrders_response"]),
        ("orderStatus", vector("orderStatus")["response"]),
        ("orderStatus", vector("orderStatus")["missing_response"]),
        ("spotClearinghouseState", spot["standard_account"]),
        ("spotClearinghouseState", spot["unified_account"]),
        ("userFills", vector("ws_userFills_snapshot")["message"]["data"]["fills"]),
        ("userFills", vector("ws_userFills_stream")["message"]["data"]["fills"]),
    ]
    recorded = (VECTORS / "recorded_info.jsonl").read_text().splitlines()
    return cases + [(row["request"]["type"], row["response"]) for row in map(json.loads, recorded)]


@pytest.mark.parametrize(
    ("request_type", "answer"), documented(), ids=[f"{at}-{name}" for at, (name, _) in enumerate(documented())]
)
async def test_every_documented_answer_decodes(request_type: str, answer: Any) -> None:
    road = FakeRoad(answer)
    decoded = await READS[request_type](Info(road))
    assert road.asked[0][0] == "/info"
    assert road.asked[0][1]["type"] == request_type
    if isinstance(answer, list) and request_type not in {"metaAndAssetCtxs", "portfolio"}:
        assert len(decoded) == len(answer)


async def test_every_typed_read_has_a_documented_answer() -> None:
    assert set(READS) == {name for name, _ in documented()}


async def test_amounts_are_exact() -> None:
    state = await Info(FakeRoad(vector("clearinghouseState")["response"])).clearinghouse_state(USER)
    first = state.asset_positions[0].position
    assert first.szi == Decimal("1.75")
    assert str(first.entry_px) == "3185.2"
    assert state.asset_positions[1].position.leverage.type == "isolated"
    assert state.asset_positions[1].position.leverage.raw_usd == Decimal("3630.0")


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", "1e40", "9" * 40, "1e-40", "", "x", "1.2.3"])
async def test_what_is_no_amount_is_refused(bad: str) -> None:
    answer = vector("clearinghouseState")["response"]
    answer["withdrawable"] = bad
    with pytest.raises(VenueError, match="clearinghouseState"):
        await Info(FakeRoad(answer)).clearinghouse_state(USER)
    with pytest.raises(VenueError, match="allMids"):
        await Info(FakeRoad({"BTC": bad})).all_mids()


@pytest.mark.parametrize("answer", [b"", b"null", b"[]", b"{", b'{"time":"x"}', b"\xff\xfe", b"<html>"])
async def test_another_shape_is_refused(answer: bytes) -> None:
    with pytest.raises(VenueError, match="exchangeStatus"):
        await Info(FakeRoad(answer)).exchange_status()


async def test_missing_fields_are_refused_and_new_ones_passed_over() -> None:
    with pytest.raises(VenueError, match="szDecimals"):
        await Info(FakeRoad({"universe": [{"name": "BTC", "maxLeverage": 1}]})).meta()
    meta = await Info(
        FakeRoad({"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "later": {}}], "x": 1})
    ).meta()
    assert meta.universe[0].sz_decimals == 5


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0, NoAnswerError),
        (429, RateLimitedError),
        (422, HttpStatusError),
        (500, HttpStatusError),
        (302, HttpStatusError),
    ],
)
async def test_statuses_become_exceptions(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        await Info(FakeRoad((status, b"why"))).meta()
    assert type(raised.value) is kind
    assert "why" in str(raised.value)


async def test_unknown_coin_is_none_and_no_sub_accounts_are_empty() -> None:
    assert await Info(FakeRoad(None)).l2_book("NOPE") is None
    assert await Info(FakeRoad(None)).sub_accounts(USER) == ()


def fill(time: int, tid: int) -> dict[str, Any]:
    row = vector("ws_userFills_stream")["message"]["data"]["fills"][0]
    return {**row, "time": time, "tid": tid}


async def test_fills_since_follows_full_pages_and_drops_repeats() -> None:
    first = [fill(1_000 + at, at) for at in range(FILLS_PER_PAGE)]
    last_ms = first[-1]["time"]
    second = [first[-1], fill(last_ms, 5_000), fill(last_ms + 9, 5_001)]
    road = FakeRoad(first, second)
    tids = [one.tid async for one in Info(road).fills_since(USER, 1_000)]
    assert tids == [*range(FILLS_PER_PAGE), 5_000, 5_001]
    assert [body["startTime"] for _, body in road.asked] == [1_000, last_ms]


async def test_fills_since_gives_up_where_no_page_can_follow() -> None:
    page = [fill(1_000, at) for at in range(FILLS_PER_PAGE)]
    with pytest.raises(VenueError, match="one millisecond"):
        [one async for one in Info(FakeRoad(page)).fills_since(USER, 1_000)]


async def test_weight_is_taken_before_and_rows_after() -> None:
    class Purse:
        def __init__(self) -> None:
            self.spent: list[int] = []

        async def take(self, weight: int) -> None:
            self.spent.append(weight)

        def spend(self, weight: int) -> None:
            self.spent.append(weight)

    purse = Purse()
    await Info(FakeRoad([fill(1, at) for at in range(45)]), limiter=purse).user_fills(USER)
    await Info(FakeRoad({"time": 1}), limiter=purse).exchange_status()
    assert purse.spent == [20, 2, 2]
    assert row_weight("meta", 1_000) == 0
