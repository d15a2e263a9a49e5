"""One feed connection: what it carries, what the venue acknowledged of it, and when it last brought data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol

import msgspec

from hlfast._core import FRAME_ACK, FRAME_BAD, FRAME_ERROR, FRAME_OTHER
from hlfast.venue.ports import REAL
from hlfast.venue.ws import Down, Subscription, WsConnection

Kind = Literal["user", "tape"]
Key = tuple[str, str]

# One bad frame may be a venue's slip; this many on one connection mean that we no longer understand what comes.
BAD_FRAMES: Final = 8
_USER_LIMIT: Final = "Cannot track more than"


class Watcher(Protocol):
    """Who is told what happens to a feed."""

    def feed_up(self, feed: FeedSource) -> None:
        """It is open; its subscriptions go out right after this."""

    def feed_down(self, feed: FeedSource, reason: str) -> None:
        """It was open, and is gone."""

    def feed_refused(self, feed: FeedSource, key: Key, text: str) -> None:
        """The venue does not give this subscription here."""

    def feed_error(self, feed: FeedSource, text: str) -> None:
        """The venue complains of something else."""


class _Said(msgspec.Struct, gc=False):
    method: str = ""
    subscription: Subscription = {}


class _Ack(msgspec.Struct, gc=False):
    data: _Said


class _Error(msgspec.Struct, gc=False):
    data: str


def key_of(subscription: Subscription) -> Key:
    """What identifies a subscription whatever defaults the venue filled in: its type, and its user or coin."""
    return str(subscription.get("type", "")), str(subscription.get("user") or subscription.get("coin") or "").lower()


class FeedSource:
    """A connection for leaders' own channels ("user") or for public ones ("tape").

    Args:
        number: its source number.
        kind: what it carries.
        watcher: told of ups, downs and refusals.

    Attributes:
        data_ns: monotonic time of the last frame with data, whoever's.
        up_ns: monotonic time of the opening; 0 when down.
        refused: subscriptions that the venue does not give on this connection, since it opened.
        changes: grows with each change of what is acknowledged, so that a reader can keep what it computed.
    """

    def __init__(
        self, number: int, kind: Kind, watcher: Watcher, *, clock: Callable[[], int] = REAL.monotonic_ns
    ) -> None:
        self.number = number
        self.kind: Kind = kind
        self.data_ns = 0
        self.up_ns = 0
        self.bad_frames = 0
        self.changes = 0
        self.refused: set[Key] = set()
        self._watcher = watcher
        self._clock = clock
        self._connection: WsConnection
        self._wanted: dict[Key, Subscription] = {}
        self._pending: dict[Key, None] = {}  # in the order sent, which is the order of the venue's answers
        self._answered_ns = 0  # when the venue answered a subscription last, or was first asked for one again
        self._heartbeat: Subscription | None = None

    def attach(self, connection: WsConnection) -> None:
        """Give it its connection; once, before anything else."""
        self._connection = connection

    def start(self) -> None:
        """Begin to dial."""
        self._connection.start()

    async def close(self) -> None:
        """End for good."""
        await self._connection.close()

    def reconnect(self, reason: str) -> None:
        """Drop the connection and dial again."""
        self._connection.reconnect(reason)

    @property
    def owed_ns(self) -> int:
        """Monotonic time since when the venue owes an answer to a subscription; 0 when it owes none, or is away."""
        return self._answered_ns if self._pending and self.up_ns else 0

    @property
    def subscriptions(self) -> int:
        """How many subscriptions it carries or tries to."""
        return len(self._wanted)

    def is_acknowledged(self, key: Key) -> bool:
        """Whether the venue has confirmed this subscription on the connection as it is now."""
        return self.up_ns != 0 and key in self._wanted and key not in self._pending and key not in self.refused

    def wants(self, key: Key) -> bool:
        """Whether it carries this subscription or tries to."""
        return key in self._wanted

    def subscribe(self, subscription: Subscription) -> None:
        """Carry a subscription from now on and across reconnects. Asking twice is the same as once."""
        key = key_of(subscription)
        if key in self._wanted:
            return
        self._wanted[key] = subscription
        if not self._pending:
            self._answered_ns = self._clock()
        self._pending[key] = None
        self.changes += 1
        self._connection.subscribe(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Carry a subscription no more."""
        key = key_of(subscription)
        if self._wanted.pop(key, None) is None:
            return
        self._pending.pop(key, None)
        self.refused.discard(key)
        self.changes += 1
        self._connection.unsubscribe(subscription)

    def set_heartbeat(self, subscription: Subscription) -> None:
        """Name a busy public channel that tells whether data still flows, and subscribe it."""
        self._heartbeat = subscription
        self.subscribe(subscription)

    def probe(self) -> bool:
        """Ask for the heartbeat's snapshot again; False if no data ever came here: then silence is no sign."""
        if self._heartbeat is None or self.data_ns <= self.up_ns:
            return False
        for method in ("unsubscribe", "subscribe"):
            self._connection.send_text(msgspec.json.encode({"method": method, "subscription": self._heartbeat}))
        return True

    # called by the connection, on the loop

    def went_up(self) -> None:
        """The connection is open; it sends every wanted subscription right after this."""
        self.up_ns = self._answered_ns = self._clock()
        self.bad_frames = 0
        self.refused.clear()
        self._pending = dict.fromkeys(self._wanted)
        self.changes += 1
        self._watcher.feed_up(self)

    def went_down(self, down: Down) -> None:
        """The connection ended, or could not be opened."""
        self.up_ns = 0
        self.changes += 1
        if down.was_up:
            self._watcher.feed_down(self, down.reason)

    def notice(self, frame_class: int, payload: bytes) -> None:
        """A frame that the core does not take: acknowledgements, errors, nonsense."""
        if frame_class == FRAME_OTHER:
            self.data_ns = self._clock()  # trades of strangers: the feed speaks
            return
        if frame_class == FRAME_BAD:
            self.bad_frames += 1
            if self.bad_frames >= BAD_FRAMES:
                self.reconnect(f"{BAD_FRAMES} malformed frames")
            return
        try:
            if frame_class == FRAME_ACK:
                said = msgspec.json.decode(payload, type=_Ack).data
                if said.method == "subscribe":
                    self._settle(key_of(said.subscription))
            elif frame_class == FRAME_ERROR:
                self._on_error(msgspec.json.decode(payload, type=_Error).data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._watcher.feed_error(self, f"an answer in no known shape: {error}")

    def _on_error(self, text: str) -> None:
        if text.startswith(_USER_LIMIT):
            # The text names no user. Answers come in the order of the requests, so it is the oldest one without an
            # answer.
            key = next((pending for pending, sub in self._unanswered() if "user" in sub), None)
        else:
            _, brace, rest = text.partition("{")
            key = _key_in(brace + rest)
        if key is None or key not in self._pending:
            self._watcher.feed_error(self, text)
            return
        self._settle(key)
        if not text.startswith("Already subscribed"):
            self.refused.add(key)
            self._watcher.feed_refused(self, key, text)

    def _settle(self, key: Key) -> None:
        self._pending.pop(key, None)
        self._answered_ns = self._clock()
        self.changes += 1

    def _unanswered(self) -> list[tuple[Key, Subscription]]:
        return [(key, self._wanted[key]) for key in self._pending]


def _key_in(text: str) -> Key | None:
    try:
        return key_of(msgspec.json.decode(text, type=Subscription)) if text else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
