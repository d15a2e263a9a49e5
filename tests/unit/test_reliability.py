"""docs/reliability.md names a proof for each fault: here the names are held to what exists."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hlfast.gameday.faults import KINDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = {cells[1].strip(): cells for cells in (line.split("|") for line in PAGE.splitlines()) if len(cells) == 6}
FAULTS = [f"{group}{number}" for group, last in (("F", 15), ("O", 23), ("H", 15)) for number in range(1, last + 1)]
# A file whose cases each run in a process of their own, started by its own `main`.
WITHOUT_HARNESS = "rust/host/tests/failing_disk.rs"


def places() -> set[str]:
    sys.path.insert(0, str(ROOT / "bench" / "e2e"))
    from failpoints import PLACES

    return set(PLACES)


def is_there(proof: str) -> bool:
    kind, _, name = proof.partition(":")
    if kind == "gameday":
        return name in KINDS
    if kind == "failpoint":
        return name in places()
    file, _, test = proof.partition("::")
    path = ROOT / file
    if not path.is_file():
        return False
    code = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return re.search(rf"^(async )?def {test}\(", code, re.MULTILINE) is not None and test.startswith("test_")
    attribute = "" if file == WITHOUT_HARNESS else r"#\[test\]\n(\s*#\[.*\]\n)*\s*"
    return re.search(rf"{attribute}fn {test}\(", code) is not None


def test_page_has_every_fault_of_the_failure_model() -> None:
    assert [row for row in ROWS if row and row != "---"] == FAULTS


@pytest.mark.parametrize("fault", FAULTS)
def test_page_names_proofs_that_exist_or_says_that_there_is_none(fault: str) -> None:
    cell = ROWS[fault][4]
    proofs = re.findall("`([^`]+)`", cell)
    assert [proof for proof in proofs if not is_there(proof)] == []
    assert proofs or cell.strip() == "none"


def test_a_proof_that_is_not_there_is_seen() -> None:
    here = "tests/unit/test_reliability.py"
    assert is_there(f"{here}::test_a_proof_that_is_not_there_is_seen")
    for wrong in (
        f"{here}::test_that_was_renamed",
        f"{here}::is_there",
        "tests/unit/test_gone.py::test_gone",
        "rust/core/tests/silence.rs::with_two_feeds",
        "gameday:earthquake",
        "failpoint:nowhere",
    ):
        assert not is_there(wrong), wrong
