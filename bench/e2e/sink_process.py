"""The Rust sink as a child process: built on demand, obeying one JSON line at a time."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target" / "bench"


class BenchError(Exception):
    """A bench cannot run, or its result would not be valid."""


def build() -> None:
    """Compile the sink and the yardstick in release mode (about a minute the first time)."""
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet"],
        cwd=ROOT / "bench" / "e2e" / "sink",
        env={**os.environ, "CARGO_TARGET_DIR": str(TARGET)},
        check=True,
    )


def bare_signature_ns(count: int = 1_000) -> float:
    """Median time of one recoverable libsecp256k1 signature, now, on this machine."""
    out = subprocess.run([TARGET / "release" / "bare_signature", str(count)], capture_output=True, check=True)
    return float(json.loads(out.stdout)["median_ns"])


def give_core(pid: int, which: int) -> None:
    """Keep a process's main thread on one core: the sink has the first, a copier's loop the last; other threads move freely.

    Without that a spinning sink and a never-sleeping copier may share a core while the other one is busy elsewhere.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(pid, {cores[which]})


class SinkProcess:
    """Feed and order door of one copier under test."""

    def __init__(self, leader: str, agents: Path | None = None) -> None:
        """Start the sink on a free port of the loopback interface."""
        argv = [str(TARGET / "release" / "sink"), leader, *([str(agents)] if agents else [])]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        give_core(self._process.pid, 0)
        ready = self._read()
        self.base_url: str = ready["base_url"]
        self.ws_url: str = ready["ws_url"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None, "opened with a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the sink ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchError(f"sink: {answer['error']}")
        return answer

    def command(self, **fields: object) -> dict[str, Any]:
        """Send one operation and wait for its result."""
        assert self._process.stdin is not None, "opened with a pipe"
        self._process.stdin.write(json.dumps(fields).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close standard input, which ends the sink, and reap it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
