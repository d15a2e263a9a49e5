"""Signing through Python beside the official SDK, as pytest-benchmark rows; bench/micro/signing.py runs them and judges.

Rows of one turn follow each other, so that a slow stretch of the machine falls on all of them: the collection is ordered by turn,
then by row. A peer's row asks its process for a number of calls at once; the pipe's round trip is under 1 % of it.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import coincurve
import pytest

from hlfast.signing import PresignPool, Signer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NATIVE_ENV, COINCURVE_ENV = ".venv-oracle", ".venv-oracle-coincurve"
NONCE = 1_790_000_000_000
FOLLOWERS, DEPTH = 100, 256
ACTION = {
    "type": "order",
    "orders": [{"a": 4, "b": True, "p": "1670.1", "s": "0.0147", "r": False, "t": {"limit": {"tif": "Ioc"}}}],
    "grouping": "na",
}
ACCELERATE = ("--accelerate", str(ROOT / "python"))
PEERS = {
    "official SDK": (NATIVE_ENV, (), 5),
    "official SDK, coincurve": (COINCURVE_ENV, ("--coincurve",), 30),
    "official SDK, accelerated": (NATIVE_ENV, ACCELERATE, 200),
    "official SDK, coincurve, accelerated": (COINCURVE_ENV, ("--coincurve", *ACCELERATE), 200),
}
OURS = (
    "bare signature",
    "one order to bytes, presigned",
    "one order to bytes, deterministic",
    "one of 100 orders of 100 followers",
    "one of 100 orders of 100 followers, one action",
    "Signer.sign_l1 on a dict",
)
ROWS = (*OURS, *(f"{peer}: {row}" for peer in PEERS for row in ("order to bytes", "sign_l1_action")))
# The first turn warms up and is not recorded.
TURNS = int(os.environ.get("BENCH_TURNS", "9")) + 1


class Peer:
    """One process of the SDK's side."""

    def __init__(self, environment: str, arguments: tuple[str, ...]) -> None:
        command = [str(ROOT / environment / "bin" / "python"), str(HERE / "sdk_rows.py"), *arguments]
        clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean)

    def call(self, row: str, calls: int) -> None:
        """Do so many calls of one of its rows."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([row, calls]) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline(), f"the peer ended with code {self.process.wait()}"


class Bench:
    """What the rows work on, made once."""

    def __init__(self) -> None:
        self.signers = [Signer.from_key(f"{n + 1:064x}") for n in range(FOLLOWERS)]
        self.one, self.pool = PresignPool(self.signers[:1], DEPTH), PresignPool(self.signers, 8)
        self.bare = coincurve.PrivateKey(bytes.fromhex("07" * 32))
        self.peers = {name: Peer(environment, arguments) for name, (environment, arguments, _) in PEERS.items()}
        self.nonces = itertools.count(NONCE)

    def close(self) -> None:
        """End the peers."""
        for peer in self.peers.values():
            # Closes its input, which ends it, and waits.
            peer.process.communicate()

    def row(self, name: str) -> tuple[Callable[[], Any], int, int]:
        """One row: the call, how often, and how many things one call does. Pools are full: what is timed is signing."""
        peer, _, row = name.rpartition(": ")
        if peer:
            calls = PEERS[peer][2]
            return (lambda: self.peers[peer].call(row, calls)), 1, calls
        signer, nonces = self.signers[0], self.nonces
        if name == "bare signature":
            digest = bytes(range(32))
            return (lambda: self.bare.sign_recoverable(digest, hasher=None)), 100, 1
        if name == "one order to bytes, presigned":
            wait_full(self.one, DEPTH)
            return (
                (lambda: signer.order_request(4, True, 1670.1, 0.0147, nonce=next(nonces), pool=self.one)),
                DEPTH - 1,
                1,
            )
        if name == "one order to bytes, deterministic":
            return (lambda: signer.order_request(4, True, 1670.1, 0.0147, nonce=next(nonces))), 100, 1
        if name == "Signer.sign_l1 on a dict":
            return (lambda: signer.sign_l1(ACTION, next(nonces))), 100, 1
        wait_full(self.pool, FOLLOWERS * 8)
        first, step = next(nonces), 0 if name.endswith("one action") else 1
        orders = [(n, 4, True, 1670.1, 0.0147, first + step * n) for n in range(FOLLOWERS)]
        return (lambda: self.pool.order_requests(orders)), 4, FOLLOWERS


def wait_full(pool: PresignPool, count: int) -> None:
    """Until the pool is full."""
    until = time.monotonic() + 30
    while pool.ready < count:
        assert time.monotonic() < until, "the pool does not fill"
        time.sleep(0.005)


@pytest.fixture(scope="session")
def rows() -> Iterator[Bench]:
    """The rows' pools and peers."""
    bench = Bench()
    yield bench
    bench.close()


@pytest.mark.parametrize(("turn", "name"), list(itertools.product(range(TURNS), ROWS)))
def test_row(benchmark: Any, rows: Bench, turn: int, name: str) -> None:
    """One row, once a turn."""
    call, iterations, things = rows.row(name)
    benchmark.extra_info.update(row=name, turn=turn, things=things)
    benchmark.pedantic(call, rounds=1, iterations=iterations)
