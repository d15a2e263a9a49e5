"""`hlfast what-if ADDRESS` against the simulated exchange: fills, markets and funding asked for, and the same from a file."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.fakes.service import ENVIRONMENT, Sim, leader, wait_for


def what_if(directory: Path, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "hlfast", "what-if", *words]
    done = subprocess.run(
        command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False
    )
    return done.returncode, done.stdout, done.stderr


def info(sim: Sim, kind: str, **fields: Any) -> Any:
    body = json.dumps({"type": kind, **fields}).encode()
    request = urllib.request.Request(sim.base_url + "/info", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_what_if_of_an_address_reads_its_fills_and_markets_at_the_venue(tmp_path: Path) -> None:
    address = leader(0)
    with Sim(tmp_path) as sim:
        sim.control("fund", address=address, usdc="50000")
        for size, side, start, price in (
            ("10.0", "B", "0.0", "3000.0"),
            ("4.0", "A", "10.0", "3030.0"),
            ("6.0", "A", "6.0", "3060.0"),
        ):
            at_ms = sim.fill(address, coin="ETH", px=price, sz=size, side=side, start=start)["time"]
            # The follower's order, 20 ms behind, must not meet the next one.
            wait_for(lambda at_ms=at_ms: info(sim, "exchangeStatus")["time"] > at_ms + 300)
        code, out, err = what_if(
            tmp_path, address, "--venue", sim.base_url, "--json", "--quick", "--ratio", "0.01", "--latency", "20"
        )
        assert code == 0, err
        found = json.loads(out)
        saved = tmp_path / "fills.json"
        saved.write_text(json.dumps(info(sim, "userFills", user=address)))
        unknown = what_if(tmp_path, "0x" + "9" * 40, "--venue", sim.base_url)
    # A hundredth of 4 · 30 + 6 · 60 dollars.
    assert Decimal(found["money"]["edge_usd"]) == Decimal("4.8")
    assert (found["fills"], found["copied"]["orders"]) == (3, 3)
    assert found["coins"][0]["measured"], "spread and depth come from the venue's impact prices"
    assert unknown[0] == 1
    assert "the venue knows no fills of it" in unknown[2]
    again = what_if(tmp_path, address, "--fills", str(saved), "--json", "--quick", "--ratio", "0.01", "--latency", "20")
    assert Decimal(json.loads(again[1])["money"]["edge_usd"]) == Decimal("4.8")
    away = what_if(tmp_path, address, "--venue", "http://127.0.0.1:1")
    assert away[0] == 2
    assert "Traceback" not in away[2]
