"""Holds every recorded history's episodes to its fills, and this package's ratios to those of empyrical.

    .venv/bin/python bench/research/episodes.py ../shared/data/fills [--record]

The sum of `closedPnl` is taken here from the rows themselves, each identity once; episodes come from the package. `closedPnl` computed again
from prices is `research.reconcile`. Ratios: `tests/vectors/risk_empyrical.json`, which `oracle_risk.py` writes in an environment of its own.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from kept import Gate, conditions, finish

from hlfast.research.episodes import episodes_of
from hlfast.research.figures import plain
from hlfast.research.files import FileRefusedError, history_from_file
from hlfast.research.reconcile import reconcile
from hlfast.research.risk import risk_of

VECTOR = Path(__file__).parents[2] / "tests" / "vectors" / "risk_empyrical.json"
HEAD = [
    "history",
    "fills",
    "episodes",
    "Σ closedPnl",
    "Σ of episodes",
    "gaps, each",
    "computed again: equal, within a unit of the entry, not",
]
IDENTITY = ("coin", "time", "side", "oid", "tid")
WITHOUT_TID = (*IDENTITY, "px", "sz", "startPosition")


def closed_profit(path: Path) -> Decimal:
    """Σ closedPnl of the rows, by nothing but their text."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    seen: dict[tuple[Any, ...], Decimal] = {}
    for row in (outer.get("fill", outer) for outer in rows):
        if row.get("dir") == "Net Child Vaults":
            continue
        key = tuple(row.get(name) for name in (IDENTITY if row.get("tid") else WITHOUT_TID))
        seen.setdefault(key, Decimal(str(row["closedPnl"])))
    return sum(seen.values(), Decimal(0))


def histories(directory: Path) -> tuple[list[list[str]], int]:
    """One row a history, and how many have another closed profit."""
    rows, differing = [], 0
    for path in sorted(directory.rglob("*.json*")):
        try:
            history = history_from_file(path)
        except FileRefusedError:
            continue
        episodes, legs, issues = episodes_of(history)
        told, mine = closed_profit(path), plain(episodes["closed_pnl"].sum())
        gaps = [f"{issue.count}: {'; '.join(issue.examples)}" for issue in issues if issue.kind == "gap"]
        again = reconcile(legs)
        differing += told != mine
        counts = f"{again.exact:,}, {again.within_unit}, {again.wrong} (entry not recorded: {again.unknown})"
        rows.append(
            [
                path.name[:24],
                f"{history.fills.height:,}",
                f"{episodes.height:,}",
                f"{told:f}",
                f"{mine:f}",
                *(gaps or ["0"]),
                counts,
            ]
        )
    return rows, differing


def ratios() -> tuple[int, float]:
    """How many ratios were compared with empyrical's, and the largest relative difference."""
    vector = json.loads(VECTOR.read_text(encoding="utf-8"))
    count, largest = 0, 0.0
    for case in vector["cases"]:
        mine = risk_of(np.array(case["returns"]), case["per_year"])
        for name in set(case) - {"name", "returns", "per_year"}:
            theirs, ours = case[name], getattr(mine, name)
            count += 1
            if theirs is None or ours is None:
                largest = max(largest, 0.0 if theirs is ours else 1.0)
            else:
                largest = max(largest, abs(ours - theirs) / max(abs(theirs), 1e-3))
    return count, largest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fills", type=Path, help="directory with traders' fills")
    parser.add_argument("--record", action="store_true", help="write bench/results and RESULTS.md")
    chosen = parser.parse_args()
    on = conditions("episodes.py")
    rows, differing = histories(chosen.fills)
    count, largest = ratios()
    gates = [
        Gate(
            f"of {len(rows)} histories, with another closed profit of episodes than of fills", differing, 0, "histories"
        ),
        Gate(f"largest difference of {count} ratios from empyrical's", largest, 1e-9, "relative"),
    ]
    return finish("episodes", on, {"table": [HEAD, *rows]}, gates, keep=chosen.record)


if __name__ == "__main__":
    sys.exit(main())
