"""Writes of the projector: whole batches, in one transaction with the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hlfast.store import tables
from hlfast.store.bulk import Bulk
from hlfast.store.partitions import make_months, month_of
from hlfast.store.tables import EVENTS

# In the order of the table's columns, money as text.
Row = tuple[Any, ...]
# Few and with JSON in them: given as mappings, and replaced when their settings change.
PEOPLE = ("leaders", "followers", "follows", "strategies")
# Told by the first row of a key; a later one leaves it.
_FIRST = ("since_ms",)


class Batch(msgspec.Struct):
    """Rows by table, and the last journal sequence they come from.

    Attributes:
        people: rows of the settings.
        roster: who is meant by the places behind this batch, where that is news.
    """

    sequence: int
    rows: dict[str, list[Row]]
    people: dict[str, list[dict[str, Any]]] = {}
    roster: dict[str, Any] | None = None

    def count(self) -> int:
        """Rows in all."""
        return sum(len(rows) for rows in self.rows.values())


class Writer:
    """Puts batches of one journal into one database, each exactly once.

    Args:
        engine: of `opened`.
        journal: the name that this journal's rows carry.
    """

    def __init__(self, engine: AsyncEngine, journal: str) -> None:
        self._engine = engine
        self._journal = journal
        self._months: dict[str, set[tuple[int, int]]] = {name: set() for name in EVENTS}
        dialect = engine.dialect.name
        self._people = {name: _insert(tables.metadata.tables[name], dialect) for name in PEOPLE}
        self._many = {name: Bulk(name, dialect) for name in tables.metadata.tables if name not in PEOPLE}

    async def cursor(self) -> int:
        """Return the sequence up to which everything is written; 0 for a new journal."""
        query = sa.select(tables.cursors.c.sequence).where(tables.cursors.c.journal == self._journal)
        async with self._engine.connect() as connection:
            return int(await connection.scalar(query) or 0)

    async def roster(self) -> dict[str, Any] | None:
        """Return who is meant by places behind the cursor; None where that was never kept."""
        query = sa.select(tables.cursors.c.roster).where(tables.cursors.c.journal == self._journal)
        async with self._engine.connect() as connection:
            kept: dict[str, Any] | None = await connection.scalar(query)
            return kept

    async def write(self, batch: Batch, *, after: int, now_ms: int) -> bool:
        """Write a batch that begins behind `after`, and move the cursor, together.

        Returns:
            False, with nothing written, when the cursor is no longer at `after`: another projector was here.
        """
        async with self._engine.begin() as connection:
            if not await self._move(connection, batch, after, now_ms):
                return False
            for name, people in batch.people.items():
                if people:
                    await connection.execute(self._people[name], people)
            for name, rows in batch.rows.items():
                await self._make_months(connection, name, rows)
                if rows:
                    await self._many[name].write(connection, rows)
        return True

    async def _move(self, connection: AsyncConnection, batch: Batch, after: int, now_ms: int) -> bool:
        new: dict[str, Any] = {"journal": self._journal, "sequence": batch.sequence, "updated_ms": now_ms}
        if batch.roster is not None:
            new["roster"] = batch.roster
        cursors = tables.cursors
        if after == 0:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            first = insert(cursors).values(new).on_conflict_do_nothing(index_elements=["journal"])
            return (await connection.execute(first)).rowcount == 1
        here = (cursors.c.journal == self._journal) & (cursors.c.sequence == after)
        return (await connection.execute(sa.update(cursors).where(here).values(new))).rowcount == 1

    async def _make_months(self, connection: AsyncConnection, name: str, rows: Iterable[Row]) -> None:
        column = EVENTS.get(name)
        if column is None or connection.dialect.name != "postgresql":
            return
        place = list(tables.metadata.tables[name].c.keys()).index(column)
        missing = {month_of(at) for at in {row[place] // 3_600_000 * 3_600_000 for row in rows}} - self._months[name]
        if missing:
            await make_months(connection, name, missing)
            self._months[name] |= missing


def _insert(table: sa.Table, dialect: str) -> Any:
    """An insert that replaces what has the same key: the few rows that the settings give."""
    insert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: insert.excluded[column.name] for column in table.c if column.name not in (*keys, *_FIRST)}
    return insert.on_conflict_do_update(index_elements=keys, set_=others)
