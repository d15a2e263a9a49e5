from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.control.explain import explain
from hlfast.store import tables
from hlfast.store.accounts import AccountFill, save_fills
from hlfast.store.copying import Scope, read_executions
from hlfast.store.database import opened
from hlfast.store.partitions import make_months, month_of
from hlfast.store.portions import gather_smart_orders, portions_of
from hlfast.store.reads import belongings, find_receipt

NOW = 1_790_000_000_000
ACCOUNT = "0x" + "f1" * 20


def receipt(number: int, before: str, after: str, decided_ms: int, settled_ms: int, nonce: int) -> dict[str, Any]:
    return {
        "journal": "j",
        "number": number,
        "leader": "l",
        "follower": "f",
        "coin": "ETH",
        "coin_id": 1,
        "settled_ms": settled_ms,
        "sequence": number,
        "time_ms": decided_ms,
        "tid": number,
        "decision": number,
        "merged_into": None,
        "outcome": "filled",
        "reason": "none",
        "was_unknown": False,
        "leader_before": "0",
        "leader_after": after,
        "leader_price": "100",
        "entitled_before": before,
        "entitled_after": after,
        "ordered": "1",
        "limit_price": "101",
        "filled": "1",
        "average_price": "100",
        "nonce": nonce,
        "decided_ms": decided_ms,
        "planned_ms": decided_ms,
    }


def attempt(sequence: int, at_ms: int, does: str = "open") -> dict[str, Any]:
    return {
        "journal": "j",
        "sequence": sequence,
        "place": 1,
        "at_ms": at_ms,
        "follower": "f",
        "does": does,
        "road": "ws",
        "lane": 1,
        "post_id": sequence,
        "nonce": sequence,
        "expires_ms": at_ms,
        "digest": "0x",
    }


def execution(cloid: str, time_ms: int, tid: int, price: str, size: str) -> AccountFill:
    return AccountFill(
        account=ACCOUNT,
        coin="ETH",
        time_ms=time_ms,
        tid=tid,
        side="B",
        price=Decimal(price),
        size=Decimal(size),
        start_position=Decimal(0),
        closed_pnl=Decimal(0),
        fee=Decimal(0),
        fee_token="USDC",  # a coin
        oid=tid,
        crossed=True,
        cloid=cloid,
    )


async def insert(connection: AsyncConnection, name: str, rows: list[dict[str, Any]]) -> None:
    if name in tables.EVENTS:
        await make_months(connection, name, {month_of(NOW)})
    await connection.execute(sa.insert(tables.metadata.tables[name]), rows)


async def journalled(connection: AsyncConnection) -> None:
    """Two openings, the newer of which takes over what is left of the older; a reduction; a coin's other number."""
    await insert(
        connection,
        "receipts",
        [
            receipt(1, "0", "3", NOW, NOW + 900, 11),
            receipt(2, "3", "4", NOW + 500, NOW + 900, 13),
            receipt(3, "4", "1", NOW + 2_000, NOW + 2_100, 14),
        ],
    )
    sent = [attempt(11, NOW + 10), attempt(12, NOW + 400), attempt(13, NOW + 700), attempt(14, NOW + 2_050, "reduce")]
    await insert(connection, "attempts", sent)
    orders = [{"cloid": f"c{n}", "sequence": n, "journal": "j", "follower": "f", "nonce": n} for n in (11, 12, 13, 14)]
    await insert(connection, "orders", orders)
    quotes = [
        {"journal": "j", "sequence": 11, "coin_id": coin, "bid": bid, "ask": "100.5", "time_ms": NOW}
        for coin, bid in ((1, "99.5"), (2, "7"))
    ]
    await insert(connection, "quotes", quotes)


@pytest.mark.asyncio
async def test_portions_are_told_with_their_market_and_put_together_again(url: str) -> None:
    async with opened(url) as engine, engine.begin() as connection:
        await journalled(connection)
        await gather_smart_orders(connection, {"f": "twap"})
        rows = (await connection.execute(sa.select(tables.smart_order_executions))).all()
        assert rows == [], "nothing is known to be executed before the account was read"

        fills = [
            execution("c11", NOW + 20, 1, "100", "0.5"),
            execution("c11", NOW + 30, 2, "101", "0.5"),
            execution("c13", NOW + 710, 3, "102", "1"),
            execution("c14", NOW + 2_060, 4, "99", "3"),
            execution("manual", NOW + 40, 5, "99", "3"),
        ]
        await save_fills(connection, fills)
        for _ in range(2):
            assert await gather_smart_orders(connection, {"f": "twap"}) == 2
        found = (await connection.execute(sa.select(tables.smart_orders).order_by("id"))).mappings().all()
        assert [(row["id"], row["style"], row["size"]) for row in found] == [
            ("j#1", "twap", Decimal(3)),
            ("j#2", "twap", Decimal(1)),
        ]
        first = await find_receipt(connection, 1)
        assert first is not None
        portions = await portions_of(connection, first)
        assert [(row["cloid"], row["filled"], row["average_price"]) for row in portions] == [
            ("c11", Decimal("1.0"), Decimal("100.5")),
        ]
        assert (portions[0]["bid"], portions[0]["ask"], portions[0]["settled_ms"]) == (
            Decimal("99.5"),
            Decimal("100.5"),
            NOW + 30,
        )
        second = await find_receipt(connection, 2)
        assert second is not None
        assert [row["cloid"] for row in await portions_of(connection, second)] == ["c13"]
        beside = await belongings(connection, first) | {"portions": portions}
        told = [step.text for step in explain(first, beside).steps if step.what == "portion"]
        assert told == ["1 at 100.5, planned at 99.5 to 100.5"]


@pytest.mark.asyncio
async def test_accounts_that_open_at_once_have_no_smart_orders(url: str) -> None:
    async with opened(url) as engine, engine.begin() as connection:
        await journalled(connection)
        assert await gather_smart_orders(connection, {}) == 0
        assert await gather_smart_orders(connection, {"somebody": "twap"}) == 0


def twap_slice(place: int, time_ms: int | None, size: str, price: str, quote: tuple[str, str] | None) -> dict[str, Any]:
    bid, ask = quote or (None, None)
    return {
        "journal": "j",
        "sequence": 20 + place,
        "place": 2,
        "at_ms": NOW + 100 * place,
        "follower": "f",
        "coin": "ETH",
        "coin_id": 1,
        "nonce": 11,
        "twap_id": 77,
        "time_ms": time_ms,
        "size": size,
        "price": price,
        "bid": bid,
        "ask": ask,
        "quoted_ms": None if quote is None else NOW + 90,
    }


@pytest.mark.asyncio
async def test_slices_of_the_venues_twap_are_portions_of_what_began_it(url: str) -> None:
    async with opened(url) as engine, engine.begin() as connection:
        await journalled(connection)
        slices = [twap_slice(1, NOW + 80, "0.5", "100", ("99.9", "100.1")), twap_slice(2, None, "1", "101", None)]
        await insert(connection, "twap_slices", slices)
        for _ in range(2):
            assert await gather_smart_orders(connection, {"f": "native_twap"}) == 2
        first = await find_receipt(connection, 1)
        assert first is not None
        portions = await portions_of(connection, first)
        assert [(row["twap_id"], row["cloid"], row["filled"], row["settled_ms"]) for row in portions] == [
            (77, None, Decimal("0.5"), NOW + 80),
            (77, None, Decimal(1), None),
        ]
        beside = await belongings(connection, first) | {"portions": portions}
        told = [step.text for step in explain(first, beside).steps if step.what == "portion"]
        assert told == [
            "0.5 at 100 by the venue's TWAP 77, read at 99.9 to 100.1",
            "1 at 101 by the venue's TWAP 77, told as a sum when it was over",
        ]


@pytest.mark.asyncio
async def test_a_slice_on_the_account_is_the_engines_and_its_leaders(url: str) -> None:
    async with opened(url) as engine, engine.begin() as connection:
        await journalled(connection)
        people = {"name": "f", "account": ACCOUNT, "agent": "0x1", "policy": None}
        await insert(connection, "followers", [people])
        await insert(connection, "twap_slices", [twap_slice(1, NOW + 80, "0.5", "100", None)])
        mine, other = execution("", NOW + 80, 7, "100", "0.5"), execution("", NOW + 90, 8, "100", "0.5")
        rows = [
            msgspec.structs.replace(mine, cloid=None, twap_id=77),
            msgspec.structs.replace(other, cloid=None, twap_id=78),
        ]
        await save_fills(connection, rows)
        found = await read_executions(connection, Scope())
        assert [(row["tid"], row["ours"], row["leader"]) for row in found] == [(7, True, "l"), (8, False, None)]
