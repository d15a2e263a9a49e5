"""The WebSocket door: acknowledgements, snapshots, posts, errors, limits and closes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

SECRET = int("11" * 32, 16)
MASTER = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
USER = "0x" + "1a" * 20
CLOSED = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING)


@pytest.fixture(scope="module")
def venue(start: Callable[..., Any]) -> Any:
    process = start()
    process.control(op="fund", address=MASTER, usdc="100000")
    return process


class Client:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, message: Any) -> None:
        await (self.socket.send_str(message) if isinstance(message, str) else self.socket.send_json(message))

    async def receive(self) -> Any:
        return await self.socket.receive_json(timeout=5)

    async def ask(self, message: Any) -> Any:
        await self.send(message)
        return await self.receive()

    async def is_cut(self) -> bool:
        message = await self.socket.receive(timeout=5)
        return message.type in CLOSED and self.socket.close_code == 1006

    async def post(self, post_id: int, kind: str, payload: Any) -> Any:
        await self.send({"method": "post", "id": post_id, "request": {"type": kind, "payload": payload}})
        while True:
            frame = await self.receive()
            if frame["channel"] == "post" and frame["data"]["id"] == post_id:
                return frame["data"]["response"]


def subscribe(**subscription: Any) -> dict[str, Any]:
    return {"method": "subscribe", "subscription": subscription}


async def with_client(venue: Any, talk: Callable[[Client], Any]) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(venue.base_url + "/ws") as socket:
        await talk(Client(socket))


@pytest.mark.asyncio
async def test_acknowledgement_fills_in_defaults(venue: Any) -> None:
    async def talk(client: Client) -> None:
        assert await client.ask({"method": "ping"}) == {"channel": "pong"}
        answer = await client.ask(subscribe(type="l2Book", coin="ETH"))
        defaults = {"type": "l2Book", "coin": "ETH", "nSigFigs": None, "mantissa": None, "fast": False}
        assert answer == {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": defaults}}
        book = await client.receive()
        assert book["channel"] == "l2Book"
        assert [len(side) for side in book["data"]["levels"]] == [8, 8]
        answer = await client.ask(subscribe(type="userFills", user=USER.upper().replace("0X", "0x")))
        assert answer["data"]["subscription"] == {"type": "userFills", "user": USER, "aggregateByTime": False}
        assert (await client.receive())["data"] == {"isSnapshot": True, "user": USER, "fills": []}
        again = await client.ask(subscribe(type="l2Book", coin="ETH"))
        assert again == {
            "channel": "error",
            "data": 'Already subscribed: {"type":"l2Book","coin":"ETH","nSigFigs":null,"mantissa":null,"fast":false}',
        }
        gone = await client.ask({"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "ETH"}})
        assert gone["data"] == 'Already unsubscribed: {"type":"bbo","coin":"ETH"}'

    await with_client(venue, talk)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "message",
    [
        "not json",
        '{"method":"dance"}',
        '{"method":"subscribe","subscription":{"type":"noSuchType","coin":"BTC"}}',
        '{"method":"subscribe","subscription":{"type":"webData2","user":"' + USER + '"}}',
        '{"method":"subscribe","subscription":{"type":"userFills","user":"0x12"}}',
        '{"method":"post","id":21,"request":{"type":"info","payload":{"type":"noSuchType"}}}',
        '{"method":"post","id":22,"request":{"type":"action","payload":{"action":{"type":"nope"},"nonce":1}}}',
        '{"method":"post","id":23,"request":{"type":"explorer","payload":{}}}',
    ],
)
async def test_unparsed_request_is_quoted_on_the_error_channel(venue: Any, message: str) -> None:
    async def talk(client: Client) -> None:
        answer = await client.ask(message)
        assert answer == {"channel": "error", "data": f"Error parsing JSON into valid websocket request: {message}"}

    await with_client(venue, talk)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "subscription",
    [
        {"type": "trades", "coin": "eth"},
        {"type": "bbo", "coin": "NOPE"},
        {"type": "l2Book", "coin": "ETH", "nSigFigs": 9},
    ],
)
async def test_unknown_coin_cuts_the_socket_silently(venue: Any, subscription: dict[str, Any]) -> None:
    async def talk(client: Client) -> None:
        await client.send({"method": "subscribe", "subscription": subscription})
        assert await client.is_cut()

    await with_client(venue, talk)


@pytest.mark.asyncio
async def test_posts_answer_info_and_actions(venue: Any, sign: Callable[..., Any]) -> None:
    async def talk(client: Client) -> None:
        answer = await client.post(7, "info", {"type": "l2Book", "coin": "ETH", "nSigFigs": None, "mantissa": None})
        assert (answer["type"], answer["payload"]["type"]) == ("info", "l2Book")
        assert answer["payload"]["data"]["coin"] == "ETH"
        action = {
            "type": "order",
            "orders": [{"a": 1, "b": True, "p": "9000", "s": "0.1", "r": False, "t": {"limit": {"tif": "Ioc"}}}],
            "grouping": "na",
        }
        body = sign(SECRET, action)
        answer = await client.post(8, "action", body)
        assert answer["type"] == "action"
        assert answer["payload"]["response"]["data"]["statuses"][0]["filled"]["totalSz"] == "0.1"
        answer = await client.post(9, "action", body)
        refused = {"status": "err", "response": f"Invalid nonce: duplicate nonce {body['nonce']}"}
        assert answer == {"type": "action", "payload": refused}

    await with_client(venue, talk)


@pytest.mark.asyncio
@pytest.mark.parametrize("reply_first", [False, True])
async def test_fill_may_come_before_or_after_the_reply(venue: Any, sign: Callable[..., Any], reply_first: bool) -> None:
    async def talk(client: Client) -> None:
        venue.control(op="config", reply_first=reply_first)
        await client.ask(subscribe(type="userEvents", user=MASTER))
        action = {
            "type": "order",
            "orders": [{"a": 1, "b": True, "p": "9000", "s": "0.1", "r": False, "t": {"limit": {"tif": "Ioc"}}}],
            "grouping": "na",
        }
        body = sign(SECRET, action, nonce=time.time_ns() // 1_000_000 + 10 + reply_first)
        await client.send({"method": "post", "id": 1, "request": {"type": "action", "payload": body}})
        channels = [(await client.receive())["channel"] for _ in range(2)]
        assert channels == (["post", "user"] if reply_first else ["user", "post"])

    await with_client(venue, talk)


@pytest.mark.asyncio
async def test_http_answers_misfits_as_text(venue: Any) -> None:
    for path, body in (("/info", {"type": "nope"}), ("/info", []), ("/info", b"{"), ("/exchange", {"action": {}})):
        status, text = await asyncio.to_thread(venue.post, path, body)
        assert status == 422
        assert text.startswith(b"Failed to deserialize the JSON body into the target type")
    status, text = await asyncio.to_thread(venue.post, "/info", {"type": "l2Book", "coin": "NOPE"})
    assert (status, text) == (200, b"null")


@pytest.mark.asyncio
async def test_silent_server_closes_idle_sockets(start: Callable[..., Any]) -> None:
    venue = start()
    venue.control(op="config", idle_close_s=1)

    async def talk(client: Client) -> None:
        await client.ask({"method": "ping"})
        assert await client.is_cut()

    await with_client(venue, talk)


@pytest.mark.asyncio
async def test_limits_of_one_source_address(start: Callable[..., Any], sign: Callable[..., Any]) -> None:
    venue = start("--limits", "venue", "--latency-ms", "3000")

    async def talk(client: Client) -> None:
        for number in range(10):
            answer = await client.ask(subscribe(type="orderUpdates", user=f"0x{number:040x}"))
            assert answer["channel"] == "subscriptionResponse"
        answer = await client.ask(subscribe(type="orderUpdates", user=USER))
        assert answer == {"channel": "error", "data": "Cannot track more than 10 total users."}
        await client.ask({"method": "unsubscribe", "subscription": {"type": "orderUpdates", "user": f"0x{0:040x}"}})
        assert (await client.ask(subscribe(type="orderUpdates", user=USER)))["channel"] == "subscriptionResponse"
        noop = sign(SECRET, {"type": "noop"})
        for post_id in range(100):
            await client.send({"method": "post", "id": post_id, "request": {"type": "action", "payload": noop}})
        answer = await client.ask({"method": "post", "id": 100, "request": {"type": "action", "payload": noop}})
        assert answer == {"channel": "error", "data": "too many pending post requests id=100"}
        role = {"type": "userRole", "user": USER}  # weighs 60; 1,200 a minute less the 100 actions above
        for _ in range(18):
            assert (await asyncio.to_thread(venue.post, "/info", role))[0] == 200
        assert await asyncio.to_thread(venue.post, "/info", role) == (429, b"null")
        assert venue.control(op="ledger")["counters"]["rate_limited"] == 1

    await with_client(venue, talk)


@pytest.mark.asyncio
async def test_post_over_the_weight_budget_is_an_error_reply(start: Callable[..., Any]) -> None:
    venue = start("--limits", "venue")

    async def talk(client: Client) -> None:
        role = {"type": "userRole", "user": USER}
        for post_id in range(20):
            assert (await client.post(post_id, "info", role))["type"] == "info"
        assert await client.post(20, "info", role) == {"type": "error", "payload": "429 Too Many Requests"}

    await with_client(venue, talk)


@pytest.mark.asyncio
async def test_eleventh_connection_is_refused_and_addresses_are_apart(start: Callable[..., Any]) -> None:
    venue = start("--limits", "venue")
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(venue.base_url + "/ws") for _ in range(10)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(venue.base_url + "/ws")
        assert refused.value.status == 429
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with (
            aiohttp.ClientSession(connector=connector) as other,
            other.ws_connect(venue.base_url + "/ws") as socket,
        ):
            await socket.send_json({"method": "ping"})
            assert await socket.receive_json() == {"channel": "pong"}
        for socket in sockets:
            await socket.close()
