"""The core on random histories, and beside the reference model on recorded ones.

    nice -n 10 .venv/bin/python bench/oracle/histories.py --events 1000000 --record
    nice -n 10 .venv/bin/python bench/oracle/histories.py --recorded ../shared/data/fills --record

Random: leaders trade, the venue answers in full, in part, not at all or with a refusal, lanes are lost, the engine restarts; plain,
within the venue's limits, and in slices (`rust/core/tests/histories`). Counted are these events, not the ticks between them. Checked: caps,
nonces, client ids, shares of leaders, receipts, rest, replay.

Recorded: each trader alone and in groups of two to five, under every sizing mode and cap (`tests/reference`), twice: fill by fill and
together. Counted are positions of followers compared after each event. Exit code 1 when anything differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import machine
import report
from e2e.gates import Gate

ROOT = machine.ROOT
# As the tests, so that what `debug_assert!` says is held too.
PROFILE = ("lto=false", "codegen-units=16", "debug-assertions=true")


def random_histories(events: int, longest: int, seed: int) -> dict[str, Any]:
    """Build, run, count."""
    build = ["cargo", "build", "--quiet", "--release", "--locked", "-p", "hlfast-core", "--example", "histories"]
    build += [word for setting in PROFILE for word in ("--config", f"profile.release.{setting}")]
    subprocess.run(build, cwd=ROOT, check=True)
    run = [str(ROOT / "target/release/examples/histories"), str(events), str(longest), str(seed)]
    found: dict[str, Any] = json.loads(subprocess.run(run, stdout=subprocess.PIPE, check=True).stdout)
    return found


def recorded_histories(directory: Path) -> dict[str, Any]:
    """Run the comparison as a process of its own."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "tests.reference", str(directory.resolve()), "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"seconds": time.perf_counter() - started}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=0, help="random events, over all histories")
    parser.add_argument("--longest", type=int, default=24, help="most events of one history")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recorded", type=Path, help="directory with traders' fills")
    parser.add_argument("--record", action="store_true", help="write bench/results and RESULTS.md")
    chosen = parser.parse_args()
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as work:
        on = machine.conditions(Path(work), "bench/oracle/histories.py")
    del on["journal_file_system"]
    if chosen.events:
        found = random_histories(chosen.events, chosen.longest, chosen.seed)
        gate = Gate(f"violations in {found['events']:,} events", found["violations"], 0, "violations")
        results["histories_random"] = found | on | {"gates": [gate.result()]}
    if chosen.recorded:
        found = recorded_histories(chosen.recorded)
        gate = Gate(f"differences in {found['positions']:,} positions", found["differences"], 0, "differences")
        results["histories_recorded"] = found | on | {"gates": [gate.result()]}
    if chosen.record:
        report.record(results)
    print(report.tables(results))
    return any(not gate["passed"] for result in results.values() for gate in result["gates"])


if __name__ == "__main__":
    sys.exit(main())
