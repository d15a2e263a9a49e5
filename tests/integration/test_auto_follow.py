"""Discovered traders followed by the running engine, within the caps: real processes, judgements made from made traders."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.operator import Market, Operator
from tests.fakes.service import Service, Sim, wait_for
from tests.fakes.traders import NOW_MS, PublicData, trips

from hlfast._core import read_journal
from hlfast.cli import following
from hlfast.cli.following import plan_and_follow
from hlfast.config.load import load
from hlfast.config.model import Discovery
from hlfast.control.client import EngineAwayError, RequestRefusedError
from hlfast.research.discovery import Search
from hlfast.research.following import FollowPlan, leader_name
from hlfast.store.database import opened
from hlfast.store.traders import builtins_of, find_traders, save_trader
from hlfast.venue.info import Info

_BEST, _NEXT, _WORST = ("0x" + digits * 20 for digits in ("d1", "d2", "d3"))


@pytest.fixture
def sim(tmp_path: Path):
    with Sim(tmp_path) as running:
        for address in (_BEST, _NEXT, _WORST):
            running.control("fund", address=address, usdc="10000000")
        yield running


def with_caps(service: Service, **caps: object) -> Service:
    path = service.directory / "hlfast.toml"
    lines = ["[store]", f'url = "sqlite:///{service.directory}/found.db"', "[discovery.auto_follow]", "enabled = true"]
    caps = {"followers": ["f0"], "least_grade": "B", "most_risk": "high", **caps}
    lines += [f"{name} = {json.dumps(value)}" for name, value in caps.items()]
    path.write_text(path.read_text() + "\n".join(lines) + "\n")
    return service


async def judge(service: Service) -> None:
    """Keep judgements of three traders, as a search made them a moment ago."""
    public = PublicData()
    for address, (count, gain) in {_BEST: (200, 4), _NEXT: (150, 4), _WORST: (10, 4)}.items():
        public.add(address, trips(count, gain))
    board = service.directory / "board"
    await asyncio.to_thread(board.write_bytes, public.leaderboard())
    config = load(service.directory / "hlfast.toml")
    found = Discovery(tape_s=0, leaderboard=str(board), least_equity_usd="1000")
    async with opened(config.store.url) as database:
        search = Search(Info(public), database, found, base_url="http://x", ws_url="ws://x", clock_ms=lambda: NOW_MS)
        judged = {one.address: one for one in (await search.run()).judged}
        assert set(judged) == {_BEST, _NEXT, _WORST}
        now_ms = time.time_ns() // 1_000_000
        async with database.begin() as connection:
            for trader in await find_traders(connection):
                fresh = builtins_of(msgspec.structs.replace(judged[trader.address], made_ms=now_ms))
                await save_trader(connection, msgspec.structs.replace(trader, judgement=fresh), None)


def follow(service: Service) -> FollowPlan:
    async def run() -> FollowPlan:
        config = load(service.directory / "hlfast.toml")
        async with opened(config.store.url) as database:
            return await plan_and_follow(config, database)

    return asyncio.run(run())


@contextlib.contextmanager
def answering(answer: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> Iterator[None]:
    """Put something between the plan and the engine's socket; `answer` gets the real question and the request."""
    real = following.ask
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "ask", lambda path, request: answer(lambda: real(path, request), request))
        yield


def refusing(service: Service, follower: str) -> contextlib.AbstractContextManager[None]:
    """An engine that takes no follow of one follower."""

    def answer(ask: Any, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "configure":
            follows = json.loads(bytes(request["config"]))["follows"]
            if any(edge["leader"].startswith("auto-") and edge["follower"] == follower for edge in follows):
                raise RequestRefusedError(f"{follower} is refused", "later")
        return dict(ask())

    return answering(answer)


def losing_answers() -> contextlib.AbstractContextManager[None]:
    """An engine that does what it is asked, and ends before it says so."""

    def answer(ask: Any, request: dict[str, Any]) -> dict[str, Any]:
        found = dict(ask())
        if request["do"] == "configure":
            raise EngineAwayError("the answer was lost")
        return found

    return answering(answer)


def kept(service: Service) -> list[tuple[str, bool, str | None]]:
    with closing(sqlite3.connect(service.directory / "found.db")) as connection:
        query = "SELECT address, applied_ms IS NOT NULL, refused FROM auto_follows ORDER BY planned_ms, address"
        return [(address, bool(applied), refused) for address, applied, refused in connection.execute(query)]


def requests(service: Service) -> int:
    """Operators' requests in the journal."""
    records = read_journal(str(service.directory / "journal"), 0, 1_000_000)
    return sum(json.loads(record).get("event") == "operate" for record in records)


def test_best_traders_are_followed_within_the_caps_and_over_restarts(tmp_path: Path, sim: Sim) -> None:
    service = with_caps(Service(tmp_path, sim, followers=1), most_leaders=1, notional_usd="300", max_position_usd="450")
    asyncio.run(judge(service))
    best = Market(sim, address=_BEST)
    with service:
        (begun,) = follow(service).follows
        assert (begun.address, begun.refused) == (_BEST, None)
        assert kept(service) == [(_BEST, True, None)]
        again = follow(service)
        assert again.follows == ()
        assert dict(again.passed_over)[_NEXT] == "1 leaders are followed this way already"
        assert dict(again.passed_over)[_WORST] == "grade F is below B"
        wait_for(lambda: all(row["seeded"] for row in json.loads(service.get("health_url"))["core"]["leaders"]))
        best.trades(5)
        best.wait(0.1)
        service.process.end(signal.SIGKILL)
    with service:
        assert follow(service).follows == ()
        best.trades(-5)
        best.wait(0.0)
        assert "ends" in Operator(service)("unfollow", leader_name(_BEST), "f0")
        (instead,) = follow(service).follows
        assert (instead.address, instead.refused) == (_NEXT, None)
        assert dict(follow(service).passed_over)[_BEST] == "was followed this way until it was ended"
    assert requests(service) == 3, "two follows and what the operator ended, each one input"


def test_without_an_engine_or_against_its_will_nothing_is_followed_and_all_is_told(tmp_path: Path, sim: Sim) -> None:
    service = with_caps(Service(tmp_path, sim, followers=1), most_leaders=2)
    asyncio.run(judge(service))
    refused = [one.refused for one in follow(service).follows]
    assert len(refused) == 2
    assert all("no engine runs" in why for why in refused)
    assert [applied for _, applied, _ in kept(service)] == [False, False]
    with service:
        taken = leader_name(_BEST)
        Operator(service)("follow", taken, "f0", "--ratio", "0.1", "--address", "0x" + "ab" * 20)
        outcomes = {one.address: one.refused for one in follow(service).follows}
        assert "name" in outcomes[_BEST], "the name is somebody else's"
        assert outcomes[_NEXT] is None
    assert {address: applied for address, applied, _ in kept(service)} == {_BEST: False, _NEXT: True}


def test_follower_refused_is_asked_for_again_and_the_others_follow_meanwhile(tmp_path: Path, sim: Sim) -> None:
    service = with_caps(Service(tmp_path, sim, followers=2), most_leaders=1, followers=["f0", "f1"])
    asyncio.run(judge(service))
    edges = [(_BEST, "f0"), (_BEST, "f1")]
    with service, refusing(service, "f0"):
        first = {(one.address, one.follow.follower): one.refused for one in follow(service).follows}
        assert first == {edges[0]: "f0 is refused: later", edges[1]: None}
        again = follow(service)
        assert [(one.follow.follower, one.refused) for one in again.follows] == [("f0", "f0 is refused: later")]
    with service:
        (late,) = follow(service).follows
        assert (late.address, late.follow.follower, late.refused) == (_BEST, "f0", None)
        assert follow(service).follows == ()
        assert dict(follow(service).passed_over)[_NEXT] == "1 leaders are followed this way already"
    assert requests(service) == 2


def test_trader_whom_nobody_may_follow_leaves_his_place_to_the_next(tmp_path: Path, sim: Sim) -> None:
    service = with_caps(Service(tmp_path, sim, followers=1), most_leaders=1)
    asyncio.run(judge(service))
    with service:
        Operator(service)("follow", leader_name(_BEST), "f0", "--ratio", "0.1", "--address", "0x" + "ab" * 20)
        outcomes = {one.address: one.refused for one in follow(service).follows}
        assert "name" in outcomes[_BEST]
        assert outcomes[_NEXT] is None


def test_follow_whose_answer_was_lost_counts_against_the_cap(tmp_path: Path, sim: Sim) -> None:
    service = with_caps(Service(tmp_path, sim, followers=1), most_leaders=1)
    asyncio.run(judge(service))
    with service:
        with losing_answers():
            (unknown,) = follow(service).follows
        assert (unknown.address, unknown.refused) == (_BEST, "the answer was lost")
        assert kept(service) == [(_BEST, False, "the answer was lost")]
        assert follow(service).follows == (), "the engine had begun it"
        assert kept(service) == [(_BEST, True, None)]
