"""Count the instructions of a presigned order and of decisions for one and for a crowd, held to bench/budget.toml. Needs valgrind.

Callgrind runs an example of the core twice with different numbers of orders or fills and collects inside one function alone; the
difference has no start-up in it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parents[1]
ROOT = BENCH.parent
FEW, MANY = 4, 64
FEW_FILLS, MANY_FILLS = 2, 10
EXAMPLES = ("one_order", "one_fill", "crowd")


def instructions(example: str, function: str, *arguments: object) -> int:
    """Instructions inside one function of an example."""
    with tempfile.TemporaryDirectory() as work:
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={work}/out",
            "--collect-atstart=no",
            f"--toggle-collect=*{function}*",
            str(ROOT / "target/release/examples" / example),
            *map(str, arguments),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    if (found := re.search(r"Collected\s*:\s*(\d+)", done.stderr)) is None:
        raise SystemExit(f"callgrind said nothing of instructions:\n{done.stderr}")
    return int(found[1])


def fill_instructions(kind: str) -> float:
    """Instructions of one fill for 1,000 followers, `plain` or `guarded`."""
    few, many = (instructions("crowd", "decide_for_crowd", kind, fills) for fills in (FEW_FILLS, MANY_FILLS))
    return (many - few) / (MANY_FILLS - FEW_FILLS)


def gate(what: str, figure: float, limit: float, unit: str) -> dict[str, Any]:
    """One figure judged."""
    return {
        "what": what,
        "figure": figure,
        "limit": limit,
        "unit": unit,
        "at_least": False,
        "passed": figure <= limit,
        "note": "callgrind",
    }


def gates() -> list[dict[str, Any]]:
    """Count everything."""
    budget = tomllib.loads((BENCH / "budget.toml").read_text(encoding="utf-8"))["instructions"]
    few, many = (instructions("one_order", "sign_orders", orders) for orders in (FEW, MANY))
    order = round((many - few) / (MANY - FEW))
    few, many = (instructions("one_fill", "decide_fill", fills) for fills in (FEW, MANY))
    fill = round((many - few) / (MANY - FEW))
    plain, guarded = (fill_instructions(kind) for kind in ("plain", "guarded"))
    follower = "instructions a follower"
    return [
        gate("sign + encode one order, presigned", order, budget["sign_presigned_order"], "instructions"),
        gate("decide one fill for one follower", fill, budget["decide_one_fill"], "instructions"),
        gate("decide for 1,000 followers", round(plain / 1_000), budget["decide_for_a_follower"], follower),
        gate(
            "decide for 1,000 followers, all filters and caps over none",
            round(guarded / plain, 3),
            budget["all_filters_and_caps_over_none"],
            "times",
        ),
    ]


def build() -> None:
    """Compile what is counted."""
    command = ["cargo", "build", "--quiet", "--release", "--locked", "-p", "hlfast-core"]
    examples = [word for name in EXAMPLES for word in ("--example", name)]
    subprocess.run([*command, *examples], cwd=ROOT, check=True)


def main() -> None:
    """Build, count, compare."""
    build()
    found = gates()
    print(json.dumps({"gates": found}))
    over = [one for one in found if not one["passed"]]
    if over:
        sys.exit(
            "\n".join(f"{one['what']}: {one['figure']} {one['unit']}, the budget is {one['limit']}" for one in over)
        )


if __name__ == "__main__":
    main()
