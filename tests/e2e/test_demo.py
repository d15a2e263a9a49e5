"""`hlfast demo` as a user runs it: whole processes, twice in a row, and under the venue's own limits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def run_demo(*arguments: str, ends_with: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "hlfast", "demo", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == ends_with, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def test_demo_ends_by_itself_with_verdict_ok_twice_in_a_row() -> None:
    for _ in range(2):
        summary = run_demo()
        assert summary["verdict"] == "ok", summary["mismatches"][:20]
        assert summary["mismatches"] == []
        assert summary["leaders"] == 7
        assert summary["followers"] == 25
        assert (summary["leader_fills"] == 2_662) is summary["complete"]
        assert summary["orders"] > 300
        assert summary["receipts"]["total"] > summary["leader_fills"] * 3
        assert summary["counters"]["unknown_signers"] == 0
        assert summary["seconds"] <= 31
        assert {"p50", "p99", "max"} <= summary["latency_us"]["decide"].keys()
        assert "1,200 actions/min" in summary["limits"]


def test_demo_takes_rows_without_tid_and_with_minute_times(tmp_path: Path) -> None:
    minute = 1_733_759_640_000
    position, rows = 0.0, []
    for number in range(60):
        size = 1.5 if number % 20 < 15 else -4.0
        rows.append(
            {
                "coin": "SOL",
                "px": f"{200 + number % 7 * 0.01:.2f}",
                "sz": f"{abs(size)}",
                "side": "B" if size > 0 else "A",
                "time": minute + number // 6 * 60_000,
                "startPosition": f"{position}",
                "srcRow": number,
            }
        )
        position += size
    path = tmp_path / "export.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    summary = run_demo("--fills", str(path), "--followers", "6", "--seconds", "20")
    assert summary["verdict"] == "ok", summary["mismatches"][:20]
    assert summary["leader_fills"] == 60
    assert any("no tid" in note for note in summary["notes"])
    assert any("whole minutes" in note for note in summary["notes"])


def test_demo_refuses_a_bad_file_by_name_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"coin": "SOL"}')
    done = subprocess.run(
        [sys.executable, "-m", "hlfast", "demo", "--fills", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).split())
    assert "bad.jsonl:1" in said.replace(" ", "") or "bad.jsonl:1" in said


def test_demo_keeps_the_venues_limits_without_a_429_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hlfast", "demo", "--json", "--limits", "venue", "--followers", "7", "--seconds", "60"],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    summary = json.loads(done.stdout)
    assert summary["counters"]["rate_limited"] == 0
    assert summary["counters"]["unknown_signers"] == 0
    assert summary["executions"] > 100
