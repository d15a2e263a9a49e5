"""What is asked of TimescaleDB, by a real PostgreSQL server with stand-ins for its three functions.

The stand-ins have the signatures of versions 2.13 to 2.27 and refuse what the extension refuses: a table that is split already, that
holds rows, or that has a unique index without the time column. They split nothing, so what the extension does then is not seen here.
"""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.fakes import journal, postgres

from hlfast.store.database import downgrade, opened, upgrade
from hlfast.store.partitions import drop_before
from hlfast.store.tables import EVENTS, metadata
from hlfast.store.writes import Batch, Writer

_MONTH_MS = 30 * 86_400_000
# PostgreSQL lets only functions in C take "any"; an element of any type is as undecided about what a parameter is.
_STAND_INS = (
    "SET allow_system_table_mods = on",
    """INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (987654, 'timescaledb', 10, 2200, false, '2.27.2')""",
    "SET allow_system_table_mods = off",
    "CREATE TABLE asked (function text, relation text, named text, value bigint)",
    "CREATE TYPE dimension_info AS (named name, width bigint)",
    """CREATE FUNCTION by_range(column_name name, partition_interval anyelement = NULL::bigint,
        partition_func regproc = NULL) RETURNS dimension_info
    LANGUAGE sql AS 'SELECT column_name, partition_interval::bigint'""",
    """CREATE FUNCTION create_hypertable(relation regclass, dimension dimension_info, create_default_indexes boolean = TRUE,
        if_not_exists boolean = FALSE, migrate_data boolean = FALSE, OUT hypertable_id int, OUT created bool)
    LANGUAGE plpgsql AS $$
    DECLARE
        whole boolean;
        filled boolean;
        lacking text;
    BEGIN
        SELECT relkind = 'r' INTO whole FROM pg_class WHERE oid = relation;
        IF NOT whole THEN RAISE 'table "%" is already partitioned', relation; END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', relation) INTO filled;
        IF filled THEN RAISE 'table "%" is not empty', relation; END IF;
        SELECT indexrelid::regclass::text INTO lacking FROM pg_index
            WHERE indrelid = relation AND indisunique AND NOT (SELECT attnum = ANY (indkey) FROM pg_attribute
                WHERE attrelid = relation AND attname = dimension.named);
        IF lacking IS NOT NULL THEN RAISE 'cannot create a unique index without the column "%"', dimension.named; END IF;
        INSERT INTO asked VALUES ('create_hypertable', relation::text, dimension.named, dimension.width);
    END $$""",
    """CREATE FUNCTION create_hypertable(relation regclass, time_column_name name, partitioning_column name = NULL,
        number_partitions int = NULL) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'the old form'; END $$""",
    """CREATE FUNCTION drop_chunks(relation regclass, older_than anyelement = NULL::bigint,
        newer_than anyelement = NULL::bigint, verbose boolean = FALSE) RETURNS SETOF text LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO asked VALUES ('drop_chunks', relation::text, NULL, older_than::bigint);
        RETURN QUERY VALUES ('_hyper_1_1_chunk'), ('_hyper_1_2_chunk');
    END $$""",
)


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    return postgres.database(server, f"scale{abs(hash(request.node.name))}")


async def prepare(url: str) -> None:
    async with opened(url, migrate=False) as engine, engine.begin() as connection:
        for statement in _STAND_INS:
            await connection.exec_driver_sql(statement)


async def asked(engine: Any) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        rows = await connection.execute(sa.text("SELECT function, relation, named, value FROM asked ORDER BY relation"))
        return [tuple(row) for row in rows]


@pytest.mark.asyncio
async def test_every_table_of_events_becomes_a_hypertable_of_thirty_days(url: str) -> None:
    await prepare(url)
    async with opened(url) as engine:
        wanted = [("create_hypertable", name, column, _MONTH_MS) for name, column in sorted(EVENTS.items())]
        assert await asked(engine) == wanted
        await downgrade(engine)
        await upgrade(engine)
        assert await asked(engine) == sorted(wanted * 2)


@pytest.mark.asyncio
async def test_rows_go_in_without_partitions_of_ours_and_retention_asks_for_chunks(url: str) -> None:
    await prepare(url)
    rows = [("a", journal.START_MS + at, "1.5", "0") for at in (0, _MONTH_MS)]
    async with opened(url) as engine:
        assert await Writer(engine, "j").write(Batch(sequence=1, rows={"equity": rows}), after=0, now_ms=1)
        async with engine.connect() as connection:
            assert await connection.scalar(sa.select(sa.func.count()).select_from(metadata.tables["equity"])) == 2
            assert (await connection.scalars(sa.text("SELECT inhrelid::regclass::text FROM pg_inherits"))).all() == []
        before = journal.START_MS + 1
        async with engine.begin() as connection:
            assert await drop_before(connection, "equity", before) == 2, "the chunks that it names"
        assert ("drop_chunks", "equity", None, before) in await asked(engine)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (["CREATE TABLE t (at bigint NOT NULL) PARTITION BY RANGE (at)"], "already partitioned"),
        (["CREATE TABLE t (at bigint NOT NULL)", "INSERT INTO t VALUES (1)"], "not empty"),
        (["CREATE TABLE t (at bigint NOT NULL, id int PRIMARY KEY)"], "unique index without"),
    ],
)
@pytest.mark.asyncio
async def test_stand_ins_refuse_what_the_extension_refuses(url: str, table: list[str], said: str) -> None:
    await prepare(url)
    async with opened(url, migrate=False) as engine, engine.connect() as connection:
        for statement in table:
            await connection.exec_driver_sql(statement)
        with pytest.raises(sa.exc.DBAPIError, match=said):
            await connection.exec_driver_sql("SELECT create_hypertable('t', by_range('at', 5::bigint))")
