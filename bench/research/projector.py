"""How fast a journal reaches a database, and that nothing is lost or doubled when the projector is killed.

    nice -n -15 .venv/bin/python bench/research/projector.py --record   # speed, SQLite and PostgreSQL
    .venv/bin/python bench/research/projector.py --kills 100 --records 4000 --record   # both, killed at random moments

The journal is made (4 receipts, an attempt, an order and a leader's fill a record). PostgreSQL is a server of its own on
loopback, with fsync on. `--child URL` is one projector: what gets killed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

from kept import Gate, conditions, finish
from tests.fakes import journal, postgres

from hlfast.control.projector import Projector
from hlfast.store import tables
from hlfast.store.database import opened


async def project(url: str, records: int, chunk: int) -> tuple[float, float]:
    async with opened(url) as engine:
        projector = Projector(engine, Path("/"), journal.config(), read=_ready(records))
        begun, cost = time.perf_counter(), time.process_time()
        progress = await projector.catch_up(chunk)
        assert progress.receipts == records * journal.PER_RECORD, progress
        return time.perf_counter() - begun, time.process_time() - cost


def _ready(records: int):
    """Objects made beforehand: what is measured is projecting, not making."""
    packed = [[orjson.dumps(item) for item in journal.record(sequence)] for sequence in range(1, records + 1)]

    def read(directory: str, after: int, limit: int) -> list[bytes]:
        del directory
        objects: list[bytes] = []
        for items in packed[after:]:
            objects += items
            if len(objects) >= limit:
                break
        return objects

    return read


def written(kind: str, names: tuple[str, ...], records: int) -> list[tuple[Any, ...]]:
    """Some fields of all objects of a kind, as the journal has them."""
    items = (item for sequence in range(1, records + 1) for item in journal.record(sequence))
    return [tuple(item[name] for name in names) for item in items if item["kind"] == kind]


async def check(url: str, records: int) -> dict[str, int]:
    """Every row once, with its own numbers."""
    wanted = {"receipts": records * journal.PER_RECORD, "attempts": records, "orders": records, "fills": records}
    wanted["twap_slices"] = records // journal.SLICES_EVERY * 2
    async with opened(url) as engine, engine.connect() as connection:
        found = {
            name: await connection.scalar(sa.select(sa.func.count()).select_from(tables.metadata.tables[name]))
            for name in wanted
        }
        assert found == wanted, (found, wanted)
        receipts, slices = tables.receipts.c, tables.twap_slices.c
        order = sa.select(receipts.number, receipts.tid, receipts.entitled_after).order_by(receipts.number)
        rows = [(number, tid, str(entitled)) for number, tid, entitled in await connection.execute(order)]
        expected = written("receipt", ("number", "tid", "entitled_after"), records)
        assert rows == expected, "a receipt's numbers are not those of the journal"
        order = sa.select(slices.sequence, slices.twap_id, slices.size).order_by(slices.sequence, slices.place)
        rows = [(sequence, twap_id, str(size)) for sequence, twap_id, size in await connection.execute(order)]
        expected = written("twap_slice", ("sequence", "twap_id", "size"), records)
        assert rows == expected, "a slice's numbers are not those of the journal"
        cursor = await connection.scalar(sa.select(tables.cursors.c.sequence))
        assert cursor == records, cursor
    return found


def kill_often(url: str, records: int, kills: int, seed: int) -> int:
    """Start a projector, kill it, start the next. The journal grows in `kills` steps, so each has work to be killed in."""
    chance = random.Random(seed)
    killed = 0
    for turn in range(1, kills + 1):
        part = records * turn // kills
        command = [sys.executable, __file__, "--child", url, "--records", str(part), "--chunk", "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()  # it has opened the database
            time.sleep(chance.uniform(0, 0.25))
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                killed += 1
    asyncio.run(project_rest(url, records))
    return killed


async def project_rest(url: str, records: int) -> None:
    async with opened(url) as engine:
        await Projector(engine, Path("/"), journal.config(), read=journal.reader(records)).catch_up()


async def child(url: str, records: int, chunk: int) -> None:
    async with opened(url) as engine:
        print("open", flush=True)
        projector = Projector(engine, Path("/"), journal.config(), read=journal.reader(records))
        while True:
            await projector.catch_up(chunk)
            await asyncio.sleep(0.01)


# Receipts a second, at least.
LIMITS = {"SQLite": 20_000, "PostgreSQL": 10_000}


def speed(name: str, url: str, records: int, chunk: int) -> tuple[str, Gate]:
    """One projection of everything: a line, and the receipts a second beside their limit."""
    spent, cost = asyncio.run(project(url, records, chunk))
    receipts = records * journal.PER_RECORD
    line = f"{receipts:,} receipts in {spent:.2f} s, {cost:.2f} s of CPU in the projector"
    return line, Gate(f"receipts into {name}", receipts / spent, LIMITS[name], "a second", at_least=True)


def kills(name: str, url: str, records: int, often: int, seed: int) -> tuple[str, Gate]:
    """Many projectors killed; `check` ends the run where a row is lost, twice or not its own."""
    killed = kill_often(url, records, often, seed)
    rows = asyncio.run(check(url, records))
    line = f"killed {killed} times; {', '.join(f'{count:,} {table}' for table, count in rows.items())}: none lost, none twice"
    return line, Gate(f"projector into {name} killed, every row once and right", killed, often, "times", at_least=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=25_000)
    parser.add_argument("--chunk", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--child")
    parser.add_argument("--record", action="store_true", help="write bench/results and RESULTS.md")
    chosen = parser.parse_args()
    if chosen.child:
        asyncio.run(child(chosen.child, chosen.records, chosen.chunk))
        return 0
    on, found, gates = conditions("projector.py"), {}, []
    with tempfile.TemporaryDirectory() as home, postgres.server() as prefix:
        for name, url in (
            ("SQLite", f"sqlite:///{home}/hlfast.db"),
            ("PostgreSQL", postgres.database(prefix, "bench")),
        ):
            if chosen.kills:
                found[name], gate = kills(name, url, chosen.records, chosen.kills, chosen.seed)
            else:
                found[name], gate = speed(name, url, chosen.records, chosen.chunk)
            gates.append(gate)
    part = "projector_killed" if chosen.kills else "projector"
    return finish(part, on, found, gates, keep=chosen.record)


if __name__ == "__main__":
    sys.exit(main())
