from __future__ import annotations

from typing import Any

import orjson
import pytest
from msgspec.structs import fields
from tests.fakes import journal

from hlfast.control.rows import AlertRow, AttemptRow, QuoteRow, ReceiptRow, SliceRow, Translator
from hlfast.errors import JournalError
from hlfast.store.tables import metadata


def columns(table: str) -> list[str]:
    return [column.name for column in metadata.tables[table].c]


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (ReceiptRow, "receipts"),
        (AttemptRow, "attempts"),
        (QuoteRow, "quotes"),
        (SliceRow, "twap_slices"),
        (AlertRow, "alerts"),
    ],
)
def test_structs_have_the_columns_of_their_tables_in_order(row: type, table: str) -> None:
    assert [field.name for field in fields(row) if field.name != "cloids"] == columns(table)


def translated(*records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    objects = [orjson.dumps(item) for record in records for item in record]
    batch = Translator("j", journal.config()).batch(objects, 0)
    return {name: [dict(zip(columns(name), row, strict=True)) for row in rows] for name, rows in batch.rows.items()}


def test_every_field_of_an_object_is_in_its_row() -> None:
    record = journal.record(50)
    rows = translated(record)
    receipts = [item for item in record if item["kind"] == "receipt"]
    for item, row in zip(receipts, rows["receipts"], strict=True):
        given = {key: value for key, value in item.items() if key not in {"kind", "follow"}}
        assert row == given | {"journal": "j", "leader": "lead", "follower": f"f{item['follower']}"}
    attempt = rows["attempts"][0]
    assert (attempt["place"], attempt["at_ms"], attempt["follower"]) == (2, record[0]["now_ms"], "f2")
    assert rows["orders"] == [
        {"cloid": f"0x{50:032x}", "sequence": 50, "journal": "j", "follower": "f2", "nonce": record[1]["nonce"]}
    ]
    assert rows["quotes"] == [
        {
            "journal": "j",
            "sequence": 50,
            "coin_id": 2,
            "bid": "100.48",
            "ask": "100.52",
            "time_ms": record[0]["now_ms"] - 100,
        }
    ]
    slices = [item for item in record if item["kind"] == "twap_slice"]
    for place, item, row in zip((8, 9), slices, rows["twap_slices"], strict=True):
        given = {key: value for key, value in item.items() if key != "kind"}
        assert row == given | {"journal": "j", "place": place, "at_ms": record[0]["now_ms"], "follower": "f2"}
    alert = rows["alerts"][0]
    assert (alert["leader"], alert["follower"], alert["place"]) == ("lead", None, 10)
    assert rows["fills"][0]["account"] == "0x" + "aa" * 20
    assert rows["fills"][0]["start_position"] == "50"


@pytest.mark.parametrize(
    "change", [{"px": "x"}, {"px": 5}, {"sz": "1e999"}, {"coin": None}, {"time": "soon"}, {"tid": None}, {"tid": 0}]
)
def test_odd_fills_are_no_rows(change: dict[str, Any]) -> None:
    record = journal.record(1)
    frame = orjson.loads(record[0]["body"])
    frame["data"]["fills"][0] |= change
    record[0]["body"] = orjson.dumps(frame).decode()
    assert translated(record)["fills"] == []


def test_object_of_another_release_is_refused_by_its_place() -> None:
    strange = [{"kind": "portent", "sequence": 2}]
    with pytest.raises(JournalError, match="behind record 1 is an object that this release does not know"):
        translated(journal.record(1), strange)
