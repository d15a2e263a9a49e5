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

from hlfast.feeds.source import FeedSource, Key, key_of
from hlfast.venue.ws import Subscription

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
        self._most_users = most_users
        self._is_subscribed = False
        self.watched: list[str] = []
        self.unwatched: list[str] = []
        self.watch(leaders)

    def subscribe(self) -> None:
        """Subscribe everything: each leader's fills on every connection, then the owners' other channels."""
        self._is_subscribed = True
        self._change([], self.watched)

    def watch(self, leaders: Sequence[str]) -> None:
        """Follow these from now on. Who is followed already stays; others get the free places, in order."""
        addresses = [leader.lower() for leader in leaders]
        before = self.watched
        stay = [address for address in before if address in addresses]
        come = [address for address in addresses if address not in stay]
        self.watched = (stay + come)[: self._most_users]
        self.unwatched = [address for address in addresses if address not in self.watched]
        if self._is_subscribed:
            self._change(before, self.watched)

    def _change(self, before: Sequence[str], after: Sequence[str]) -> None:
        then, now = self._wanted(before), self._wanted(after)
        for place in then.keys() - now.keys():
            self._feeds[place[0]].unsubscribe(then[place])
        for place, subscription in now.items():
            if place not in then:
                self._feeds[place[0]].subscribe(subscription)

    def _wanted(self, watched: Sequence[str]) -> dict[tuple[int, Key], Subscription]:
        """What each connection should carry for these leaders, by its place and the subscription's key."""
        wanted: list[tuple[int, Subscription]] = [
            (place, {"type": "userFills", "user": address, "aggregateByTime": False})
            for place in range(len(self._feeds))
            for address in watched
        ]
        for place, owner in zip(range(len(self._feeds)), watched, strict=False):
            wanted += [(place, {"type": kind, "user": owner}) for kind in ("userEvents", "orderUpdates")]
        for address in watched if self._feeds else ():
            wanted.append((0, {"type": "userNonFundingLedgerUpdates", "user": address}))
        return {(place, key_of(subscription)): subscription for place, subscription in wanted}

    def without_fills(self) -> list[str]:
        """Leaders whose userFills no connection confirms now: left out, refused, or on connections that are down."""
        return self.unwatched + [address for address in self.watched if not self._is_seen(("userFills", address))]

    def _is_seen(self, key: Key) -> bool:
        return any(feed.is_acknowledged(key) for feed in self._feeds)
