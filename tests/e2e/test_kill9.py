"""The engine dies by SIGKILL ten times while leaders trade on; the long form is `bench/e2e/kill9.py --kills 200`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
SCRIPT = Path(__file__).parents[2] / "bench" / "e2e" / "kill9.py"


@pytest.mark.parametrize("durability", ["durable", "relaxed"])
def test_kill9_sends_nothing_twice_and_loses_no_receipt(durability: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--kills", "10", "--seed", "7", "--durability", durability],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr[-4000:]
    result = json.loads(done.stdout)
    assert result["double_orders"] == 0
    assert result["fills_without_receipt"] == 0
    assert result["second_receipts"] == 0
    assert result["unknown_signers"] == 0
    assert result["executions"] > 20
    assert result["mismatches"] == []


@pytest.mark.timeout(900)
def test_an_engine_killed_at_each_named_place_sends_nothing_twice() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--kills", "18", "--seed", "7", "--failpoints"],
        capture_output=True,
        text=True,
        timeout=880,  # the first time it builds the extension anew
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr[-4000:]
    result = json.loads(done.stdout)
    assert len(result["killed_at"]) == 18
    assert sum(result["killed_at"].values()) == 18
    assert sum(kills > 0 for kills in result["killed_at"].values()) >= 12
    assert result["double_orders"] == 0
    assert result["mismatches"] == []
