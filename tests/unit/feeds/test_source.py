from __future__ import annotations

import json

from hlfast._core import FRAME_ACK, FRAME_BAD, FRAME_ERROR, FRAME_OTHER
from hlfast.feeds.source import BAD_FRAMES, FeedSource
from hlfast.venue.ws import Down

A, B, C = ("0x" + letter * 40 for letter in "abc")


class Connection:
    def __init__(self) -> None:
        self.wanted: list[dict] = []
        self.sent: list[dict] = []
        self.reconnects: list[str] = []

    def subscribe(self, subscription: dict) -> bool:
        self.wanted.append(subscription)
        return True

    def unsubscribe(self, subscription: dict) -> bool:
        self.wanted.remove(subscription)
        return True

    def send_text(self, payload: bytes) -> bool:
        self.sent.append(json.loads(payload))
        return True

    def reconnect(self, reason: str) -> None:
        self.reconnects.append(reason)


class Watcher:
    def __init__(self) -> None:
        self.told: list[tuple] = []

    def feed_up(self, feed) -> None:
        self.told.append(("up",))

    def feed_down(self, feed, reason) -> None:
        self.told.append(("down", reason))

    def feed_refused(self, feed, key, text) -> None:
        self.told.append(("refused", key))

    def feed_error(self, feed, text) -> None:
        self.told.append(("error", text))


def make() -> tuple[FeedSource, Connection, Watcher]:
    watcher, connection = Watcher(), Connection()
    feed = FeedSource(3, "user", watcher, clock=lambda: 100)
    feed.attach(connection)
    return feed, connection, watcher


def fills(user: str) -> dict:
    return {"type": "userFills", "user": user, "aggregateByTime": False}


def ack(feed: FeedSource, subscription: dict) -> None:
    data = {"method": "subscribe", "subscription": subscription}
    feed.notice(FRAME_ACK, json.dumps({"channel": "subscriptionResponse", "data": data}).encode())


def error(feed: FeedSource, text: str) -> None:
    feed.notice(FRAME_ERROR, json.dumps({"channel": "error", "data": text}).encode())


def test_source_is_acknowledged_only_when_the_venue_says_so() -> None:
    feed, _, _ = make()
    feed.subscribe(fills(A))
    assert not feed.is_acknowledged(("userFills", A)), "not up"
    feed.went_up()
    assert not feed.is_acknowledged(("userFills", A)), "not answered"
    ack(feed, fills(A))
    assert feed.is_acknowledged(("userFills", A))
    feed.went_down(Down("closed by the venue", 1006, 10, was_up=True))
    assert not feed.is_acknowledged(("userFills", A)), "down again"
    feed.went_up()
    assert not feed.is_acknowledged(("userFills", A)), "a new connection must be answered anew"


def test_source_knows_its_subscription_by_the_echo_with_defaults_filled_in() -> None:
    feed, _, _ = make()
    feed.subscribe({"type": "l2Book", "coin": "ETH"})
    feed.went_up()
    ack(feed, {"type": "l2Book", "coin": "ETH", "nSigFigs": None, "mantissa": None, "fast": False})
    assert feed.is_acknowledged(("l2Book", "eth"))


def test_source_finds_which_user_was_refused_though_the_text_names_none() -> None:
    feed, _, watcher = make()
    for user in (A, B, C):
        feed.subscribe(fills(user))
    feed.went_up()
    ack(feed, fills(A))
    error(feed, "Cannot track more than 10 total users.")
    ack(feed, fills(C))
    assert ("refused", ("userFills", B)) in watcher.told
    assert feed.is_acknowledged(("userFills", A))
    assert not feed.is_acknowledged(("userFills", B))
    assert feed.is_acknowledged(("userFills", C))


def test_source_tries_a_refused_subscription_again_after_a_reconnect() -> None:
    feed, _, _ = make()
    feed.subscribe(fills(A))
    feed.went_up()
    error(feed, "Cannot track more than 10 total users.")
    feed.went_up()
    ack(feed, fills(A))
    assert feed.is_acknowledged(("userFills", A))


def test_source_takes_already_subscribed_for_a_yes_and_invalid_for_a_no() -> None:
    feed, _, watcher = make()
    feed.subscribe(fills(A))
    feed.subscribe({"type": "trades", "coin": "NOPE"})
    feed.went_up()
    error(feed, "Already subscribed: " + json.dumps(fills(A)))
    error(feed, "Invalid subscription " + json.dumps({"type": "trades", "coin": "NOPE"}))
    assert feed.is_acknowledged(("userFills", A))
    assert watcher.told[1:] == [("refused", ("trades", "nope"))]


def test_source_surfaces_errors_that_belong_to_no_subscription() -> None:
    feed, _, watcher = make()
    feed.went_up()
    error(feed, "Error parsing JSON into valid websocket request: {")
    feed.notice(FRAME_ERROR, b'{"channel":"error","data":7}')
    feed.notice(FRAME_ACK, b'{"channel":"subscriptionResponse"}')
    assert [kind for kind, *_ in watcher.told] == ["up", "error", "error", "error"]


def test_source_subscribes_once_however_often_it_is_asked() -> None:
    feed, connection, _ = make()
    feed.subscribe(fills(A))
    feed.subscribe(fills(A))
    assert len(connection.wanted) == 1


def test_source_reconnects_after_too_many_malformed_frames_of_one_connection() -> None:
    feed, connection, _ = make()
    feed.went_up()
    for _ in range(BAD_FRAMES - 1):
        feed.notice(FRAME_BAD, b"\xff")
    feed.went_up()
    feed.notice(FRAME_BAD, b"\xff")
    assert not connection.reconnects
    for _ in range(BAD_FRAMES - 1):
        feed.notice(FRAME_BAD, b"\xff")
    assert len(connection.reconnects) == 1


def test_source_probes_by_asking_for_the_heartbeat_again() -> None:
    feed, connection, _ = make()
    assert not feed.probe(), "no heartbeat"
    feed.set_heartbeat({"type": "bbo", "coin": "BTC"})
    feed.went_up()
    assert not feed.probe(), "never brought data, so its silence says nothing"
    feed.data_ns = 200
    assert feed.probe()
    assert [each["method"] for each in connection.sent] == ["unsubscribe", "subscribe"]
    assert connection.sent[1]["subscription"] == {"type": "bbo", "coin": "BTC"}
    assert len(connection.wanted) == 1, "it stays wanted across reconnects"


def test_source_tells_since_when_an_answer_is_owed() -> None:
    now = [100]
    feed = FeedSource(3, "user", Watcher(), clock=lambda: now[0])
    feed.attach(Connection())
    feed.subscribe(fills(A))
    assert feed.owed_ns == 0, "not up: nobody was asked"
    now[0] = 200
    feed.went_up()
    feed.subscribe(fills(B))
    assert feed.owed_ns == 200
    now[0] = 300
    ack(feed, fills(A))
    assert feed.owed_ns == 300, "it answers: the next may take as long again"
    error(feed, "Cannot track more than 10 total users.")
    assert feed.owed_ns == 0, "a refusal is an answer"
    now[0] = 400
    feed.subscribe(fills(C))
    assert feed.owed_ns == 400
    feed.went_down(Down("cut", 1006, 10, was_up=True))
    assert feed.owed_ns == 0


def test_source_counts_strangers_trades_as_data_and_errors_not() -> None:
    now = [100]
    feed = FeedSource(3, "tape", Watcher(), clock=lambda: now[0])
    feed.attach(Connection())
    feed.went_up()
    now[0] = 200
    for frame_class, payload in ((FRAME_BAD, b"\xff"), (FRAME_ERROR, b'{"channel":"error","data":"x"}')):
        feed.notice(frame_class, payload)
    assert feed.data_ns == 0
    feed.notice(FRAME_OTHER, b'{"channel":"trades","data":[]}')
    assert feed.data_ns == 200


def test_source_says_nothing_of_attempts_that_never_came_up() -> None:
    feed, _, watcher = make()
    feed.went_down(Down("cannot connect", None, 0, was_up=False))
    assert watcher.told == []


def test_source_lives_through_answers_that_are_no_utf_8() -> None:
    feed, _, watcher = make()
    feed.notice(FRAME_ACK, b'{"channel":"subscriptionResponse","data":{"method":"\xff"}}')
    feed.notice(FRAME_ERROR, b'{"channel":"error","data":"Already subscribed: {\xff}"}')
    assert [told[0] for told in watcher.told] == ["error", "error"]


def test_feed_that_carries_a_subscription_no_more_owes_nothing_for_it() -> None:
    feed, connection, _ = make()
    feed.subscribe(fills(A))
    feed.subscribe(fills(B))
    feed.went_up()
    ack(feed, fills(A))
    changes = feed.changes
    feed.unsubscribe(fills(A))
    feed.unsubscribe(fills(C))
    assert connection.wanted == [fills(B)]
    assert feed.changes == changes + 1
    assert not feed.is_acknowledged(("userFills", A))
    assert feed.wants(("userFills", B))
