"""Finds feeds that are open but silent.

Silence alone proves nothing: a quiet market is silent too. So a feed that brought no data for `stall_ms` is asked for
some, by subscribing its heartbeat again, which the venue answers with a snapshot. Silence after that is a stall. The
age is that of the last data received; what we send, and pongs, do not renew it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

_MS_NS: Final = 1_000_000


class Watched(Protocol):
    """A feed connection."""

    data_ns: int

    @property
    def up_ns(self) -> int:
        """Monotonic time of its opening; 0 when it is down."""

    def probe(self) -> bool:
        """Ask the venue for data on this connection; False if it has no heartbeat that ever brought any."""

    def reconnect(self, reason: str) -> None:
        """Drop it and dial again."""


class Watchdog:
    """Judges feeds by the age of their data.

    Args:
        feeds: those to watch.
        stall_ms: silence after which a feed is probed, and after which a probed feed is dropped: found within twice
        this.
    """

    def __init__(self, feeds: Iterable[Watched], stall_ms: int) -> None:
        self._feeds = list(feeds)
        self._stall_ms = stall_ms
        self._probed: dict[int, int] = {}  # feed's place → when it was probed
        self.stalls = 0

    def check(self, now_ns: int) -> None:
        """Judge every feed. Called a few times per `stall_ms`.

        Args:
            now_ns: monotonic.
        """
        stall_ns = self._stall_ms * _MS_NS
        for place, feed in enumerate(self._feeds):
            probed_ns = self._probed.get(place)
            last_ns = max(feed.data_ns, feed.up_ns)
            if feed.up_ns == 0 or now_ns - last_ns <= stall_ns or (probed_ns is not None and last_ns >= probed_ns):
                self._probed.pop(place, None)
            elif probed_ns is None:
                if feed.probe():
                    self._probed[place] = now_ns
            elif now_ns - probed_ns > stall_ns:
                del self._probed[place]
                self.stalls += 1
                feed.reconnect(f"no data for {(now_ns - last_ns) // _MS_NS} ms, not even when asked for")
