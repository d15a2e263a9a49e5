"""An engine that stands still (SIGSTOP), again and again, alone, or while another one takes its place; the ledger tells."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from tests.fakes.service import Service, Sim, account, leader, wait_for

from hlfast._core import read_journal

STOPPED_S = 20.0
# Of follows, by default: an older entry expires.
MAX_AGE_MS = 2_000
# What is sent then lives so long.
OPENING_LIVES_MS = 3_000
STARVED_S = 8.0
# Of two fifths of a second.
RUNS_S, STANDS_S = 0.002, 0.398


@pytest.fixture
def sim(tmp_path: Path):
    with Sim(tmp_path) as running:
        yield running


def trade(sim: Sim, number: int, side: str, start: str, size: str = "10.0") -> int:
    return sim.fill(leader(number), coin="ETH", px="3000.0", sz=size, side=side, start=start)["tid"]


def until_held(sim: Sim, *wanted: str) -> None:
    """Wait until the followers, in their order, hold so much."""
    wait_for(
        lambda: [Decimal(sim.position(account(at), "ETH")) for at in range(len(wanted))] == list(map(Decimal, wanted))
    )


def receipts(service: Service) -> list[dict]:
    records = [json.loads(raw) for raw in read_journal(str(service.directory / "journal"), 0, 100_000)]
    return [row for row in records if row["kind"] == "receipt"]


def outcomes(service: Service, tid: int) -> list[tuple[str, str]]:
    return [(row["outcome"], row["reason"]) for row in receipts(service) if row["tid"] == tid]


def traded(sim: Sim) -> dict[tuple[int, str], Decimal]:
    """What each follower bought and sold; on the way: no nonce executed twice."""
    ledger = sim.control("ledger")
    orders = [(row["signer"], row["nonce"]) for row in ledger["actions"] if row["kind"] == "order" and row["ok"]]
    assert max(Counter(orders).values()) == 1
    numbers = {account(number): number for number in range(2)}
    sums: dict[tuple[int, str], Decimal] = {}
    for row in ledger["fills"]:
        if row["user"] in numbers:
            key = (numbers[row["user"]], row["side"])
            sums[key] = sums.get(key, Decimal(0)) + Decimal(row["sz"])
    return sums


@contextmanager
def starved(pid: int):
    """As on a machine whose processors are busy elsewhere: a two-hundredth of one is left."""
    over = threading.Event()

    def starve() -> None:
        while not over.is_set():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(STANDS_S)
            os.kill(pid, signal.SIGCONT)
            over.wait(RUNS_S)

    thread = threading.Thread(target=starve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_engine_that_gets_a_two_hundredth_of_a_processor_opens_nothing_late_and_closes_all(
    tmp_path: Path, sim: Sim
) -> None:
    with Service(tmp_path, sim, followers=2, leaders=2) as service:
        trade(sim, 1, "B", "0.0", "100.0")
        until_held(sim, "0", "10")
        bought, sold = [], []
        with starved(service.process.child.pid):
            until = time.monotonic() + STARVED_S
            while time.monotonic() < until:
                bought.append(trade(sim, 0, "B", f"{10.0 * len(bought)}"))
                sold.append(trade(sim, 1, "A", f"{100.0 - 2.0 * len(sold)}", "2.0"))
                time.sleep(0.25)
        trade(sim, 1, "A", f"{100.0 - 2.0 * len(sold)}", f"{100.0 - 2.0 * len(sold)}")
        wait_for(lambda: Decimal(sim.position(account(1), "ETH")) == 0)
        wait_for(lambda: all(len(outcomes(service, tid)) == 1 for tid in bought + sold))
        ledger = sim.control("ledger")
        assert service.process.end() == 0, service.process.said()
    executed_ms = {row["nonce"]: row["time"] for row in ledger["actions"] if row["signer"] == service.agents[0]}
    opened = [row for row in receipts(service) if row["follower"] == 0 and row["outcome"] == "filled"]
    assert opened, "nothing was copied at all"
    for row in opened:
        assert executed_ms[row["nonce"]] - row["time_ms"] <= MAX_AGE_MS + OPENING_LIVES_MS, row
    assert traded(sim)[0, "B"] <= len(bought)
    assert (traded(sim)[1, "B"], traded(sim)[1, "A"]) == (10, 10)


def test_engine_that_stood_still_for_twenty_seconds_opens_nothing_old_and_closes_all(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=2, leaders=2) as service:
        trade(sim, 1, "B", "0.0")
        until_held(sim, "0", "1")
        os.kill(service.process.child.pid, signal.SIGSTOP)
        over = time.monotonic() + STOPPED_S
        opened, closed = trade(sim, 0, "B", "0.0"), trade(sim, 1, "A", "10.0")
        # A stopped engine is still one: nobody else on this machine may sign for its agents.
        (tmp_path / "second").mkdir()
        second = service.cloned(tmp_path / "second")
        second.environment = None
        refused = second.spawn()
        assert refused.end(number=0) == 2
        assert "another engine on this host signs" in refused.said()
        time.sleep(max(0.0, over - time.monotonic()))
        os.kill(service.process.child.pid, signal.SIGCONT)
        until_held(sim, "0", "0")
        wait_for(lambda: outcomes(service, opened) and outcomes(service, closed))
        assert outcomes(service, closed) == [("filled", "none")]
        assert outcomes(service, opened) != [("filled", "none")]
        trade(sim, 0, "B", "10.0")
        until_held(sim, "1", "0")
        assert service.process.end() == 0, service.process.said()
    assert traded(sim) == {(0, "B"): 1, (1, "B"): 1, (1, "A"): 1}


def test_engine_that_comes_back_beside_its_successor_on_another_machine_does_no_harm(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=2, leaders=2) as old:
        trade(sim, 0, "B", "0.0")
        trade(sim, 1, "B", "0.0")
        until_held(sim, "1", "1")
        os.kill(old.process.child.pid, signal.SIGSTOP)
        try:
            (tmp_path / "new").mkdir()
            new = old.cloned(tmp_path / "new")
            with new:
                added, closed = trade(sim, 0, "B", "10.0"), trade(sim, 1, "A", "10.0")
                until_held(sim, "2", "0")
                past = sim.control("ledger")["time"] + MAX_AGE_MS
                wait_for(lambda: sim.control("ledger", since=2**52)["time"] > past)
                os.kill(old.process.child.pid, signal.SIGCONT)
                wait_for(lambda: outcomes(old, added) and outcomes(old, closed))
                assert traded(sim) == {(0, "B"): 2, (1, "B"): 1, (1, "A"): 1}, "the old one added nothing"
                # Both close what they know as theirs, under one nonce: the venue takes one of them, and the other stops.
                left = sim.fill(leader(0), coin="ETH", px="3000.0", sz="20.0", side="A", start="20.0")["tid"]
                wait_for(lambda: outcomes(old, left) and outcomes(new, left))
                assert old.process.end() == 0, old.process.said()
            # As the alert says: stop the other one, then start this one again.
            with new:
                until_held(sim, "0", "0")
        finally:
            old.process.end(signal.SIGKILL)
    assert traded(sim) == {(0, "B"): 2, (0, "A"): 2, (1, "B"): 1, (1, "A"): 1}
