"""One connection against a server on loopback: order of things, reconnects, ages, and ends."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from picows import WSCloseCode, WSMsgType

from hlfast.venue.ws import Backoff, DialBudget, Down, WsConnection, canonical

from .ws_server import Server, running

pytestmark = pytest.mark.asyncio


class Seen:
    """What a connection told its owner."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.frames: list[bytes] = []
        self.downs: list[Down] = []
        self.ups = 0
        self.raise_on: bytes | None = None

    def on_frame(self, frame: bytes, recv_ns: int) -> None:
        assert recv_ns > 0
        self.frames.append(frame)
        self.server.wake()
        if frame == self.raise_on:
            message = "cannot digest this"
            raise ValueError(message)

    def on_up(self) -> None:
        self.ups += 1
        self.server.wake()

    def on_down(self, down: Down) -> None:
        self.downs.append(down)
        self.server.wake()


@asynccontextmanager
async def connected(server: Server, **options: Any) -> AsyncIterator[tuple[WsConnection, Seen]]:
    seen = Seen(server)
    connection = WsConnection(
        options.pop("url", server.url),
        seen.on_frame,
        on_up=seen.on_up,
        on_down=seen.on_down,
        backoff=Backoff(first_ms=1, max_ms=2, rng=random.Random(1)),
        **options,
    )
    connection.start()
    try:
        yield connection, seen
    finally:
        await connection.close()


async def test_frames_arrive_in_order_with_their_bytes() -> None:
    async with running() as server, connected(server) as (connection, seen):
        await server.until(lambda: seen.ups == 1 and len(server.peers) == 1)
        for number in range(5):
            server.peers[0].say(b'{"channel":"trades","data":[%d]}' % number)
        await server.until(lambda: len(seen.frames) == 5)
        assert seen.frames == [b'{"channel":"trades","data":[%d]}' % number for number in range(5)]
        assert connection.is_up
        assert connection.last_frame_ns() > 0


async def test_subscriptions_are_sent_once_and_again_after_a_reconnect() -> None:
    fills = {"type": "userFills", "user": "0x" + "11" * 20}
    trades = {"type": "trades", "coin": "BTC"}
    async with running() as server, connected(server) as (connection, seen):
        assert connection.subscribe(fills)
        assert not connection.subscribe(dict(reversed(fills.items()))), "another spelling of the same object"
        await server.until(lambda: server.methods("subscribe") == [fills])
        assert connection.subscribe(trades)
        await server.until(lambda: server.methods("subscribe") == [fills, trades])
        server.texts.clear()
        server.peers[0].transport.disconnect(graceful=False)
        await server.until(lambda: server.methods("subscribe") == [fills, trades])
        assert seen.ups == 2
        assert [down.was_up for down in seen.downs] == [True]
        assert connection.unsubscribe(fills)
        assert not connection.unsubscribe(fills)
        await server.until(lambda: server.methods("unsubscribe") == [fills])
        assert connection.subscriptions == [trades]


async def test_pongs_are_kept_from_the_owner_and_counted_as_life() -> None:
    async with running() as server, connected(server, ping_ms=5) as (connection, seen):
        await server.until(lambda: server.texts.count(b'{"method":"ping"}') >= 4)
        assert seen.frames == []
        assert seen.downs == []
        assert connection.last_pong_ns() >= connection.last_frame_ns() - 10_000_000_000
        age = connection.frame_age_ms()
        assert age is not None
        assert age < 5_000


async def test_a_peer_that_answers_no_ping_is_given_up() -> None:
    async with running() as server:
        server.answer_pings = False
        async with connected(server, ping_ms=5) as (_, seen):
            await server.until(lambda: bool(seen.downs))
            assert "two pings" in seen.downs[0].reason
            await server.until(lambda: seen.ups >= 2)


async def test_close_code_and_reason_are_reported() -> None:
    async with running() as server, connected(server) as (_, seen):
        await server.until(lambda: len(server.peers) == 1 and seen.ups == 1)
        server.peers[0].transport.send_close(WSCloseCode.SERVICE_RESTART, b"back soon")
        await server.until(lambda: bool(seen.downs))
        assert seen.downs[0].code == 1012
        assert seen.downs[0].reason == "closed by the venue: back soon"


async def test_a_raising_callback_ends_this_life_and_the_next_one_begins(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server, connected(server) as (_, seen):
        seen.raise_on = b"bad"
        await server.until(lambda: len(server.peers) == 1)
        for text in (b"good", b"bad", b"after"):
            server.peers[0].say(text)
        await server.until(lambda: seen.ups == 2)
        assert seen.frames == [b"good", b"bad"], "what follows a half-digested frame belongs to a life that is over"
        assert seen.downs[0].reason == "ValueError: cannot digest this"
    assert "a frame callback raised" in caplog.text


async def test_fragments_are_joined() -> None:
    async with running() as server, connected(server) as (_, seen):
        await server.until(lambda: len(server.peers) == 1)
        peer = server.peers[0]
        peer.say(b'{"chan', fin=False)
        peer.say(b'nel":"x', fin=False, kind=WSMsgType.CONTINUATION)
        peer.say(b'"}', kind=WSMsgType.CONTINUATION)
        await server.until(lambda: bool(seen.frames))
        assert seen.frames == [b'{"channel":"x"}']


async def test_sixteen_mebibytes_pass_and_more_than_the_bound_closes() -> None:
    async with running() as server, connected(server) as (_, seen):
        await server.until(lambda: len(server.peers) == 1)
        server.peers[0].say(b"x" * (16 << 20))
        await server.until(lambda: len(seen.frames) == 1)
        assert len(seen.frames[0]) == 16 << 20
        server.peers[0].say(b"x" * ((32 << 20) + 1))
        await server.until(lambda: bool(seen.downs))
        assert "closed by us" in seen.downs[0].reason
        await server.until(lambda: seen.ups == 2)


async def test_raw_writes_arrive_as_frames_behind_texts() -> None:
    mask = bytes([1, 2, 3, 4])

    def frame(payload: bytes) -> bytes:
        body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        return bytes([0x81, 0x80 | len(payload)]) + mask + body

    async with running() as server, connected(server) as (connection, seen):
        await server.until(lambda: seen.ups == 1)
        assert connection.send_text(b"first")
        assert connection.write(frame(b"second") + frame(b"third"))
        assert connection.send_text(b"fourth")
        await server.until(lambda: len(server.texts) == 4)
        assert server.texts == [b"first", b"second", b"third", b"fourth"]


async def test_nothing_is_handed_over_when_down() -> None:
    async with running() as server:
        connection = WsConnection(server.url, lambda _payload, _at: None)
        assert not connection.is_up
        assert not connection.write(b"x")
        assert not connection.send_text(b"x")
        assert connection.frame_age_ms() is None
        assert connection.last_frame_ns() == 0
        await connection.close()


async def test_failed_dials_are_told_and_repeated() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}/ws"
        async with running() as server, connected(server, url=url) as (connection, seen):
            await server.until(lambda: len(seen.downs) >= 3)
            assert all(not down.was_up and "cannot connect" in down.reason for down in seen.downs)
            assert connection.dials_made >= 3


async def test_close_tells_the_owner_and_does_not_dial_again() -> None:
    async with running() as server:
        async with connected(server) as (connection, seen):
            await server.until(lambda: seen.ups == 1)
        assert [down.reason for down in seen.downs] == ["closed by us"]
        assert not connection.is_up
        await connection.close()
        assert len(server.peers) == 1


async def test_reconnect_drops_a_silent_feed() -> None:
    async with running() as server, connected(server) as (connection, seen):
        await server.until(lambda: seen.ups == 1)
        connection.reconnect("no trade for 2000 ms")
        assert [down.reason for down in seen.downs] in ([], ["no trade for 2000 ms"])
        await server.until(lambda: seen.ups == 2)
        assert [down.reason for down in seen.downs] == ["no trade for 2000 ms"]


async def test_a_second_start_is_refused() -> None:
    async with running() as server, connected(server) as (connection, _):
        with pytest.raises(RuntimeError, match="started before"):
            connection.start()


async def test_dial_budget_spreads_what_is_over_the_minute() -> None:
    now = 0
    budget = DialBudget(per_minute=2, clock=lambda: now)
    assert budget.take() == 0
    assert budget.take() == 0
    assert budget.take() == 60_000_000_000
    now = 30_000_000_000
    assert budget.take() == 30_000_000_000
    now = 200_000_000_000
    assert budget.take() == 0


async def test_backoff_grows_to_its_ceiling_and_resets() -> None:
    class Top(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    backoff = Backoff(first_ms=100, max_ms=400, rng=Top())
    assert [backoff.next_s() for _ in range(4)] == [0.1, 0.2, 0.4, 0.4]
    backoff.reset()
    assert backoff.next_s() == 0.1


async def test_canonical_does_not_depend_on_key_order() -> None:
    assert canonical({"type": "bbo", "coin": "BTC"}) == canonical({"coin": "BTC", "type": "bbo"})
