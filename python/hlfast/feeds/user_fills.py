"""Leaders' own channels: userFills, and userEvents and orderUpdates where a socket is free for them.

The venue follows at most ten users per source address (2026-08), so under `limits = "venue"` the first `WATCHED_USERS`
leaders of the configuration are watched here and the others by the public tape alone. A watched leader is on every
user connection: the limit counts users, not subscriptions, and whichever delivers first wins.

Frames of userEvents and orderUpdates name no user. So a connection carries those of one leader at most, its owner, and
leaders without a connection of their own go without: their fills still arrive as userFills, and their state by
periodic reads.

Transfers (userNonFundingLedgerUpdates) name their user; the first connection carries them for all watched leaders. What
it missed while it was down is in the snapshot that follows the next subscription.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlfast.feeds.source import FeedSource, Key

# Two of the venue's ten are left for a failover and an operator's own look.
WATCHED_USERS: Final = 8


class UserFills:
    """Spreads leaders over the user connections.

    Args:
        feeds: the connections.
        leaders: addresses in order of importance.
        most_users: how many users the source address may follow; None for no limit.
    """

    def __init__(self, feeds: Sequence[FeedSource], leaders: Sequence[str], most_users: int | None) -> None:
        self._feeds = list(feeds)
        addresses = [leader.lower() for leader in leaders]
        self.watched = addresses[:most_users]
        self.unwatched = addresses[len(self.watched) :]

    def subscribe(self) -> None:
        """Subscribe everything: each leader's fills on every connection, then the owners' other channels."""
        for feed in self._feeds:
            for address in self.watched:
                feed.subscribe({"type": "userFills", "user": address, "aggregateByTime": False})
        for feed, owner in zip(self._feeds, self.watched, strict=False):
            feed.subscribe({"type": "userEvents", "user": owner})
            feed.subscribe({"type": "orderUpdates", "user": owner})
        for address in self.watched if self._feeds else ():
            self._feeds[0].subscribe({"type": "userNonFundingLedgerUpdates", "user": address})

    def without_fills(self) -> list[str]:
        """Leaders whose userFills no connection confirms now: left out, refused, or on connections that are down."""
        return self.unwatched + [address for address in self.watched if not self._is_seen(("userFills", address))]

    def _is_seen(self, key: Key) -> bool:
        return any(feed.is_acknowledged(key) for feed in self._feeds)
