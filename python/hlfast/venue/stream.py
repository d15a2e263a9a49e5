"""Typed subscriptions and posts over one WebSocket, for users of the library.

The engine does not use this: its frames go to the core as bytes. Here each subscription is an async iterator of decoded
values behind a bounded queue, and the same connection carries reads and actions as posts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import msgspec
import orjson

from hlfast.errors import FeedError
from hlfast.venue.accounts import Fill, OrderRecord
from hlfast.venue.http import NO_ANSWER
from hlfast.venue.markets import BestPrices, Book, Candle, Trade
from hlfast.venue.shapes import Answer
from hlfast.venue.ws import Down, Subscription, WsConnection

T = TypeVar("T")
# Of posts in flight the venue takes 100 from one address (2026-08).
POSTS_IN_FLIGHT: Final = 100
_MIRRORED: Final = {"userEvents": "user"}  # types whose channel has another name
# Frames of these say nothing of whom they are about, so one connection carries one such subscription.
_NAMELESS: Final = frozenset({"orderUpdates", "userEvents"})
# What the error channel says when a subscribing failed; it says other things about posts.
_REFUSALS: Final = ("Invalid subscription", "Cannot track", "Already subscribed")


class UserFills(Answer, frozen=True, kw_only=True):
    """Fills of one account. A snapshot (newest first, at most 2,000) follows each subscribing, reconnects included."""

    user: str
    fills: tuple[Fill, ...]
    is_snapshot: bool = False


class _Frame(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Row(msgspec.Struct):
    """The fields by which frames are told apart."""

    coin: str | None = None
    user: str | None = None
    s: str | None = None
    i: str | None = None


class _PostAnswer(msgspec.Struct):
    type: str
    payload: msgspec.Raw


class _Post(msgspec.Struct):
    id: int
    response: _PostAnswer


class _InfoPayload(msgspec.Struct):
    data: msgspec.Raw


_frames = msgspec.json.Decoder(_Frame)
_rows = msgspec.json.Decoder(_Row | tuple[_Row, ...])
_posts = msgspec.json.Decoder(_Post)


class Feed(Generic[T]):
    """One subscription: iterate over it. Ends with `FeedError` when refused by the venue, or when read too slowly."""

    def __init__(self, subscription: Subscription, shape: Any, room: int) -> None:
        self.subscription = subscription
        self.key = _key_of(subscription)
        self.acknowledged = False
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(shape)
        self._queue: asyncio.Queue[T | FeedError] = asyncio.Queue(room)
        self._over: FeedError | None = None

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._over is not None and self._queue.empty():
            raise self._over
        item = await self._queue.get()
        if isinstance(item, FeedError):
            raise item
        return item

    def put(self, data: bytes) -> None:
        """Decode and queue one frame's data."""
        if self._over is not None:
            return
        try:
            self._queue.put_nowait(self._decoder.decode(data))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.end(FeedError(f"{self.key[0]}: a frame is not of the known shape ({error})"))
        except asyncio.QueueFull:
            self.end(FeedError(f"{self.key[0]}: {self._queue.maxsize} frames were not read in time; subscribe again"))

    def end(self, why: FeedError) -> None:
        """Let the reader have what is queued, then `why`."""
        if self._over is None:
            self._over = why
            if not self._queue.full():
                self._queue.put_nowait(why)


class Streams:
    """A connection with typed feeds, and a road for `Info` and `Exchange` over posts.

    ```python
    async with Streams("wss://api.hyperliquid-testnet.xyz/ws") as streams:
        async for trades in streams.trades("BTC"):
            print(trades[0].px)
    ```

    Subscriptions survive reconnects; what happened meanwhile is not repeated by the venue except in snapshots, so pass
    `on_gap` if that matters. A name the venue does not know makes it close the socket without a word: take coins from
    `Assets`. Limits of one address (2026-08): 10 connections, 1,000 subscriptions, 10 users.

    Args:
        url: the WebSocket's address.
        room: frames a feed may hold before its reader is too slow.
        on_gap: called when the connection is lost.
    """

    def __init__(self, url: str, *, room: int = 10_000, on_gap: Callable[[Down], None] | None = None) -> None:
        self._connection = WsConnection(url, self._on_frame, on_up=self._on_up, on_down=self._on_down)
        self._room = room
        self._on_gap = on_gap
        self._feeds: dict[tuple[str, ...], Feed[Any]] = {}
        self._waiting: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._next_id = 0
        self._up = asyncio.Event()
        self._room_for_posts = asyncio.Semaphore(POSTS_IN_FLIGHT)

    # feeds

    def trades(self, coin: str) -> Feed[tuple[Trade, ...]]:
        """Public trades. The first frame holds older ones."""
        return self.subscribe({"type": "trades", "coin": coin}, tuple[Trade, ...])

    def best_prices(self, coin: str) -> Feed[BestPrices]:
        """Best bid and ask, each block in which they changed."""
        return self.subscribe({"type": "bbo", "coin": coin}, BestPrices)

    def book(self, coin: str) -> Feed[Book]:
        """The whole book, 20 levels a side, about every 5 s."""
        return self.subscribe({"type": "l2Book", "coin": coin}, Book)

    def candles(self, coin: str, interval: str) -> Feed[Candle]:
        """The running candle, on each change."""
        return self.subscribe({"type": "candle", "coin": coin, "interval": interval}, Candle)

    def user_fills(self, user: str) -> Feed[UserFills]:
        """Fills of any account; begins with a snapshot. TWAP slices are not among them."""
        return self.subscribe({"type": "userFills", "user": user.lower()}, UserFills)

    def order_updates(self, user: str) -> Feed[tuple[OrderRecord, ...]]:
        """Order changes of any account. One such feed a connection: its frames do not say whose they are."""
        return self.subscribe({"type": "orderUpdates", "user": user.lower()}, tuple[OrderRecord, ...])

    def subscribe(self, subscription: Subscription, shape: Any) -> Feed[Any]:
        """Subscribe anything and decode its data as `shape`.

        Raises:
            ValueError: this connection has that feed already, or one that cannot be told from it.
        """
        key = _key_of(subscription)
        if key in self._feeds:
            raise ValueError(f"this connection already carries {'/'.join(key)}: open another Streams")
        feed: Feed[Any] = Feed(subscription, shape, self._room)
        self._feeds[key] = feed
        self._connection.subscribe(subscription)
        return feed

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a feed; its reader gets what is queued, then `FeedError`."""
        feed = self._feeds.pop(_key_of(subscription), None)
        if feed is not None:
            self._connection.unsubscribe(subscription)
            feed.end(FeedError(f"{feed.key[0]}: unsubscribed"))

    # posts

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        """Send a read ("/info") or an action ("/exchange") over this connection; see `Road`.

        Spends the same weight as HTTP. When the connection is lost the answer is lost with it: status 0, *unknown*.
        """
        kind = {"/info": "info", "/exchange": "action"}[path]
        async with self._room_for_posts:
            if not self._connection.is_up:
                return NO_ANSWER, b"the connection is down; nothing was sent"
            self._next_id += 1
            post_id = self._next_id
            answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
            self._waiting[post_id] = answer
            payload = orjson.Fragment(body)
            request = {"method": "post", "id": post_id, "request": {"type": kind, "payload": payload}}
            self._connection.send_text(orjson.dumps(request))
            try:
                async with asyncio.timeout((deadline_ms or 10_000) / 1000):
                    return await answer
            except TimeoutError:
                return NO_ANSWER, b"no answer before the deadline"
            finally:
                self._waiting.pop(post_id, None)

    # lifecycle

    async def __aenter__(self) -> Self:
        self._connection.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()
        for feed in self._feeds.values():
            feed.end(FeedError(f"{feed.key[0]}: the connection was closed"))

    async def wait_up(self) -> None:
        """Wait until the connection is open."""
        await self._up.wait()

    def _on_up(self) -> None:
        for feed in self._feeds.values():
            feed.acknowledged = False
        self._up.set()

    def _on_down(self, down: Down) -> None:
        self._up.clear()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result((NO_ANSWER, f"the connection was lost: {down.reason}".encode()))
        if down.was_up and self._on_gap is not None:
            self._on_gap(down)

    def _on_frame(self, payload: bytes, _recv_ns: int) -> None:
        try:
            frame = _frames.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # the venue's greeting of old, or noise: neither belongs to a feed
        data = bytes(frame.data)
        if frame.channel == "post":
            self._on_post(data)
        elif frame.channel == "error":
            self._on_error(orjson.loads(data))
        elif frame.channel == "subscriptionResponse":
            self._on_acknowledged(orjson.loads(data))
        else:
            self._on_data(frame.channel, data)

    def _on_data(self, channel: str, data: bytes) -> None:
        feed = self._feeds.get((channel,))
        if feed is None:
            try:
                row = _rows.decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return  # a channel of a later day: nobody here asked for it
            feed = self._feeds.get((channel, *_words_of(row if isinstance(row, _Row) else row[0] if row else _Row())))
        if feed is not None:
            feed.put(data)

    def _on_post(self, data: bytes) -> None:
        post = _posts.decode(data)
        answer = self._waiting.get(post.id)
        if answer is None or answer.done():
            return  # later than its deadline
        payload = bytes(post.response.payload)
        if post.response.type == "error":
            text = str(orjson.loads(payload))
            status = int(text[:3]) if text[:3].isdigit() else 400
            answer.set_result((status, text.encode()))
        elif post.response.type == "info":
            answer.set_result((200, bytes(msgspec.json.decode(payload, type=_InfoPayload).data)))
        else:
            answer.set_result((200, payload))

    def _on_acknowledged(self, said: Any) -> None:
        if isinstance(said, dict) and said.get("method") == "subscribe":
            feed = self._feeds.get(_key_of(said.get("subscription", {})))
            if feed is not None:
                feed.acknowledged = True

    def _on_error(self, text: Any) -> None:
        """End the feed that the venue refused: the one its text names, else the oldest without an acknowledgement."""
        said = str(text)
        if not said.startswith(_REFUSALS):
            return  # about a post, which has a deadline, or about an unsubscribing, which is done
        open_feeds = [feed for feed in self._feeds.values() if not feed.acknowledged]
        named = [feed for feed in open_feeds if all(f'"{word}"' in said for word in feed.key[1:])]
        for feed in (named or open_feeds)[:1]:
            del self._feeds[feed.key]
            self._connection.forget(feed.subscription)
            feed.end(FeedError(f"{'/'.join(feed.key)} was refused: {said}"))


def _words_of(row: _Row) -> tuple[str, ...]:
    if row.s is not None:
        return (row.s, row.i or "")
    return (row.coin or row.user or "",)


def _key_of(subscription: Subscription) -> tuple[str, ...]:
    """Return what its frames can be told by: channel, then coin or user, then interval."""
    kind = str(subscription.get("type", ""))
    channel = _MIRRORED.get(kind, kind)
    if kind in _NAMELESS:
        return (channel,)
    words = (subscription.get("coin") or subscription.get("user"), subscription.get("interval"))
    return (channel, *(str(word) for word in words if word))
