"""Two leaders in one account, on the simulated exchange: what each of them earned, to the venue's last digit."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.fakes.service import ENVIRONMENT, Service, Sim, account, leader, wait_for

from hlfast.control.client import ask

SECOND = '[[follows]]\nleader = "l1"\nfollower = "f0"\nmode = "ratio"\nratio = "0.1"'


def hlfast(directory: Path, *words: str) -> str:
    command = [sys.executable, "-m", "hlfast", *words]
    done = subprocess.run(
        command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def earnings(directory: Path, by: str) -> list[dict[str, Any]]:
    text = hlfast(directory, "earnings", "-d", "sqlite:///hlfast.db", "--by", by, "--json")
    return [json.loads(line) for line in text.splitlines()]


def user_fills(sim: Sim, address: str) -> list[dict[str, Any]]:
    body = json.dumps({"type": "userFills", "user": address}).encode()
    request = urllib.request.Request(sim.base_url + "/info", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return list(json.load(answer))


def test_each_leader_earns_its_part_and_the_parts_are_the_account(tmp_path: Path) -> None:
    with Sim(tmp_path) as sim, Service(tmp_path, sim, followers=1, leaders=2, policies={0: SECOND}):
        moves = [
            (0, "10.0", "B", "0.0", "3000.0", 1.0),
            (1, "6.0", "A", "0.0", "3002.0", 0.4),
            (0, "10.0", "A", "10.0", "2999.0", -0.6),
        ]
        for number, size, side, start, price, held in moves:
            sim.fill(leader(number), coin="ETH", px=price, sz=size, side=side, start=start)
            wait_for(lambda held=held: float(sim.position(account(0), "ETH")) == held)
        fills = user_fills(sim, account(0))
        core = ask(tmp_path / "journal" / "control.sock", {"do": "status"})["status"]["core"]
        hlfast(tmp_path, "project", "-c", "hlfast.toml", "--accounts")
        again = hlfast(tmp_path, "project", "-c", "hlfast.toml", "--accounts")
    assert " 0 fills of " in again, "what is there is not written twice"
    parts = {row["leader"]: row for row in earnings(tmp_path, "leader,follower,coin")}
    assert {name: Decimal(row["position"]) for name, row in parts.items()} == {"l0": 0, "l1": Decimal("-0.6")}
    mark = Decimal(fills[0]["px"])  # the last price seen
    # The core shares out as it goes, this from the record afterwards: the same parts, the same money but for its last digit.
    for edge in core["follows"]:
        row = parts[edge["leader"]]
        assert Decimal(edge["held"].get("ETH", "0")) == Decimal(row["position"])
        worth = Decimal(row["position"]) * mark
        cash = Decimal(row["closed_usd"]) + Decimal(row["open_usd"]) - worth
        assert abs(Decimal(edge["cash_usd"]) - cash) < Decimal("0.00001")
    [whole] = earnings(tmp_path, "")
    assert Decimal(whole["fees_usd"]) == sum(Decimal(row["fee"]) for row in fills)
    signed = [(Decimal(row["sz"]) if row["side"] == "B" else -Decimal(row["sz"]), Decimal(row["px"])) for row in fills]
    profit = sum(-size * price for size, price in signed) + sum(size for size, _ in signed) * mark
    assert Decimal(whole["closed_usd"]) + Decimal(whole["open_usd"]) == profit
    assert "l0" in hlfast(tmp_path, "earnings", "-d", "sqlite:///hlfast.db")
    tracked = json.loads(hlfast(tmp_path, "tracking", "-d", "sqlite:///hlfast.db", "--json"))
    assert Decimal(tracked["ideal"]["ETH"]["position"]) == Decimal("-0.6")
    assert set(tracked["causes"]) == {"minimum", "caps", "filter", "latency", "margin", "rejection", "blocked"}
    assert sum(Decimal(amount) for amount in tracked["causes"].values()) == Decimal(tracked["error_usd_hours"])
