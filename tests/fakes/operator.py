"""A person at the command line, and a leader that he watches."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.fakes.service import ENVIRONMENT, Service, Sim, account, leader, wait_for


class Operator:
    """Calls `hlfast` as a person would, in the service's directory."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, *words: str, code: int = 0) -> str:
        done = self._run(*words)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str):
        done = self._run(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "hlfast", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self._service.directory,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done


class Market:
    """A leader whose fills of one coin follow each other."""

    def __init__(self, sim: Sim, number: int = 0, *, address: str | None = None) -> None:
        self._sim = sim
        self._leader = address or leader(number)
        self.held = 0.0

    def trades(self, size: float) -> None:
        side = "B" if size > 0 else "A"
        self._sim.fill(self._leader, coin="ETH", px="3000.0", sz=str(abs(size)), side=side, start=str(self.held))
        self.held += size

    def position(self, number: int) -> float:
        return float(self._sim.position(account(number), "ETH"))

    def wait(self, *positions: float) -> None:
        # ETH has four decimals.
        def is_there() -> bool:
            return all(abs(self.position(number) - held) < 2e-4 for number, held in enumerate(positions))

        wait_for(is_there)
