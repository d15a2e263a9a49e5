"""The process beside the engine: started by `hlfast run`, ended with it, and pausing a leader who is no longer fit."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import threading
import urllib.request
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.fakes.service import Service, Sim, account, leader, wait_for

from hlfast.cli.companion import Companion, pause_unless_paused
from hlfast.config.load import load
from hlfast.research import watching
from hlfast.research.fitness import Watch
from hlfast.telemetry.logs import EventLog


@pytest.fixture
def sim(tmp_path: Path):
    with Sim(tmp_path) as running:
        yield running


def with_settings(service: Service, *lines: str) -> Service:
    path = service.directory / "hlfast.toml"
    path.write_text(path.read_text() + "\n".join(lines) + "\n")
    return service


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def rows(path: Path, query: str) -> list[tuple]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []  # the tables are being made


def test_companion_writes_records_finds_traders_and_ends_with_a_killed_engine(tmp_path: Path, sim: Sim) -> None:
    service = with_settings(
        Service(tmp_path, sim, followers=2),
        "[store]",
        f'url = "sqlite:///{tmp_path}/beside.db"',
        "[companion]",
        "project = true",
        "metrics_port = 0",
        "[discovery]",
        "enabled = true",
        "tape_s = 1",
        'coins = ["ETH"]',
        'least_equity_usd = "1000"',
    )
    database = tmp_path / "beside.db"
    with service:
        beside = children(service.facts["pid"])
        assert len(beside) == 1
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        wait_for(lambda: all(float(sim.position(account(n), "ETH")) == 1.0 for n in range(2)))
        wait_for(lambda: len(rows(database, "SELECT * FROM receipts")) == 2)
        wait_for(lambda: len(rows(database, "SELECT account FROM equity")) >= 3)
        wait_for(lambda: rows(database, f"SELECT * FROM traders WHERE address = '{leader(0)}'") != [], 60)
        service.process.end(signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{beside[0]}").exists() or "Z" in Path(f"/proc/{beside[0]}/stat").read_text())


def test_engine_without_work_beside_it_has_no_companion(tmp_path: Path, sim: Sim) -> None:
    with Service(tmp_path, sim) as service:
        assert children(service.facts["pid"]) == []


class Maker:
    """A leader whose orders all rest, in and out of one ETH."""

    def __init__(self, sim: Sim) -> None:
        self._sim, self.trades, self._over = sim, 0, threading.Event()

    def trade(self) -> None:
        while not self._over.wait(0.05):
            start = "0.0" if self.trades % 2 == 0 else "10.0"
            row = {"coin": "ETH", "px": "3000.0", "sz": "10.0", "side": "BA"[self.trades % 2], "startPosition": start}
            row |= {"time": 1, "tid": 1, "oid": self.trades + 1, "dir": "", "closedPnl": "0.0", "hash": "0x" + "0" * 64}
            row |= {"crossed": False, "fee": "0.0", "feeToken": "USDC"}
            self._sim.control("leader_fills", address=leader(0), rows=[row])
            self.trades += 1

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self.trade)
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()


async def metric(url: str, name: str) -> float | None:
    def read() -> str:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()

    families = text_string_to_metric_families(await asyncio.to_thread(read))
    found = [sample.value for family in families for sample in family.samples if sample.name == name]
    return found[0] if found else None


def test_unfit_leader_is_paused_with_the_reason_and_exits_go_on(
    tmp_path: Path, sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WAIT_MS", 300)  # a minute, for a venue whose clock can't be moved
    service = with_settings(
        Service(tmp_path, sim, followers=1),
        "[store]",
        f'url = "sqlite:///{tmp_path}/beside.db"',
        "[fitness]",
        "enabled = false",
        "window = 10",
        "fewest = 6",
    )
    said = tmp_path / "said"

    async def watch() -> str:
        config = load(service.directory / "hlfast.toml")
        config = msgspec.structs.replace(
            config,
            fitness=msgspec.structs.replace(config.fitness, enabled=True),
            companion=msgspec.structs.replace(config.companion, metrics_port=0),
        )
        stop, found = asyncio.Event(), ""
        with said.open("wb") as stream:
            log = EventLog(stream)
            running = asyncio.create_task(Companion(config, log).run(stop))
            for _ in range(600):
                await asyncio.sleep(0.05)
                log.drain()
                found = said.read_text()
                if "leader unfit: close-only" in found:
                    break
            url = json.loads(found.splitlines()[0])["metrics"]
            assert await metric(url, "hlfast_fitness_downgrades_total") == 1.0
            assert await metric(url, "hlfast_projector_receipts_total") > 0
            stop.set()
            await running
        return found

    with service:
        with Maker(sim):
            found = asyncio.run(watch())
        line = next(json.loads(text) for text in found.splitlines() if "leader unfit" in text)
        assert line["leader"] == "l0"
        assert line["why"].startswith("maker share 1 is above 0.8")
        status = json.loads(service.get("health_url"))["core"]
        assert "unfit: maker share 1 is above 0.8" in json.dumps(status)
        path = Path(service.facts["control_socket"])
        unfit = watching.Unfit(leader="l0", fitness=Watch().judge())
        assert not pause_unless_paused(path, unfit), "a pause that is there is not replaced, whoever gave it"
        # He ends flat or long; what was copied goes with him, and nothing new is opened after him.
        wait_for(lambda: float(sim.position(account(0), "ETH")) == 0.0 or float(sim.position(leader(0), "ETH")) != 0.0)
        if float(sim.position(leader(0), "ETH")) != 0.0:
            sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="A", start="10.0")
        wait_for(lambda: float(sim.position(account(0), "ETH")) == 0.0)
        before = len(sim.control("ledger")["actions"])
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="A", start="10.0")
        assert float(sim.position(account(0), "ETH")) == 0.0
        assert len(sim.control("ledger")["actions"]) == before
