"""Scans a made trade tape: frames of real shape, two addresses a trade, ten million distinct ones.

    nice -n -15 .venv/bin/python bench/research/tape.py [--addresses 11200000] [--record]

One core. Speed is measured over frames made beforehand; memory over all addresses, frame by frame.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time

import numpy as np
import orjson
from kept import Gate, conditions, finish

from hlfast.research.tape import Tape

ROWS = 20


def frames(rng: np.random.Generator, first: int, trades: int, heavy: list[str]) -> list[bytes]:
    """Every address once, but one side in ten is one of the heavy traders."""
    out = []
    fresh = first
    for start in range(0, trades, ROWS):
        rows = []
        for at in range(ROWS):
            users = [f"0x{fresh + 2 * at:040x}", f"0x{fresh + 2 * at + 1:040x}"]
            if at % 5 == 0:
                users[at % 2] = heavy[int(rng.integers(len(heavy)))]
            rows.append(
                {
                    "coin": "BTC",
                    "side": "BA"[at % 2],
                    "px": "97123.5",
                    "sz": "0.0123",
                    "time": 1_767_000_000_000 + start,
                    "hash": "0x" + "ab" * 32,
                    "tid": start + at,
                    "users": users,
                }
            )
        fresh += 2 * ROWS
        out.append(orjson.dumps({"channel": "trades", "data": rows}))
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--addresses", type=int, default=10_000_000)
    parser.add_argument("--record", action="store_true", help="write bench/results and RESULTS.md")
    chosen = parser.parse_args()
    on = conditions("tape.py")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rng = np.random.default_rng(7)
    heavy = [f"0xfeed{number:036x}" for number in range(500)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tape = Tape(heavy[:100])
    fresh, cost = 0, 0.0
    while fresh < chosen.addresses:
        part = frames(rng, fresh, 50_000, heavy)
        begun = time.process_time()
        for frame in part:
            tape.take(frame)
        cost += time.process_time() - begun
        fresh += 100_000
    hitters = {hitter.address for hitter in tape.heaviest(500)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seen, known = tape.sketch.distinct(), hitters & set(heavy)
    found = {
        "trades": f"{tape.trades:,}",
        "distinct_addresses": f"about {seen:,}",
        "memory_before_mib": before,
        "watched": f"{sum(tape.seen().values()):,} trades of {len(tape.seen())} leaders",
    }
    gates = [
        Gate("trades scanned on one core", tape.trades / cost, 200_000, "a second of CPU", at_least=True),
        Gate(f"peak memory, about {seen:,} addresses", peak, 512, "MiB"),
        Gate(
            f"of {len(heavy)} heavy traders, in the first {len(heavy)}",
            len(known),
            len(heavy),
            "traders",
            at_least=True,
        ),
    ]
    return finish("trade_tape", on, found, gates, keep=chosen.record)


if __name__ == "__main__":
    sys.exit(main())
