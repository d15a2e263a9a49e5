"""Openings in portions and what of each was executed: put together from receipts, orders, quotes and the venue's fills.

The journal says which order carried which client order id and what the book showed when it was planned; the account's
fills at the venue say what became of it. Of a TWAP that the venue runs the journal says all. So a smart order is whole
once both are in the database, and may be put together again at any time: the same rows come out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.store.tables import (
    attempts,
    fills,
    orders,
    quotes,
    receipts,
    smart_order_executions,
    smart_orders,
    twap_slices,
)

# Fills of an account come with the next reading, after their receipt: what settled so long ago is looked at again.
_AGAIN_MS = 86_400_000


async def gather_smart_orders(connection: AsyncConnection, styles: Mapping[str, str]) -> int:
    """Write the smart orders of accounts that open in portions, and their partial executions; returns how many orders.

    Args:
        connection: inside a transaction.
        styles: "twap", "smart" or "native_twap" by follower.
    """
    if not styles:
        return 0
    since_ms = int(await connection.scalar(sa.select(sa.func.max(smart_orders.c.since_ms))) or 0) - _AGAIN_MS
    opened = await _openings(connection, list(styles), since_ms)
    executed = await _executions(connection, list(styles), since_ms)
    executed += await _slices(connection, list(styles), since_ms)
    found: dict[str, list[dict[str, Any]]] = {_name(receipt): [] for receipt in opened}
    for receipt, row in _carried(opened, executed):
        mine = found[_name(receipt)]
        mine.append({"id": _name(receipt), "slice": len(mine), **{key: row[key] for key in _KEPT}})
    names = list(found)
    for table in (smart_order_executions, smart_orders):
        await connection.execute(sa.delete(table).where(table.c.id.in_(names)))
    if opened:
        await connection.execute(sa.insert(smart_orders), [_order(one, styles[one["follower"]]) for one in opened])
    if rows := [row for rows in found.values() for row in rows]:
        await connection.execute(sa.insert(smart_order_executions), rows)
    return len(opened)


async def portions_of(connection: AsyncConnection, receipt: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the partial executions of a receipt's smart order, in their order; none if it went at once."""
    table = smart_order_executions
    query = sa.select(table).where(table.c.id == _name(receipt)).order_by(table.c.slice)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


_KEPT = ("cloid", "filled", "average_price", "bid", "ask", "settled_ms", "twap_id")


def _name(receipt: Mapping[str, Any]) -> str:
    return f"{receipt['journal']}#{receipt['number']}"


def _order(receipt: Mapping[str, Any], style: str) -> dict[str, Any]:
    return {
        "id": _name(receipt),
        "style": style,
        "follower": receipt["follower"],
        "coin": receipt["coin"],
        "size": abs(receipt["entitled_after"] - receipt["entitled_before"]),
        "state": receipt["outcome"],
        "since_ms": receipt["decided_ms"],
    }


def _carried(
    opened: Sequence[dict[str, Any]], executed: Sequence[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each execution with the newest opening under way: a newer target takes over what is left of an older one."""
    newest_first: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for receipt in reversed(opened):
        newest_first[_place(receipt)].append(receipt)
    for row in executed:
        for receipt in newest_first[_place(row)]:
            if receipt["decided_ms"] <= row["at_ms"] <= receipt["settled_ms"]:
                yield receipt, row | row["quotes"].get(receipt["coin_id"], {"bid": None, "ask": None})
                break


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["journal"], row["follower"], row["coin"]


async def _openings(connection: AsyncConnection, followers: list[str], since_ms: int) -> list[dict[str, Any]]:
    columns = ("journal", "number", "follower", "coin", "coin_id", "outcome", "decided_ms", "settled_ms")
    query = (
        sa.select(*(receipts.c[name] for name in (*columns, "entitled_before", "entitled_after")))
        .where(receipts.c.follower.in_(followers), receipts.c.settled_ms >= since_ms, receipts.c.nonce != 0)
        .order_by(receipts.c.number)
    )
    rows = [dict(row) for row in (await connection.execute(query)).mappings()]
    return [row for row in rows if abs(row["entitled_after"]) > abs(row["entitled_before"])]


async def _executions(connection: AsyncConnection, followers: list[str], since_ms: int) -> list[dict[str, Any]]:
    """Openings' orders that were executed, in part or whole, in the order of sending, with their record's quotes."""
    opening = sa.and_(attempts.c.follower.in_(followers), attempts.c.does == "open", attempts.c.at_ms >= since_ms)
    sent = sa.and_(*(attempts.c[name] == orders.c[name] for name in ("journal", "sequence", "follower", "nonce")))
    query = (
        sa.select(
            *(orders.c.journal, orders.c.sequence, orders.c.follower, orders.c.cloid, attempts.c.at_ms),
            *(fills.c.coin, fills.c.price, fills.c.size, fills.c.time_ms),
        )
        .select_from(attempts.join(orders, sent).join(fills, fills.c.cloid == orders.c.cloid))
        .where(opening)
        .order_by(orders.c.sequence, orders.c.cloid, fills.c.time_ms)
    )
    shown = attempts.join(
        quotes, sa.and_(quotes.c.journal == attempts.c.journal, quotes.c.sequence == attempts.c.sequence)
    )
    columns = (quotes.c.journal, quotes.c.sequence, quotes.c.coin_id, quotes.c.bid, quotes.c.ask)
    seen: dict[tuple[str, int], dict[int, dict[str, Any]]] = defaultdict(dict)
    for journal, sequence, coin_id, bid, ask in await connection.execute(
        sa.select(*columns).select_from(shown).where(opening)
    ):
        seen[journal, sequence][coin_id] = {"bid": bid, "ask": ask}
    by_order: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in (await connection.execute(query)).mappings():
        by_order[row["cloid"], row["coin"]].append(dict(row))
    return [_execution(rows) | {"quotes": seen[rows[0]["journal"], rows[0]["sequence"]]} for rows in by_order.values()]


async def _slices(connection: AsyncConnection, followers: list[str], since_ms: int) -> list[dict[str, Any]]:
    """Slices of the venue's TWAPs as executions: each belongs where its TWAP's beginning does."""
    began = sa.and_(*(attempts.c[name] == twap_slices.c[name] for name in ("journal", "follower", "nonce")))
    query = (
        sa.select(twap_slices, attempts.c.at_ms.label("began_ms"))
        .select_from(twap_slices.join(attempts, began))
        .where(attempts.c.follower.in_(followers), attempts.c.does == "open", attempts.c.at_ms >= since_ms)
        .order_by(twap_slices.c.sequence, twap_slices.c.place)
    )
    found = (await connection.execute(query)).mappings()
    return [
        {
            **{name: row[name] for name in ("journal", "follower", "coin", "twap_id")},
            "cloid": None,
            "at_ms": row["began_ms"],
            "filled": row["size"],
            "average_price": row["price"],
            "settled_ms": row["time_ms"],
            "quotes": {row["coin_id"]: {"bid": row["bid"], "ask": row["ask"]}},
        }
        for row in found
    ]


def _execution(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    filled = sum((row["size"] for row in rows), Decimal(0))
    paid = sum((row["size"] * row["price"] for row in rows), Decimal(0))
    settled_ms = max(row["time_ms"] for row in rows)
    return {**rows[0], "filled": filled, "average_price": paid / filled, "settled_ms": settled_ms, "twap_id": None}
