"""The command: one ready line, clean ends, refusals that name what was wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
LEADER = "0x" + "1e" * 20


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hlfast.sim", *options]
    env = {"PYTHONPATH": str(ROOT / "python"), "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, env=env)


def test_ready_line_and_clean_end(start: Callable[..., Any]) -> None:
    process = start()
    ready = json.loads(process.ready)
    assert set(ready) == {"base_url", "ws_url", "pid"}
    assert ready["ws_url"] == ready["base_url"].replace("http", "ws") + "/ws"
    assert Path(f"/proc/{ready['pid']}").exists()
    code, out, err = process.stop()
    assert (code, out, err) == (0, "", "")


def test_scenario_runs_before_ready(start: Callable[..., Any], tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.json"
    ops = [
        {"op": "fund", "address": LEADER, "usdc": "5000"},
        {"op": "set_position", "address": LEADER, "coin": "ETH", "size": "-2.5", "entry_px": "1900"},
    ]
    scenario.write_text(json.dumps(ops))
    process = start("--scenario", str(scenario))
    (row,) = process.info("clearinghouseState", user=LEADER)["assetPositions"]
    assert (row["position"]["szi"], row["position"]["entryPx"]) == ("-2.5", "1900.0")


def test_bad_scenario_is_named(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text('[{"op":"fund","address":"0x1","usdc":"5"}]')
    done = run("--json", "--scenario", str(scenario))
    assert done.returncode == 1
    assert done.stderr.startswith("sim: scenario[0]: fund: address must be 0x and 40 hex digits")
    scenario.write_text("{")
    done = run("--json", "--scenario", str(scenario))
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--network", "moonnet"), "moonnet"),
        (("--limits", "some"), "some"),
        (("--port", "70000"), "--port"),
        (("--colour",), "--colour"),
        (("--life", "party"), "neither walk nor capture nor a file"),
        (("--leader", "@3"), "is not [ADDRESS=]SOURCE[@SPEED]"),
    ],
)
def test_wrong_option_is_refused_by_name(options: tuple[str, ...], words: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert words in done.stderr


def test_life_and_leaders_are_on_when_ready(start: Callable[..., Any], tmp_path: Path) -> None:
    rows = [{"coin": "HYPE", "px": "61", "sz": "1", "side": "B", "time": 1, "startPosition": "4"}]
    (tmp_path / "fills.json").write_text(json.dumps(rows))
    (tmp_path / "scenario.json").write_text(
        json.dumps([{"op": "play", "what": "fills", "address": LEADER, "file": "fills.json"}])
    )
    options = ("--life", "walk", "--coins", "BTC,xyz:CL", "--leader", "leader_acc2@5000")
    process = start("--scenario", str(tmp_path / "scenario.json"), *options)
    names = [row["play"] for row in process.control(op="plays")["plays"]]
    assert names == ["fills-1", "walk-2", "fills-3"]
    deadline = time.monotonic() + 20
    while process.info("clearinghouseState", user=LEADER)["assetPositions"] == []:
        assert time.monotonic() < deadline
    (row,) = process.info("clearinghouseState", user=LEADER)["assetPositions"]
    assert row["position"]["szi"] == "5.0"
    while not process.info("recentTrades", coin="BTC"):
        assert time.monotonic() < deadline


def test_the_door_reads_no_files(start: Callable[..., Any]) -> None:
    request = {"op": "play", "what": "fills", "address": LEADER, "rows": [], "file": "/etc/hostname"}
    status, body = start().post("/control", request)
    assert status == 400
    assert b"no fill row" in body
    status, body = start().post(
        "/control", request | {"rows": [{"coin": "BTC", "px": "1", "sz": "1", "side": "B", "time": 1}]}
    )
    assert (status, body) == (400, b"play: fills knows no 'file'")


def test_taken_port_is_said(start: Callable[..., Any]) -> None:
    port = start().base_url.rpartition(":")[2]
    done = run("--json", "--port", port)
    assert done.returncode == 1
    assert port in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--leader", "nobody"), "no packaged recording 'nobody'; known: leader_acc10, leader_acc2"),
        (("--leader", "leader_acc2@0"), "speed must be between"),
        (("--life", "walk", "--coins", "BTC,NOPE"), "coin 'NOPE' is not listed"),
    ],
)
def test_life_that_does_not_fit_is_named(options: tuple[str, ...], words: str) -> None:
    done = run("--json", "--port", "0", *options)
    assert done.returncode == 1
    assert words in done.stderr


def test_help_teaches() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("--auto-fund", "--limits", "--scenario", "official SDK", "wrong hash", "--life", "Examples:"):
        assert word in done.stdout


def test_notice_and_test_keys_are_loud() -> None:
    command = [sys.executable, "-u", "-m", "hlfast.sim", "--port", "0"]
    env = {"PYTHONPATH": str(ROOT / "python"), "NO_COLOR": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        lines = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert "no real money" in lines[0]
    assert sum("0xac0974bec39a17e3" in line for line in lines) == 1
