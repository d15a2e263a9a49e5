"""Signing through Python beside the official SDK: `bench/micro/signing.py [--rounds 9] [--out FILE]`.

Rows of one round follow each other; each row's figure is the median over the rounds, and every ratio is taken between medians of
the same run. The SDK runs in its own environment (`make oracle`), as installed and with coincurve, both also accelerated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import coincurve

from hlfast.signing import PresignPool, Signer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NATIVE_ENV, COINCURVE_ENV = ".venv-oracle", ".venv-oracle-coincurve"
NONCE = 1_790_000_000_000
FOLLOWERS = 100
ACTION = {
    "type": "order",
    "orders": [{"a": 4, "b": True, "p": "1670.1", "s": "0.0147", "r": False, "t": {"limit": {"tif": "Ioc"}}}],
    "grouping": "na",
}
PLAIN, COINCURVE = "official SDK", "official SDK, coincurve"
TARGETS = [
    # row, against, the peer's row, at least
    ("one order to bytes, presigned", PLAIN, "order to bytes", 1500),
    ("one order to bytes, presigned", COINCURVE, "order to bytes", 200),
    ("one of 100 orders of 100 followers", COINCURVE, "order to bytes", 500),
    ("Signer.sign_l1 on a dict", PLAIN, "sign_l1_action", 100),
    ("Signer.sign_l1 on a dict", COINCURVE, "sign_l1_action", 15),
    (f"{PLAIN}, accelerated: sign_l1_action", PLAIN, "sign_l1_action", 100),
    (f"{COINCURVE}, accelerated: sign_l1_action", COINCURVE, "sign_l1_action", 15),
]


class Sdk:
    """One process of the SDK's side."""

    def __init__(self, name: str, environment: str, *arguments: str) -> None:
        self.name = name
        command = [str(ROOT / environment / "bin" / "python"), str(HERE / "sdk_rows.py"), *arguments]
        clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean)

    def round(self, calls: int) -> dict[str, float]:
        """Seconds per call of each of its rows."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{calls}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with code {self.process.wait()}")
        return {f"{self.name}: {row}": seconds for row, seconds in json.loads(line).items()}

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def seconds(call: Callable[[int], Any], calls: int) -> float:
    """Mean time of one call."""
    started = time.perf_counter()
    for n in range(calls):
        call(n)
    return (time.perf_counter() - started) / calls


def wait_full(pool: PresignPool, count: int) -> None:
    """Until the pool is full: what is timed is signing, not the refill."""
    while pool.ready < count:
        time.sleep(0.005)


def ours(signers: list[Signer], one: PresignPool, pool: PresignPool, serial: int) -> dict[str, float]:
    """One round of hlfast's rows."""
    signer = signers[0]
    depth = 256
    wait_full(one, depth)
    single = seconds(
        lambda n: signer.order_request(4, True, 1670.1, 0.0147, nonce=NONCE + serial + n, pool=one), depth - 1
    )
    deterministic = seconds(lambda n: signer.order_request(4, True, 1670.1, 0.0147, nonce=NONCE + n), 100)
    wait_full(pool, FOLLOWERS * 8)
    same = [(n, 4, True, 1670.1, 0.0147, NONCE + serial) for n in range(FOLLOWERS)]
    shared = seconds(lambda _: pool.order_requests(same), 4) / FOLLOWERS
    wait_full(pool, FOLLOWERS * 8)
    each = [(n, 4, True, 1670.1, 0.0147, NONCE + serial + n) for n in range(FOLLOWERS)]
    many = seconds(lambda _: pool.order_requests(each), 4) / FOLLOWERS
    return {
        "one order to bytes, presigned": single,
        "one order to bytes, deterministic": deterministic,
        "one of 100 orders of 100 followers": many,
        "one of 100 orders of 100 followers, one action": shared,
        "Signer.sign_l1 on a dict": seconds(lambda n: signer.sign_l1(ACTION, NONCE + n), 100),
    }


def measure(rounds: int) -> dict[str, list[float]]:
    """Every row, round after round."""
    accelerate = ("--accelerate", str(ROOT / "python"))
    peers = [
        (Sdk(PLAIN, NATIVE_ENV), 5),
        (Sdk(COINCURVE, COINCURVE_ENV, "--coincurve"), 30),
        (Sdk(f"{PLAIN}, accelerated", NATIVE_ENV, *accelerate), 200),
        (Sdk(f"{COINCURVE}, accelerated", COINCURVE_ENV, "--coincurve", *accelerate), 200),
    ]
    signers = [Signer.from_key(f"{n + 1:064x}") for n in range(FOLLOWERS)]
    one, pool = PresignPool(signers[:1], 256), PresignPool(signers, 8)
    bare = coincurve.PrivateKey(bytes.fromhex("07" * 32))
    digest = bytes(range(32))
    figures: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        row = {"bare signature": seconds(lambda _: bare.sign_recoverable(digest, hasher=None), 100)}
        row |= ours(signers, one, pool, 1000 * number)
        for peer, calls in peers:
            row |= peer.round(calls)
        if number:  # the first round warms up
            for name, value in row.items():
                figures.setdefault(name, []).append(value)
    for peer, _ in peers:
        peer.close()
    return figures


def result(figures: dict[str, list[float]]) -> dict[str, Any]:
    """Medians, spreads, ratios and gates."""
    middle = {name: median(values) for name, values in figures.items()}
    bare = middle["bare signature"]
    gates = []
    for row, peer, peer_row, least in TARGETS:
        ratio = middle[f"{peer}: {peer_row}"] / middle[row]
        what = f"{row}, times faster than {peer}"
        gates.append(
            {
                "what": what,
                "figure": ratio,
                "limit": least,
                "at_least": True,
                "unit": "times",
                "passed": ratio >= least,
                "note": "",
            }
        )
    head = ["row", "median µs", "best to worst µs", "signatures"]
    table = [
        [
            name,
            f"{1e6 * middle[name]:.2f}",
            f"{1e6 * min(values):.2f} to {1e6 * max(values):.2f}",
            f"{middle[name] / bare:.3f}",
        ]
        for name, values in figures.items()
    ]
    return {
        "rounds": len(next(iter(figures.values()))),
        "bare_signature_us": 1e6 * bare,
        "table": [head, *table],
        "gates": gates,
    }


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    text = json.dumps(result(measure(args.rounds)), indent=1, ensure_ascii=False)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
