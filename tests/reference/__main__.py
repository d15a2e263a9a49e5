"""Every recorded trader, alone and up to five together, under every policy: `python -m tests.reference ../shared/data/fills`.

Prints where the core and the reference part, then how much was compared (`--json`: as one object); exit code 1 when they part.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from tests.reference import histories
from tests.reference.compare import differences
from tests.reference.policies import configuration, equities

_WHOLE_RECORDS = ("*.jsonl", "*.jsonl.gz", "*.json")
# No leader's fills: notes on the others, and other ledgers.
_NOT = ("queries", "vault_funding", "vault_ledger", "rare_fills")


def groups_of(records: dict[str, list[dict[str, Any]]]) -> list[list[str]]:
    """Each alone, then in twos to fives: neighbours by length, so that those side by side trade about as often."""
    names = sorted(records, key=lambda name: len(records[name]))
    groups = [[name] for name in names]
    for size in (2, 3, 4, 5):
        groups += [names[at : at + size] for at in range(0, len(names) - size + 1, size)]
    return groups


def compare(records: dict[str, list[dict[str, Any]]], *, coalesced: bool) -> tuple[list[str], int]:
    """What differs between the core and the reference, and how many positions were compared."""
    with tempfile.TemporaryDirectory() as directory:
        config = configuration(list(records), Path(directory))
        return differences(
            config,
            histories.coins_of(list(records.values())),
            equities(config),
            histories.together(records, coalesced=coalesced),
            Path(directory),
            histories.held_first(records),
        )


def main() -> int:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    files = sorted(path for ending in _WHOLE_RECORDS for path in chosen.root.rglob(ending))
    files = [path for path in files if not path.name.startswith(_NOT)]
    records = {path.name.partition(".")[0][:24]: histories.read(path) for path in files}
    groups = groups_of(records)
    parted = positions = 0
    with Progress(console=Console(stderr=True)) as progress:
        for group in progress.track(groups, description="groups of leaders"):
            for coalesced in (False, True):
                found, compared = compare({name: records[name] for name in group}, coalesced=coalesced)
                parted, positions = parted + len(found), positions + compared
                for line in found[:3]:
                    progress.console.print(line)
    counts = {"records": len(records), "groups": len(groups), "positions": positions, "differences": parted}
    said = f"{len(records)} records, {len(groups)} groups twice, {positions} positions compared, {parted} differences"
    print(json.dumps(counts) if chosen.json else said)
    return 1 if parted else 0


if __name__ == "__main__":
    sys.exit(main())
