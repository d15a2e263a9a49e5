"""Finds feeds that are open but silent, within `stall_ms`.

Silence alone proves nothing: a quiet market is silent too. So a feed that brought no data for a while is asked for
some, by subscribing its heartbeat again, which the venue answers with a snapshot; silence after that is a stall. The
age is that of the last data received; what we send, and pongs, do not renew it. A feed that speaks only when it is
asked is asked ever more rarely, down to once in twice `stall_ms`: there is nobody's news to miss on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

_MS_NS: Final = 1_000_000
# Waiting before the question, waiting for its answer, and a look's delay after each: 80 % of `stall_ms`, the rest for a
# loop that is late itself.
_PATIENCE_NS_PER_MS: Final = 350_000
LOOKS_PER_STALL: Final = 20
_QUIETEST: Final = 2
# On a slow network the answer comes late on every connection: one that was dropped is given longer, up to so many
# times, unless its next life shows at once that the network is not to blame, or it spoke of its own accord for a while.
_MOST_GRACE: Final = 8
_SOUND_STALLS: Final = 10
# The venue confirms a subscription within a round trip: one that it never answered is as good as none.
_UNANSWERED: Final = 5


class Watched(Protocol):
    """A feed connection."""

    number: int
    data_ns: int

    @property
    def up_ns(self) -> int:
        """Monotonic time of its opening; 0 when it is down."""

    @property
    def owed_ns(self) -> int:
        """Monotonic time since when the venue owes an answer to a subscription; 0: it owes none."""

    def probe(self) -> bool:
        """Ask the venue for data on this connection; False if it has no heartbeat that ever brought any."""

    def reconnect(self, reason: str) -> None:
        """Drop it and dial again."""


class Watchdog:
    """Judges feeds by the age of their data.

    Args:
        feeds: those to watch.
        stall_ms: within this a feed that fell silent is dropped; within `2.5 * stall_ms` if it was quiet before, and
            within `5 * stall_ms` if a subscription stays without an answer.
    """

    def __init__(self, feeds: Iterable[Watched], stall_ms: int) -> None:
        self._watches = [_Watch(feed, stall_ms) for feed in feeds]
        self.stalls = 0

    def check(self, now_ns: int) -> None:
        """Judge every feed. Called `LOOKS_PER_STALL` times per `stall_ms`.

        Args:
            now_ns: monotonic.
        """
        for watch in self._watches:
            reason = watch.judge(now_ns)
            if reason:
                self._drop(watch.feed, reason)

    def accuse(self, number: int, reason: str) -> None:
        """Drop a feed that the core found silent of one leader, by what others brought."""
        for watch in self._watches:
            if watch.feed.number == number and watch.feed.up_ns:
                self._drop(watch.feed, reason)

    def _drop(self, feed: Watched, reason: str) -> None:
        self.stalls += 1
        feed.reconnect(reason)


class _Watch:
    """What is known of one feed in its present life."""

    def __init__(self, feed: Watched, stall_ms: int) -> None:
        self.feed = feed
        self._patience_ns = stall_ms * _PATIENCE_NS_PER_MS
        self._quietest_ns = _QUIETEST * stall_ms * _MS_NS
        self._unanswered_ns = _UNANSWERED * stall_ms * _MS_NS
        self._sound_ns = _SOUND_STALLS * stall_ms * _MS_NS
        self._grace = 1
        self._begin(0)

    def _begin(self, up_ns: int) -> None:
        self._up_ns = up_ns
        self._wait_ns = self._patience_ns
        self._probed_ns = 0
        self._answered_ns = up_ns

    def judge(self, now_ns: int) -> str:
        """Return why the feed is to be dropped; empty when it is not."""
        feed = self.feed
        if feed.up_ns != self._up_ns:
            self._begin(feed.up_ns)
        if feed.up_ns == 0:
            return ""
        if feed.owed_ns and now_ns - feed.owed_ns > self._unanswered_ns:
            return f"a subscription without an answer for {(now_ns - feed.owed_ns) // _MS_NS} ms"
        last_ns = max(feed.data_ns, feed.up_ns)
        if self._probed_ns:
            return self._await_answer(last_ns, now_ns)
        if last_ns > self._answered_ns:  # it speaks of its own accord
            self._wait_ns = self._patience_ns
            if not self._patience_ns < last_ns - feed.up_ns < self._sound_ns:
                self._grace = 1
        if now_ns - last_ns > self._wait_ns and feed.probe():
            self._probed_ns = now_ns
        return ""

    def _await_answer(self, last_ns: int, now_ns: int) -> str:
        if last_ns >= self._probed_ns:
            if last_ns - self._probed_ns <= self._patience_ns:
                self._grace = 1
            self._probed_ns, self._answered_ns = 0, last_ns
            self._wait_ns = min(2 * self._wait_ns, self._quietest_ns)
        elif now_ns - self._probed_ns > self._grace * self._patience_ns:
            self._grace = min(2 * self._grace, _MOST_GRACE)
            return f"no data for {(now_ns - last_ns) // _MS_NS} ms, not even when asked for"
        return ""
