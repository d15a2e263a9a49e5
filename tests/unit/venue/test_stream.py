"""Typed feeds and posts: routed by what frames say, bounded, and honest about what was lost."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from hlfast.errors import FeedError, NoAnswerError, RateLimitedError
from hlfast.venue.exchange import Exchange
from hlfast.venue.info import Info
from hlfast.venue.stream import Streams
from hlfast.venue.ws import Down

from .ws_server import Server, running

pytestmark = pytest.mark.asyncio
VECTORS = Path(__file__).parents[2] / "vectors" / "protocol"
USER = "0x" + "1a" * 20


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def say(server: Server, frame: Any) -> None:
    server.peers[-1].say(orjson.dumps(frame))


async def test_frames_reach_the_feed_they_belong_to() -> None:
    async with running() as server, Streams(server.url) as streams:
        trades, others = streams.trades("ETH"), streams.trades("BTC")
        fills, updates = streams.user_fills(USER.upper().replace("X", "x")), streams.order_updates(USER)
        best, candles = streams.best_prices("ETH"), streams.candles("ETH", "1m")
        await server.until(lambda: len(server.methods("subscribe")) == 6)
        await streams.wait_up()
        say(server, vector("ws_trades")["message"])
        say(server, vector("ws_userFills_snapshot")["message"])
        say(server, vector("ws_userFills_stream")["message"])
        say(server, vector("ws_orderUpdates")["message"])
        say(
            server,
            {"channel": "bbo", "data": {"coin": "ETH", "time": 5, "bbo": [None, {"px": "1.5", "sz": "2", "n": 1}]}},
        )
        candle = {"t": 1, "T": 2, "s": "ETH", "i": "1m", "o": "1", "c": "2", "h": "3", "l": "1", "v": "9", "n": 4}
        say(server, {"channel": "candle", "data": candle})
        say(server, {"channel": "later", "data": 5})
        say(server, {"channel": "trades", "data": []})
        say(server, {"channel": "trades", "data": [{**vector("ws_trades")["message"]["data"][0], "coin": "BTC"}]})
        assert (await anext(trades))[0].px == Decimal("3200.5")
        assert (await anext(others))[0].coin == "BTC"
        snapshot, live = await anext(fills), await anext(fills)
        assert (snapshot.is_snapshot, live.is_snapshot) == (True, False)
        assert live.fills[0].start_position == Decimal("1.75")
        assert (await anext(updates))[0].status == "open"
        assert (await anext(best)).bbo[0] is None
        assert (await anext(candles)).high == Decimal(3)


async def test_a_second_feed_that_cannot_be_told_apart_is_refused() -> None:
    streams = Streams("ws://127.0.0.1:1/ws")
    streams.order_updates(USER)
    with pytest.raises(ValueError, match="open another Streams"):
        streams.order_updates("0x" + "2b" * 20)
    streams.trades("BTC")
    with pytest.raises(ValueError, match="trades/BTC"):
        streams.trades("BTC")


async def test_a_refused_subscription_ends_its_own_feed_only() -> None:
    async with running() as server, Streams(server.url) as streams:
        book, fills = streams.book("ETH"), streams.user_fills(USER)
        await server.until(lambda: len(server.methods("subscribe")) == 2)
        say(server, {"channel": "error", "data": "too many pending post requests id=9"})
        say(server, {"channel": "error", "data": "Already unsubscribed: {}"})
        acknowledgements = [one["receive"] for one in vector("ws_control")["frames"]]
        say(
            server,
            next(
                one for one in acknowledgements if one.get("data", {}).get("subscription", {}).get("type") == "l2Book"
            ),
        )
        say(server, {"channel": "error", "data": "Cannot track more than 10 total users."})
        with pytest.raises(FeedError, match=r"userFills/0x1a.* was refused: Cannot track"):
            await anext(fills)
        say(server, {"channel": "l2Book", "data": {"coin": "ETH", "time": 1, "levels": [[], []]}})
        assert (await anext(book)).coin == "ETH"
        server.texts.clear()
        server.peers[-1].transport.disconnect(graceful=False)
        await server.until(lambda: len(server.methods("subscribe")) == 1)
        assert server.methods("subscribe") == [{"type": "l2Book", "coin": "ETH"}], "a refused one is not wanted again"


async def test_a_slow_reader_is_told_and_loses_nothing_before() -> None:
    async with running() as server, Streams(server.url, room=2) as streams:
        feed = streams.trades("ETH")
        await server.until(lambda: len(server.methods("subscribe")) == 1)
        for _ in range(4):
            say(server, vector("ws_trades")["message"])
        say(server, {"channel": "post", "data": {"id": 99, "response": {"type": "info", "payload": {}}}})
        await streams.post("/info", b"{}", deadline_ms=20)
        assert (await anext(feed))[0].coin == "ETH"
        assert (await anext(feed))[0].coin == "ETH"
        with pytest.raises(FeedError, match="2 frames were not read in time"):
            # A feed that only dropped them would say nothing for ever.
            async with asyncio.timeout(10):
                await anext(feed)


async def test_a_damaged_frame_ends_the_feed_with_a_reason() -> None:
    async with running() as server, Streams(server.url) as streams:
        feed = streams.trades("ETH")
        await server.until(lambda: len(server.methods("subscribe")) == 1)
        server.peers[-1].say(b"Websocket connection established.")
        say(server, {"channel": "trades", "data": [{"coin": "ETH", "px": "NaN"}]})
        with pytest.raises(FeedError, match="not of the known shape"):
            await anext(feed)


async def test_posts_carry_reads_and_actions() -> None:
    async with running() as server, Streams(server.url) as streams:
        await streams.wait_up()
        exchanges = vector("ws_post")["exchanges"]

        def answer(at: int, post_id: int) -> None:
            frame = exchanges[at]["receive"]
            say(server, {**frame, "data": {**frame["data"], "id": post_id}})

        async def ask(at: int, post_id: int, question: Any) -> Any:
            task = asyncio.ensure_future(question)
            await server.until(lambda: any(json.loads(text).get("id") == post_id for text in server.texts))
            answer(at, post_id)
            return await task

        book = await ask(0, 1, Info(streams).l2_book("ETH"))
        assert book.levels[0][0].px == Decimal("3200.4")
        sent = json.loads(server.texts[-1])
        assert sent["request"] == {"type": "info", "payload": {"type": "l2Book", "coin": "ETH"}}
        status, body = await ask(1, 2, Exchange(streams).raw(b'{"action":{"type":"noop"}}'))
        assert status == 200
        assert json.loads(body)["status"] == "ok"
        assert json.loads(server.texts[-1])["request"] == {"type": "action", "payload": {"action": {"type": "noop"}}}
        with pytest.raises(RateLimitedError):
            await ask(3, 3, Info(streams).all_mids())


async def test_posts_without_an_answer_are_unknown() -> None:
    gaps: list[Down] = []
    async with running() as server, Streams(server.url, on_gap=gaps.append) as streams:
        await streams.wait_up()
        assert await streams.post("/exchange", b"{}", deadline_ms=10) == (0, b"no answer before the deadline")
        task = asyncio.ensure_future(Info(streams).meta())
        await server.until(lambda: len(server.texts) == 2)
        server.peers[-1].transport.disconnect(graceful=False)
        with pytest.raises(NoAnswerError, match="the connection was lost"):
            await task
        assert len(gaps) == 1
    assert (await streams.post("/info", b"{}"))[0] == 0


async def test_closing_ends_every_feed() -> None:
    async with running() as server:
        async with Streams(server.url) as streams:
            feed = streams.trades("ETH")
            other = streams.trades("BTC")
            await server.until(lambda: len(server.methods("subscribe")) == 2)
            streams.unsubscribe({"type": "trades", "coin": "BTC"})
            with pytest.raises(FeedError, match="unsubscribed"):
                await anext(other)
        for _ in range(2):
            with pytest.raises(FeedError, match="closed"):
                await anext(feed)
