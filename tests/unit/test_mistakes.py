"""Each mistake that a system of this kind makes has a test that is there, and a change that still fits; `tests.mistakes` runs them."""

from __future__ import annotations

import re

import pytest
from tests import mistakes

TABLE = mistakes.table()
KNOWN = 25


def test_every_mistake_is_in_the_table_once() -> None:
    assert len({one.what for one in TABLE}) == len(TABLE) == KNOWN


@pytest.mark.parametrize("mistake", TABLE, ids=lambda one: one.what)
def test_the_named_test_is_there(mistake: mistakes.Mistake) -> None:
    place, name = mistake.place, mistake.test.rpartition("::")[2]
    if place.startswith("tests/"):
        assert re.search(rf"^(async )?def {name}\(", (mistakes.ROOT / place).read_text(), re.MULTILINE)
        return
    package, _, program = place.partition("/")
    crate = mistakes.ROOT / "rust" / package
    modules = mistake.test.split("::")[1:-1]
    # Unit tests stand in the module `tests` of what they test.
    file = (
        crate.joinpath("src", *modules[:-1])
        if program == f"hlfast_{package}"
        else crate.joinpath("tests", *(modules or [program]))
    )
    assert re.search(rf"#\[test\]\s+fn {name}\(", file.with_suffix(".rs").read_text())


@pytest.mark.parametrize("mistake", TABLE, ids=lambda one: one.what)
def test_the_change_that_makes_it_still_fits(mistake: mistakes.Mistake) -> None:
    assert mistake.old != mistake.new
    assert (mistakes.ROOT / mistake.file).read_text().count(mistake.old) == 1
