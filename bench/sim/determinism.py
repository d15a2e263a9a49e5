"""Whether a seed is a run: each seed lived through twice, in processes with other hash seeds, must end in one hash.

Prints one JSON object; exits 1 when a seed differs from itself, or when seeds don't differ from each other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from workload import Day


def live(first: int, count: int, seconds: int) -> None:
    """Print a line a seed: its hash, and what was seen and struck."""
    for seed in range(first, first + count):
        day = Day(seed, seconds)
        log_hash = day.run()
        server = day.venue.server
        line = {
            "seed": seed,
            "hash": log_hash,
            "entries": server.venue.event_log.entries,
            "actions": server.venue.record.counters["actions"],
            "faults": sum(server.faults.struck.values()),
            "kinds": sorted(server.faults.struck),
        }
        print(json.dumps(line), flush=True)


def one_pass(arguments: argparse.Namespace, hash_seed: str) -> list[dict[str, object]]:
    """Live through all seeds in a process of its own."""
    command = [sys.executable, __file__, "--live", "--first", str(arguments.first), "--seeds", str(arguments.seeds)]
    command += ["--seconds", str(arguments.seconds)]
    env = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env, cwd=Path(__file__).parent)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=300, help="virtual time of each run")
    parser.add_argument("--live", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.live:
        live(arguments.first, arguments.seeds, arguments.seconds)
        return
    started = time.perf_counter()
    first, second = one_pass(arguments, "1"), one_pass(arguments, "2")
    unequal = [row["seed"] for row, again in zip(first, second, strict=True) if row != again]
    kinds = Counter(kind for row in first for kind in row["kinds"])  # type: ignore[attr-defined]
    print(
        json.dumps(
            {
                "seeds": len(first),
                "unequal": unequal,
                "distinct_hashes": len({row["hash"] for row in first}),
                "entries": sum(row["entries"] for row in first),  # type: ignore[misc]
                "actions": sum(row["actions"] for row in first),  # type: ignore[misc]
                "faults": sum(row["faults"] for row in first),  # type: ignore[misc]
                "seeds_by_kind": dict(sorted(kinds.items())),
                "virtual_s": arguments.seconds * len(first) * 2,
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
    )
    if unequal or len({row["hash"] for row in first}) != len(first):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
