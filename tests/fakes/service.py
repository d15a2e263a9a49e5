"""Whole processes for tests: the simulated venue, and the service with throwaway keys."""

from __future__ import annotations

import copy
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from coincurve import PrivateKey
from eth_hash.auto import keccak

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "python")}


def throwaway_agent(directory: Path) -> str:
    """Make a key, write it as a credential, and return its address."""
    secret = secrets.token_bytes(32)
    address = "0x" + keccak(PrivateKey(secret).public_key.format(compressed=False)[1:])[-20:].hex()
    path = directory / address
    path.write_text(secret.hex())
    path.chmod(0o400)
    return address


def account(number: int) -> str:
    return f"0x{0xF0000000 + number:040x}"


def leader(number: int) -> str:
    return f"0x{0xE0000000 + number:040x}"


class Process:
    """A child that prints one JSON line when it is ready. `environment` is added to the usual one."""

    def __init__(self, *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={**ENVIRONMENT, **(environment or {})},
            cwd=cwd,
        )
        self.errors: list[str] = []
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()

    def _read_errors(self) -> None:
        self.errors.extend(line.decode("utf-8", "replace") for line in self.child.stderr)

    def ready(self, seconds: float = 60) -> dict:
        """The ready line; the child is ended when it does not come."""
        spoke, _, _ = select.select([self.child.stdout], [], [], seconds)
        line = self.child.stdout.readline() if spoke else b""
        if not line:
            self.end(signal.SIGKILL)
            raise AssertionError(f"not ready after {seconds} s: {self.said()}")
        return json.loads(line)

    def said(self) -> str:
        self._reader.join(timeout=2 if self.child.poll() is not None else 0)
        return "".join(self.errors)

    def end(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Send a signal and return the exit code."""
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            return self.child.wait(seconds)
        finally:
            if self.child.poll() is None:
                self.child.kill()
                self.child.wait()
            self._reader.join(timeout=2)
            self.child.stdout.close()
            self.child.stderr.close()


class Sim:
    """`hlfast sim` in a process of its own."""

    def __init__(self, directory: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        arguments = ("hlfast.sim", "--port", "0", "--json", *options)
        self._process = Process(*arguments, cwd=directory, environment=environment)

    def __enter__(self) -> Self:
        self.base_url = self._process.ready()["base_url"]
        return self

    def __exit__(self, *_error) -> None:
        self._process.end()

    def control(self, op: str, **fields) -> dict:
        body = json.dumps({"op": op, **fields}).encode()
        request = urllib.request.Request(self.base_url + "/control", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def fill(self, address: str, *, coin: str, px: str, sz: str, side: str, start: str) -> dict:
        row = {"coin": coin, "px": px, "sz": sz, "side": side, "startPosition": start, "time": 1, "tid": 1, "oid": 1}
        row |= {
            "dir": "",
            "closedPnl": "0.0",
            "hash": "0x" + "0" * 64,
            "crossed": True,
            "fee": "0.0",
            "feeToken": "USDC",
        }
        return self.control("leader_fills", address=address, rows=[row])["fills"][0]

    def position(self, address: str, coin: str) -> str:
        return self.control("ledger")["positions"].get(address, {}).get(coin, {}).get("szi", "0")


class Service:
    """`hlfast run` with followers that copy one leader each at ratio 0.1, in a directory of its own."""

    def __init__(
        self,
        directory: Path,
        sim: Sim,
        *,
        followers: int = 3,
        leaders: int = 1,
        policies: dict[int, str] | None = None,
        funds: dict[int, str] | None = None,
        environment: Mapping[str, str] | None = None,
        base_url: str | None = None,
        **engine,
    ) -> None:
        self.directory = directory
        self.environment = environment
        self.credentials = directory / "credentials"
        self.credentials.mkdir(exist_ok=True)
        self.agents = [throwaway_agent(self.credentials) for _ in range(followers)]
        for number, agent in enumerate(self.agents):
            sim.control("fund", address=account(number), usdc=(funds or {}).get(number, "1000000"))
            sim.control("approve_agent", master=account(number), agent=agent)
        for number in range(leaders):
            sim.control("fund", address=leader(number), usdc="10000000")
        self._write(base_url or sim.base_url, leaders, engine, policies or {})
        self.process: Process
        self.facts: dict

    def _write(self, base_url: str, leaders: int, engine: dict, policies: dict[int, str]) -> None:
        lines = ['network = "testnet"', "[venue]", f'base_url = "{base_url}"', 'limits = "off"']
        lines += [
            "[journal]",
            f'directory = "{self.directory / "journal"}"',
            'durability = "relaxed"',
            "[metrics]",
            "port = 0",
        ]
        lines += ["[keys]", f'credentials_directory = "{self.credentials}"', "[engine]"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in engine.items()]
        for number in range(leaders):
            lines += ["[[leaders]]", f'name = "l{number}"', f'address = "{leader(number)}"']
        for number, agent in enumerate(self.agents):
            lines += ["[[followers]]", f'name = "f{number}"', f'account = "{account(number)}"', f'agent = "{agent}"']
            lines += [
                "[[follows]]",
                f'leader = "l{number % leaders}"',
                f'follower = "f{number}"',
                'mode = "ratio"',
                'ratio = "0.1"',
                policies.get(number, ""),
            ]
        (self.directory / "hlfast.toml").write_text("\n".join(lines) + "\n")

    def cloned(self, directory: Path) -> Service:
        """The same accounts, keys and journal on another machine, as from a snapshot of this one's."""
        other = copy.copy(self)
        other.directory = directory
        shutil.copytree(self.directory / "journal", directory / "journal", ignore=shutil.ignore_patterns("*.sock"))
        text = (self.directory / "hlfast.toml").read_text()
        old, new = (f'"{each / "journal"}"' for each in (self.directory, directory))
        (directory / "hlfast.toml").write_text(text.replace(old, new))
        # Where the lock of signers is: one for each machine.
        other.environment = {"XDG_RUNTIME_DIR": str(directory)}
        return other

    def spawn(self) -> Process:
        arguments = ("hlfast", "run", "--config", "hlfast.toml", "--json")
        self.process = Process(*arguments, cwd=self.directory, environment=self.environment)
        return self.process

    def start(self) -> Self:
        self.facts = self.spawn().ready()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error) -> None:
        self.process.end()

    def get(self, name: str) -> str:
        with urllib.request.urlopen(self.facts[name], timeout=5) as answer:
            return answer.read().decode()


def wait_for(condition, seconds: float = 30.0, tell=lambda: "") -> None:
    """Wait for something of another process, which no clock of ours moves; `tell` says what there is instead."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not come in time. {tell()}"
        time.sleep(0.01)
