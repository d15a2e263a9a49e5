from __future__ import annotations

import pytest

from hlfast.engine.watchdog import LOOKS_PER_STALL, Watchdog

MS = 1_000_000
STALL_MS = 2_000
LOOK_MS = STALL_MS // LOOKS_PER_STALL


class Feed:
    """Answers probes when it is well; whatever else it brings is told by `busy_ms`."""

    number = 7

    def __init__(self, up_ms: int = 1, *, lively: bool = True, well: bool = True) -> None:
        self.up_ns = up_ms * MS
        self.data_ns = 0
        self.owed_ns = 0
        self.lively = lively
        self.well = well
        self.busy_ms = 0
        self.answer_ms = 50
        self.probes: list[int] = []
        self.reconnects: list[str] = []

    def pass_to(self, now_ms: int) -> None:
        if not self.well or not self.up_ns:
            return
        if self.lively and self.data_ns < self.up_ns and now_ms >= self.up_ns // MS + self.answer_ms:
            self.data_ns = now_ms * MS  # the snapshots that follow the opening
        if self.busy_ms and now_ms % self.busy_ms == 0:
            self.data_ns = now_ms * MS
        if self.probes and self.data_ns < self.probes[-1] * MS and now_ms >= self.probes[-1] + self.answer_ms:
            self.data_ns = now_ms * MS

    def probe(self) -> bool:
        if self.data_ns <= self.up_ns:
            return False
        self.probes.append(self.now_ms)
        return True

    def reconnect(self, reason: str) -> None:
        self.reconnects.append(reason)
        self.up_ns = 0


def run(dog: Watchdog, feed: Feed, start_ms: int, end_ms: int) -> int:
    """Let time pass; when the feed was dropped, or `end_ms`."""
    drops = len(feed.reconnects)
    for now_ms in range(start_ms, end_ms, 10):
        feed.now_ms = now_ms
        feed.pass_to(now_ms)
        if now_ms % LOOK_MS == 0:
            dog.check(now_ms * MS)
        if len(feed.reconnects) > drops:
            return now_ms
    return end_ms


@pytest.mark.parametrize("falls_ms", [5_000, 5_040, 5_090])
def test_watchdog_drops_a_feed_that_fell_silent_within_the_bound(falls_ms: int) -> None:
    feed = Feed()
    dog = Watchdog([feed], STALL_MS)
    feed.busy_ms = 100
    run(dog, feed, 0, falls_ms)
    assert feed.probes == []
    feed.well = False
    assert run(dog, feed, falls_ms, 60_000) - falls_ms <= STALL_MS
    assert len(feed.probes) == 1
    assert dog.stalls == 1


def test_watchdog_drops_a_feed_that_was_quiet_within_five_seconds() -> None:
    feed = Feed()
    dog = Watchdog([feed], STALL_MS)
    run(dog, feed, 0, 60_000)
    feed.well = False
    assert run(dog, feed, 60_000, 120_000) - 60_000 <= STALL_MS * 5 // 2
    assert not any("subscription" in reason for reason in feed.reconnects)


def test_watchdog_asks_a_quiet_feed_ever_more_rarely() -> None:
    feed = Feed()
    dog = Watchdog([feed], STALL_MS)
    run(dog, feed, 0, 60_000)
    assert not feed.reconnects
    apart = [later - earlier for earlier, later in zip(feed.probes, feed.probes[1:], strict=False)]
    assert apart[-1] >= 2 * STALL_MS
    assert len(feed.probes) < 20
    feed.busy_ms = 100
    run(dog, feed, 60_000, 61_000)
    feed.busy_ms = 0
    run(dog, feed, 61_000, 63_000)
    assert 61_000 < feed.probes[-1] < 62_200, "it spoke of its own accord: its silence is news again"


def test_watchdog_gives_a_slow_network_more_time_when_dropping_was_in_vain() -> None:
    feed = Feed()
    feed.answer_ms = 3_000
    dog = Watchdog([feed], STALL_MS)
    now_ms, lives = 0, 0
    while now_ms < 120_000:
        now_ms = run(dog, feed, now_ms, 120_000) + 10
        lives += 1
        feed.up_ns, feed.probes = now_ms * MS, []
    assert lives == 4, "dropped at once, after 1.4 s, after 2.8 s, and then left alone"


def test_watchdog_drops_a_feed_whose_subscription_is_never_answered() -> None:
    feed = Feed()
    feed.busy_ms = 100
    dog = Watchdog([feed], STALL_MS)
    feed.owed_ns = 1_000 * MS
    assert run(dog, feed, 1_000, 60_000) - 1_000 <= 5 * STALL_MS + LOOK_MS
    assert "subscription" in feed.reconnects[0]


def test_watchdog_drops_the_feed_that_the_core_accuses() -> None:
    feed, other = Feed(), Feed()
    other.number = 8
    dog = Watchdog([feed, other], STALL_MS)
    dog.accuse(8, "a fill of L0 came elsewhere and not here")
    dog.accuse(8, "again, before it is up")
    assert (feed.reconnects, len(other.reconnects), dog.stalls) == ([], 1, 1)


def test_watchdog_does_not_judge_a_feed_that_never_brought_data() -> None:
    feed = Feed(lively=False)
    run(Watchdog([feed], STALL_MS), feed, 0, 60_000)
    assert not feed.reconnects


def test_watchdog_starts_afresh_after_a_reconnect() -> None:
    feed = Feed()
    dog = Watchdog([feed], STALL_MS)
    run(dog, feed, 0, 500)
    feed.well = False
    run(dog, feed, 500, 5_000)
    assert len(feed.reconnects) == 1
    feed.up_ns, feed.well = 6_000 * MS, True
    feed.probes.clear()
    run(dog, feed, 6_000, 6_700)
    assert feed.probes == [], "the age counts from the new opening"


def test_watchdog_ignores_a_feed_that_is_down() -> None:
    feed = Feed(up_ms=0)
    run(Watchdog([feed], STALL_MS), feed, 0, 20_000)
    assert feed.probes == []
