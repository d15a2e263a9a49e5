from __future__ import annotations

from hlfast.engine.watchdog import Watchdog

MS = 1_000_000
STALL_MS = 2_000


class Feed:
    def __init__(self, up_ns: int = 1, lively: bool = True) -> None:
        self.up_ns = up_ns
        self.data_ns = up_ns
        self.lively = lively
        self.probes = 0
        self.reconnects: list[str] = []

    def probe(self) -> bool:
        self.probes += self.lively
        return self.lively

    def reconnect(self, reason: str) -> None:
        self.reconnects.append(reason)
        self.up_ns = 0


def run(dog: Watchdog, start_ms: int, end_ms: int, on: dict | None = None) -> None:
    for now_ms in range(start_ms, end_ms, 250):
        for feed in (on or {}).get(now_ms, ()):
            feed.data_ns = now_ms * MS
        dog.check(now_ms * MS)


def test_watchdog_drops_a_silent_feed_within_twice_the_bound() -> None:
    feed = Feed()
    dog = Watchdog([feed], STALL_MS)
    run(dog, 0, STALL_MS + 251)
    assert feed.probes == 1
    assert not feed.reconnects
    run(dog, STALL_MS + 251, 2 * STALL_MS + 751)
    assert len(feed.reconnects) == 1
    assert dog.stalls == 1


def test_watchdog_keeps_a_quiet_feed_that_answers_the_probe() -> None:
    feed = Feed()
    dog = Watchdog([feed], STALL_MS)
    run(dog, 0, 60_000, {ms: [feed] for ms in range(2_500, 60_000, 2_500)})
    assert feed.probes > 5
    assert not feed.reconnects


def test_watchdog_leaves_a_busy_feed_alone() -> None:
    feed = Feed()
    run(Watchdog([feed], STALL_MS), 0, 20_000, {ms: [feed] for ms in range(0, 20_000, 250)})
    assert feed.probes == 0


def test_watchdog_does_not_judge_a_feed_that_never_brought_data() -> None:
    feed = Feed(lively=False)
    run(Watchdog([feed], STALL_MS), 0, 60_000)
    assert not feed.reconnects


def test_watchdog_starts_afresh_after_a_reconnect() -> None:
    feed = Feed()
    dog = Watchdog([feed], STALL_MS)
    run(dog, 0, 5_001)
    assert len(feed.reconnects) == 1
    feed.up_ns = 6_000 * MS
    run(dog, 6_000, 7_900)
    assert feed.probes == 1, "the age counts from the new opening"


def test_watchdog_ignores_a_feed_that_is_down() -> None:
    feed = Feed(up_ns=0)
    run(Watchdog([feed], STALL_MS), 0, 20_000)
    assert feed.probes == 0
