"""Who subscribed to what, and the publication of blocks and periodic states to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Protocol

import orjson

from hlfast.sim.blocks import Block
from hlfast.sim.channels import Snapshots, packed
from hlfast.sim.info import Info
from hlfast.sim.info.history import aggregated
from hlfast.sim.venue import Venue

# Channels that are pushed whole again and again, and how often (measured on the live venue in 2026).
FAST_MS = 500
CONTEXT_MS = 1_000
STATE_MS = 5_000
ALL_CONTEXTS_MS = 14_000


class Receiver(Protocol):
    """A connection that frames can be written to."""

    def send(self, payload: bytes) -> None:
        """Write one text frame; a closed or clogged connection drops it."""


class Topic:
    """One subscription, spelled canonically, and its receivers."""

    __slots__ = ("due_ms", "last", "period_ms", "receivers", "sub")

    def __init__(self, sub: dict[str, Any], now_ms: int) -> None:
        self.sub = sub
        self.receivers: dict[Receiver, None] = {}
        self.period_ms = _period_ms(sub)
        self.due_ms = now_ms + self.period_ms
        self.last: object = None

    def send(self, channel: str, data: Any) -> None:
        """Encode once, write to everybody."""
        payload = frame(channel, data)
        for receiver in list(self.receivers):
            receiver.send(payload)


def frame(channel: str, data: Any) -> bytes:
    """Return the venue's envelope of a channel."""
    return orjson.dumps({"channel": channel, "data": data})


class Hub:
    """Topics by (type, coin or user or nothing)."""

    def __init__(self, venue: Venue, info: Info) -> None:
        self._venue = venue
        self._info = info
        self.snapshots = Snapshots(venue, info)
        self._topics: dict[tuple[str, str], dict[bytes, Topic]] = {}
        # No topic is due before: most ticks of the venue push nothing.
        self._due_ms = math.inf

    @staticmethod
    def _key(sub: dict[str, Any]) -> tuple[str, str]:
        return sub["type"], sub.get("user") or sub.get("coin") or ""

    def join(self, receiver: Receiver, sub: dict[str, Any]) -> None:
        """Add a receiver; its first frame is the caller's business."""
        topics = self._topics.setdefault(self._key(sub), {})
        spelled = orjson.dumps(sub)
        topic = topics.get(spelled)
        if topic is None:
            topic = topics[spelled] = Topic(sub, self._venue.time_ms())
            self._due_ms = min(self._due_ms, topic.due_ms)
        topic.receivers[receiver] = None

    def leave(self, receiver: Receiver, sub: dict[str, Any]) -> None:
        """Take a receiver out."""
        topics = self._topics.get(self._key(sub), {})
        spelled = orjson.dumps(sub)
        topic = topics.get(spelled)
        if topic is None:
            return
        topic.receivers.pop(receiver, None)
        if not topic.receivers:
            del topics[spelled]
            if not topics:
                del self._topics[self._key(sub)]

    def _of(self, kind: str, name: str) -> Iterable[Topic]:
        found = self._topics.get((kind, name))
        return list(found.values()) if found else ()

    def publish(self, block: Block) -> None:
        """Send everything that a block changed; all frames carry its time."""
        self._venue.bars.close_block(block.time_ms)
        self._publish_accounts(block)
        for coin, trades in block.trades.items():
            if self._venue.settings.trades_frame == "block":
                self._send("trades", coin, "trades", trades)
                continue
            for _, taken in groupby(trades, key=lambda row: (row["hash"], row["side"])):
                self._send("trades", coin, "trades", list(taken))
        for coin in sorted(block.coins):  # a set's own order changes from process to process
            self._publish_quotes(coin, block.time_ms)
        for coin in block.trades:
            self._publish_candles(coin)

    def _send(self, kind: str, name: str, channel: str, data: Any) -> None:
        for topic in self._of(kind, name):
            topic.send(channel, data)

    def _publish_accounts(self, block: Block) -> None:
        for user, fills in block.fills.items():
            self._publish_fills(user, fills)
        channels = (
            ("userTwapSliceFills", "twapSliceFills", block.twap_slices),
            ("userTwapHistory", "history", block.twap_history),
            ("userFundings", "fundings", block.fundings),
            ("userNonFundingLedgerUpdates", "nonFundingLedgerUpdates", block.ledger_updates),
        )
        for channel, key, by_user in channels:
            for user, rows in by_user.items():
                self._send(channel, user, channel, {"user": user, key: rows})
        for user, updates in block.order_updates.items():
            self._publish_orders(user, updates)
        self._publish_events(block)

    def _publish_events(self, block: Block) -> None:
        whole = (
            ("fills", block.fills),
            ("twapSliceFills", block.twap_slices),
            ("twapHistory", block.twap_history),
            ("nonUserCancel", block.venue_cancels),
        )
        for key, by_user in whole:
            for user, rows in by_user.items():
                self._send("userEvents", user, "user", {key: rows})
        for key, by_user in (("funding", block.fundings), ("liquidation", block.liquidations)):
            for user, rows in by_user.items():
                for row in rows:
                    self._send("userEvents", user, "user", {key: row})

    def _publish_fills(self, user: str, fills: list[dict[str, Any]]) -> None:
        for topic in self._of("userFills", user):
            rows = aggregated(fills) if topic.sub["aggregateByTime"] else fills
            topic.send("userFills", {"user": user, "fills": rows})
        if self._of("notification", user):
            for row in fills:
                if not row["crossed"]:
                    verb = "Bought" if row["side"] == "B" else "Sold"
                    text = f"Resting order filled: {verb} {row['sz']} {row['coin']} at ${row['px']}"
                    self._send("notification", user, "notification", {"notification": text})

    def _publish_orders(self, user: str, updates: list[dict[str, Any]]) -> None:
        self._send("orderUpdates", user, "orderUpdates", updates)
        if self._of("userHistoricalOrders", user):
            rows = self._info.history.order_rows(user, updates)
            self._send("userHistoricalOrders", user, "userHistoricalOrders", {"user": user, "orderHistory": rows})

    def _publish_quotes(self, coin: str, time_ms: int) -> None:
        for topic in self._of("bbo", coin):
            data = self._info.market.bbo(self._venue.universe.by_coin[coin], time_ms)
            if data["bbo"] != topic.last:
                topic.last = data["bbo"]
                topic.send("bbo", data)

    def _publish_candles(self, coin: str) -> None:
        for topic in self._of("candle", coin):
            state = self.snapshots.state(topic.sub)
            if state is not None:
                topic.send(*state)

    def push_states(self) -> None:
        """Send the channels that repeat their whole state, each at its own pace; called about every 100 ms."""
        now = self._venue.time_ms()
        if now < self._due_ms:
            return
        topics = list(self._all())
        for topic in topics:
            if now < topic.due_ms:
                continue
            topic.due_ms = now + topic.period_ms
            if topic.sub["type"] == "fastAssetCtxs":
                self._push_fast_contexts(topic)
                continue
            state = self.snapshots.state(topic.sub)
            if state is not None:
                topic.send(*state)
        self._due_ms = min((topic.due_ms for topic in topics), default=math.inf)

    def _push_fast_contexts(self, topic: Topic) -> None:
        """Send what changed since the last push; the first one after a subscription finds everything changed."""
        now = self._info.market.fast_contexts()
        before = topic.last if isinstance(topic.last, dict) else {}
        topic.last = now
        changed = {
            coin: {key: value for key, value in shown.items() if before.get(coin, {}).get(key) != value}
            for coin, shown in now.items()
            if before.get(coin) != shown
        }
        if changed:
            topic.send("fastAssetCtxs", packed(changed))

    def _all(self) -> Iterator[Topic]:
        for topics in self._topics.values():
            yield from topics.values()


def _period_ms(sub: dict[str, Any]) -> float:
    """How often a subscription's whole state is pushed; infinity: never."""
    if sub["type"] == "l2Book" and sub["fast"]:
        return FAST_MS
    return _PERIODS_MS.get(sub["type"], math.inf)


_PERIODS_MS = dict.fromkeys(
    (
        "l2Book",
        "allMids",
        "clearinghouseState",
        "openOrders",
        "spotState",
        "twapStates",
        "allDexsClearinghouseState",
        "webData2",
        "webData3",
        "activeAssetData",
    ),
    STATE_MS,
) | {
    "activeAssetCtx": CONTEXT_MS,
    "fastAssetCtxs": CONTEXT_MS,
    "assetCtxs": ALL_CONTEXTS_MS,
    "spotAssetCtxs": ALL_CONTEXTS_MS,
    "allDexsAssetCtxs": ALL_CONTEXTS_MS,
}
