"""Many rows at once, as each database likes them best: SQLAlchemy's own path costs more than storing them.

Everything here runs inside the transaction of the connection given.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.errors import HlfastError
from hlfast.store.tables import metadata

# Rows of these may come again (a snapshot repeats fills, a position moves); those of others come once, by the cursor.
_AGAIN = {"fills": "DO NOTHING", "positions": "DO UPDATE SET"}


class StoreClosedError(HlfastError):
    """The database went away inside a transaction; nothing of it is written."""


class Bulk:
    """Inserts into one table, with everything about it worked out beforehand."""

    def __init__(self, name: str, dialect: str) -> None:
        table = metadata.tables[name]
        columns = [column.name for column in table.c]
        self._name = name
        self._columns = columns
        self._take = itemgetter(*columns)
        keys = [column.name for column in table.primary_key]
        conflict = ""
        if name in _AGAIN:
            others = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in keys)
            conflict = f" ON CONFLICT ({', '.join(keys)}) {_AGAIN[name]}"
            conflict += f" {others}" if _AGAIN[name].endswith("SET") else ""
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        # Names come from the tables of the code alone, so nothing can be injected.
        self._insert = f"INSERT INTO {name} ({names}) VALUES ({marks}){conflict}"  # noqa: S608
        self._stage = f"stage_{name}" if conflict else name
        self._from_stage = (
            f"INSERT INTO {name} ({names}) SELECT {names} FROM {self._stage}{conflict}" if conflict else ""  # noqa: S608
        )
        self._postgres = dialect == "postgresql"

    async def write(self, connection: AsyncConnection, rows: Sequence[Any]) -> None:
        """Insert rows (mappings with every column)."""
        records = [self._take(row) for row in rows]
        if self._postgres:
            await self._copy(connection, records)
        else:
            await connection.exec_driver_sql(self._insert, records)

    async def _copy(self, connection: AsyncConnection, records: list[Any]) -> None:
        """COPY straight into the table, or into a stage where a row may be there already."""
        if self._from_stage:
            make = f"CREATE TEMP TABLE IF NOT EXISTS {self._stage} (LIKE {self._name}) ON COMMIT DELETE ROWS"
            await connection.execute(sa.text(make))
        driver = (await connection.get_raw_connection()).driver_connection
        if driver is None:
            raise StoreClosedError("the connection was closed in the middle of a transaction")
        await driver.copy_records_to_table(self._stage, records=records, columns=self._columns)
        if self._from_stage:
            await connection.execute(sa.text(self._from_stage))
