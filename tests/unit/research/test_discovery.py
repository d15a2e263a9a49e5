from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.fakes.traders import DAY_MS, NOW_MS, PublicData, address, trips

from hlfast.config.model import AutoFollow, Config, Discovery, Follow, Follower, Journal, Leader, Venue
from hlfast.errors import NoAnswerError
from hlfast.research.copyable import capital_of
from hlfast.research.discovery import Judged, Search, Searched
from hlfast.research.figures import Analysis
from hlfast.research.following import judged_of, leader_name, plan_follows
from hlfast.research.history import history_from_rows
from hlfast.research.whatif.model import Liquidity, Market, Model
from hlfast.research.whatif.run import what_if
from hlfast.store.database import opened
from hlfast.store.traders import find_traders, known_traders, latest_figures
from hlfast.venue.info import Info

GOOD, FAIR, POOR, SMALL, NEW = (address(number) for number in range(5))


@pytest.fixture
def public() -> PublicData:
    data = PublicData()
    data.add(GOOD, trips(200, 4))
    data.add(FAIR, trips(60, 1))
    data.add(POOR, trips(100, -4))
    data.add(SMALL, trips(100, 4), equity="50")
    data.add(NEW, trips(10, 4))
    return data


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with opened(f"sqlite:///{tmp_path}/x.db") as engine:
        yield engine


async def search(
    public: PublicData, database: AsyncEngine, board: Path, *, now_ms: int = NOW_MS, **more: Any
) -> Searched:
    await asyncio.to_thread(board.write_bytes, public.leaderboard())
    settings = Discovery(tape_s=0, leaderboard=str(board), least_equity_usd="1000", **more)
    made = Search(Info(public), database, settings, base_url="http://x", ws_url="ws://x", clock_ms=lambda: now_ms)
    return await made.run()


@pytest.mark.asyncio
async def test_search_judges_winners_and_keeps_them(public: PublicData, database: AsyncEngine, tmp_path: Path) -> None:
    found = await search(public, database, tmp_path / "board")
    assert [one.address for one in found.judged] == [GOOD, FAIR, NEW]
    assert [one.graded.grade for one in found.judged][0::2] == ["A", "F"]
    assert found.leaderboard_rows == 5
    async with database.connect() as connection:
        kept = await find_traders(connection)
        assert [trader.address for trader in kept] == [GOOD, FAIR, NEW]
        assert judged_of(kept[0].judgement) == found.judged[0]
        figures = msgspec.convert(await latest_figures(connection, GOOD), Analysis)
    assert figures.trades.closed == 200
    assert figures.money.net_usd == found.judged[0].net_usd
    assert sum(usd for _, usd in figures.daily) == figures.money.net_usd
    assert sum(count for _, count, _ in figures.order_values) == figures.orders == 400


@pytest.mark.asyncio
async def test_search_judges_by_what_the_engine_would_have_done(
    public: PublicData, database: AsyncEngine, tmp_path: Path
) -> None:
    """What the grade rests on is what `hlfast what-if` says for that capital, with the venue's impact prices."""
    found = await search(public, database, tmp_path / "board", capital_usd="2500")
    best = found.judged[0]
    async with database.connect() as connection:
        one = msgspec.convert(await latest_figures(connection, GOOD), Analysis)
    spread = Liquidity(half_spread_bps=Decimal("0.5"), depth_usd=Decimal(200_000), measured=True)
    btc = Market(size_decimals=5, max_leverage=40, liquidity=spread, activity=(Decimal(10**6), Decimal(10**5)))
    model = Model(equity_usd=Decimal(2500), leader_equity_usd=capital_of(one))
    history = history_from_rows(GOOD, public.fills[GOOD])
    whole = what_if(history, None, model, {"BTC": btc}, latencies_ms=(), wanted=None)
    assert (best.kept.by, best.kept.kept_usd) == ("replay", whole.money.net_usd.quantize(Decimal("0.01")))
    assert whole.money.net_usd > 100
    assert [copy.follower_usd for copy in one.copies if copy.net_usd == 0] == [10, 30, 100]


@pytest.mark.asyncio
async def test_search_asks_nothing_again_until_results_are_old(
    public: PublicData, database: AsyncEngine, tmp_path: Path
) -> None:
    await search(public, database, tmp_path / "board")
    public.asked.clear()
    again = await search(public, database, tmp_path / "board", now_ms=NOW_MS + DAY_MS // 2)
    assert (again.judged, again.fresh, public.asked) == ((), 3, [])
    public.fills[GOOD] += [{**row, "time": row["time"] + 40 * DAY_MS} for row in trips(20, 4)]
    later = await search(public, database, tmp_path / "board", now_ms=NOW_MS + 2 * DAY_MS, most=1)
    assert [(one.address, one.trips) for one in later.judged] == [(GOOD, 220)]
    async with database.connect() as connection:
        known = (await known_traders(connection))[GOOD]
    assert (known.first_seen_ms, known.refreshed_ms) == (NOW_MS, NOW_MS + 2 * DAY_MS)
    assert (known.source, known.why.startswith("made ")) == ("leaderboard", True)


@pytest.mark.asyncio
async def test_search_dismisses_at_a_glance_who_no_longer_wins(
    public: PublicData, database: AsyncEngine, tmp_path: Path
) -> None:
    """The list is hours old: what the portfolio says now counts, and costs 20 instead of up to 800."""
    board = tmp_path / "board"
    await asyncio.to_thread(board.write_bytes, public.leaderboard())
    public.fills[FAIR] = trips(60, -1)
    public.equity[GOOD] = "1"
    public.equity[NEW] = "900"
    settings = Discovery(tape_s=0, leaderboard=str(board), least_equity_usd="4000")
    made = Search(Info(public), database, settings, base_url="http://x", ws_url="ws://x", clock_ms=lambda: NOW_MS)
    found = await made.run()
    assert dict(found.dismissed)[FAIR].startswith("made -")
    assert dict(found.dismissed)[NEW].startswith("equity of 1,")
    assert {kind for kind, who in public.asked if who == FAIR} == {"portfolio"}
    async with database.connect() as connection:
        assert (await known_traders(connection))[FAIR].dismissed == dict(found.dismissed)[FAIR]


@pytest.mark.asyncio
async def test_search_goes_on_behind_a_trader_who_can_not_be_read(
    public: PublicData, database: AsyncEngine, tmp_path: Path
) -> None:
    public.down.add(GOOD)
    public.silent.add(FAIR)
    found = await search(public, database, tmp_path / "board")
    assert [address for address, _ in found.failed] == [GOOD, FAIR]
    assert [one.address for one in found.judged] == [NEW]


@pytest.mark.asyncio
async def test_search_ends_when_the_venue_is_away_and_keeps_what_it_has(
    public: PublicData, database: AsyncEngine, tmp_path: Path
) -> None:
    for number in range(10, 14):
        public.add(address(number), trips(20, 1))
        public.silent.add(address(number))
    with pytest.raises(NoAnswerError, match="3 traders in a row"):
        await search(public, database, tmp_path / "board")
    async with database.connect() as connection:
        assert GOOD in await known_traders(connection)


@pytest.mark.asyncio
async def test_search_says_which_source_it_could_not_use(public: PublicData, database: AsyncEngine) -> None:
    settings = Discovery(tape_s=0, leaderboard="/nowhere/board.json")
    made = Search(Info(public), database, settings, base_url="http://x", ws_url="ws://x", clock_ms=lambda: NOW_MS)
    found = await made.run()
    assert found.judged == ()
    assert "/nowhere/board.json" in found.notes[0]


def settings(**auto: Any) -> Config:
    account = "0x" + "f1" * 20
    return Config(
        network="testnet",
        venue=Venue(base_url="http://127.0.0.1:1"),
        journal=Journal(directory="j"),
        leaders=(Leader(name="own", address=FAIR),),
        followers=(Follower(name="main", account=account, agent="0x" + "a1" * 20),),
        follows=(Follow(leader="own", follower="main", mode="ratio", ratio="1"),),
        discovery=Discovery(auto_follow=AutoFollow(**{"enabled": True, "followers": ("main",), **auto})),
    )


@pytest_asyncio.fixture
async def judged(public: PublicData, database: AsyncEngine, tmp_path: Path) -> list[Judged]:
    public.add(address(7), trips(150, 4))
    return list((await search(public, database, tmp_path / "board")).judged)


@pytest.mark.asyncio
async def test_auto_follow_stays_within_its_caps(judged: list[Judged]) -> None:
    both = plan_follows(judged, settings(most_risk="high", least_grade="B"), (), NOW_MS)
    assert [one.address for one in both.follows] == [GOOD, address(7)]
    assert both.follows[0].follow == Follow(
        leader=leader_name(GOOD), follower="main", mode="notional", notional_usd="100", max_position_usd="200"
    )
    reasons = dict(both.passed_over)
    assert reasons[FAIR] == "is a leader, an account or an agent of the settings"
    assert reasons[NEW] == "grade F is below B"
    one = plan_follows(judged, settings(most_risk="high", least_grade="B", most_leaders=1), (), NOW_MS)
    assert [planned.address for planned in one.follows] == [GOOD]
    assert dict(one.passed_over)[address(7)] == "1 leaders are followed this way already"
    held = [(address(99), "main")]
    none = plan_follows(judged, settings(most_risk="high", least_grade="B", most_leaders=1), held, NOW_MS)
    assert none.follows == ()
    over = plan_follows(judged, settings(most_risk="high", least_grade="B"), (), NOW_MS, ended=[GOOD])
    assert [planned.address for planned in over.follows] == [address(7)]
    assert dict(over.passed_over)[GOOD] == "was followed this way until it was ended"


@pytest.mark.asyncio
async def test_auto_follow_plans_each_follower_who_lacks_the_leader(judged: list[Judged]) -> None:
    caps = settings(most_risk="high", least_grade="B", most_leaders=1, followers=("main", "second"))
    new = plan_follows(judged, caps, (), NOW_MS)
    assert [(one.address, one.follow.follower) for one in new.follows] == [(GOOD, "main"), (GOOD, "second")]
    later = plan_follows(judged, caps, [(GOOD, "second")], NOW_MS)
    assert [(one.address, one.follow.follower) for one in later.follows] == [(GOOD, "main")], "the place is taken once"
    assert plan_follows(judged, caps, [(GOOD, "second"), (GOOD, "main")], NOW_MS).follows == ()
    over = plan_follows(judged, caps, [(GOOD, "second")], NOW_MS, ended=[GOOD])
    assert over.follows == (), "an operator ended one of his follows"
    hopeless = plan_follows(judged, caps, (), NOW_MS, refused=[GOOD])
    assert {one.address for one in hopeless.follows} == {address(7)}, "the next one has the place"


@pytest.mark.asyncio
async def test_auto_follow_acts_on_no_old_judgement_and_on_nobody_who_stopped(judged: list[Judged]) -> None:
    old = plan_follows(judged, settings(), (), NOW_MS + 2 * DAY_MS)
    assert dict(old.passed_over)[GOOD] == "the judgement is too old"
    quiet = [msgspec.structs.replace(one, graded=msgspec.structs.replace(one.graded, active=False)) for one in judged]
    assert dict(plan_follows(quiet, settings(), (), NOW_MS).passed_over)[GOOD] == "did not trade for a week"


def test_judgement_of_another_version_is_none() -> None:
    assert judged_of({"address": "0x1"}) is None
    assert judged_of(None) is None


def test_cheap_look_is_exact_at_its_bounds(public: PublicData) -> None:
    from hlfast.research.discovery import cheap_look
    from hlfast.venue.accounts import PortfolioWindow

    window = PortfolioWindow(
        account_value_history=((1, Decimal(1000)),), pnl_history=((1, Decimal("0.01")),), vlm=Decimal(1)
    )
    assert cheap_look({"month": window, "allTime": window}, Decimal(1000)) is None
    assert cheap_look({"month": window, "allTime": window}, Decimal("1000.01")) is not None
    lost = msgspec.structs.replace(window, pnl_history=((1, Decimal(0)),))
    assert cheap_look({"month": window, "allTime": lost}, Decimal(1)) == "made 0 USD in all"
    assert cheap_look({"month": window}, Decimal(1)) == "the venue shows no portfolio of him"
