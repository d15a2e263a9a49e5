from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.fakes import journal, postgres

from hlfast.store.database import StoreError, downgrade, opened, upgrade
from hlfast.store.partitions import bounds_of, drop_before, make_months, month_of
from hlfast.store.tables import EVENTS, metadata
from hlfast.store.writes import Batch, Writer


def names(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def differences(connection: sa.Connection) -> list[Any]:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": False}), metadata)


@pytest.mark.asyncio
async def test_migrations_make_the_tables_of_the_code_and_take_them_away_again(url: str) -> None:
    async with opened(url) as engine:
        async with engine.connect() as connection:
            assert await connection.run_sync(names) >= set(metadata.tables)
            assert await connection.run_sync(differences) == []
        await downgrade(engine)
        async with engine.connect() as connection:
            assert await connection.run_sync(names) <= {"alembic_version"}
        await upgrade(engine)
        async with engine.connect() as connection:
            assert await connection.run_sync(names) >= set(metadata.tables)


@pytest.mark.asyncio
async def test_migrations_keep_rows_when_run_again(url: str) -> None:
    async with opened(url) as engine, engine.begin() as connection:
        await connection.execute(sa.insert(metadata.tables["leaders"]).values(name="a", address="0x1"))
    async with opened(url) as engine, engine.connect() as connection:
        assert await connection.scalar(sa.select(metadata.tables["leaders"].c.name)) == "a"


@pytest.mark.asyncio
async def test_migrations_of_several_openings_at_once_wait_for_each_other(url: str) -> None:
    async def tables() -> set[str]:
        async with opened(url) as engine, engine.connect() as connection:
            return await connection.run_sync(names)

    assert all(found >= set(metadata.tables) for found in await asyncio.gather(*(tables() for _ in range(4))))


@pytest.mark.asyncio
async def test_migration_that_breaks_off_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_words: object, **_options: object) -> None:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", broken)
        with pytest.raises(RuntimeError, match="power"):
            async with opened(url):
                pass
    async with opened(url, migrate=False) as engine, engine.connect() as connection:
        assert await connection.run_sync(names) == set()
    async with opened(url) as engine, engine.connect() as connection:
        assert await connection.run_sync(names) >= set(metadata.tables)


@pytest.mark.asyncio
async def test_retention_drops_what_is_older_and_nothing_else(url: str) -> None:
    months = [journal.START_MS + number * 31 * 86_400_000 for number in range(4)]
    rows = [("a", at, "1.5", "0") for at in months]
    async with opened(url) as engine:
        writer = Writer(engine, "j")
        assert await writer.write(Batch(sequence=1, rows={"equity": rows}), after=0, now_ms=1)
        before = bounds_of(*month_of(months[1]))[1]
        async with engine.begin() as connection:
            assert await drop_before(connection, "equity", before) == 2
        async with engine.connect() as connection:
            left = await connection.scalars(sa.select(metadata.tables["equity"].c.time_ms).order_by("time_ms"))
            assert left.all() == months[2:]


@pytest.mark.asyncio
async def test_events_are_partitioned_by_month_in_postgresql(server: str) -> None:
    async with opened(postgres.database(server, "partitions")) as engine, engine.begin() as connection:
        await make_months(connection, "receipts", {(2026, 12), (2027, 1)})
        await make_months(connection, "receipts", {(2026, 12)})
        query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'receipts'::regclass ORDER BY 1"
        assert (await connection.scalars(sa.text(query))).all() == ["receipts_2026_12", "receipts_2027_01"]
        kinds = await connection.execute(sa.text("SELECT relname FROM pg_class WHERE relkind = 'p'"))
        assert {name for (name,) in kinds} >= set(EVENTS)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://user:secret@host/x", "no database known here"),
        ("nonsense", "can't be read"),
        ("postgresql://me:secret@127.0.0.1:1/x", "can't be used"),
        ("sqlite:////proc/none/x.db", "can't be used"),
    ],
)
@pytest.mark.asyncio
async def test_database_that_can_not_be_used_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as refused:
        async with opened(url):
            pass
    assert "secret" not in str(refused.value)


@pytest.mark.asyncio
async def test_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("these are not the pages you are looking for" * 200)
    with pytest.raises(StoreError, match=r"sqlite:///.*x\.db can't be used: file is not a database"):
        async with opened(f"sqlite:///{tmp_path}/x.db"):
            pass


@pytest.mark.asyncio
async def test_database_of_a_later_release_is_refused_and_left_as_it_is(url: str) -> None:
    async with opened(url) as engine, engine.begin() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="of a later release"):
        async with opened(url):
            pass
    async with opened(url, migrate=False) as engine, engine.connect() as connection:
        assert await connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "9999"


@pytest.mark.asyncio
async def test_defect_inside_an_open_database_is_no_refusal(url: str) -> None:
    twice = sa.insert(metadata.tables["leaders"]).values([{"name": "a", "address": "0x1"}] * 2)

    async def insert() -> None:
        async with opened(url) as engine, engine.begin() as connection:
            await connection.execute(twice)

    with pytest.raises(sa.exc.IntegrityError):
        await insert()


def test_process_ends_after_a_database_was_open(url: str) -> None:
    """aiosqlite's thread would keep it alive."""
    code = f"import asyncio\nfrom hlfast.store.database import opened\nasync def main():\n async with opened({url!r}): raise ValueError\nasyncio.run(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, text=True, check=False)
    assert "ValueError" in done.stderr
    assert done.returncode == 1
