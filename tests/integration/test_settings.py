"""Settings changed under a running engine: follow, unfollow, limits, plan, reload; whole processes and restarts."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.fakes.operator import Market, Operator
from tests.fakes.service import Service, Sim, account, leader, throwaway_agent, wait_for


@pytest.fixture
def sim(tmp_path: Path):
    with Sim(tmp_path) as running:
        yield running


def newcomer(service: Service, sim: Sim, number: int) -> str:
    """A follower's account and agent that the settings do not know."""
    agent = throwaway_agent(service.credentials)
    sim.control("fund", address=account(number), usdc="1000000")
    sim.control("approve_agent", master=account(number), agent=agent)
    return agent


def test_follow_adds_leader_and_follower_and_survives_kill_9(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim, followers=1)
    hlfast, first, second = Operator(service), Market(sim), Market(sim, number=7)
    sim.control("fund", address=leader(7), usdc="10000000")
    with service:
        first.trades(10)
        first.wait(1.0)
        agent = newcomer(service, sim, 5)
        said = hlfast(
            *("follow", "new", "late", "--ratio", "0.5", "--set", "max_position_usd=90000", "--address", leader(7)),
            *("--account", account(5), "--agent", agent),
        )
        assert "late of new begins" in said
        assert "[[follows]]" in said, "what to write into the file"
        hlfast("follow", "l0", "late", "--ratio", "0.1", "--existing", "adopt")
        wait_for(lambda: second.position(5) == 1.0)
        second.trades(2)
        wait_for(lambda: second.position(5) == 2.0)
        assert {row["name"] for row in hlfast.json("leaders")} == {"l0", "new"}
        service.process.end(signal.SIGKILL)
    second.trades(-1)
    with service:
        assert (service.facts["leaders"], service.facts["followers"]) == (2, 2)
        wait_for(lambda: second.position(5) == 1.5)
        second.trades(3)
        wait_for(lambda: second.position(5) == 3.0)


def test_unfollow_reduces_closes_or_keeps(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=3) as service:
        hlfast, market = Operator(service), Market(sim)
        market.trades(10)
        market.wait(1.0, 1.0, 1.0)
        assert "as the leader reduces it" in hlfast("unfollow", "l0", "f0")
        assert "closed" in hlfast("unfollow", "l0", "f1", "--close")
        assert "yours" in hlfast("unfollow", "l0", "f2", "--keep")
        market.wait(1.0, 0.0, 1.0)
        market.trades(10)
        market.trades(-15)
        market.wait(0.25, 0.0, 1.0)
        assert hlfast.json("positions", "f2")[0]["manual"] == "1"
        assert "does not follow" in hlfast("unfollow", "l0", "f1", code=2)


def test_follow_is_refused_by_name(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=1) as service:
        hlfast = Operator(service)
        assert "same pair" in hlfast("follow", "l0", "f0", "--ratio", "0.1", code=2)
        assert "names no leader" in hlfast("follow", "whale", "f0", "--ratio", "0.1", code=2)
        assert "--ratio" in hlfast("follow", "l0", "f0", code=2)
        assert "max_position_usd" in hlfast("follow", "l0", "f0", "--ratio", "1", "--set", "max_positon_usd=5", code=2)
        stranger = "0x" + "ab" * 20
        said = hlfast("follow", "l0", "x", "--ratio", "1", "--account", account(6), "--agent", stranger, code=1)
        assert f"no key of agent {stranger}" in said
        assert str(service.credentials) in said
        assert hlfast.json("followers")[0]["name"] == "f0"


def test_limits_are_shown_and_changed_for_the_next_entry(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=2) as service:
        hlfast, market = Operator(service), Market(sim)
        market.trades(10)
        market.wait(1.0, 1.0)
        assert "nothing moves" in hlfast("limits", "f0", "--set", "max_position_usd=4500")
        hlfast("limits", "f1", "-l", "l0", "--set", "max_order_usd=600", "--set", "coins_block=BTC,SOL")
        rows = {(row["of"], row["setting"]): row["value"] for row in hlfast.json("limits")}
        assert rows["f0", "max_position_usd"] == "4500"
        assert rows["f1 of l0", "coins_block"] == ["BTC", "SOL"]
        market.trades(10)
        market.wait(1.5, 1.2)
        hlfast("limits", "f0", "--set", "max_position_usd=none")
        assert ("f0", "max_position_usd") not in {(row["of"], row["setting"]) for row in hlfast.json("limits")}
        assert "no such setting" in hlfast("limits", "f0", "--set", "max_position=5", code=2)
        hlfast(
            "limits", "f1", "-l", "l0", "--set", "hours_zone=Europe/Berlin", "--set", "hours=00:00-12:00,12:00-24:00"
        )
        hlfast("limits", "f1", "-l", "l0", "--set", "hours_zone=none", "--set", "hours=none")


def test_plan_shows_every_order_of_a_first_start_without_keys(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim, followers=2, policies={0: 'existing = "adopt"'})
    hlfast, market = Operator(service), Market(sim)
    market.trades(10)
    for agent in service.agents:
        (service.credentials / agent).unlink()
    found = hlfast.json("plan")
    (order,) = found["by_settings"]
    assert (order["follower"], order["coin"], order["side"], order["size"]) == ("f0", "ETH", "buy", "1")
    assert order["reason"] == "adopts l0's position: 0 to 1"
    assert "opens" in hlfast("plan")
    assert market.position(0) == 0.0
    assert not (tmp_path / "journal").exists(), "nothing is written"


def test_reload_shows_the_plan_then_applies_it(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim, followers=2)
    hlfast, market = Operator(service), Market(sim)
    path = tmp_path / "hlfast.toml"
    with service:
        market.trades(10)
        market.wait(1.0, 1.0)
        assert "already" in hlfast("reload")
        text = path.read_text()
        kept, _, _ = text.rpartition("[[follows]]")  # the follow of f1
        path.write_text(kept.replace('ratio = "0.1"', 'ratio = "0.2"'))
        shown = hlfast("reload", "--close", code=2)
        assert '-follows[l0 to f0].ratio = "0.1"' in shown
        assert '+follows[l0 to f0].ratio = "0.2"' in shown
        assert "l0 is not followed any more" in shown
        assert "nothing was applied" in shown
        market.wait(1.0, 1.0)
        planned = hlfast.json("plan", "--close")
        assert [(row["follower"], row["side"], row["size"]) for row in planned["by_settings"]] == [("f1", "sell", "1")]
        assert "f1 of l0 ends: what it holds is closed" in hlfast("reload", "--close", "--yes")
        market.wait(1.0, 0.0)
        market.trades(-10)
        market.trades(10)
        market.wait(2.0, 0.0)
    with service:
        market.trades(-10)
        market.wait(0.0, 0.0)
    path.write_text(text)
    process = service.spawn()
    assert process.end(number=0) == 1
    assert "follows" in process.said()
    assert "hlfast reload" in process.said()
