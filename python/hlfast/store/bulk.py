"""Many rows at once, as each database likes them best: SQLAlchemy's own path costs more than storing them.

Everything here runs inside the transaction of the connection given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.errors import HlfastError
from hlfast.store.tables import metadata

# Rows of these may come again (a snapshot repeats fills, a position moves); those of others come once, by the cursor.
_AGAIN = {"fills": "DO NOTHING", "positions": "DO UPDATE SET"}
# Stand for a field's end, a row's end and null while a text is put together: no amount, name or digest holds them.
_FIELD, _ROW, _NULL = "\x1f", "\x1e", "\x1d"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": ""})
_SPECIAL = ("\\", "\t", "\n", "\r", "\0")
_WITHOUT_MARKS = str.maketrans(dict.fromkeys((_FIELD, _ROW, _NULL), ""))


class StoreClosedError(HlfastError):
    """The database went away inside a transaction; nothing of it is written."""


class Bulk:
    """Inserts into one table, with everything about it worked out beforehand."""

    def __init__(self, name: str, dialect: str) -> None:
        table = metadata.tables[name]
        columns = [column.name for column in table.c]
        self._name = name
        self._columns = columns
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

    async def write(self, connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows: fields in the order of the table's columns, money as text."""
        if self._postgres:
            await self._copy(connection, rows)
        else:
            await connection.exec_driver_sql(self._insert, list(rows))

    async def _copy(self, connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        """COPY straight into the table, or into a stage where a row may be there already."""
        if self._from_stage:
            make = f"CREATE TEMP TABLE IF NOT EXISTS {self._stage} (LIKE {self._name}) ON COMMIT DELETE ROWS"
            await connection.execute(sa.text(make))
        driver = (await connection.get_raw_connection()).driver_connection
        if driver is None:
            raise StoreClosedError("the connection was closed in the middle of a transaction")
        # As text: the driver's encoding of NUMERIC costs more here than parsing costs the server, working beside us.
        text = copy_text(rows).encode()
        await driver.copy_to_table(self._stage, source=_once(text), columns=self._columns, format="text")
        if self._from_stage:
            await connection.execute(sa.text(self._from_stage))


async def _once(text: bytes) -> AsyncIterator[bytes]:
    yield text


def copy_text(rows: Sequence[tuple[Any, ...]]) -> str:
    r"""Write rows in COPY's text format; NUL, which no text of PostgreSQL may hold, is left out.

    Rows without anything to escape, as almost all are, are joined and escaped as one text.
    """
    if not rows:
        return ""
    joined = _ROW.join(
        [
            _FIELD.join([field if type(field) is str else _NULL if field is None else str(field) for field in row])
            for row in rows
        ]
    )
    marks = len(rows) * len(rows[0]) - 1 + sum(row.count(None) for row in rows)
    if sum(map(joined.count, (_FIELD, _ROW, _NULL))) != marks or any(mark in joined for mark in _SPECIAL):
        joined = _ROW.join([_FIELD.join(_escaped(row)) for row in rows])
    return joined.replace(_FIELD, "\t").replace(_ROW, "\n").replace(_NULL, "\\N") + "\n"


def _escaped(row: Iterable[Any]) -> list[str]:
    return [
        field.translate(_WITHOUT_MARKS).translate(_ESCAPES)
        if type(field) is str
        else _NULL
        if field is None
        else str(field)
        for field in row
    ]
