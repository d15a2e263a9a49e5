"""Game days one after another, each added to what its commit has shown so far: bench/results/gamedays.json.

    python bench/e2e/gamedays.py --seeds 20000

Goes on behind the last seed of this commit's row, and keeps what it saw every two minutes, so that it may be stopped at any time.
Seeds that are multiples of 100 are run twice. A seed with a violation, or one that differs when run again, is kept in its row and
ends the run with exit code 1. `--broken` plays all such seeds once more, twice each, by the code of now.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCH))

import machine  # noqa: E402 - a program of its own beside bench/run.py
import report  # noqa: E402
from e2e.gates import Gate  # noqa: E402
from hlfast.gameday.campaign import campaign, play  # noqa: E402
from hlfast.gameday.command import processor_s, tally  # noqa: E402
from hlfast.gameday.world import Options, Result  # noqa: E402

NAME = "gamedays"
KEEP_EVERY_S = 120.0
TWICE_EVERY = 100
SUMMED = ("seeds", "simulated_hours", "faults", "orders", "executions", "receipts", "engine_lives", "violations")

Row = dict[str, Any]


def commit() -> str:
    """The commit of the engine and of its world; what this program writes does not change it."""
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "python", "rust"], cwd=machine.ROOT, check=False)
    asked = ["git", "rev-parse", "--short", "HEAD"]
    found = subprocess.run(asked, cwd=machine.ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return f"{found}-dirty" if changed.returncode else found


def kept() -> tuple[list[Row], Row | None]:
    """What was seen so far, a row for each commit, and what the seeds that broke did since."""
    path = BENCH / "results" / f"{NAME}.json"
    if not path.exists():
        return [], None
    seen_so_far = json.loads(path.read_text(encoding="utf-8"))
    return seen_so_far["commits"], seen_so_far.get("again")


def begin(rows: list[Row], of: str, first: int) -> Row:
    """The row of a commit, made on its first seed."""
    for row in rows:
        if row["commit"] == of:
            return row
    rows.append(
        {"commit": of, "first_seed": first, **dict.fromkeys(SUMMED, 0)}
        | {"faults_by_kind": {}, "failed_seeds": [], "run_twice": 0, "not_repeatable": [], "processor_s": 0.0}
    )
    return rows[-1]


def add(row: Row, result: Result, processor: float) -> None:
    """Add one seed."""
    found = tally([result])
    for name in SUMMED:
        row[name] += found[name]
    row["simulated_hours"] = round(row["simulated_hours"], 2)
    row["faults_by_kind"] = dict((Counter(row["faults_by_kind"]) + Counter(found["faults_by_kind"])).most_common())
    row["failed_seeds"] += found["failed_seeds"]
    row["processor_s"] = round(row["processor_s"] + processor, 2)


def section(rows: list[Row], again: Row | None = None) -> dict[str, Any]:
    """The part of the results that the rows make; `again`: what the seeds that broke did since."""
    whole = {name: sum(row[name] for row in rows) for name in SUMMED}
    head = ["commit", "seeds", "hours", "faults", "orders", "executions", "receipts", "lives", "run twice, equal"]
    table = [[*head, "violations", "processor s a seed"]]
    for row in rows:
        last = row["first_seed"] + row["seeds"] - 1
        equal = f"{row['run_twice']}, {row['run_twice'] - len(row['not_repeatable'])}"
        counts = [f"{row[name]:,}" for name in SUMMED[2:-1]]
        wrong = f"{row['violations']} in seeds {row['failed_seeds']}" if row["violations"] else "0"
        each_s = (
            f"{row['processor_s'] / max(1, row['seeds'] + row['run_twice']):.2f}"
            if row["processor_s"]
            else "not counted"
        )
        seeds = f"{row['seeds']:,} ({row['first_seed']:,} to {last:,})"
        table.append([row["commit"], seeds, f"{row['simulated_hours']:,.1f}", *counts, equal, wrong, each_s])
    note = f"over {len(rows)} commits"
    differing = sum(len(row["not_repeatable"]) for row in rows)
    gates = [
        Gate("seeds", whole["seeds"], 20_000, "seeds", at_least=True, note=note),
        Gate("simulated time", whole["simulated_hours"], 3_200, "hours", at_least=True, note=note),
        Gate("faults", whole["faults"], 2_000_000, "faults", at_least=True, note=note),
        Gate("violations", whole["violations"], 0, "violations", note=note),
        Gate("seeds that differ when run again", differing, 0, "seeds", note=note),
    ]
    if again:
        count = len(again["seeds"])
        gates.append(
            Gate(
                "seeds that broke once and still do",
                len(again["broken"]),
                0,
                "seeds",
                note=f"of {count}, on {again['commit']}",
            )
        )
    command = " ".join(["bench/e2e/gamedays.py", *sys.argv[1:]])
    described = {"machine": machine.describe(), "command": command}
    return described | {"commits": rows, "again": again, "table": table, "gates": [gate.result() for gate in gates]}


def seen(row: Row, seeds: int, jobs: int) -> Iterator[Result]:
    """Play a commit's next seeds and add each to its row."""
    first = row["first_seed"] + row["seeds"]
    before_s = processor_s()
    for result in campaign(range(first, first + seeds), Options(seed=first), jobs):
        if result.seed % TWICE_EVERY == 0:
            row["run_twice"] += 1
            if play(Options(seed=result.seed)).digest != result.digest:
                row["not_repeatable"].append(result.seed)
        now_s = processor_s()
        # Several processes tell what they used only when they end.
        add(row, result, now_s - before_s if jobs == 1 else 0.0)
        before_s = now_s
        yield result


def broken(rows: list[Row]) -> Row:
    """Play every seed that broke on some commit again, twice each."""
    numbers = sorted({seed for row in rows for seed in (*row["failed_seeds"], *row["not_repeatable"])})
    found: Row = {"commit": commit(), "seeds": numbers, "broken": []}
    for seed in numbers:
        first, second = play(Options(seed=seed)), play(Options(seed=seed))
        if first.violations or first.digest != second.digest:
            print(f"hlfast gameday --seed {seed}: {first.violations or 'differs when run again'}")
            found["broken"].append(seed)
    return found


def main() -> int:
    """Run seeds until one fails, or all are run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=1, help="first seed of a commit that has no row yet")
    parser.add_argument("--seeds", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--broken", action="store_true", help="play the seeds that broke again, and no others")
    arguments = parser.parse_args()
    rows, again = kept()
    if arguments.broken:
        again = broken(rows)
        report.record({NAME: section(rows, again)})
        return 1 if again["broken"] else 0
    row = begin(rows, commit(), arguments.first)
    kept_s = time.monotonic()
    for result in seen(row, arguments.seeds, arguments.jobs):
        wrong = bool(result.violations) or result.seed in row["not_repeatable"]
        if wrong or time.monotonic() > kept_s + KEEP_EVERY_S:
            report.record({NAME: section(rows, again)})
            kept_s = time.monotonic()
        if wrong:
            print(f"hlfast gameday --seed {result.seed}: {result.violations or 'differs when run again'}")
            return 1
    report.record({NAME: section(rows, again)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
