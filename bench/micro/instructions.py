"""Count the instructions of one presigned order and hold them to bench/budget.toml. Needs valgrind.

Callgrind runs the example of the core twice with different numbers of orders; the difference has no start-up in it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
ROOT = BENCH.parent
FEW, MANY = 4, 64


def instructions(orders: int) -> int:
    """Instructions inside the signing loop for this many orders."""
    with tempfile.TemporaryDirectory() as work:
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={work}/out",
            "--collect-atstart=no",
            "--toggle-collect=*sign_orders*",
            str(ROOT / "target/release/examples/one_order"),
            str(orders),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    if (found := re.search(r"Collected\s*:\s*(\d+)", done.stderr)) is None:
        raise SystemExit(f"callgrind said nothing of instructions:\n{done.stderr}")
    return int(found[1])


def main() -> None:
    """Build, count, compare."""
    build = ["cargo", "build", "--quiet", "--release", "--locked", "-p", "hlfast-core", "--example", "one_order"]
    subprocess.run(build, cwd=ROOT, check=True)
    budget = tomllib.loads((BENCH / "budget.toml").read_text(encoding="utf-8"))["instructions"]["sign_presigned_order"]
    each = (instructions(MANY) - instructions(FEW)) / (MANY - FEW)
    gate = {
        "what": "sign + encode one order, presigned",
        "figure": round(each),
        "limit": budget,
        "unit": "instructions",
        "at_least": False,
        "passed": each <= budget,
        "note": "callgrind",
    }
    print(json.dumps({"gates": [gate]}))
    if each > budget:
        sys.exit(f"{each:.0f} instructions per order, the budget is {budget}")


if __name__ == "__main__":
    main()
