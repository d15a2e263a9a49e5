"""An agent whose end comes near: the real service, command line and simulated venue, as processes."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.fakes.operator import Market, Operator
from tests.fakes.service import Service, Sim, account, wait_for

from hlfast.engine.agents import STOP_MS

DAY_MS = 86_400_000


def approve(sim: Sim, service: Service, number: int, in_ms: int) -> None:
    end_ms = int(time.time() * 1000) + in_ms
    agent = service.agents[number]
    sim.control("approve_agent", master=account(number), agent=agent, name="hl", valid_until_ms=end_ms)


def metric(service: Service, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", service.get("metrics_url"), re.MULTILINE)
    return float(found[1]) if found else 0.0


def days_left(service: Service, number: int) -> float:
    return metric(service, f'hlfast_shell_agent_expires_seconds{{follower="f{number}"}}') / 86_400


def stopped(service: Service) -> float:
    return metric(service, 'hlfast_risk_held_back_follows{kind="close_only"}')


def test_agent_is_warned_of_stopped_before_its_end_and_taken_up_again(tmp_path: Path) -> None:
    with Sim(tmp_path) as sim:
        service = Service(tmp_path, sim, followers=2)
        hlfast, market = Operator(service), Market(sim)
        approve(sim, service, 0, STOP_MS + 12_000)
        approve(sim, service, 1, STOP_MS - 10_000)
        with service:
            wait_for(lambda: "The agent of f0 ends in 12 hours" in service.process.said())
            market.trades(10)
            market.wait(1.0, 1.0)
            wait_for(lambda: stopped(service) == 2)
            assert hlfast("followers").count("close-only (hlfast: the agent ends 20") == 2
            market.trades(10)
            market.trades(-10)
            market.wait(0.5, 0.5)
            hlfast("pause", "-f", "f1", "--why", "on holiday")
        with service:
            said = hlfast("followers")
            assert "close-only (hlfast: the agent ends 20" in said, "over a restart"
            assert "close-only (on holiday)" in said, "the operator's from now on"
            approve(sim, service, 0, 90 * DAY_MS)
            approve(sim, service, 1, 90 * DAY_MS)
            wait_for(lambda: min(days_left(service, 0), days_left(service, 1)) > 89, seconds=60)
            wait_for(lambda: stopped(service) == 1)
            market.trades(10)
            market.wait(1.5, 0.5)
            hlfast("resume", "-f", "f1")
            market.trades(10)
            market.wait(2.5, 1.5)
