"""Time of a what-if over a recorded history, and whether its result is the recorded one, to the byte.

    nice -n -15 .venv/bin/python bench/research/whatif.py FILE [--golden bench/research/what_if_12156.json] [--record]

`replay` is one run of the core over the record for one follower; `what-if` is everything that the report needs but the
latency curve and the search for the least equity; `whole` is with both. Reading the file is apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hlfast.research.files import history_from_file
from hlfast.research.whatif import Model, Policy, what_if
from hlfast.research.whatif.record import prepare
from hlfast.research.whatif.run import Bench


def timed(name: str, rounds: int, work: Callable[[], Any]) -> Any:
    walls, costs, found = [], [], None
    for _ in range(rounds):
        wall, cost = time.perf_counter(), time.process_time()
        found = work()
        walls.append(time.perf_counter() - wall)
        costs.append(time.process_time() - cost)
    walls.sort()
    print(f"  {name:<8} wall {walls[0]:.3f} s best, {walls[rounds // 2]:.3f} median; CPU {min(costs):.3f} best")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--golden", type=Path)
    parser.add_argument("--record", action="store_true", help="write the golden file anew")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    begun = time.perf_counter()
    history = history_from_file(chosen.file)
    print(f"{chosen.file.name}: {history.fills.height:,} fills, read in {time.perf_counter() - begun:.3f} s")
    prepared = timed("prepare", chosen.rounds, lambda: prepare(history))
    bench = Bench(prepared, Policy(), Model())
    timed("replay", chosen.rounds, lambda: bench.run(Policy(), Model()))
    timed("what-if", chosen.rounds, lambda: what_if(history, latencies_ms=(), wanted=None))
    result = msgspec.json.encode(timed("whole", 3, lambda: what_if(history)))
    print(f"  result   sha256 {hashlib.sha256(result).hexdigest()}")
    if chosen.golden is None:
        return
    if chosen.record:
        chosen.golden.write_text(json.dumps(json.loads(result), indent=1) + "\n")
    same = json.loads(chosen.golden.read_text()) == json.loads(result)
    print(f"  golden   {'equal' if same else 'DIFFERS'}: {chosen.golden}")
    raise SystemExit(not same)


if __name__ == "__main__":
    main()
