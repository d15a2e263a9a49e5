"""The public tape: trades of every live coin, in which the core finds any number of leaders; and quotes it asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hlfast.feeds.source import FeedSource
from hlfast.venue.ws import Subscription


class TradeTape:
    """Spreads coins over the tape connections, evenly and steadily: a coin stays where it is.

    Coins must come from the venue's own metadata: on a name that it does not know it closes the socket without a word,
    and everything else on that socket with it.

    Args:
        feeds: the connections.
        most_subscriptions: how many subscriptions they may carry together; None for no limit.
    """

    def __init__(self, feeds: Sequence[FeedSource], most_subscriptions: int | None) -> None:
        self._feeds = list(feeds)
        self._most = most_subscriptions
        self._place: dict[str, FeedSource] = {}
        self._coins: dict[str, bool] = {}  # in the order learnt: whether its trades are wanted
        self.uncovered: list[str] = []  # coins that found no room
        self.refused_asks = 0

    def add_coins(self, coins: Iterable[str], *, trades: bool) -> None:
        """Learn live coins and, if `trades`, subscribe the trades of new ones; else quotes alone are."""
        for coin in coins:
            if coin in self._coins:
                continue
            self._coins[coin] = trades
            if trades and not self._carry({"type": "trades", "coin": coin}):
                self.uncovered.append(coin)

    def want(self, subscription: Subscription) -> bool:
        """Carry what the core asks for (bbo of a coin); False if there is no room or no such coin."""
        coin = subscription.get("coin")
        if coin in self._coins and self._carry(subscription):
            return True
        self.refused_asks += 1
        return False

    def is_whole(self) -> bool:
        """Whether the trades of every known coin are confirmed now: then a leader seen nowhere else is seen here."""
        traded = [coin for coin, trades in self._coins.items() if trades]
        return (
            bool(traded)
            and not self.uncovered
            and all(self._place[coin].is_acknowledged(("trades", coin.lower())) for coin in traded)
        )

    def _carry(self, subscription: Subscription) -> bool:
        if self._most is not None and sum(feed.subscriptions for feed in self._feeds) >= self._most:
            return False
        coin = str(subscription["coin"])
        feed = self._place.get(coin)
        if feed is None:
            feed = self._place[coin] = min(self._feeds, key=lambda each: each.subscriptions)
        feed.subscribe(subscription)
        return True
