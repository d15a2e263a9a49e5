"""Keeps what a bench of research found in bench/results, and says whether its limits were reached."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import machine
import report
from e2e.gates import Gate

__all__ = ["Gate", "conditions", "finish"]


def conditions(program: str) -> dict[str, Any]:
    """What the run is made on; ask before it, so that the load is that of others."""
    with tempfile.TemporaryDirectory() as work:
        on = machine.conditions(Path(work), f"bench/research/{program}")
    del on["journal_file_system"]
    return on


def finish(name: str, on: dict[str, Any], found: dict[str, Any], gates: Sequence[Gate], *, keep: bool) -> int:
    """Print a result as RESULTS.md shows it, keep it if wanted, and return the exit code: 1 when a limit was missed."""
    result = found | on | {"gates": [gate.result() for gate in gates]}
    if keep:
        report.record({name: result})
    print(report.tables({name: result}))
    return int(not all(gate.passed for gate in gates))
