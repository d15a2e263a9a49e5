"""`hlfast check` as a process, against the simulated exchange as another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from hlfast.signing import Signer

KEY = "6b" * 32
AGENT = Signer.from_key(KEY).address
ACCOUNT, LEADER = "0x" + "f1" * 20, "0x" + "a1" * 20


@pytest.fixture
def base_url() -> Iterator[str]:
    command = [sys.executable, "-m", "hlfast.sim", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["base_url"]
        finally:
            process.terminate()


def control(base_url: str, **op: Any) -> None:
    request = Request(base_url + "/control", json.dumps(op).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        assert json.load(answer)["ok"]


def check(path: Path) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "hlfast", "check", "-c", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_check_finds_what_is_missing_and_then_nothing(base_url: str, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    path = tmp_path / "hlfast.toml"
    path.write_text(
        f"""
        network = "testnet"
        [venue]
        base_url = "{base_url}"
        [journal]
        directory = "{tmp_path}/journal"
        [keys]
        credentials_directory = "{credentials}"
        [[leaders]]
        name = "alice"
        address = "{LEADER}"
        [[followers]]
        name = "main"
        account = "{ACCOUNT}"
        agent = "{AGENT}"
        [[follows]]
        leader = "alice"
        follower = "main"
        mode = "ratio"
        ratio = "0.5"
        coins_allow = ["BTC", "ETH"]
        """
    )
    code, body = check(path)
    assert code == 1
    assert not body["ok"]
    wrong = {finding["about"] for finding in body["findings"] if finding["level"] == "wrong"}
    assert wrong == {"key main", "leader alice", "follower main"}

    (credentials / AGENT).write_text(KEY)
    (credentials / AGENT).chmod(0o400)
    control(base_url, op="fund", address=LEADER, usdc="5000")
    control(base_url, op="fund", address=ACCOUNT, usdc="1000")
    control(base_url, op="approve_agent", master=ACCOUNT, agent=AGENT, name="copy")
    code, body = check(path)
    assert code == 0, body
    assert body["ok"]
    assert {finding["level"] for finding in body["findings"]} == {"ok"}, body
