"""Every recorded trader, alone and up to five together, under every policy: `python -m tests.reference ../shared/data/fills`.

Prints one line a group; exit code 1 when the core and the reference part anywhere.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.progress import Progress
from tests.reference import histories
from tests.reference.compare import differences
from tests.reference.policies import configuration, equities

_WHOLE_RECORDS = ("*.jsonl", "*.jsonl.gz", "*.json")
# No leader's fills: notes on the others, and other ledgers.
_NOT = ("queries", "vault_funding", "vault_ledger", "rare_fills")


def main(root: Path) -> int:
    """Compare; the number of differences."""
    files = sorted(path for ending in _WHOLE_RECORDS for path in root.rglob(ending) if not path.name.startswith(_NOT))
    records = {path.name.partition(".")[0][:24]: histories.read(path) for path in files}
    names = sorted(records, key=lambda name: len(records[name]))
    groups = [[name] for name in names]
    groups += [names[at : at + size] for size in (2, 3, 4, 5) for at in range(0, len(names) - size + 1, size)]
    parted = positions = 0
    with Progress() as progress:
        for group in progress.track(groups, description="groups of leaders"):
            for coalesced in (False, True):
                chosen = {name: records[name] for name in group}
                with tempfile.TemporaryDirectory() as directory:
                    config = configuration(group, Path(directory))
                    found, compared = differences(
                        config,
                        histories.coins_of(list(chosen.values())),
                        equities(config),
                        histories.together(chosen, coalesced=coalesced),
                        Path(directory),
                        histories.held_first(chosen),
                    )
                parted, positions = parted + len(found), positions + compared
                for line in found[:3]:
                    progress.console.print(line)
    print(f"{len(records)} records, {len(groups)} groups twice, {positions} positions compared, {parted} differences")
    return parted


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1])) else 0)
