"""Traders that research found, their judgements and figures, and what was recommended to whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.store.tables import analytics, auto_follows, recommendations, traders

# Figures of one analysis are about 200 kB of JSON; older ones than these show nothing that a chart does not.
KEPT_ANALYSES = 3


class Trader(msgspec.Struct, frozen=True, kw_only=True):
    """A row of traders. `grade` None: not judged, and `dismissed` says why if anyone looked."""

    address: str
    source: str
    why: str
    first_seen_ms: int
    last_seen_ms: int
    refreshed_ms: int | None = None
    grade: str | None = None
    score: float | None = None
    dismissed: str | None = None
    judgement: dict[str, Any] | None = None


def builtins_of(value: Any) -> Any:
    """Return what a JSON column takes: money as text, not-a-number as null."""
    return msgspec.json.decode(msgspec.json.encode(value))


async def known_traders(connection: AsyncConnection) -> dict[str, Trader]:
    """Return every known trader by address, without judgements."""
    columns = [column for column in traders.c if column.name != "judgement"]
    return {row["address"]: _trader(row) for row in (await connection.execute(sa.select(*columns))).mappings()}


def _trader(row: sa.RowMapping) -> Trader:
    return Trader(**{**row, "why": row["why"] or ""})


async def save_trader(connection: AsyncConnection, trader: Trader, figures: Mapping[str, Any] | None) -> None:
    """Write a trader, keeping when he was first seen, and his figures if there are any; only the latest ones stay."""
    row = msgspec.structs.asdict(trader)
    await connection.execute(_upsert(connection, traders, row, keep=("first_seen_ms",)))
    if figures is None:
        return
    made = {"address": trader.address, "made_ms": trader.refreshed_ms, "figures": figures}
    await connection.execute(_upsert(connection, analytics, made))
    mine = analytics.c.address == trader.address
    newest = sa.select(analytics.c.made_ms).where(mine).order_by(analytics.c.made_ms.desc())
    kept = (await connection.scalars(newest.limit(KEPT_ANALYSES))).all()
    await connection.execute(sa.delete(analytics).where(mine & (analytics.c.made_ms < min(kept))))


def _upsert(connection: AsyncConnection, table: sa.Table, row: Mapping[str, Any], keep: Sequence[str] = ()) -> Any:
    insert = (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table).values(row)
    keys = [column.name for column in table.primary_key]
    others = {name: insert.excluded[name] for name in row if name not in keys and name not in keep}
    return insert.on_conflict_do_update(index_elements=keys, set_=others)


async def find_traders(
    connection: AsyncConnection, grades: Iterable[str] | None = None, limit: int = 100
) -> list[Trader]:
    """Return judged traders, best score first; of all grades unless some are named."""
    query = sa.select(traders).where(traders.c.grade.is_not(None))
    if grades is not None:
        query = query.where(traders.c.grade.in_(list(grades)))
    query = query.order_by(traders.c.score.desc(), traders.c.address).limit(limit)
    return [_trader(row) for row in (await connection.execute(query)).mappings()]


async def read_judgement(connection: AsyncConnection, address: str) -> dict[str, Any] | None:
    """Return a trader's judgement."""
    found = await connection.scalar(sa.select(traders.c.judgement).where(traders.c.address == address))
    return None if found is None else dict(found)


async def latest_figures(connection: AsyncConnection, address: str) -> dict[str, Any] | None:
    """Return the newest figures of a trader."""
    query = sa.select(analytics.c.figures).where(analytics.c.address == address)
    found = await connection.scalar(query.order_by(analytics.c.made_ms.desc()).limit(1))
    return None if found is None else dict(found)


class Recommended(msgspec.Struct, frozen=True, kw_only=True):
    """A row of recommendations."""

    profile: str
    address: str
    made_ms: int
    score: float
    share: float
    reasons: list[str]
    details: dict[str, Any]
    viewed_ms: int | None = None
    accepted_ms: int | None = None


async def save_recommendations(connection: AsyncConnection, made: Sequence[Recommended]) -> list[Recommended]:
    """Write what is new or says something else than before; returns all of them as they now stand.

    Acceptance belongs to the trader and goes along; what changed has not been viewed yet.
    """
    standing = []
    for one in made:
        last = await _last_recommendation(connection, one.profile, one.address)
        if last is not None and _says_the_same(last, one):
            standing.append(last)
            continue
        new = one if last is None else msgspec.structs.replace(one, accepted_ms=last.accepted_ms)
        await connection.execute(_upsert(connection, recommendations, msgspec.structs.asdict(new)))
        standing.append(new)
    return standing


def _says_the_same(last: Recommended, new: Recommended) -> bool:
    same = (last.score, last.share, last.reasons, last.details) == (new.score, new.share, new.reasons, new.details)
    return same or last.made_ms == new.made_ms


async def _last_recommendation(connection: AsyncConnection, profile: str, address: str) -> Recommended | None:
    its = (recommendations.c.profile == profile) & (recommendations.c.address == address)
    query = sa.select(recommendations).where(its).order_by(recommendations.c.made_ms.desc()).limit(1)
    row = (await connection.execute(query)).mappings().first()
    return (
        None if row is None else Recommended(**{**row, "share": row["share"] or 0.0, "details": row["details"] or {}})
    )


async def mark_viewed(connection: AsyncConnection, shown: Sequence[Recommended], now_ms: int) -> None:
    """Note when recommendations were first looked at."""
    for one in shown:
        its = _identity(one.profile, one.address) & (recommendations.c.made_ms == one.made_ms)
        unseen = recommendations.c.viewed_ms.is_(None)
        await connection.execute(sa.update(recommendations).where(its & unseen).values(viewed_ms=now_ms))


async def mark_accepted(connection: AsyncConnection, profile: str, address: str, now_ms: int | None) -> bool:
    """Note that a user took a recommendation, or with None that he no longer does; False if there is none."""
    last = await _last_recommendation(connection, profile, address)
    if last is None:
        return False
    its = _identity(profile, address) & (recommendations.c.made_ms == last.made_ms)
    await connection.execute(sa.update(recommendations).where(its).values(accepted_ms=now_ms))
    return True


def _identity(profile: str, address: str) -> sa.ColumnElement[bool]:
    return (recommendations.c.profile == profile) & (recommendations.c.address == address)


class AutoFollowed(msgspec.Struct, frozen=True, kw_only=True):
    """A row of auto_follows. `applied_ms` None: planned only, and `refused` says why if it was tried."""

    address: str
    follower: str
    leader: str
    planned_ms: int
    policy: dict[str, Any]
    applied_ms: int | None = None
    refused: str | None = None


async def find_auto_follows(connection: AsyncConnection) -> list[AutoFollowed]:
    """Return all of them, oldest plan first."""
    query = sa.select(auto_follows).order_by(auto_follows.c.planned_ms, auto_follows.c.address, auto_follows.c.follower)
    return [AutoFollowed(**row) for row in (await connection.execute(query)).mappings()]


async def save_auto_follow(connection: AsyncConnection, one: AutoFollowed) -> None:
    """Write one, keeping when it was planned first."""
    await connection.execute(_upsert(connection, auto_follows, msgspec.structs.asdict(one), keep=("planned_ms",)))
