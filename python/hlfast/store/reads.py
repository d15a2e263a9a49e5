"""Reads for people: receipts by filter, and what belongs to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.store.tables import attempts, cursors, fills, followers, follows, leaders, orders, quotes, receipts


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which receipts; None: any. Times are of the leader's fill, Unix ms, half-open."""

    leader: str | None = None
    follower: str | None = None
    coin: str | None = None
    outcome: str | None = None
    reason: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


async def find_receipts(connection: AsyncConnection, which: Filter, limit: int) -> list[dict[str, Any]]:
    """Return the latest receipts that fit, newest first."""
    query = sa.select(receipts).order_by(receipts.c.time_ms.desc(), receipts.c.number.desc()).limit(limit)
    for name in ("leader", "follower", "coin", "outcome", "reason"):
        value = getattr(which, name)
        if value is not None:
            query = query.where(receipts.c[name] == value)
    if which.since_ms is not None:
        query = query.where(receipts.c.time_ms >= which.since_ms)
    if which.until_ms is not None:
        query = query.where(receipts.c.time_ms < which.until_ms)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def find_receipt(connection: AsyncConnection, number: int) -> dict[str, Any] | None:
    """Return a receipt by its number; the journal's newest where several share the database."""
    query = sa.select(receipts).where(receipts.c.number == number).order_by(receipts.c.settled_ms.desc()).limit(1)
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else dict(row)


async def belongings(connection: AsyncConnection, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else is known: the leader's fill, attempts of the nonce, their orders and quote, and settings."""
    address = sa.select(leaders.c.address).where(leaders.c.name == receipt["leader"]).scalar_subquery()
    its = sa.select(fills).where(
        (fills.c.account == address)
        & (fills.c.coin == receipt["coin"])
        & (fills.c.time_ms == receipt["time_ms"])
        & (fills.c.tid == receipt["tid"])
    )
    tries = sa.select(attempts).where(
        (attempts.c.journal == receipt["journal"])
        & (attempts.c.follower == receipt["follower"])
        & (attempts.c.nonce == receipt["nonce"])
        & (attempts.c.nonce != 0)
    )
    cloids = sa.select(orders.c.cloid).where(
        (orders.c.journal == receipt["journal"])
        & (orders.c.follower == receipt["follower"])
        & (orders.c.nonce == receipt["nonce"])
        & (orders.c.nonce != 0)
    )
    fill = (await connection.execute(its)).mappings().first()
    made = [dict(row) for row in (await connection.execute(tries.order_by(attempts.c.sequence))).mappings()]
    return {
        "fill": None if fill is None else dict(fill),
        "attempts": made,
        "cloids": list(await connection.scalars(cloids)),
        "quote": await _quote(connection, receipt, made[0]["sequence"]) if made else None,
        **await _settings(connection, receipt),
    }


async def _settings(connection: AsyncConnection, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the follow and of the account, as they were written last; None of one that is no more."""
    edge = (follows.c.leader == receipt["leader"]) & (follows.c.follower == receipt["follower"])
    own = sa.select(followers.c.policy).where(followers.c.name == receipt["follower"])
    return {
        "policy": await connection.scalar(sa.select(follows.c.policy).where(edge)),
        "account": await connection.scalar(own),
    }


async def _quote(connection: AsyncConnection, receipt: Mapping[str, Any], sequence: int) -> dict[str, Any] | None:
    """The quote that the receipt's last order was planned by; a resend of the same nonce was not planned anew."""
    query = sa.select(quotes).where(
        (quotes.c.journal == receipt["journal"])
        & (quotes.c.sequence == sequence)
        & (quotes.c.coin_id == receipt["coin_id"])
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else dict(row)


async def incomplete(connection: AsyncConnection, limit: int = 20) -> tuple[int, int, list[dict[str, Any]]]:
    """Hold leader fills against receipts: each fill must have exactly one receipt for each follow of its leader.

    Fills are those that receipts name, and those of the leader's own feed between his first and his latest receipt. Of
    leaders whose follows were changed while the engine ran, each fill must have one receipt a follower at most.

    Returns:
        Leader fills, receipts, and the first fills whose receipts are too few or too many.
    """
    fill = (receipts.c.journal, receipts.c.leader, receipts.c.coin, receipts.c.time_ms, receipts.c.tid)
    had = (
        sa.select(
            *fill, sa.func.count().label("had"), sa.func.count(sa.distinct(receipts.c.follower)).label("followers")
        )
        .group_by(*fill)
        .subquery()
    )
    edges = sa.select(follows.c.leader, sa.func.count().label("due")).group_by(follows.c.leader).subquery()
    joined = sa.outerjoin(had, edges, had.c.leader == edges.c.leader)
    wrong = sa.select(had, edges.c.due).select_from(joined).limit(limit)
    rosters = (await connection.scalars(sa.select(cursors.c.roster).where(cursors.c.roster.is_not(None)))).all()
    changed = {leader for roster in rosters if roster for leader in roster["changed"]}
    lacks = (had.c.had != sa.func.coalesce(edges.c.due, 0)) & had.c.leader.not_in(changed)
    wrong = wrong.where(lacks | (had.c.had != had.c.followers))
    events = await connection.scalar(sa.select(sa.func.count()).select_from(had))
    total = await connection.scalar(sa.select(sa.func.count()).select_from(receipts))
    found = [dict(row) for row in (await connection.execute(wrong)).mappings()]
    lost = [dict(row) for row in (await connection.execute(_without_any(edges, changed).limit(limit))).mappings()]
    return int(events or 0) + len(lost), int(total or 0), (lost + found)[:limit]


def _without_any(edges: sa.Subquery, changed: set[str]) -> sa.Select[Any]:
    """Fills of a leader's own feed, amid his receipts, that no receipt names."""
    spans = sa.select(
        receipts.c.leader,
        sa.func.min(receipts.c.time_ms).label("since"),
        sa.func.max(receipts.c.time_ms).label("until"),
    )
    span = spans.group_by(receipts.c.leader).subquery()
    named = sa.exists().where(
        (receipts.c.leader == leaders.c.name)
        & (receipts.c.coin == fills.c.coin)
        & (receipts.c.time_ms == fills.c.time_ms)
        & (receipts.c.tid == fills.c.tid)
    )
    known = (fills.c.coin, fills.c.time_ms, fills.c.tid)
    query = sa.select(leaders.c.name.label("leader"), *known, sa.literal(0).label("had"), edges.c.due).distinct()
    query = query.join(leaders, leaders.c.address == fills.c.account).join(span, span.c.leader == leaders.c.name)
    query = query.join(edges, edges.c.leader == leaders.c.name)
    between = fills.c.time_ms.between(span.c.since, span.c.until)
    return query.where(between & ~named & leaders.c.name.not_in(changed)).order_by(fills.c.time_ms)


class LeaderOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How many receipts of one leader ended in one way, and what the filled ones cost on average."""

    leader: str
    outcome: str
    reason: str
    count: int
    slippage_bps: float | None


async def leader_outcomes(connection: AsyncConnection, since_ms: int) -> list[LeaderOutcome]:
    """Return what became of each leader's decisions from a time on, most frequent first."""
    average, price, ordered = (
        sa.cast(receipts.c[name], sa.Float) for name in ("average_price", "leader_price", "ordered")
    )
    worse = sa.case((ordered < 0, price - average), else_=average - price)
    filled = (sa.cast(receipts.c.filled, sa.Float) != 0) & (price > 0)
    bps = sa.func.avg(sa.case((filled, worse / price * 10_000)))
    kind = (receipts.c.leader, receipts.c.outcome, receipts.c.reason)
    query = sa.select(*kind, sa.func.count().label("count"), bps.label("slippage_bps"))
    # What another receipt carries is neither copied nor refused.
    query = query.where((receipts.c.settled_ms >= since_ms) & (receipts.c.outcome != "merged_into")).group_by(*kind)
    query = query.order_by(receipts.c.leader, sa.desc("count"), receipts.c.outcome, receipts.c.reason)
    return [LeaderOutcome(**row) for row in (await connection.execute(query)).mappings()]
