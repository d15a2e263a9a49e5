"""Recorded fills: every accepted shape, execution order, and clear refusals."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from hlfast.demo.recordings import PACKAGED, RecordingError, load, packaged

if TYPE_CHECKING:
    from pathlib import Path

T = 1_784_507_189_410


def row(start: str, size: str, side: str = "B", *, time: int = T, px: str = "100", **more: Any) -> dict[str, Any]:
    return {
        "coin": "ETH",
        "px": px,
        "sz": size,
        "side": side,
        "time": time,
        "startPosition": start,
        "oid": 7,
        "tid": 1,
    } | more


def write(path: Path, rows: list[Any], *, lines: bool = True) -> Path:
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "lines"), [("a.jsonl", True), ("a.json", False), ("a.jsonl.gz", True), ("a.json.gz", False)]
)
def test_load_reads_json_and_json_lines_plain_and_compressed(tmp_path: Path, name: str, lines: bool) -> None:
    recording = load(write(tmp_path / name, [row("0", "1"), row("1", "2", time=T + 1)], lines=lines))
    assert recording.name == "a"
    assert [fill.start for fill in recording.fills] == [0, 1]
    assert [fill.end for fill in recording.fills] == [1, 3]
    assert recording.notes == ()


def test_load_orders_one_millisecond_by_the_position_chain(tmp_path: Path) -> None:
    rows = [row("5", "4", "A"), row("2", "3"), row("1", "9", "A"), row("0", "2")]
    assert [fill.start for fill in load(write(tmp_path / "a.jsonl", rows)).fills] == [0, 2, 5, 1]


def test_load_turns_newest_first_round(tmp_path: Path) -> None:
    rows = [row("3", "1", "A", time=T + 9), row("1", "2", time=T + 5), row("0", "1", time=T)]
    assert [fill.time_ms - T for fill in load(write(tmp_path / "a.json", rows, lines=False)).fills] == [0, 5, 9]


def test_load_leaves_out_trades_of_the_trader_with_himself(tmp_path: Path) -> None:
    rows = [row("-4", "1", "A"), row("-4", "1", "B", oid=8), row("-4", "2", "B", time=T + 1)]
    recording = load(write(tmp_path / "a.jsonl", rows))
    assert [fill.end for fill in recording.fills] == [-2]
    assert "2 rows are the trader trading with himself" in recording.notes[0]


def test_load_counts_on_after_a_gap_and_says_so(tmp_path: Path) -> None:
    recording = load(write(tmp_path / "a.jsonl", [row("0", "1"), row("5", "1", time=T + 1), row("6", "1", time=T + 2)]))
    assert [fill.start for fill in recording.fills] == [0, 1, 2]
    assert recording.notes == ("1 gaps in the recording: from each on, startPosition is counted from the row before",)


def test_load_links_positions_that_were_rounded_without_a_word(tmp_path: Path) -> None:
    recording = load(write(tmp_path / "a.jsonl", [row("94612", "1.2"), row("94613.21", "1", time=T + 1)]))
    assert recording.fills[1].start == Decimal("94613.2")
    assert recording.notes == ()


def test_load_makes_identities_and_says_so(tmp_path: Path) -> None:
    minute = T // 60_000 * 60_000
    rows = [row("0", "1", time=minute), row("1", "1", time=minute)]
    for one in rows:
        del one["tid"], one["oid"]
    recording = load(write(tmp_path / "a.jsonl", rows))
    assert any("no tid" in note for note in recording.notes)
    assert any("whole minutes" in note for note in recording.notes)
    assert len({fill.oid for fill in recording.fills}) == 2


def test_load_leaves_spot_out_and_says_so(tmp_path: Path) -> None:
    recording = load(write(tmp_path / "a.jsonl", [row("0", "1", coin="@107"), row("0", "1")]))
    assert [fill.coin for fill in recording.fills] == ["ETH"]
    assert "1 spot rows are left out" in recording.notes[0]


def test_groups_join_the_fills_of_one_order_and_millisecond(tmp_path: Path) -> None:
    rows = [row("0", "1"), row("1", "1"), row("2", "1", oid=8), row("3", "1", oid=8, time=T + 1)]
    assert [len(group) for group in load(write(tmp_path / "a.jsonl", rows)).groups()] == [2, 1, 1]


def test_address_comes_from_the_name_or_is_made_from_it(tmp_path: Path) -> None:
    real = "0x" + "aB" * 20
    assert load(write(tmp_path / f"trader_{real}.jsonl", [row("0", "1")])).address == real.lower()
    made = load(write(tmp_path / "x.jsonl", [row("0", "1")])).address
    assert made == load(write(tmp_path / "x.json.gz", [row("0", "1")], lines=False)).address
    assert len(made) == 42


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"px": "NaN"}, "finite"),
        ({"px": "Infinity"}, "finite"),
        ({"px": "-1"}, "above zero"),
        ({"sz": "0"}, "above zero"),
        ({"sz": "1" * 40}, "more than 30 digits"),
        ({"sz": "1e400"}, "more than 30 digits"),
        ({"sz": "one"}, "decimal string"),
        ({"sz": None}, "decimal string"),
        ({"sz": True}, "decimal string"),
        ({"side": "buy"}, "side is 'buy'"),
        ({"side": None}, "side is None"),
        ({"coin": 5}, "coin is 5"),
        ({"coin": ""}, "coin is ''"),
        ({"time": "2024-01-01"}, "whole number"),
        ({"time": 17845071}, "Unix milliseconds"),
        ({"time": -T}, "whole number"),
        ({"oid": 1.5}, "whole number"),
        ({"startPosition": "?"}, "decimal string"),
    ],
)
def test_load_refuses_a_bad_row_by_file_and_line(tmp_path: Path, bad: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "bad.jsonl", [row("0", "1"), row("1", "1") | bad])
    with pytest.raises(RecordingError, match=said) as error:
        load(path)
    assert f"{path}:2: " in str(error.value)
    with pytest.raises(RecordingError, match=r"row 2: "):
        load(write(tmp_path / "bad.json", [row("0", "1"), row("1", "1") | bad], lines=False))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no fills in it"),
        ("[]", "no fills in it"),
        ("{]", ":1: not JSON"),
        ("[1]", "row 1: expected one fill as an object, got int"),
        ('{"coin": "ETH"}', "px, sz, side, time, startPosition missing"),
        ('{"coin": "ETH", "px": NaN}', "NaN is not a number"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_load_refuses_what_is_not_a_fill_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(RecordingError, match=said):
        load(path)


def test_load_refuses_a_file_that_is_not_there_or_is_cut(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="can't be read"):
        load(tmp_path / "none.json")
    whole = gzip.compress(json.dumps([row("0", "1")]).encode())
    (tmp_path / "cut.gz").write_bytes(whole[:-9])
    with pytest.raises(RecordingError, match="can't be read"):
        load(tmp_path / "cut.gz")


def test_packaged_recordings_are_seven_traders_in_mid_position() -> None:
    recordings = packaged()
    assert len(recordings) == len(PACKAGED) == 7
    assert sum(len(recording.fills) for recording in recordings) == 2_662
    assert all("gaps" not in note for recording in recordings for note in recording.notes)
    mid = [r.name for r in recordings if any(start for start, _ in r.first_positions().values())]
    assert len(mid) >= 4
    assert len({recording.address for recording in recordings}) == 7
    for recording in recordings:
        at: dict[str, Decimal] = {}
        for fill in recording.fills:
            assert at.get(fill.coin, fill.start) == fill.start
            at[fill.coin] = fill.end
