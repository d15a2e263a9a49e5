"""Actions: hashed as the venue does, sent once, and every answer folded into what is known."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hlfast.errors import HttpStatusError, NoAnswerError, RateLimitedError, SigningError, VenueError
from hlfast.signing import Signer, action_hash, l1_digest, recover
from hlfast.venue import actions
from hlfast.venue.actions import OrderRequest, Trigger
from hlfast.venue.exchange import Exchange, Nonces, nonces_of
from hlfast.venue.metadata import Asset, Assets
from hlfast.venue.outcomes import Done, Filled, Refused, Resting, Unknown, Waiting, order_outcomes, read_reply

from .fake_road import FakeRoad

VECTORS = Path(__file__).parents[2] / "vectors" / "protocol"
SIGNER = Signer.from_key("0x" + "11" * 32)
ASSETS = Assets(
    [
        Asset(id=1, coin="ETH", sz_decimals=4, max_leverage=25),
        Asset(id=7, coin="TINY", sz_decimals=0, max_leverage=3, isolated_only=True),
        Asset(id=8, coin="OLD", sz_decimals=0, max_leverage=3, is_delisted=True),
        Asset(id=10_107, coin="@107", sz_decimals=2, is_spot=True),
    ]
)
ACCOUNT = "0x" + "Ab" * 20
CLOID = "0x" + "0" * 30 + "2A"
OK = {"status": "ok", "response": {"type": "default"}}
BUY = OrderRequest(coin="ETH", is_buy=True, size="0.5", price="3200.5", tif="Ioc", cloid=CLOID)


def exchange(*answers: Any, **options: Any) -> tuple[Exchange, FakeRoad]:
    road = FakeRoad(*(answers or (OK,)))
    options = {"network": "testnet", "assets": ASSETS, **options}
    return Exchange(road, SIGNER, **options), road


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / "exchange_responses.json").read_text())["cases"]
    return found


def case(name: str) -> Any:
    return next(one["response"] for one in cases() if one["name"] == name)


def signed_by(body: dict[str, Any], *, mainnet: bool = False) -> str:
    hashed = action_hash(body["action"], body["nonce"], body["vaultAddress"], body["expiresAfter"])
    return recover(l1_digest(hashed, mainnet), body["signature"])


@pytest.mark.asyncio
async def test_an_order_is_hashed_as_sent_and_expires() -> None:
    client, road = exchange(case("ioc filled"))
    outcome = await client.order(BUY)
    assert outcome == Filled(oid=412345678901, total_sz=Decimal("1.0"), avg_px=Decimal("3200.635"))
    path, body = road.asked[0]
    assert path == "/exchange"
    assert body["action"] == {
        "type": "order",
        "orders": [
            {
                "a": 1,
                "b": True,
                "p": "3200.5",
                "s": "0.5",
                "r": False,
                "t": {"limit": {"tif": "Ioc"}},
                "c": CLOID.lower(),
            }
        ],
        "grouping": "na",
    }
    assert body["expiresAfter"] - body["nonce"] in range(9_000, 11_000)
    assert body["vaultAddress"] is None
    assert signed_by(body) == SIGNER.address
    assert signed_by(body, mainnet=True) != SIGNER.address


@pytest.mark.asyncio
async def test_account_network_expiry_and_nonce_are_in_the_hash() -> None:
    client, road = exchange(network="mainnet", account=ACCOUNT, expires_ms=None)
    await client.schedule_cancel(None)
    await client.noop(nonce=5)
    await client.send({"type": "noop"}, nonce=6, expires_after=99)
    first, second, third = (body for _, body in road.asked)
    assert first["vaultAddress"] == ACCOUNT.lower()
    assert first["expiresAfter"] is None
    assert (second["nonce"], third["nonce"], third["expiresAfter"]) == (5, 6, 99)
    assert {signed_by(body, mainnet=True) for body in (first, second, third)} == {SIGNER.address}


@pytest.mark.asyncio
async def test_signed_bytes_are_what_is_sent_and_may_go_out_twice() -> None:
    client, road = exchange(account=ACCOUNT)
    body = client.signed({"type": "noop"}, nonce=7, expires_after=9)
    await client.raw(body)
    await client.raw(body)
    await client.send({"type": "noop"}, nonce=7, expires_after=9)
    assert [sent for _, sent in road.asked] == [json.loads(body)] * 3
    fresh = json.loads(client.signed({"type": "noop"}))
    assert fresh["nonce"] > 7
    assert fresh["expiresAfter"] is not None


@pytest.mark.asyncio
async def test_each_kind_of_action_is_written_in_the_venue_s_order() -> None:
    client, road = exchange(account=ACCOUNT)
    await client.update_leverage("ETH", 10)
    await client.update_leverage("TINY", 2, cross=False)
    await client.update_isolated_margin("ETH", "-1.5")
    await client.schedule_cancel(77)
    await client.vault_transfer(ACCOUNT, 5, deposit=True)
    await client.sub_account_transfer(ACCOUNT, "0.25", deposit=False)
    written = [json.dumps(body["action"]) for _, body in road.asked]
    assert written == [
        '{"type": "updateLeverage", "asset": 1, "isCross": true, "leverage": 10}',
        '{"type": "updateLeverage", "asset": 7, "isCross": false, "leverage": 2}',
        '{"type": "updateIsolatedMargin", "asset": 1, "isBuy": true, "ntli": -1500000}',
        '{"type": "scheduleCancel", "time": 77}',
        f'{{"type": "vaultTransfer", "vaultAddress": "{ACCOUNT.lower()}", "isDeposit": true, "usd": 5000000}}',
        f'{{"type": "subAccountTransfer", "subAccountUser": "{ACCOUNT.lower()}", "isDeposit": false, "usd": 250000}}',
    ]
    assert [body["vaultAddress"] for _, body in road.asked] == [ACCOUNT.lower()] * 4 + [None] * 2
    assert {signed_by(body) for _, body in road.asked} == {SIGNER.address}


@pytest.mark.asyncio
async def test_cancels_and_modifies_are_answered_item_by_item() -> None:
    client, road = exchange(case("cancel mix"), case("cancel mix"), case("batchModify"))
    cancelled = await client.cancels([("ETH", 1), ("@107", 2)])
    assert cancelled[0] == Done()
    assert isinstance(cancelled[1], Refused)
    await client.cancels_by_cloid([("ETH", CLOID), ("ETH", CLOID)])
    modified = await client.modifies([(5, BUY), (CLOID, BUY)])
    assert modified[0] == Resting(oid=412345678908)
    assert modified[1] == Refused(text="Cannot modify canceled or filled order")
    bodies = [body["action"] for _, body in road.asked]
    assert bodies[0]["cancels"] == [{"a": 1, "o": 1}, {"a": 10_107, "o": 2}]
    assert bodies[1]["cancels"][0] == {"asset": 1, "cloid": CLOID.lower()}
    assert [row["oid"] for row in bodies[2]["modifies"]] == [5, CLOID.lower()]
    assert {signed_by(body) for _, body in road.asked} == {SIGNER.address}


@pytest.mark.asyncio
async def test_user_signed_actions_carry_chain_and_nonce() -> None:
    client, road = exchange(account=ACCOUNT)
    await client.approve_agent(ACCOUNT, "bot")
    await client.approve_agent(ACCOUNT)
    await client.approve_builder_fee(ACCOUNT, "0.01%")
    await client.usd_send(ACCOUNT, "1.50")
    await client.spot_send(ACCOUNT, "HYPE:0x1", 2)
    await client.withdraw(ACCOUNT, 3)
    await client.usd_class_transfer(4, to_perp=True)
    for _, body in road.asked:
        action = body["action"]
        assert action["hyperliquidChain"] == "Testnet"
        assert action["signatureChainId"] == "0x66eee"
        assert action.get("nonce", action.get("time")) == body["nonce"]
        assert body["vaultAddress"] is None
        assert body["expiresAfter"] is None
    named, unnamed = (body["action"] for _, body in road.asked[:2])
    assert named["agentName"] == "bot"
    assert "agentName" not in unnamed
    assert road.asked[3][1]["action"]["amount"] == "1.5"


@pytest.mark.parametrize(
    "one", [one for one in cases() if isinstance(one.get("response"), dict)], ids=lambda one: one["name"]
)
def test_every_documented_answer_is_read(one: dict[str, Any]) -> None:
    reply = read_reply("order", 200, json.dumps(one["response"]).encode())
    assert reply.ok is (one["response"]["status"] == "ok")
    count = one.get("batch_length", 1)
    if isinstance(reply.data, dict) and "statuses" in reply.data:
        count = one.get("batch_length") or len(reply.data["statuses"])
        assert (
            not any(isinstance(outcome, Unknown) for outcome in order_outcomes(reply, count)) or "cancel" in one["name"]
        )
    if "batch_length" in one:
        assert order_outcomes(reply, count) == (Refused(text=order_outcomes(reply, count)[0].text),) * count


def test_statuses_become_outcomes() -> None:
    def fold(*statuses: Any, count: int | None = None) -> tuple[Any, ...]:
        body = {"status": "ok", "response": {"type": "order", "data": {"statuses": list(statuses)}}}
        return order_outcomes(read_reply("order", 200, json.dumps(body).encode()), count or len(statuses))

    assert fold("waitingForTrigger", "waitingForFill") == (
        Waiting(what="waitingForTrigger"),
        Waiting(what="waitingForFill"),
    )
    assert fold({"error": "x"}, count=3) == (Refused(text="x"),) * 3
    for outcomes in (
        fold({"resting": {"oid": 1}}, count=2),
        fold({"resting": {"oid": 1}}, {"resting": {"oid": 2}}, count=1),
        fold({"later": {}}, count=1),
        fold({"resting": {"oid": "x"}}, count=1),
        fold({"filled": {"oid": 1, "totalSz": "NaN", "avgPx": "1"}}, count=1),
        fold("success", count=1),
        fold(None, count=1),
    ):
        assert all(isinstance(outcome, Unknown) for outcome in outcomes), outcomes


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer", [(0, b"Timeout"), (500, b""), (502, b"<html>"), (200, b"{"), (200, b"null"), (200, b"{}")]
)
async def test_silence_and_nonsense_are_unknown(answer: tuple[int, bytes]) -> None:
    client, road = exchange(answer)
    with pytest.raises(NoAnswerError, match="outcome unknown"):
        await client.order(BUY)
    assert len(road.asked) == 1, "what may have been executed is never sent again"


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitedError), (422, HttpStatusError), (403, HttpStatusError)])
async def test_requests_turned_away_are_no_unknowns(status: int, kind: type[Exception]) -> None:
    client, _ = exchange((status, b"no"))
    with pytest.raises(kind):
        await client.order(BUY)


@pytest.mark.asyncio
async def test_a_refused_action_is_an_outcome_for_orders_and_an_exception_elsewhere() -> None:
    refusal = {"status": "err", "response": "Must deposit before performing actions. User: 0x1"}
    client, _ = exchange(refusal)
    assert await client.orders([BUY, BUY]) == (Refused(text=refusal["response"]),) * 2
    with pytest.raises(VenueError, match="updateLeverage: Must deposit"):
        await client.update_leverage("ETH", 3)


BAD = [
    (OrderRequest(coin="eth", is_buy=True, size="1", price="1"), ValueError, "did you mean 'ETH'"),
    (OrderRequest(coin="ETH", is_buy=True, size="0.00001", price="1"), ValueError, "lot"),
    (OrderRequest(coin="ETH", is_buy=True, size="1", price="3200.55"), ValueError, "tick"),
    (OrderRequest(coin="ETH", is_buy=True, size="-1", price="1"), ValueError, "is no order"),
    (OrderRequest(coin="ETH", is_buy=True, size=0.5, price="1"), TypeError, "write Decimal"),  # type: ignore[arg-type]
    (OrderRequest(coin="ETH", is_buy=True, size="1", price="1", cloid="0x1"), ValueError, "client order id"),
    (OrderRequest(coin="OLD", is_buy=True, size="1", price="1"), ValueError, "delisted"),
    (
        OrderRequest(coin="ETH", is_buy=True, size="1", price="1", trigger=Trigger(price="3200.55", kind="sl")),
        ValueError,
        "trigger price",
    ),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("request_", "kind", "said"), BAD, ids=[row[2] for row in BAD])
async def test_wrong_orders_are_refused_before_signing(
    request_: OrderRequest, kind: type[Exception], said: str
) -> None:
    client, road = exchange()
    with pytest.raises(kind, match=said):
        await client.order(request_)
    assert road.asked == []


@pytest.mark.asyncio
async def test_wrong_use_is_refused_by_name() -> None:
    road = FakeRoad(OK)
    with pytest.raises(ValueError, match="network must be stated"):
        Exchange(road, SIGNER)
    with pytest.raises(SigningError, match="without a signer"):
        await Exchange(road).schedule_cancel(None)
    with pytest.raises(ValueError, match="without assets"):
        await Exchange(road, SIGNER, network="testnet").order(BUY)
    client, _ = exchange()
    for wrong in (
        client.update_leverage("ETH", 26),
        client.update_leverage("ETH", 0),
        client.update_leverage("TINY", 2),
        client.update_leverage("@107", 2),
        client.orders([]),
        client.approve_agent("0x12"),
    ):
        with pytest.raises(ValueError, match=r"."):
            await wrong


def test_triggers_and_builders_are_written() -> None:
    stop = OrderRequest(
        coin="ETH", is_buy=False, size="1", price="2900", reduce_only=True, trigger=Trigger(price="3000", kind="sl")
    )
    action = actions.orders([stop], ASSETS, grouping="positionTpsl", builder=(ACCOUNT, 10))
    assert action["orders"][0]["t"] == {"trigger": {"isMarket": True, "triggerPx": "3000", "tpsl": "sl"}}
    assert list(action) == ["type", "orders", "grouping", "builder"]
    assert action["builder"] == {"b": ACCOUNT.lower(), "f": 10}


def test_nonces_never_repeat_and_are_shared_by_the_clients_of_a_signer() -> None:
    now = 1_000
    nonces = Nonces(lambda: now)
    assert [nonces.next(), nonces.next()] == [1_000, 1_001]
    now = 900
    assert nonces.next() == 1_002
    now = 5_000
    assert nonces.next() == 5_000
    assert nonces_of("0xAB") is nonces_of("0xab")
    assert nonces_of("0xab") is not nonces_of("0xac")
