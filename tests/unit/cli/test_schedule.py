"""Searches at the start and on a schedule."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest

from hlfast.cli import discover
from hlfast.cli.discover import search_until
from hlfast.config.model import AutoFollow, Discovery
from hlfast.errors import HlfastError
from hlfast.research.discovery import Search, Searched
from hlfast.research.following import FollowPlan

FOUND = Searched(
    heard=None, leaderboard_rows=0, leaderboard_bad=0, fresh=0, judged=(), dismissed=(), failed=(), notes=()
)


class Searches:
    """A search whose results are given, the last of which ends the schedule."""

    def __init__(self, results: list[Searched | HlfastError], stop: asyncio.Event) -> None:
        self.times: list[float] = []
        self._results, self._stop = results, stop

    async def run(self) -> Searched:
        self.times.append(asyncio.get_running_loop().time())
        found = self._results.pop(0)
        if not self._results:
            self._stop.set()
        if isinstance(found, HlfastError):
            raise found
        return found


class Jumping(asyncio.SelectorEventLoop):
    """A loop that never waits: its clock goes to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        real = self._selector.select  # type: ignore[attr-defined] # what the loop waits in
        self._selector.select = lambda timeout: self._jump(real, timeout)  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._now

    def _jump(self, real: Any, timeout: float | None) -> Any:
        self._now += timeout or 0.0
        return real(0)


def run(results: list[Searched | HlfastError], **settings: Any) -> tuple[list[float], list[Any]]:
    """Search until the results are used up; the times of the searches and what came of each."""
    config = msgspec.structs.replace(discover._WITHOUT_FILE, discovery=Discovery(**settings))

    async def go() -> tuple[list[float], list[Any]]:
        stop = asyncio.Event()
        searches = Searches(results, stop)
        outcomes = [one async for one in search_until(cast("Search", searches), config, cast("Any", None), stop)]
        return searches.times, outcomes

    loop = Jumping()
    try:
        return loop.run_until_complete(go())
    finally:
        loop.close()


def test_first_search_is_at_the_start_and_the_next_ones_follow_the_schedule() -> None:
    times, outcomes = run([FOUND, FOUND, FOUND], every_s=21_600)
    assert times == pytest.approx([0, 21_600, 43_200])
    assert outcomes == [(FOUND, None)] * 3


def test_search_that_fails_is_told_and_the_schedule_goes_on() -> None:
    away = HlfastError("the venue is away")
    times, outcomes = run([away, FOUND], every_s=60)
    assert times == pytest.approx([0, 60])
    assert [found for found, _ in outcomes] == [away, FOUND]


def test_follows_are_planned_after_each_search_that_ended_well(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = FollowPlan(follows=(), passed_over=())

    async def planned(*_: Any) -> FollowPlan:
        return plan

    monkeypatch.setattr(discover, "plan_and_follow", planned)
    _, outcomes = run([HlfastError("away"), FOUND], every_s=60, auto_follow=AutoFollow(enabled=True, followers=("f",)))
    assert [made for _, made in outcomes] == [None, plan]
