"""What copying did, for those who add it up: receipts, executions with the leader each was for, funding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.store.tables import (
    alerts,
    attempts,
    equity,
    fills,
    followers,
    follows,
    funding,
    orders,
    quotes,
    receipts,
    strategies,
    twap_slices,
)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Whose copying, and until when (Unix ms, not included). None: all. It always begins where the database does."""

    follower: str | None = None
    coin: str | None = None
    until_ms: int | None = None


def _scoped(query: Any, scope: Scope, follower: sa.ColumnElement[Any], table: sa.Table, time: str) -> Any:
    if scope.follower is not None:
        query = query.where(follower == scope.follower)
    if scope.coin is not None:
        query = query.where(table.c.coin == scope.coin)
    if scope.until_ms is not None:
        query = query.where(table.c[time] < scope.until_ms)
    return query


async def read_receipts(connection: AsyncConnection, scope: Scope) -> Sequence[sa.RowMapping]:
    """Return whole receipts, oldest first."""
    query = sa.select(receipts)
    query = _scoped(query, scope, receipts.c.follower, receipts, "time_ms")
    rows: Sequence[sa.RowMapping] = (await connection.execute(query.order_by(receipts.c.number))).mappings().all()
    return rows


async def read_executions(connection: AsyncConnection, scope: Scope) -> Sequence[sa.RowMapping]:
    """Return executions on followers' accounts, oldest first, each with `leader`, and `ours`: the engine ordered it.

    `leader` is None where no receipt carries the order's nonce.
    """
    order = sa.select(orders.c.cloid, orders.c.follower, orders.c.nonce, orders.c.journal).distinct().subquery()
    twap = (
        sa.select(twap_slices.c.twap_id, twap_slices.c.follower, twap_slices.c.nonce, twap_slices.c.journal)
        .distinct()
        .subquery()
    )
    # One of both is null: what has a client id is no slice.
    nonce = sa.func.coalesce(order.c.nonce, twap.c.nonce)
    carried = (
        sa.select(
            receipts.c.journal,
            receipts.c.follower,
            receipts.c.nonce,
            receipts.c.coin,
            sa.func.max(receipts.c.leader).label("leader"),
        )
        .where(receipts.c.nonce != 0)
        .group_by(receipts.c.journal, receipts.c.follower, receipts.c.nonce, receipts.c.coin)
        .subquery()
    )
    joined = (
        fills.join(followers, followers.c.account == fills.c.account)
        .outerjoin(order, order.c.cloid == fills.c.cloid)
        .outerjoin(twap, sa.and_(twap.c.twap_id == fills.c.twap_id, twap.c.follower == followers.c.name))
        .outerjoin(
            carried,
            sa.and_(
                carried.c.journal == sa.func.coalesce(order.c.journal, twap.c.journal),
                carried.c.follower == sa.func.coalesce(order.c.follower, twap.c.follower),
                carried.c.nonce == nonce,
                carried.c.coin == fills.c.coin,
            ),
        )
    )
    columns = [fills.c[name] for name in ("coin", "time_ms", "tid", "side", "price", "size", "fee", "fee_token")]
    query = sa.select(
        followers.c.name.label("follower"),
        *columns,
        nonce.is_not(None).label("ours"),
        carried.c.leader,
    ).select_from(joined)
    query = _scoped(query, scope, followers.c.name, fills, "time_ms")
    found = await connection.execute(query.order_by(fills.c.time_ms, fills.c.tid))
    rows: Sequence[sa.RowMapping] = found.mappings().all()
    return rows


async def read_funding(connection: AsyncConnection, scope: Scope) -> Sequence[sa.RowMapping]:
    """Return funding of followers' accounts, oldest first."""
    joined = funding.join(followers, followers.c.account == funding.c.account)
    query = sa.select(followers.c.name.label("follower"), funding.c.coin, funding.c.time_ms, funding.c.usd).select_from(
        joined
    )
    query = _scoped(query, scope, followers.c.name, funding, "time_ms")
    rows: Sequence[sa.RowMapping] = (await connection.execute(query.order_by(funding.c.time_ms))).mappings().all()
    return rows


async def read_policies(connection: AsyncConnection) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the settings of each follow, by leader and follower."""
    rows = (await connection.execute(sa.select(follows.c.leader, follows.c.follower, follows.c.policy))).all()
    return {(leader, follower): dict(policy) for leader, follower, policy in rows}


async def read_strategies(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Return the settings of each strategy, by name."""
    rows = await connection.scalars(sa.select(strategies.c.settings).order_by(strategies.c.name))
    return [dict(settings) for settings in rows]


async def last_prices(connection: AsyncConnection) -> dict[str, Any]:
    """Return each coin's price in the newest execution of anybody named."""
    newest = sa.select(fills.c.coin, sa.func.max(fills.c.time_ms).label("at")).group_by(fills.c.coin).subquery()
    query = sa.select(fills.c.coin, sa.func.max(fills.c.price)).join(
        newest, sa.and_(newest.c.coin == fills.c.coin, newest.c.at == fills.c.time_ms)
    )
    rows = (await connection.execute(query.group_by(fills.c.coin))).all()
    return {str(coin): price for coin, price in rows}


async def read_quotes(connection: AsyncConnection) -> dict[tuple[str, str, int, int], dict[str, Any]]:
    """Return the quote that each order was planned by: by journal, follower, nonce and the coin's number."""
    order = (attempts.c.journal, attempts.c.follower, attempts.c.nonce)
    first = (
        sa.select(*order, sa.func.min(attempts.c.sequence).label("sequence"))
        .where(attempts.c.nonce != 0)
        .group_by(*order)
        .subquery()
    )
    joined = first.join(quotes, sa.and_(quotes.c.journal == first.c.journal, quotes.c.sequence == first.c.sequence))
    columns = (first.c.journal, first.c.follower, first.c.nonce, quotes.c.coin_id, quotes.c.bid, quotes.c.ask)
    rows = (await connection.execute(sa.select(*columns).select_from(joined))).all()
    return {(str(row[0]), str(row[1]), int(row[2]), int(row[3])): {"bid": row[4], "ask": row[5]} for row in rows}


async def read_equity(connection: AsyncConnection) -> dict[str, list[tuple[int, Any]]]:
    """Return the equity of each follower as (Unix ms, USD), oldest first."""
    joined = equity.join(followers, followers.c.account == equity.c.account)
    query = sa.select(followers.c.name, equity.c.time_ms, equity.c.usd).select_from(joined)
    curves: dict[str, list[tuple[int, Any]]] = {}
    for name, at, usd in (await connection.execute(query.order_by(equity.c.time_ms))).all():
        curves.setdefault(name, []).append((at, usd))
    return curves


async def latest_alerts(connection: AsyncConnection, limit: int) -> list[tuple[int, str, str]]:
    """Return the newest alerts as (Unix ms, level, text)."""
    query = sa.select(alerts.c.at_ms, alerts.c.level, alerts.c.text).order_by(alerts.c.at_ms.desc()).limit(limit)
    return [(at, level, text) for at, level, text in (await connection.execute(query)).all()]
