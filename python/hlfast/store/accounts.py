"""What the venue says of named accounts: equity and funding, each row once."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.store.partitions import make_months, month_of
from hlfast.store.tables import equity, funding


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Equity of an account, and its profit since ever with transfers taken out."""

    account: str
    time_ms: int
    usd: Decimal
    pnl_usd: Decimal


class FundingPayment(msgspec.Struct, frozen=True, kw_only=True):
    """One payment; positive was received."""

    account: str
    coin: str
    time_ms: int
    usd: Decimal


async def save_equity(connection: AsyncConnection, points: Sequence[EquityPoint]) -> int:
    """Write points that are not there yet; returns how many."""
    return await _save(connection, equity, points)


async def save_funding(connection: AsyncConnection, payments: Sequence[FundingPayment]) -> int:
    """Write payments that are not there yet; returns how many."""
    return await _save(connection, funding, payments)


async def _save(
    connection: AsyncConnection, table: sa.Table, rows: Sequence[EquityPoint] | Sequence[FundingPayment]
) -> int:
    if not rows:
        return 0
    await make_months(connection, table.name, {month_of(row.time_ms) for row in rows})
    insert = (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)
    before = await _count(connection, table, rows[0].account)
    await connection.execute(insert.on_conflict_do_nothing(), [msgspec.structs.asdict(row) for row in rows])
    return await _count(connection, table, rows[0].account) - before


async def _count(connection: AsyncConnection, table: sa.Table, account: str) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(table.c.account == account)
    return int(await connection.scalar(query) or 0)


async def latest_funding_ms(connection: AsyncConnection, account: str) -> int:
    """Return the time of the newest payment of an account; 0: none is there."""
    query = sa.select(sa.func.max(funding.c.time_ms)).where(funding.c.account == account)
    return int(await connection.scalar(query) or 0)
