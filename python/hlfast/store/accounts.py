"""What the venue says of named accounts: equity, funding and fills, each row once."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.store.partitions import make_months, month_of
from hlfast.store.tables import equity, fills, funding


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Equity of an account, and its profit since ever with transfers taken out."""

    account: str
    time_ms: int
    usd: Decimal
    pnl_usd: Decimal


class AccountFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a follower, as the venue lists it. `sequence` 0: it came from no record of the journal."""

    account: str
    coin: str
    time_ms: int
    tid: int
    side: str
    price: Decimal
    size: Decimal
    start_position: Decimal
    closed_pnl: Decimal
    fee: Decimal
    fee_token: str | None
    oid: int
    crossed: bool
    cloid: str | None
    sequence: int = 0
    twap_id: int | None = None


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


async def save_fills(connection: AsyncConnection, executed: Sequence[AccountFill]) -> int:
    """Write fills that are not there yet; returns how many."""
    return await _save(connection, fills, executed)


async def _save(
    connection: AsyncConnection,
    table: sa.Table,
    rows: Sequence[EquityPoint] | Sequence[FundingPayment] | Sequence[AccountFill],
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
    return await _latest(connection, funding, account)


async def latest_fill_ms(connection: AsyncConnection, account: str) -> int:
    """Return the time of the newest fill of an account; 0: none is there."""
    return await _latest(connection, fills, account)


async def _latest(connection: AsyncConnection, table: sa.Table, account: str) -> int:
    query = sa.select(sa.func.max(table.c.time_ms)).where(table.c.account == account)
    return int(await connection.scalar(query) or 0)
