"""The copiers under test: how each is started and how hard it may be driven.

Rates are chosen so that no copier is saturated: an interval is at least twice the time its slowest event was seen to take.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from e2e import service
from e2e.identity import LEADER, Follower, write_keys
from e2e.sink_process import ROOT, BenchError, give_core

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.sink_process import SinkProcess

PEERS = ROOT / "bench" / "peers"
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Drive:
    """One round's load: open-loop, one leader fill every `interval_us`."""

    interval_us: int
    events: int
    warmup: int

    def shortened(self, share: float) -> Drive:
        """Fewer events for the short form; the sum stays even, since the leader ends a round flat."""
        events = max(4, int(self.events * share) // 2 * 2)
        return Drive(self.interval_us, events, self.warmup // 2 * 2)


@dataclass(frozen=True, slots=True)
class Copier:
    """A program that turns leader fills into orders."""

    name: str
    drives: dict[int, Drive]  # followers → load
    start: Callable[[SinkProcess, list[Follower], Path], list[str]]
    settle: Callable[[Path, int], None] = field(default=lambda _work, _followers: None)
    # Fills that it says it answered with a later order; a copier that keeps no account of them has none.
    merged: Callable[[Path], int] = field(default=lambda _work: 0)

    @contextmanager
    def running(self, sink: SinkProcess, accounts: list[Follower], work: Path) -> Iterator[None]:
        """Start it against `sink`, wait until it is ready and subscribed, and stop it at the end."""
        work.mkdir()
        log = work / "stderr"
        argv = self.start(sink, accounts, work)
        with (
            log.open("wb") as errors,
            subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors, env=environment()) as process,
        ):
            try:
                self._await_ready(process, log, work)
                sink.command(op="wait_feed", seconds=READY_SECONDS)
                give_core(process.pid, -1)
                self.settle(work, len(accounts))
                yield
                if process.poll() is not None:
                    raise BenchError(f"{self.name} ended during the round: {log.read_text()[-2000:]}")
            finally:
                process.terminate()
                try:
                    process.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _await_ready(self, process: subprocess.Popen[bytes], log: Path, work: Path) -> None:
        assert process.stdout is not None, "opened with a pipe"
        for line in process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("ready"):
                (work / "ready.json").write_bytes(line)
                return
        raise BenchError(f"{self.name} ended before it was ready: {log.read_text()[-2000:]}")


def environment() -> dict[str, str]:
    """The children's environment: the source tree first, as the bench itself was started."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "python"), "PYTHONUNBUFFERED": "1"}


def naive(name: str, venv: str, drives: dict[int, Drive]) -> Copier:
    """The official SDK as users write it, in the environment `venv`."""

    def start(sink: SinkProcess, accounts: list[Follower], work: Path) -> list[str]:
        write_keys(work / "keys", accounts)
        python = ROOT / venv / "bin" / "python"
        script = str(PEERS / "naive_sdk.py")
        return [str(python), script, "--base-url", sink.base_url, "--leader", LEADER, "--keys", str(work / "keys")]

    return Copier(name, drives, start)


def lean(name: str, drives: dict[int, Drive], *, spin: bool) -> Copier:
    """The lean Python copier."""

    def start(sink: SinkProcess, accounts: list[Follower], work: Path) -> list[str]:
        write_keys(work / "keys", accounts)
        script = str(PEERS / "lean.py")
        argv = [sys.executable, script, "--ws-url", sink.ws_url, "--leader", LEADER, "--keys", str(work / "keys")]
        return [*argv, "--spin"] if spin else argv

    return Copier(name, drives, start)


def echo(name: str, drives: dict[int, Drive], *, spin: bool) -> Copier:
    """The bare echo of the transport."""

    def start(sink: SinkProcess, accounts: list[Follower], work: Path) -> list[str]:
        del work
        argv = [sys.executable, str(PEERS / "echo.py"), "--ws-url", sink.ws_url, "--leader", LEADER]
        argv += ["--followers", str(len(accounts))]
        return [*argv, "--spin"] if spin else argv

    return Copier(name, drives, start)


def hlfast(name: str, drives: dict[int, Drive], options: service.Options) -> Copier:
    """`hlfast run` as its users start it."""

    def start(sink: SinkProcess, accounts: list[Follower], work: Path) -> list[str]:
        return service.command(sink.base_url, accounts, work, options)

    def settle(work: Path, followers: int) -> None:
        service.settle(work, followers * options.pool_depth)

    return Copier(name, drives, start, settle, service.merged)


# A follower's order costs about 150 µs of background work afterwards (a new presignature, and recovering the one sent): at
# these intervals that is at most 40 % of a second core. The venue itself allows one address 1,200 actions a minute.
FAST = {1: Drive(5_000, 400, 40), 100: Drive(60_000, 60, 6), 1_000: Drive(400_000, 12, 2)}
LEAN = {1: Drive(5_000, 400, 40), 100: Drive(60_000, 60, 6), 1_000: Drive(400_000, 10, 2)}
NAIVE = {1: Drive(50_000, 40, 4), 100: Drive(2_000_000, 3, 1)}
NAIVE_COINCURVE = {1: Drive(20_000, 100, 10), 100: Drive(700_000, 5, 1)}


def peers() -> list[Copier]:
    """Everything hlfast is measured against."""
    return [
        echo("echo", FAST, spin=False),
        echo("echo, never sleeping", FAST, spin=True),
        naive("official SDK", ".venv-oracle", NAIVE),
        naive("official SDK + coincurve", ".venv-oracle-coincurve", NAIVE_COINCURVE),
        lean("lean Python", LEAN, spin=False),
        lean("lean Python, never sleeping", LEAN, spin=True),
    ]


def products() -> list[Copier]:
    """hlfast with a never-sleeping and with a sleeping loop, each in both journal modes, which are compared: one after the other."""
    return [
        hlfast(f"hlfast {durability}{', busy_poll' if busy else ''}", FAST, service.Options(durability, busy_poll=busy))
        for busy in (True, False)
        for durability in ("relaxed", "durable")
    ]
