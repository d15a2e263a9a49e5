from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from tests.fakes import journal

from hlfast.control.projector import Projector
from hlfast.store.database import opened
from hlfast.store.reads import leader_outcomes
from hlfast.store.tables import analytics
from hlfast.store.traders import (
    KEPT_ANALYSES,
    AutoFollowed,
    Recommended,
    Trader,
    find_auto_follows,
    find_traders,
    known_traders,
    latest_figures,
    mark_accepted,
    mark_viewed,
    save_auto_follow,
    save_recommendations,
    save_trader,
)

ONE = Trader(
    address="0x1", source="tape", why="took", first_seen_ms=10, last_seen_ms=20, refreshed_ms=30, grade="B", score=70.5
)


@pytest.mark.asyncio
async def test_trader_keeps_his_first_day_and_his_latest_figures(url: str) -> None:
    async with opened(url) as engine:
        for at in range(30, 30 + 2 * KEPT_ANALYSES):
            later = msgspec.structs.replace(ONE, first_seen_ms=at, refreshed_ms=at, judgement={"at": at})
            async with engine.begin() as connection:
                await save_trader(connection, later, {"net": str(at)})
        dismissed = msgspec.structs.replace(ONE, address="0x2", grade=None, score=None, dismissed="poor")
        async with engine.begin() as connection:
            await save_trader(connection, dismissed, None)
        async with engine.connect() as connection:
            assert set(known := await known_traders(connection)) == {"0x1", "0x2"}
            assert (known["0x1"].first_seen_ms, known["0x2"].dismissed) == (30, "poor")
            assert [(one.address, one.judgement) for one in await find_traders(connection)] == [("0x1", {"at": 35})]
            assert await find_traders(connection, ["A"]) == []
            assert await latest_figures(connection, "0x1") == {"net": "35"}
            assert await latest_figures(connection, "0x2") is None
            assert await connection.scalar(sa.select(sa.func.count()).select_from(analytics)) == KEPT_ANALYSES


@pytest.mark.asyncio
async def test_recommendation_is_written_when_it_says_something_else(url: str) -> None:
    first = Recommended(profile="p", address="0x1", made_ms=1, score=80.0, share=0.4, reasons=["a"], details={"w": []})
    async with opened(url) as engine, engine.begin() as connection:
        assert await save_recommendations(connection, [first]) == [first]
        await mark_viewed(connection, [first], 5)
        same = await save_recommendations(connection, [msgspec.structs.replace(first, made_ms=2)])
        assert (same[0].made_ms, same[0].viewed_ms) == (1, 5)
        assert await mark_accepted(connection, "p", "0x1", 6)
        assert not await mark_accepted(connection, "q", "0x1", 6)
        changed = await save_recommendations(connection, [msgspec.structs.replace(first, made_ms=3, score=50.0)])
        assert (changed[0].viewed_ms, changed[0].accepted_ms) == (None, 6)


@pytest.mark.asyncio
async def test_automatic_follow_keeps_when_it_was_planned(url: str) -> None:
    plan = AutoFollowed(address="0x1", follower="f", leader="auto-1", planned_ms=1, policy={"mode": "notional"})
    async with opened(url) as engine, engine.begin() as connection:
        await save_auto_follow(connection, plan)
        await save_auto_follow(connection, msgspec.structs.replace(plan, planned_ms=9, applied_ms=9))
        assert await find_auto_follows(connection) == [msgspec.structs.replace(plan, applied_ms=9)]


@pytest.mark.asyncio
async def test_outcomes_of_leaders_count_every_receipt_and_weigh_the_filled(url: str) -> None:
    async with opened(url) as engine:
        await Projector(engine, Path("/"), journal.config(), read=journal.reader(10)).catch_up()
        async with engine.connect() as connection:
            found = await leader_outcomes(connection, 0)
            none = await leader_outcomes(connection, journal.START_MS * 2)
    assert {(row.outcome, row.reason, row.count) for row in found} == {(*kind, 10) for kind in journal.OUTCOMES}
    assert found[0].slippage_bps == pytest.approx(0.01 / 100.5 * 10_000)
    assert none == []
