"""All connections of the process: their numbers, how they reach the core, and what they cover."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hlfast.config.model import Config
from hlfast.engine.door import Door
from hlfast.engine.limits import most_tape_subscriptions, most_users
from hlfast.feeds.source import FeedSource, Key, Kind
from hlfast.feeds.trade_tape import TradeTape
from hlfast.feeds.user_fills import UserFills
from hlfast.lanes.http import HttpLane
from hlfast.lanes.ws_post import WsPostLane
from hlfast.telemetry.logs import EventLog
from hlfast.venue.ports import Ports
from hlfast.venue.ws import DIALS_PER_MINUTE, DialBudget, WsConnection

Post = Callable[[bytes], Awaitable[tuple[int, bytes]]]

# Without the venue's limits a restart storm of ours is still bounded.
_DIALS_WITHOUT_LIMITS: Final = 6_000


class Ways:
    """Feeds and lanes.

    Sources are numbered from 1: lanes, then user feeds, then tape feeds; the HTTP lane has the number after the last.

    Args:
        config: the settings.
        door: the way to the core.
        log: where ups, downs and refusals are written.
        post: sends one /exchange body.
        on_lane_up: told when a WebSocket lane opens.
        ports: how connections are dialled, and their clock.
    """

    def __init__(
        self, config: Config, door: Door, log: EventLog, post: Post, on_lane_up: Callable[[], None], ports: Ports
    ) -> None:
        self._ports = ports
        self._config = config
        self._door = door
        self._log = log
        self._on_lane_up = on_lane_up
        self._url = config.venue.stream_url
        self._ssl = ssl.create_default_context() if self._url.startswith("wss:") else None
        self._dials = DialBudget(
            DIALS_PER_MINUTE if config.venue.limits == "venue" else _DIALS_WITHOUT_LIMITS, clock=ports.monotonic_ns
        )
        settings = config.engine
        self._last = 0
        self.lanes = [self._open_lane() for _ in range(settings.lane_connections)]
        self.user_feeds = [self._open_feed("user") for _ in range(settings.user_connections)]
        self.tape_feeds = [self._open_feed("tape") for _ in range(settings.tape_connections)]
        self.feeds = [*self.user_feeds, *self.tape_feeds]
        self.http_lane = HttpLane(self._next_number(), post, door.http_answer)
        if settings.http_lane:
            door.attach(self.http_lane.number, self.http_lane.write)
        self.user_fills = UserFills(self.user_feeds, [each.address for each in config.leaders], most_users(config))
        self.tape = TradeTape(self.tape_feeds, most_tape_subscriptions(config, len(self.user_fills.watched)))
        self.downs = 0
        self._closing = False
        self._coverage: tuple[int, int, int] = (-1, 0, 0)

    def start_lanes(self) -> None:
        """Dial the lanes."""
        for lane in self.lanes:
            lane.start()

    def start_feeds(self, coins: list[str], pairs: list[str]) -> None:
        """Dial the feeds and want everything that leaders need; the leaders' own channels first.

        Args:
            coins: live perps.
            pairs: spot pairs; of these the core may ask for quotes.
        """
        self.user_fills.subscribe()
        self.tape.add_coins(coins, trades=self._config.engine.tape)
        self.tape.add_coins(pairs, trades=False)
        for feed in self.feeds:
            if coins:
                # The first coin of the universe is the busiest market of the venue: several quotes a second.
                feed.set_heartbeat({"type": "bbo", "coin": coins[0]})
            feed.start()

    def watch(self, leaders: list[str]) -> None:
        """Follow these leaders from now on."""
        self.user_fills.watch(leaders)
        self._coverage = (-1, 0, 0)

    def want(self, subscription: dict[str, Any]) -> None:
        """Carry a public channel that the core asks for."""
        if not self.tape.want(subscription):
            self._log.warning("subscription not possible", subscription=subscription)

    async def close_feeds(self) -> None:
        """Take nothing in any more."""
        self._closing = True
        for feed in self.feeds:
            await feed.close()

    async def close_lanes(self) -> None:
        """End the ways out."""
        for lane in self.lanes:
            await lane.close()
        await self.http_lane.close()

    def coverage(self) -> tuple[int, int]:
        """How many leaders have no userFills now, and how many of these are not on a whole tape either."""
        changes = sum(feed.changes for feed in self.feeds)
        if changes != self._coverage[0]:
            alone = len(self.user_fills.without_fills())
            on_tape = self._config.engine.tape and self.tape.is_whole()
            self._coverage = (changes, alone, 0 if on_tape else alone)
        return self._coverage[1], self._coverage[2]

    # told by feeds and lanes, on the loop

    def feed_up(self, feed: FeedSource) -> None:
        """Tell the core and the log."""
        self._door.source_up(feed.number, feed.kind)
        self._log.info("feed up", source=feed.number, kind=feed.kind)

    def feed_down(self, feed: FeedSource, reason: str) -> None:
        """Tell the core, which has a gap now, and the log."""
        self._door.source_down(feed.number)
        self._lost("feed down", source=feed.number, kind=feed.kind, reason=reason)

    def feed_refused(self, feed: FeedSource, key: Key, text: str) -> None:
        """Surface it: `coverage` counts it."""
        self._log.error("subscription refused", source=feed.number, subscription=key, text=text)

    def feed_error(self, feed: FeedSource, text: str) -> None:
        """Surface it."""
        self._log.warning("feed error", source=feed.number, text=text)

    def lane_up(self, lane: WsPostLane) -> None:
        """Tell the core, which may post now."""
        self._door.source_up(lane.number, "lane")
        self._log.info("lane up", source=lane.number)
        self._on_lane_up()

    def lane_down(self, lane: WsPostLane, reason: str) -> None:
        """Tell the core, whose posts there are unknown now."""
        self._door.source_down(lane.number)
        self._lost("lane down", source=lane.number, reason=reason)

    def lane_error(self, lane: WsPostLane, text: str) -> None:
        """Surface it; the post it belongs to runs into its timeout."""
        self._log.error("lane error", source=lane.number, text=text)

    def _lost(self, event: str, **fields: Any) -> None:
        if self._closing:
            self._log.info(event, **fields)
        else:
            self.downs += 1
            self._log.warning(event, **fields)

    def _open_lane(self) -> WsPostLane:
        lane = WsPostLane(self._next_number(), self, clock=self._ports.monotonic_ns)
        lane.attach(
            WsConnection(
                self._url,
                self._door.frames(lane.number, lane),
                on_up=lane.went_up,
                on_down=lane.went_down,
                on_pause=lane.pause,
                on_resume=lane.resume,
                ping_ms=self._config.engine.ping_ms,
                dials=self._dials,
                ssl_context=self._ssl,
                ports=self._ports,
            )
        )
        self._door.attach(lane.number, lane.write)
        return lane

    def _open_feed(self, kind: Kind) -> FeedSource:
        feed = FeedSource(self._next_number(), kind, self, clock=self._ports.monotonic_ns)
        feed.attach(
            WsConnection(
                self._url,
                self._door.frames(feed.number, feed),
                on_up=feed.went_up,
                on_down=feed.went_down,
                ping_ms=self._config.engine.ping_ms,
                dials=self._dials,
                ssl_context=self._ssl,
                ports=self._ports,
            )
        )
        return feed

    def _next_number(self) -> int:
        self._last += 1
        return self._last
