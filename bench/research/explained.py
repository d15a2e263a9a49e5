"""Explains every receipt of a kept demo run and holds each number to the journal.

hlfast demo --keep RUN && .venv/bin/python bench/research/explained.py RUN [--record]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import orjson
from kept import Gate, conditions, finish

from hlfast._core import read_journal
from hlfast.config.load import load
from hlfast.control.explain import explain
from hlfast.control.projector import Projector
from hlfast.store.database import opened
from hlfast.store.reads import belongings, find_receipt, incomplete

TOLD = ("leader_before", "leader_after", "leader_price", "entitled_after")
MONEY = (*TOLD, "entitled_before", "ordered", "limit_price", "filled", "average_price")
PLAIN = (
    "time_ms",
    "tid",
    "decision",
    "merged_into",
    "outcome",
    "reason",
    "nonce",
    "decided_ms",
    "planned_ms",
    "settled_ms",
)


async def explained(run: Path) -> dict[str, int]:
    """Explain each receipt; ends the run where a number is not the journal's, or a fill lacks a receipt."""
    config = load(run / "hlfast.toml")
    directory = run / "journal"
    with tempfile.TemporaryDirectory() as home:
        async with opened(f"sqlite:///{home}/x.db") as engine:
            await Projector(engine, directory, config).catch_up()
            numbers = checked = 0
            async with engine.connect() as connection:
                events, total, wrong = await incomplete(connection)
                assert not wrong, wrong
                for raw in read_journal(str(directory), 0, 1 << 40):
                    item = orjson.loads(raw)
                    if item["kind"] != "receipt":
                        continue
                    row = await find_receipt(connection, item["number"])
                    assert row is not None, item
                    for name in MONEY:
                        assert row[name] == Decimal(item[name]), (name, item)
                    for name in PLAIN:
                        assert row[name] == item[name], (name, item)
                    beside = await belongings(connection, row)
                    words = " ".join(step.text for step in explain(row, beside).steps)
                    if item["merged_into"] is None:
                        for name in (
                            *TOLD,
                            *(("ordered", "limit_price") if row["ordered"] else ()),
                            *(("filled", "average_price") if row["filled"] else ()),
                        ):
                            assert f"{Decimal(item[name]).normalize():f}" in words, (name, item, words)
                    assert str(item["tid"]) in words
                    if row["ordered"] and item["nonce"]:
                        assert beside["attempts"], item
                    numbers += len(MONEY) + len(PLAIN)
                    checked += 1
    return {"leader_fills": events, "receipts": total, "explained": checked, "numbers": numbers}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="directory of a demo run that was kept")
    parser.add_argument("--record", action="store_true", help="write bench/results and RESULTS.md")
    chosen = parser.parse_args()
    on = conditions("explained.py")
    found = asyncio.run(explained(chosen.run))
    gate = Gate(
        "receipts not explained",
        found["receipts"] - found["explained"],
        0,
        "receipts",
        note="numbers equal to the journal's",
    )
    return finish("explained", on, found, [gate], keep=chosen.record)


if __name__ == "__main__":
    sys.exit(main())
