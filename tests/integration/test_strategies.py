"""A strategy of two leaders on the simulated exchange: sized by allocation, netted, capped, changed while it runs, added up."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.fakes.service import ENVIRONMENT, Service, Sim, account, leader, wait_for

# One million of the follower beside ten of each leader: a weight of one is a ratio of a tenth.
STRATEGY = """
[[strategies]]
name = "two"
follower = "f0"
kind = "proportional"
max_risk_usd = "{cap}"
{more}
[[strategies.parts]]
leader = "l0"
allocation = "{first}"
[[strategies.parts]]
leader = "l1"
allocation = "0.3"
"""


def write(directory: Path, cap: int, first: str, more: str = "") -> None:
    """Put the strategy in the place of the service's only follow."""
    settings = directory / "hlfast.toml"
    lines = settings.read_text().partition("[[follows]]")[0].partition("[[strategies]]")[0]
    settings.write_text(lines + STRATEGY.format(cap=cap, first=first, more=more))


def hlfast(directory: Path, *words: str) -> str:
    command = [sys.executable, "-m", "hlfast", *words]
    done = subprocess.run(
        command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(directory: Path, command: str, *words: str) -> list[dict[str, Any]]:
    text = hlfast(directory, command, "-d", "sqlite:///hlfast.db", "--json", *words)
    return [json.loads(line) for line in text.splitlines()]


def test_a_strategy_is_sized_netted_capped_changed_and_added_up(tmp_path: Path) -> None:
    with Sim(tmp_path) as sim:
        service = Service(tmp_path, sim, followers=1, leaders=2)
        write(tmp_path, 2_400, "0.6")

        def trade(number: int, side: str, size: str, start: str, held: float) -> None:
            sim.fill(leader(number), coin="ETH", px="3000.0", sz=size, side=side, start=start)
            wait_for(lambda: abs(float(sim.position(account(0), "ETH")) - held) < 0.02)

        with service:
            trade(0, "B", "10.0", "0.0", 0.6)
            trade(1, "A", "6.0", "0.0", 0.42)
            # 2,400 USD are 0.8 ETH: what was asked for beyond it is not bought.
            trade(0, "B", "20.0", "10.0", 0.8)
            # His reduction to 0.9 uncovers nothing; the other's exit may not raise the account above its cap either.
            trade(0, "A", "15.0", "30.0", 0.72)
            trade(1, "B", "6.0", "-6.0", 0.8)
            trade(0, "A", "15.0", "15.0", 0.0)
            write(tmp_path, 2_400, "0.2")
            assert "l0" in hlfast(tmp_path, "reload", "--yes")
            assert float(sim.position(account(0), "ETH")) == 0.0
            trade(0, "B", "10.0", "0.0", 0.2)
            hlfast(tmp_path, "project", "-c", "hlfast.toml", "--accounts")
    [found] = rows(tmp_path, "strategies")
    assert (found["name"], found["kind"], found["follower"]) == ("two", "proportional", "f0")
    assert {part["leader"]: part["allocation"] for part in found["parts"]} == {"l0": "0.2", "l1": "0.3"}
    earned = {row["leader"]: Decimal(row["net_usd"]) for row in rows(tmp_path, "earnings")}
    assert abs(Decimal(found["net_usd"]) - earned["l0"] - earned["l1"]) < Decimal("0.000002")
    assert Decimal(found["fees_usd"]) > 0
    assert "two" in hlfast(tmp_path, "strategies", "-d", "sqlite:///hlfast.db")


def test_a_deposit_moves_what_is_open_only_where_a_strategy_is_rebalanced(tmp_path: Path) -> None:
    with Sim(tmp_path) as sim:
        service = Service(tmp_path, sim, followers=1, leaders=2, reconcile_ms=5_000)
        write(tmp_path, 20_000, "0.6")

        def holds(size: float) -> bool:
            return abs(float(sim.position(account(0), "ETH")) - size) < 0.02

        with service:
            sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
            wait_for(lambda: holds(0.6))
            sim.control("fund", address=account(0), usdc="1000000")
            wait_for(lambda: float(json.loads(hlfast(tmp_path, "followers", "--json"))[0]["equity_usd"]) > 1_900_000)
            assert holds(0.6)
            write(tmp_path, 20_000, "0.6", 'rebalance = { drift_percent = "10" }')
            said = hlfast(tmp_path, "reload", "--yes")
            assert "takes another ratio to l0" in said
            wait_for(lambda: holds(1.2))
            assert "hlfast_copy_rebalanced_total 1" in service.get("metrics_url")
            hlfast(tmp_path, "project", "-c", "hlfast.toml")
    with closing(sqlite3.connect(tmp_path / "hlfast.db")) as connection:
        found = connection.execute("SELECT leader, follower, text FROM alerts WHERE code = 'rebalanced'").fetchall()
    assert [(row[0], row[1]) for row in found] == [("l0", "f0")]
    # Fees made the equity a little less.
    assert found[0][2].startswith("f0 of l0 takes another ratio: ETH 0.6 to 1.19999")
