from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.unit.research.rows import fill

from hlfast.research.analysis import analyse
from hlfast.research.files import FileRefusedError, history_from_file
from hlfast.research.history import History, history_from_rows, horizon_issue


def kinds(history: History) -> dict[str, int]:
    return {issue.kind: issue.count for issue in history.issues}


def test_history_keeps_every_digit() -> None:
    row = fill("@142", "-0.0000086141", "104730.168", "0.0000086141")
    fills = history_from_rows("a", [row]).fills
    assert (fills["size"][0], fills["price"][0]) == (Decimal("0.0000086141"), Decimal("104730.168"))
    assert fills["spot"][0]


@pytest.mark.parametrize(
    "change",
    [
        {"px": "0"},
        {"px": "abc"},
        {"px": None},
        {"px": "inf"},
        {"sz": "-1"},
        {"sz": "1" * 40},
        {"side": "buy"},
        {"side": None},
        {"time": 12},
        {"time": "1700000000000"},
        {"time": 1 << 70},
        {"startPosition": None},
        {"startPosition": "NaN"},
        {"startPosition": "-46116860185"},
        {"sz": "99999999999999999999999999.5"},
        {"sz": "1000000000", "px": "1000001"},
        {"closedPnl": "-1000000000000000"},
        {"fee": "1000000000000000"},
        {"coin": ""},
        {"coin": "x" * 41},
        {"coin": 7},
    ],
)
def test_history_counts_a_bad_row_and_keeps_the_others(change: dict[str, Any]) -> None:
    good = fill("BTC", "1", "100", "0")
    history = history_from_rows("a", [good, {**fill("BTC", "1", "100", "1", at=1), **change}])
    assert kinds(history) == {"bad_row": 1}
    assert history.issues[0].examples == ("row 2",)
    assert history.fills.height == 1


@pytest.mark.parametrize("rows", [[None], [7, "x", [], True], [{}], []])
def test_history_of_nothing_usable_is_empty_and_says_so(rows: list[Any]) -> None:
    history = history_from_rows("a", rows)
    assert history.fills.height == 0
    assert kinds(history)["empty"] == 0
    assert kinds(history).get("bad_row", 0) == len(rows)


def test_history_turns_newest_first_around() -> None:
    rows = [fill("BTC", "1", "100", "0"), fill("BTC", "-1", "101", "1", at=5)]
    assert history_from_rows("a", reversed(rows)).fills["time_ms"].to_list() == [rows[0]["time"], rows[1]["time"]]


def test_history_drops_a_row_that_came_twice_and_tells_a_conflict() -> None:
    row = fill("BTC", "1", "100", "0")
    history = history_from_rows("a", [row, row, {**row, "px": "101"}])
    assert kinds(history) == {"duplicate": 2, "conflict": 1}
    assert history.fills["price"].to_list() == [Decimal(100)]


def test_history_without_tid_tells_rows_apart_by_the_position_before() -> None:
    rows = [fill("BTC", "1", "100", str(start), at=60_000, oid=5) for start in (0, 1, 1)]
    for row in rows:
        del row["tid"]
    history = history_from_rows("a", rows)
    assert history.fills.height == 2
    assert kinds(history)["duplicate"] == 1
    assert kinds(history)["no_tid"] == 2


def test_history_keeps_both_sides_of_a_trade_with_oneself() -> None:
    both = [fill("BTC", size, "100", "3", tid=9, oid=1) for size in ("1", "-1")]
    assert history_from_rows("a", both).fills.height == 2


def test_history_says_that_times_are_minutes() -> None:
    rows = [fill("BTC", "1", "100", str(at), at=at * 60_000 + 40_000) for at in range(3)]
    assert kinds(history_from_rows("a", rows))["minute_times"] == 3


def test_history_unwraps_twap_slices() -> None:
    inner = fill("BTC", "1", "100", "0")
    history = history_from_rows("a", [{"fill": inner, "twapId": 3}])
    assert history.fills["twap"].to_list() == [True]


def test_history_tells_own_liquidation_from_a_counterparty_of_one() -> None:
    me = "0x" + "ab" * 20
    mine = {"liquidatedUser": me.upper().replace("0X", "0x"), "markPx": "1", "method": "market"}
    other = {**mine, "liquidatedUser": "0x" + "cd" * 20}
    rows = [
        fill("A", "1", "100", "0", liquidation=mine),
        fill("B", "1", "100", "0", liquidation=other),
        fill("C", "1", "100", "0", dir="Liquidated Isolated Long"),
        fill("D", "1", "100", "0", dir="Auto-Deleveraging"),
        fill("E", "1", "100", "0", liquidation="odd"),
    ]
    assert history_from_rows("a", rows, address=me).fills["liquidated"].to_list() == [True, False, True, True, False]


def test_horizon_is_said_from_ten_thousand_fills_on() -> None:
    history = history_from_rows("a", [fill("BTC", "1", "100", "0")])
    assert horizon_issue(history, served=9_999) is None
    issue = horizon_issue(history, served=10_000)
    assert issue is not None
    assert issue.kind == "horizon"
    assert "10,000" in issue.text


def test_file_forms_are_the_same_history(tmp_path: Path) -> None:
    rows = [fill("BTC", "1", "100", "0"), fill("BTC", "-1", "101", "1", at=5)]
    lines = b"\n".join(orjson.dumps(row) for row in rows) + b"\n\n"
    forms = {
        "a.jsonl": lines,
        "a.json": orjson.dumps(rows),
        "a.jsonl.gz": gzip.compress(lines),
        "a.json.gz": gzip.compress(json.dumps(rows, indent=1).encode()),
    }
    histories = []
    for name, text in forms.items():
        (tmp_path / name).write_bytes(text)
        histories.append(history_from_file(tmp_path / name))
    assert all(history.fills.equals(histories[0].fills) and history.name == "a" for history in histories)


def test_file_with_damaged_lines_loses_only_these(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(orjson.dumps(fill("BTC", "1", "100", "0")) + b'\n{"coin":\n\xff\xfe\n')
    history = history_from_file(path)
    assert history.fills.height == 1
    assert kinds(history) == {"bad_row": 2}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", b"", "no fills"),
        ("a.json", b"[1, 2", "not JSON"),
        ("a.gz", b"\x1f\x8bbroken", "can't be read"),
        ("a.jsonl", b"hello\nworld\n", "no fills"),
        ("a.gz", gzip.compress(b"{}" * 1000, mtime=0)[:-9], "can't be read"),
    ],
)
def test_file_without_history_is_refused_by_name(tmp_path: Path, name: str, text: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(FileRefusedError, match=said) as refused:
        history_from_file(tmp_path / name)
    assert name in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"), [("none.jsonl", "no such file$"), ("0x12ab", "no such file, and no address: .* not 4")]
)
def test_missing_file_is_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(FileRefusedError, match=said):
        history_from_file(tmp_path / name)


def test_history_of_the_largest_numbers_is_analysed() -> None:
    """Nothing that the bounds let through leaves the arithmetic."""
    most, dear = str((1 << 62) // 10**8 - 1), "21.684"
    rows = [fill("BTC", most, dear, "0"), fill("BTC", f"-{most}", dear, most, at=1)]
    assert analyse(history_from_rows("a", rows)).fills == 2
