"""Clocks that are wrong, step and run away under a whole engine; the simulated venue's ledger says what came of it."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from tests.fakes.service import Service, Sim, account, leader, wait_for
from tests.fakes.wall_clock import WallClock

from hlfast._core import read_journal

HOUR_S, DAY_S = 3_600, 86_400
FOLLOWERS = 2


@pytest.fixture
def sim(tmp_path: Path):
    with Sim(tmp_path) as running:
        yield running


class Leader:
    """Buys ten and sells them again; each follower is to hold a tenth."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self.holds = 0.0
        self.tids: list[int] = []

    def trade(self) -> None:
        side = "A" if self.holds else "B"
        made = self._sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side=side, start=str(self.holds))
        self.tids.append(made["tid"])
        self.holds = 0.0 if self.holds else 10.0

    def is_copied(self) -> bool:
        held = self._sim.control("ledger", since=2**52)["positions"]
        sizes = [held.get(account(number), {}).get("ETH", {}).get("szi", "0") for number in range(FOLLOWERS)]
        return all(float(size) == self.holds / 10 for size in sizes)

    def is_copied_while(self, clock: WallClock, seconds_a_look: float) -> bool:
        """As `is_copied`, while the clock runs away."""
        clock.set(clock.seconds + seconds_a_look)
        return self.is_copied()


def skew_s(service: Service) -> float:
    return float(re.search(r"^hlfast_shell_clock_skew_seconds (\S+)$", service.get("metrics_url"), re.MULTILINE)[1])


def check_ledger(sim: Sim, trader: Leader, directory: Path) -> dict:
    """Each fill was copied once to each follower, by orders whose nonces rise and are near the venue's time."""
    ledger = sim.control("ledger")
    bought: Counter[str] = Counter(row["user"] for row in ledger["fills"] if not row.get("leader"))
    assert bought == {account(number): len(trader.tids) for number in range(FOLLOWERS)}
    nonces = defaultdict(list)
    for row in ledger["actions"]:
        if row["kind"] == "order" and row["ok"]:
            nonces[row["signer"]].append(row["nonce"])
            assert abs(row["nonce"] - row["time"]) < 30_000
    assert len(nonces) == FOLLOWERS
    for each in nonces.values():
        assert each == sorted(set(each)), "nonces rise"
        assert len(each) == len(trader.tids)
    records = [json.loads(raw) for raw in read_journal(str(directory / "journal"), 0, 100_000)]
    receipts = Counter((row["tid"], row["follower"]) for row in records if row["kind"] == "receipt")
    assert receipts == {(tid, number): 1 for tid in trader.tids for number in range(FOLLOWERS)}
    return ledger["counters"]


def test_clock_that_steps_and_runs_away_moves_no_order(tmp_path: Path, sim: Sim) -> None:
    clock, trader = WallClock(tmp_path), Leader(sim)
    with Service(tmp_path, sim, followers=FOLLOWERS, environment=clock.environment) as service:
        for seconds in (0, HOUR_S, -HOUR_S, 120, 3 * DAY_S, -3 * DAY_S):
            clock.set(seconds)
            wait_for(lambda seconds=seconds: abs(skew_s(service) + seconds) < 1)
            for _ in ("entry", "exit"):
                trader.trade()
                wait_for(trader.is_copied)
        for seconds_a_look in (10, -20):
            trader.trade()
            wait_for(lambda pace=seconds_a_look: trader.is_copied_while(clock, pace))
        assert service.process.end() == 0, service.process.said()
    counters = check_ledger(sim, trader, tmp_path)
    wrong = ("unknown_signers", "duplicate_nonces", "rejected", "expired", "rejected_orders")
    assert {name: counters[name] for name in wrong} == dict.fromkeys(wrong, 0)


def test_clock_that_is_wrong_at_a_start_delays_nothing_that_a_kill_left_open(tmp_path: Path, sim: Sim) -> None:
    """Each life begins by another clock, finds orders of the one before whose answers never came, and dies by SIGKILL."""
    clock, trader = WallClock(tmp_path), Leader(sim)
    service = Service(tmp_path, sim, followers=FOLLOWERS, environment=clock.environment)
    for seconds in (HOUR_S, -HOUR_S, 3 * DAY_S, -3 * DAY_S, HOUR_S):
        clock.set(seconds)
        with service:
            wait_for(trader.is_copied)
            trader.trade()
            wait_for(trader.is_copied)
            sim.control("add_faults", faults=[{"kind": "lose_answers"}])
            trader.trade()
            wait_for(trader.is_copied)
            service.process.end(signal.SIGKILL)
        sim.control("clear_faults")
    clock.set(0)
    with service:
        assert service.process.end() == 0, service.process.said()
    counters = check_ledger(sim, trader, tmp_path)
    assert (counters["unknown_signers"], counters["expired"]) == (0, 0)


def test_exits_go_on_after_the_host_was_suspended(tmp_path: Path) -> None:
    """The venue's clock leaps a minute: so it looks to a machine that was suspended, whose monotonic clock stood meanwhile."""
    clock = WallClock(tmp_path)
    with Sim(tmp_path, environment=clock.environment) as sim, Service(tmp_path, sim, followers=FOLLOWERS) as service:
        trader = Leader(sim)
        trader.trade()
        wait_for(trader.is_copied)
        clock.set(60)
        wait_for(lambda: abs(skew_s(service) - 60) < 1)
        for _ in ("exit", "entry"):
            trader.trade()
            wait_for(trader.is_copied)
        assert service.process.end() == 0, service.process.said()
