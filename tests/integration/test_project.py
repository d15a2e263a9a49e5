"""`hlfast run` and `hlfast project` beside it, against the simulated exchange: what was copied, and the accounts' equity."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.fakes.service import ENVIRONMENT, Service, Sim, account, leader, wait_for


def project(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hlfast", "project", "-c", "hlfast.toml", *options]
    return subprocess.run(
        command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


def test_project_writes_receipts_of_a_running_engine_and_reads_accounts(tmp_path: Path) -> None:
    with Sim(tmp_path) as sim, Service(tmp_path, sim, followers=2):
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        wait_for(lambda: all(float(sim.position(account(n), "ETH")) == 1.0 for n in range(2)))
        done = project(tmp_path, "--accounts")
        assert done.returncode == 0, done.stderr
        assert "2 fills of 3 accounts" in done.stdout
    away = project(tmp_path, "--accounts", "-d", "sqlite:///other.db")
    assert away.returncode == 1
    assert "Traceback" not in away.stderr
    assert f"{leader(0)} was not read" in away.stderr
    for name in ("hlfast.db", "other.db"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            assert connection.execute("SELECT count(*) FROM receipts").fetchone()[0] == 2
    with closing(sqlite3.connect(tmp_path / "hlfast.db")) as connection:
        equity = dict(connection.execute("SELECT account, max(CAST(usd AS REAL)) FROM equity GROUP BY account"))
    assert set(equity) == {leader(0), account(0), account(1)}
    assert 990_000 < equity[account(0)] < 1_010_000
