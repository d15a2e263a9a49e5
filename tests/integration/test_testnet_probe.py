"""`hlfast testnet-probe` as a process, against the simulated venue as another."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.service import ENVIRONMENT, Sim, throwaway_agent, wait_for

from hlfast.keys.lease import SignerLease

ACCOUNT = "0x" + "c4" * 20


class Probe:
    """Calls the command as a person would, who has one agent's key in a directory."""

    def __init__(self, sim: Sim, directory: Path) -> None:
        self.sim = sim
        self.credentials = directory / "probe-key"
        self.credentials.mkdir(mode=0o700)
        self.agent = throwaway_agent(self.credentials)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "hlfast", "testnet-probe", "-d", str(self.credentials), *words]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )

    def __call__(self, *words: str, code: int = 0, url: str | None = None) -> str:
        with self.begin("--url", url or self.sim.base_url, *words) as process:
            out, err = process.communicate(timeout=90)
        assert "Traceback" not in err, err
        assert process.returncode == code, out + err
        return out + err

    def approve(self, usdc: str = "1000") -> None:
        self.sim.control("fund", address=ACCOUNT, usdc=usdc)
        self.sim.control("approve_agent", master=ACCOUNT, agent=self.agent, name="probe")

    def is_clean(self) -> bool:
        body = json.dumps({"type": "openOrders", "user": ACCOUNT}).encode()
        request = urllib.request.Request(self.sim.base_url + "/info", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            rests = json.loads(answer.read())
        return not rests and float(self.sim.position(ACCOUNT, "ETH")) == 0

    def actions(self) -> list[dict[str, Any]]:
        return [row for row in self.sim.control("ledger")["actions"] if row["signer"] == self.agent]


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[Probe]:
    with Sim(tmp_path) as sim:
        yield Probe(sim, tmp_path)


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def test_questions_are_asked_over_both_lanes_and_nothing_is_left(probe: Probe) -> None:
    probe.approve()
    names = ["resend-race", "fence-before", "cloid-filled"]
    body = json.loads(probe("--yes", "--json", "--trade", *only(*names)))
    assert body["ok"]
    assert {finding["question"]: finding["verdict"] for finding in body["findings"]} == dict.fromkeys(
        names, "as assumed"
    )
    assert body["ending"] == "all asked"
    assert body["left_behind"] == []
    assert body["actions"] == len(probe.actions())
    assert probe.is_clean()

    probe.sim.control("config", repeated_cloid="refuse")
    told = probe("--yes", *only("cloid-resting"), code=1)
    assert "DIFFERS" in told
    assert "Duplicate client order id." in told
    assert "repeated_cloid" in told
    assert "nothing rests and nothing is held" in told


def test_ctrl_c_closes_what_was_opened(probe: Probe) -> None:
    probe.approve()
    with probe.begin("--url", probe.sim.base_url, "--yes", "--trade", *only("small-close", "cloid-filled")) as process:
        wait_for(lambda: probe.sim.control("ledger")["fills"])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2, out + err
    assert "Traceback" not in err
    assert "stopping" in err
    assert "nothing rests and nothing is held" in out
    assert probe.is_clean()


def test_what_must_not_begin_sends_nothing(probe: Probe) -> None:
    mainnet = "https://api.hyperliquid.xyz"
    assert f"{mainnet} is mainnet" in probe("--yes", url=mainnet, code=2)
    assert "is not approved" in probe("--yes", code=2)
    probe.approve("20")
    assert "holds 20.00 USD" in probe("--yes", code=2)
    probe.approve()
    told = probe(code=2)
    assert "sends " in told
    assert "nothing was sent" in told
    assert "needs executions" in probe("--yes", *only("far-trigger"), code=2)
    assert "--list" in probe("--yes", *only("fence"), code=2)
    assert "--yes" in probe("--json", code=2)
    lease = SignerLease(probe.sim.base_url, [probe.agent])
    try:
        assert "another engine on this host" in probe("--yes", code=2)
    finally:
        lease.release()
    throwaway_agent(probe.credentials)
    assert "--agent" in probe("--yes", code=2)
    assert not probe.actions()


def test_the_list_needs_no_key_and_no_venue(probe: Probe) -> None:
    rows = json.loads(probe("--list", "--json", url="http://127.0.0.1:1"))
    assert {"fence-before", "far-trigger"} <= {row["name"] for row in rows}
    assert "(--trade)" in probe("--list", url="http://127.0.0.1:1")
