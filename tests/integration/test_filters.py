"""Filters and sizing that need the venue's figures, on the simulated exchange: each figure is read, judged by, and named in the receipt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.fakes.service import ENVIRONMENT, Service, Sim, account, leader, wait_for

# Follower → what its edge asks for, and what the entry ends with.
EDGES = {
    1: ('side = "short"', "side_filtered"),
    3: ('min_day_volume_usd = "1000000000"', "low_volume"),
    4: ('min_open_interest_usd = "1000000000"', "low_open_interest"),
    5: ('max_leader_leverage = "0.001"', "leader_leverage"),
    6: ('quality_window = "day"\nonly_profitable = true', "leader_quality"),
    7: (
        'hours = ["00:00-23:59", "23:59-24:00"]\nhours_zone = "Asia/Kathmandu"\nround_up = true\nround_up_max_usd = "5"',
        "none",
    ),
    8: ('max_leader_leverage = "100"\nmin_listed_days = 30\ndelay_ms = 300', "none"),
    2: ("inverse = true", "none"),
}


def receipts(directory: Path) -> list[dict[str, str]]:
    """Every receipt, from a database made of the journal."""
    rows = ""
    for words in (("project", "-c", "hlfast.toml"), ("receipts", "-d", "sqlite:///hlfast.db", "--json")):
        command = [sys.executable, "-m", "hlfast", *words]
        done = subprocess.run(
            command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        rows = done.stdout
    return [json.loads(line) for line in rows.splitlines()]


def test_figures_of_the_venue_gate_entries_and_no_exit(tmp_path: Path) -> None:
    policies = {number: policy for number, (policy, _) in EDGES.items()}
    with Sim(tmp_path) as sim, Service(tmp_path, sim, followers=9, policies=policies) as service:

        def held(number: int) -> float:
            return float(sim.position(account(number), "ETH"))

        # A figure that was asked for and has not come would block, not skip.
        wait_for(lambda: json.loads(service.get("health_url"))["core"]["asks_pending"] == 0)
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="B", start="0.0")
        wait_for(lambda: held(0) == held(7) == held(8) == 1.0 and held(2) == -1.0)
        sim.fill(leader(0), coin="ETH", px="3000.0", sz="10.0", side="A", start="10.0")
        wait_for(lambda: all(held(number) == 0.0 for number in range(9)))
        service.process.end()
        found = {(row["follower"], row["reason"]) for row in receipts(tmp_path) if row["leader_after"] != "0"}
    expected = {(f"f{number}", reason) for number, (_, reason) in EDGES.items()} | {("f0", "none")}
    assert found == expected
