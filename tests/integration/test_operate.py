"""An operator at a running engine: the real command line, the real service, the simulated venue, all as processes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.fakes.operator import Market, Operator
from tests.fakes.service import Service, Sim, wait_for


@pytest.fixture
def sim(tmp_path: Path):
    with Sim(tmp_path) as running:
        yield running


def test_operator_pauses_resumes_and_flattens(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=2) as service:
        hlfast, market = Operator(service), Market(sim)
        market.trades(10)
        market.wait(1.0, 1.0)
        assert "close-only" not in hlfast("followers")
        assert "follower f0 is paused (too hot)" in hlfast("pause", "-f", "f0", "--why", "too hot")
        assert "close-only (too hot)" in hlfast("followers")
        market.trades(10)
        market.wait(1.0, 2.0)
        market.trades(-10)
        market.wait(0.5, 1.0)
        said = hlfast("resume", "-f", "f1", code=1)
        assert "f1 is not paused" in said
        assert "→" in said
        hlfast("resume", "-f", "f0")
        market.trades(10)
        market.wait(1.5, 2.0)
        rows = hlfast.json("positions", "f0")
        assert [(row["coin"], row["own"], row["parts"]) for row in rows] == [("ETH", "1.5", {"l0": "1.5"})]
        assert "1.5 ETH" in hlfast("flatten", "f0", "ETH")
        market.wait(0.0, 2.0)
        assert hlfast.json("leaders")[0]["positions"] == {"ETH": "20"}


def test_kill_switch_survives_kill_9_and_ends_by_its_own_command(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim, followers=2)
    hlfast, market = Operator(service), Market(sim)
    with service:
        market.trades(10)
        market.wait(1.0, 1.0)
        hlfast("pause", "-l", "l0", "-f", "f1", "--freeze")
        assert hlfast.json("kill", "--why", "odd")["changed"] is True
        service.process.end(signal.SIGKILL)
    market.trades(-5)  # while nobody looks
    with service:
        market.wait(0.5, 1.0)
        market.trades(10)
        market.trades(-5)
        market.wait(1 / 3, 1.0)
        assert "the kill switch is on, close-only (odd)" in hlfast("followers")
        assert "--kill" in hlfast("resume", "--all", code=1)
        text = service.get("metrics_url")
        assert "hlfast_risk_kill_switch 1" in text
        assert 'hlfast_risk_held_back_follows{kind="freeze"} 1' in text
        hlfast("resume", "--kill")
        hlfast("resume", "-l", "l0", "-f", "f1")
        market.wait(1 / 3, 1 / 3)
        market.trades(5)
        market.wait(1 / 3 + 0.5, 1 / 3 + 0.5)


def test_kill_flatten_closes_everything_and_freeze_sends_nothing(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=2) as service:
        hlfast, market = Operator(service), Market(sim)
        market.trades(10)
        market.wait(1.0, 1.0)
        hlfast("kill", "--freeze")
        before = sim.control("ledger")["counters"]["actions"]
        market.trades(-5)
        wait_for(lambda: hlfast.json("leaders")[0]["positions"] == {"ETH": "5"})
        assert sim.control("ledger")["counters"]["actions"] == before
        hlfast("kill", "--flatten")
        market.wait(0.0, 0.0)


def test_operator_is_told_what_is_wrong(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=1) as service:
        hlfast = Operator(service)
        assert "known are: l0" in hlfast("pause", "-l", "whale", code=1)
        assert "--all" in hlfast("pause", code=2)
        assert "contradict" in hlfast("kill", "--flatten", "--freeze", code=2)
        assert json.loads(hlfast("flatten", "nobody", "--json", code=1))["ok"] is False
    assert "hlfast run" in hlfast("kill", code=2), "the engine is gone"


def test_a_loss_of_the_day_holds_an_account_over_kill_9_until_it_is_reset(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim, followers=2, reconcile_ms=4_000)
    hlfast, market = Operator(service), Market(sim)

    def losses() -> dict:
        return hlfast.json("followers")[0]["losses"]

    with service:
        hlfast("limits", "f0", "--set", "max_daily_loss_usd=100")
        wait_for(lambda: losses()["read_ms"] > 0)
        market.trades(10)
        market.wait(1.0, 1.0)
        sim.control("set_book", coin="ETH", mid="2800")
        wait_for(lambda: losses()["trip"] is not None)
        assert "hlfast resume --reset" in hlfast("followers")
        market.trades(10)
        market.wait(1.0, 2.0)
        market.trades(-10)
        market.wait(0.5, 1.0)
        service.process.end(signal.SIGKILL)
    with service:
        assert losses()["trip"]["latch"] == "daily_loss"
        assert "--reset" in hlfast("resume", "-f", "f0", code=1)
        market.trades(10)
        market.wait(0.5, 2.0)
        hlfast("resume", "-f", "f0", "--reset")
        wait_for(lambda: not hlfast.json("followers")[0]["losses_unread"])
        market.trades(10)
        market.wait(1.5, 3.0)
