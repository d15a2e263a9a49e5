from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import sqlalchemy as sa
from tests.fakes import journal
from tests.unit.research.rows import START_MS, fill

from hlfast.config.model import Execution
from hlfast.control.accounts import AccountReader, payments_of, points_of
from hlfast.store.database import opened
from hlfast.store.tables import equity, fills, funding
from hlfast.venue.accounts import LedgerUpdate, PortfolioWindow
from hlfast.venue.info import Info

NOW_MS = journal.START_MS + 86_400_000
LEADER = "0x" + "aa" * 20


class Venue:
    """Hourly funding in pages, and a portfolio of two points; `away` accounts get no answer."""

    def __init__(self, hours: int) -> None:
        self.hours = hours
        self.away: set[str] = set()
        self.starts: list[int] = []
        self.fills: list[dict[str, Any]] = []
        self.slices: list[dict[str, Any]] = []

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        del path, deadline_ms
        request = orjson.loads(body)
        if request["user"] in self.away:
            return 0, b"away"
        if request["type"] == "portfolio":
            points = [[NOW_MS - 1000, "100.5"], [NOW_MS, "101.25"]]
            window = {"accountValueHistory": points, "pnlHistory": [[NOW_MS, "1.25"]], "vlm": "0"}
            return 200, orjson.dumps([["allTime", window]])
        if request["type"] == "userFillsByTime":
            return 200, orjson.dumps([row for row in self.fills if row["time"] >= request["startTime"]])
        if request["type"] == "userTwapSliceFills":
            return 200, orjson.dumps([{"fill": row, "twapId": 7} for row in self.slices])
        self.starts.append(request["startTime"])
        times = range(NOW_MS - self.hours * 3_600_000, NOW_MS, 3_600_000)
        rows = [paid(at) for at in times if at >= request["startTime"]]
        return 200, orjson.dumps(rows[:500])


def paid(at: int) -> dict[str, Any]:
    return {"time": at, "hash": "0x0", "delta": {"type": "funding", "coin": "BTC", "usdc": "-0.5", "szi": "1"}}


@pytest.mark.asyncio
async def test_accounts_are_read_whole_and_then_only_what_is_new(tmp_path: Path) -> None:
    venue = Venue(700)
    async with opened(f"sqlite:///{tmp_path}/x.db") as engine:
        reader = AccountReader(Info(venue), engine, journal.config(1), lambda: NOW_MS)
        first = await reader.read()
        assert (first.accounts, first.equity, first.funding, first.failed) == (2, 2, 1400, ())
        venue.starts.clear()
        again = await reader.read()
        assert (again.equity, again.funding) == (0, 0)
        assert min(venue.starts) == NOW_MS - 3_600_000, "what is there is not asked for again"
        async with engine.connect() as connection:
            total = await connection.scalars(sa.select(funding.c.usd).where(funding.c.account == LEADER))
            assert sum(total) == Decimal(-350)
            row = (await connection.execute(sa.select(equity).where(equity.c.account == LEADER))).mappings().one()
            assert dict(row) == {
                "account": LEADER,
                "time_ms": NOW_MS,
                "usd": Decimal("101.25"),
                "pnl_usd": Decimal("1.25"),
            }


@pytest.mark.asyncio
async def test_fills_of_followers_are_written_once_and_those_without_tid_not(tmp_path: Path) -> None:
    venue = Venue(0)
    shift = NOW_MS - START_MS - 10
    rows = [fill("BTC", "1", "100", "0", at=shift + at, tid=at or None, cloid="0xaa") for at in range(3)]
    venue.fills = rows[:2]
    async with opened(f"sqlite:///{tmp_path}/x.db") as engine:
        reader = AccountReader(Info(venue), engine, journal.config(1), lambda: NOW_MS)
        assert (await reader.read()).fills == 1, "the follower's alone"
        venue.fills = rows
        assert (await reader.read()).fills == 1
        async with engine.connect() as connection:
            kept = (await connection.execute(sa.select(fills.c.account, fills.c.tid, fills.c.cloid))).all()
    assert kept == [("0x" + "0" * 40, 1, "0xaa"), ("0x" + "0" * 40, 2, "0xaa")]


@pytest.mark.asyncio
async def test_slices_of_the_venues_twaps_are_fills_too(tmp_path: Path) -> None:
    venue = Venue(0)
    shift = NOW_MS - START_MS - 10
    venue.fills = [fill("BTC", "1", "100", "0", at=shift, tid=1, cloid="0xaa")]
    venue.slices = [fill("BTC", "1", "101", "1", at=shift + at, tid=1 + at) for at in (1, 2)]
    config = journal.config(1)
    native = msgspec.structs.replace(config.followers[0], execution=Execution(style="native_twap", seconds=300))
    config = msgspec.structs.replace(config, followers=(native,))
    async with opened(f"sqlite:///{tmp_path}/x.db") as engine:
        reader = AccountReader(Info(venue), engine, config, lambda: NOW_MS)
        assert [(await reader.read()).fills for _ in range(2)] == [3, 0], "each once"


@pytest.mark.asyncio
async def test_account_that_can_not_be_read_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    venue = Venue(2)
    venue.away.add(LEADER)
    stop, told = asyncio.Event(), []

    def complain(line: str) -> None:
        told.append(line)
        stop.set()

    async with opened(f"sqlite:///{tmp_path}/x.db") as engine:
        reader = AccountReader(Info(venue), engine, journal.config(1), lambda: NOW_MS)
        await asyncio.wait_for(reader.follow(3600, stop, complain), 30)
        assert told[0].startswith(f"{LEADER} was not read: portfolio: no answer")
        async with engine.connect() as connection:
            assert await connection.scalar(sa.select(sa.func.count()).select_from(funding)) == 2


def test_odd_rows_are_no_payments_and_half_points_no_points() -> None:
    updates = [
        LedgerUpdate(time=1, hash="", delta={"coin": "BTC", "usdc": "1.5"}),
        LedgerUpdate(time=1, hash="", delta={"coin": "BTC", "usdc": "1.5"}),
        LedgerUpdate(time=2, hash="", delta={"coin": "BTC", "usdc": "much"}),
        LedgerUpdate(time=3, hash="", delta={"usdc": "1"}),
        LedgerUpdate(time=4, hash="", delta={"coin": 5, "usdc": "1"}),
        LedgerUpdate(time=5, hash="", delta={"coin": "BTC", "usdc": "NaN"}),
        LedgerUpdate(time=6, hash="", delta={"coin": "BTC"}),
    ]
    assert [(one.time_ms, one.usd) for one in payments_of("a", tuple(updates))] == [(1, Decimal("1.5"))]
    window = PortfolioWindow(
        account_value_history=((1, Decimal(5)), (2, Decimal(6))), pnl_history=((2, Decimal(1)),), vlm=Decimal(0)
    )
    assert [(one.time_ms, one.usd, one.pnl_usd) for one in points_of("a", window)] == [(2, Decimal(6), Decimal(1))]
