"""`hlfast run` as a process, against the simulated venue as another."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.fakes.service import ENVIRONMENT, Service, Sim, account, leader, wait_for


@pytest.fixture
def sim(tmp_path: Path):
    with Sim(tmp_path) as running:
        yield running


def test_service_copies_a_leaders_fill_to_every_follower_and_ends_cleanly(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=3) as service:
        assert service.facts["pid"] == service.process.child.pid, "a supervisor's signals reach the engine"
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        wait_for(lambda: all(float(sim.position(account(n), "ETH")) == 1.0 for n in range(3)))
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="A", start="10.0")
        wait_for(lambda: all(float(sim.position(account(n), "ETH")) == 0.0 for n in range(3)))
        assert service.process.end() == 0, service.process.said()
    counters = sim.control("ledger")["counters"]
    assert (counters["unknown_signers"], counters["duplicate_nonces"], counters["rejected"]) == (0, 0, 0)
    assert counters["accepted"] == 9, "each follower: leverage once, an entry, an exit"


@pytest.mark.parametrize("engine", [{"busy_poll": True}, {"tape": False}, {"presign": False}, {"http_lane": False}])
def test_service_copies_under_each_setting(tmp_path: Path, sim: Sim, engine: dict) -> None:
    with Service(tmp_path, sim, followers=2, **engine):
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="A", start="0.0")
        wait_for(lambda: all(float(sim.position(account(n), "ETH")) == -1.0 for n in range(2)))


def test_service_copies_to_the_followers_after_those_whose_policy_says_no(tmp_path: Path, sim: Sim) -> None:
    """The first chunk of followers has nothing to send; the event goes on all the same."""
    block = dict.fromkeys(range(40), 'coins_block = ["ETH"]')
    with Service(tmp_path, sim, followers=42, policies=block):
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        wait_for(lambda: all(float(sim.position(account(n), "ETH")) == 1.0 for n in (40, 41)))
        assert not any(float(sim.position(account(n), "ETH")) for n in range(40))


def test_service_serves_metrics_and_health(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim) as service:
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        wait_for(lambda: float(sim.position(account(2), "ETH")) == 1.0)
        text = service.get("metrics_url")
        names = {family.name for family in text_string_to_metric_families(text)}
        assert {"hlfast_shell_lanes_up", "process_resident_memory_bytes"} <= names
        assert "0x" not in text, "no label carries an address"
        assert len(text.splitlines()) < 2_000
        health = json.loads(service.get("health_url"))
        assert health["shell"]["lanes_up"] == 2
        assert health["shell"]["leaders_uncovered"] == 0
        assert health["core"]["ready"] is True


def test_service_goes_on_after_a_kill_without_sending_twice(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim, followers=2)
    with service:
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        wait_for(lambda: float(sim.position(account(0), "ETH")) == 1.0)
        service.process.end(signal.SIGKILL)
    sim.fill(leader(0), coin="ETH", px="3000.0", sz="5.0", side="A", start="10.0")  # while nobody looks
    with service:
        wait_for(lambda: all(float(sim.position(account(n), "ETH")) == 0.5 for n in range(2)))
    orders = [action for action in sim.control("ledger")["actions"] if action["kind"] == "order" and action["ok"]]
    assert len(orders) == 4, "two fills, two followers; a fence of an executed order is refused as a duplicate"
    assert len({(action["signer"], action["nonce"]) for action in orders}) == 4


def test_service_runs_for_the_followers_whose_keys_are_there(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim, followers=2)
    (service.credentials / service.agents[1]).unlink()
    with service:
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        wait_for(lambda: float(sim.position(account(0), "ETH")) == 1.0)
        assert float(sim.position(account(1), "ETH")) == 0.0
        wait_for(lambda: service.agents[1] in service.process.said())


def refused(service: Service) -> str:
    process = service.spawn()
    assert process.end(number=0) == 2, process.said()
    return process.said()


def test_service_refuses_to_run_without_any_key(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim)
    for agent in service.agents:
        (service.credentials / agent).unlink()
    said = refused(service)
    assert "credentials_directory" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("change", [('"testnet"', '"mainnet"'), ("http://127.0.0.1", "https://api.hyperliquid.xyz/x")])
def test_service_refuses_mainnet_by_name(tmp_path: Path, sim: Sim, change: tuple[str, str]) -> None:
    service = Service(tmp_path, sim)
    path = tmp_path / "hlfast.toml"
    path.write_text(path.read_text().replace(*change).replace('limits = "off"', 'limits = "venue"'))
    said = refused(service)
    assert "mainnet" in said
    assert "Traceback" not in said


def test_service_refuses_a_journal_that_another_process_holds(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim)
    with service:
        first = service.process
        second = service.spawn()
        assert second.end(number=0) != 0
        assert str(first.child.pid) in second.said()
        service.process = first


def test_service_ends_while_the_venue_is_away(tmp_path: Path, sim: Sim) -> None:
    service = Service(tmp_path, sim)
    path = tmp_path / "hlfast.toml"
    path.write_text(path.read_text().replace(sim.base_url, "http://127.0.0.1:9"))
    process = service.spawn()
    wait_for(lambda: "no metadata" in process.said())
    assert process.end(signal.SIGINT) == 0


def test_service_stops_when_its_journal_cannot_be_written(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim, followers=2) as service:
        resource.prlimit(service.process.child.pid, resource.RLIMIT_FSIZE, (0, 0))  # every write fails from here on
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        assert service.process.end(number=0) == 1
        said = service.process.said()
        assert "JournalError" in said
        assert "Traceback" not in said
    # Nothing was sent that is not written down.
    assert sim.control("ledger")["counters"]["actions"] == 0


DIRECT = {"aiohttp", "msgspec", "orjson", "picows", "uvloop"}
BROUGHT = {
    *("aiohappyeyeballs", "aiosignal", "attrs", "frozenlist", "idna", "multidict", "propcache", "yarl"),  # by aiohttp
    *("aiofastnet", "python-socks"),  # by picows
    "typing_extensions",
}
NEVER = {
    "pydantic",
    "typer",
    "rich",
    "click",
    "sqlalchemy",
    "hlfast.cli",
    "hlfast.sim",
    "hlfast.config.load",
    "coincurve",
}


def test_engine_process_imports_five_packages_and_what_they_bring() -> None:
    """The limit is eight third-party packages imported by us; what those bring along is pinned here so that it is noticed."""
    code = """
import json, sys
import hlfast.app.serve, hlfast.app.road
from importlib.metadata import packages_distributions
names = packages_distributions()
tops = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([sorted({each for top in tops for each in names.get(top, ())}), sorted(sys.modules)]))
"""
    clean = {key: value for key, value in ENVIRONMENT.items() if not key.startswith(("COV_", "PYTEST_"))}
    answer = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, check=True, text=True)
    distributions, modules = json.loads(answer.stdout)
    assert set(distributions) - BROUGHT - {"hlfast", "setuptools"} == DIRECT
    assert len(DIRECT) <= 8
    assert not [name for name in modules if any(name == bad or name.startswith(bad + ".") for bad in NEVER)]


def test_engine_refuses_settings_that_nobody_checked() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "hlfast.app"],
        env=ENVIRONMENT,
        input=b'{"network":"testnet"}',
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 2
    assert b"settings" in answer.stderr
    assert b"Traceback" not in answer.stderr
