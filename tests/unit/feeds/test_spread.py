from __future__ import annotations

from hlfast.feeds.trade_tape import TradeTape
from hlfast.feeds.user_fills import WATCHED_USERS, UserFills


class Feed:
    def __init__(self) -> None:
        self.wanted: list[dict] = []
        self.seen: set[tuple[str, str]] = set()

    @property
    def subscriptions(self) -> int:
        return len(self.wanted)

    def subscribe(self, subscription: dict) -> None:
        if subscription not in self.wanted:
            self.wanted.append(subscription)

    def unsubscribe(self, subscription: dict) -> None:
        self.wanted.remove(subscription)

    def is_acknowledged(self, key: tuple[str, str]) -> bool:
        return key in self.seen

    def of(self, kind: str) -> list[str]:
        return [each.get("user") or each["coin"] for each in self.wanted if each["type"] == kind]


def leaders(count: int) -> list[str]:
    return [f"0x{number:040X}" for number in range(count)]


def test_user_fills_puts_each_watched_leader_on_every_connection() -> None:
    feeds = [Feed(), Feed()]
    fills = UserFills(feeds, leaders(3), WATCHED_USERS)
    fills.subscribe()
    wanted = [address.lower() for address in leaders(3)]
    assert feeds[0].of("userFills") == feeds[1].of("userFills") == wanted


def test_user_fills_gives_a_connection_the_nameless_channels_of_one_leader_only() -> None:
    feeds = [Feed(), Feed()]
    UserFills(feeds, leaders(5), WATCHED_USERS).subscribe()
    for kind in ("userEvents", "orderUpdates"):
        assert [feed.of(kind) for feed in feeds] == [[leaders(5)[0].lower()], [leaders(5)[1].lower()]]


def test_user_fills_asks_for_the_transfers_of_all_on_the_first_connection() -> None:
    feeds = [Feed(), Feed()]
    UserFills(feeds, leaders(3), WATCHED_USERS).subscribe()
    wanted = [address.lower() for address in leaders(3)]
    assert [feed.of("userNonFundingLedgerUpdates") for feed in feeds] == [wanted, []]


def test_user_fills_stays_within_the_venues_users_and_names_who_is_left_out() -> None:
    feeds = [Feed(), Feed()]
    fills = UserFills(feeds, leaders(12), WATCHED_USERS)
    fills.subscribe()
    users = {each["user"] for feed in feeds for each in feed.wanted}
    assert len(users) == WATCHED_USERS
    assert fills.unwatched == [address.lower() for address in leaders(12)[WATCHED_USERS:]]


def test_user_fills_follows_whom_it_is_told_to_and_moves_nobody_else() -> None:
    feeds = [Feed(), Feed()]
    fills = UserFills(feeds, leaders(2), 3)
    everybody = [address.lower() for address in leaders(6)]
    fills.watch(leaders(2))
    assert not feeds[0].wanted, "not before it was told to subscribe"
    fills.subscribe()
    fills.watch([everybody[5], everybody[1], everybody[2], everybody[3]])
    assert fills.watched == [everybody[1], everybody[5], everybody[2]], "who is there stays, two of three are new"
    assert fills.unwatched == [everybody[3]]
    assert feeds[0].of("userFills") == [everybody[1], everybody[5], everybody[2]]
    assert sorted(feeds[1].of("userFills")) == sorted(feeds[0].of("userFills"))
    assert [feed.of("orderUpdates") for feed in feeds] == [[everybody[1]], [everybody[5]]]
    assert sorted(feeds[0].of("userNonFundingLedgerUpdates")) == sorted(fills.watched)
    fills.watch([])
    assert not [each for feed in feeds for each in feed.wanted]


def test_user_fills_watches_everyone_without_a_limit() -> None:
    fills = UserFills([Feed()], leaders(1_000), None)
    fills.subscribe()
    assert len(fills.watched) == 1_000


def test_user_fills_counts_a_leader_as_seen_when_any_connection_confirms_it() -> None:
    feeds = [Feed(), Feed()]
    fills = UserFills(feeds, leaders(2), WATCHED_USERS)
    first, second = leaders(2)
    assert fills.without_fills() == [first, second]
    feeds[1].seen.add(("userFills", first))
    assert fills.without_fills() == [second]


def test_trade_tape_spreads_coins_evenly_and_keeps_their_place() -> None:
    feeds = [Feed(), Feed()]
    tape = TradeTape(feeds, None)
    coins = [f"C{number}" for number in range(9)]
    tape.add_coins(coins, trades=True)
    tape.add_coins([*coins, "NEW"], trades=True)
    assert sorted(feeds[0].of("trades") + feeds[1].of("trades")) == sorted([*coins, "NEW"])
    assert abs(feeds[0].subscriptions - feeds[1].subscriptions) <= 1
    assert tape.want({"type": "bbo", "coin": "C3"})
    place = next(feed for feed in feeds if "C3" in feed.of("trades"))
    assert place.of("bbo") == ["C3"]


def test_trade_tape_carries_quotes_alone_when_trades_are_off() -> None:
    feed = Feed()
    tape = TradeTape([feed], None)
    tape.add_coins(["BTC", "ETH"], trades=False)
    assert feed.wanted == []
    assert tape.want({"type": "bbo", "coin": "ETH"})
    assert feed.wanted == [{"type": "bbo", "coin": "ETH"}]


def test_trade_tape_never_asks_for_a_coin_that_the_venue_did_not_name() -> None:
    feed = Feed()
    tape = TradeTape([feed], None)
    tape.add_coins(["BTC"], trades=True)
    assert not tape.want({"type": "bbo", "coin": "btc"}), "a wrong case closes the socket"
    assert tape.refused_asks == 1
    assert feed.of("bbo") == []


def test_trade_tape_names_coins_that_find_no_room_and_is_not_whole_then() -> None:
    feed = Feed()
    tape = TradeTape([feed], 2)
    tape.add_coins(["A", "B", "C"], trades=True)
    feed.seen |= {("trades", "a"), ("trades", "b")}
    assert tape.uncovered == ["C"]
    assert not tape.is_whole()


def test_trade_tape_is_whole_when_every_coin_is_confirmed() -> None:
    feed = Feed()
    tape = TradeTape([feed], None)
    assert not tape.is_whole(), "no coin is known yet"
    tape.add_coins(["A", "B"], trades=True)
    feed.seen.add(("trades", "a"))
    assert not tape.is_whole()
    feed.seen.add(("trades", "b"))
    assert tape.is_whole()
