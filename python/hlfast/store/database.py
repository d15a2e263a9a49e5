"""Opening a database, bringing its tables up to date, and letting it go."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hlfast.errors import HlfastError

DEFAULT_URL = "sqlite:///hlfast.db"
# One lock for this work in a PostgreSQL database: "hlfast" in bytes.
_MIGRATION_KEY = int.from_bytes(b"hlfast", "big")
_UNUSABLE = (sa.exc.DatabaseError, sa.exc.OperationalError)
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


class StoreError(HlfastError):
    """The database can't be used. The message says what and where, and never shows a password."""


@asynccontextmanager
async def opened(url: str = DEFAULT_URL, *, migrate: bool = True) -> AsyncIterator[AsyncEngine]:
    """Open a database, by default with its tables brought up to date; a SQLite file is made at its first opening.

    Args:
        url: `sqlite:///file.db` or `postgresql://user:password@host/name`.
        migrate: False opens it as it is.

    Raises:
        StoreError: the URL is of no kind known here, or the server refuses.
    """
    parsed = _with_driver(url)
    # Asked beforehand: when an opening fails, aiosqlite's thread still answers a loop that may be closed by then.
    if parsed.drivername.startswith("sqlite") and not os.access(Path(parsed.database or ".").parent, os.W_OK):
        raise StoreError(f"the database at {parsed.database} can't be used: no such directory, or closed to writes")
    engine = create_async_engine(parsed)
    sa.event.listen(engine.sync_engine, "connect", _prepare)
    try:
        if migrate:
            await upgrade(engine)
        yield engine
    except CommandError as error:
        said = f"is of a later release, or of none: {error}; use that one, or name another"
        raise StoreError(f"the database at {_place(engine)} {said}") from None
    except (sa.exc.DatabaseError, sa.exc.InterfaceError, OSError) as error:
        # What is under it is a broken rule of ours or of the schema, a defect; but a file that is no database is this.
        if isinstance(error, sa.exc.DatabaseError) and type(error) not in _UNUSABLE:
            raise
        raise StoreError(f"the database at {_place(engine)} can't be used: {_reason(error)}") from None
    finally:
        # aiosqlite's thread would keep the process alive.
        await engine.dispose()


def _place(engine: AsyncEngine) -> str:
    """The URL as it was given, without its password."""
    return engine.url.set(drivername=engine.url.get_backend_name()).render_as_string()


def _with_driver(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise StoreError("the database URL can't be read; write sqlite:///file.db or postgresql://host/name") from None
    driver = _DRIVERS.get(parsed.drivername.partition("+")[0])
    if driver is None:
        raise StoreError(f'"{parsed.drivername}" is no database known here; write sqlite:///… or postgresql://…')
    return parsed.set(drivername=driver)


def _prepare(connection: object, _record: object) -> None:
    """SQLite: readers beside one writer, and wait for a lock instead of failing."""
    cursor = connection.cursor()  # type: ignore[attr-defined] # a DBAPI connection, typed as object by SQLAlchemy
    try:
        if type(connection).__module__.startswith("sqlalchemy.dialects.sqlite"):
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
                cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the tables to a revision, upwards."""
    async with engine.begin() as connection:
        await connection.run_sync(_migrate, revision, up=True)


async def downgrade(engine: AsyncEngine, revision: str = "base") -> None:
    """Take the tables back to a revision; "base" drops them all."""
    async with engine.begin() as connection:
        await connection.run_sync(_migrate, revision, up=False)


def _migrate(connection: sa.Connection, revision: str, *, up: bool) -> None:
    _take_turn(connection)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    (command.upgrade if up else command.downgrade)(config, revision)


def _take_turn(connection: sa.Connection) -> None:
    """Wait for whoever migrates this database now, and make the steps one transaction: all of them happen, or none."""
    if connection.dialect.name == "sqlite":
        # The driver begins a transaction before rows, but not before tables.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_KEY})
