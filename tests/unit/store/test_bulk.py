from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hlfast.store.bulk import copy_text


def read(text: str) -> list[list[str | None]]:
    """PostgreSQL's rules for COPY's text format."""
    unescaped = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
    rows = []
    for line in text.removesuffix("\n").split("\n"):
        row: list[str | None] = []
        for field in line.split("\t"):
            out, at = "", 0
            while at < len(field):
                pair = field[at : at + 2]
                out += unescaped.get(pair, field[at])
                at += 2 if pair in unescaped else 1
            row.append(None if field == "\\N" else out)
        rows.append(row)
    return rows


FIELDS = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[FIELDS] * width), min_size=1, max_size=5)))
def test_copy_text_is_read_back_whatever_is_in_it(rows: list[tuple[Any, ...]]) -> None:
    lost = str.maketrans(dict.fromkeys("\0\x1d\x1e\x1f", ""))
    wanted = [[None if field is None else str(field).translate(lost) for field in row] for row in rows]
    assert read(copy_text(rows)) == wanted


def test_copy_text_keeps_the_words_that_mean_something_to_copy() -> None:
    assert read(copy_text([("\\N", "", None, "\\.", True)])) == [["\\N", "", None, "\\.", "True"]]
    assert copy_text([]) == ""
