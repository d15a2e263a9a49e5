"""Months of PostgreSQL's event tables, made before rows arrive and dropped when a retention says so."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hlfast.store.tables import EVENTS, metadata

_MONTH_MS = 30 * 86_400_000


def is_timescale(connection: sa.Connection) -> bool:
    """Whether TimescaleDB is enabled in this database."""
    if connection.dialect.name != "postgresql":
        return False
    return connection.execute(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")).first() is not None


def hypertables(connection: sa.Connection) -> None:
    """Turn the event tables into hypertables of 30-day chunks."""
    # Its functions take any type, so a parameter without a cast has none.
    dimension = "by_range(CAST(:column AS name), CAST(:width AS bigint))"
    statement = sa.text(f"SELECT create_hypertable(CAST(:name AS regclass), {dimension})")
    for name, column in EVENTS.items():
        connection.execute(statement, {"name": name, "column": column, "width": _MONTH_MS})


def month_of(time_ms: int) -> tuple[int, int]:
    """Return (year, month) of a time in UTC."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    return at.year, at.month


def bounds_of(year: int, month: int) -> tuple[int, int]:
    """Return a month's first millisecond and the next one's."""
    after = (year + month // 12, month % 12 + 1)
    first, last = (int(datetime(y, m, 1, tzinfo=UTC).timestamp() * 1000) for y, m in ((year, month), after))
    return first, last


async def make_months(connection: AsyncConnection, table: str, months: set[tuple[int, int]]) -> None:
    """Make the partitions of these months if they are missing; nothing to do without PostgreSQL's own partitions."""
    if connection.dialect.name != "postgresql" or await connection.run_sync(_whole, table):
        return
    for year, month in sorted(months):
        first, last = bounds_of(year, month)
        name = f"{table}_{year:04}_{month:02}"
        values = f"FOR VALUES FROM ({first}) TO ({last})"
        await connection.execute(sa.text(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} {values}"))


def _whole(connection: sa.Connection, table: str) -> bool:
    kind = connection.execute(sa.text("SELECT relkind FROM pg_class WHERE relname = :name"), {"name": table}).scalar()
    return kind not in ("p", b"p")


async def drop_before(connection: AsyncConnection, table: str, before_ms: int) -> int:
    """Forget events from before a time: whole months in PostgreSQL, rows in SQLite. Returns months or rows dropped.

    A month that holds both sides of the time stays. Cursors are not touched, so nothing dropped is projected again.
    """
    column = metadata.tables[table].c[EVENTS[table]]
    if connection.dialect.name != "postgresql":
        return (await connection.execute(sa.delete(metadata.tables[table]).where(column < before_ms))).rowcount
    if await connection.run_sync(is_timescale):
        chunks = await connection.execute(
            sa.text("SELECT drop_chunks(CAST(:name AS regclass), CAST(:before AS bigint))"),
            {"name": table, "before": before_ms},
        )
        return len(chunks.all())
    found = await connection.execute(
        sa.text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:name AS regclass)"),
        {"name": table},
    )
    dropped = 0
    for (name,) in found.all():
        year, month = (int(part) for part in str(name).rsplit("_", 2)[1:])
        if bounds_of(year, month)[1] <= before_ms:
            await connection.execute(sa.text(f"DROP TABLE {name}"))
            dropped += 1
    return dropped


async def forget_before(engine: AsyncEngine, before_ms: int) -> dict[str, int]:
    """Forget events of every table from before a time, all or none; returns what `drop_before` dropped of each."""
    async with engine.begin() as connection:
        return {name: await drop_before(connection, name, before_ms) for name in EVENTS}
