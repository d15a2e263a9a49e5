"""Follows of discovered traders: planned within the caps of the settings, then asked of the running engine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from hlfast.config.checks import check
from hlfast.config.model import Config, Leader, control_path
from hlfast.control.client import EngineAwayError, RequestRefusedError, ask
from hlfast.control.settings import configure, in_force
from hlfast.errors import HlfastError
from hlfast.research.discovery import Judged
from hlfast.research.following import FollowPlan, PlannedFollow, judged_of, plan_follows
from hlfast.store.traders import AutoFollowed, builtins_of, find_auto_follows, find_traders, save_auto_follow

_NO_ENGINE: Final = "no engine runs under these settings: it is asked again after the next search"


async def plan_and_follow(config: Config, database: AsyncEngine) -> FollowPlan:
    """Decide which follows the caps allow, begin them in the running engine, and write down what became of each.

    Each is one request of the engine's operator, journaled and kept over restarts as `hlfast follow` is. What the
    engine refused is asked for again after the next search; a trader refused for every follower leaves his place to the
    next one. Whoever was followed this way and is not any more, for one follower or for all, was ended by an operator:
    nobody follows him this way again.
    """
    now_ms = time.time_ns() // 1_000_000
    async with database.connect() as connection:
        kept = [judged_of(trader.judgement) for trader in await find_traders(connection)]
        rows = await find_auto_follows(connection)
    judged = [one for one in kept if one is not None]
    plan, seen = await asyncio.to_thread(_follow, judged, config, rows, now_ms)
    async with database.begin() as connection:
        for row in seen:
            await save_auto_follow(connection, msgspec.structs.replace(row, applied_ms=now_ms, refused=None))
        for one in plan.follows:
            await save_auto_follow(connection, _row(one, now_ms))
    return plan


def _row(one: PlannedFollow, now_ms: int) -> AutoFollowed:
    return AutoFollowed(
        address=one.address,
        follower=one.follow.follower,
        leader=one.follow.leader,
        planned_ms=now_ms,
        policy=builtins_of(one.follow),
        applied_ms=None if one.refused else now_ms,
        refused=one.refused,
    )


def _follow(
    judged: list[Judged], config: Config, rows: list[AutoFollowed], now_ms: int
) -> tuple[FollowPlan, list[AutoFollowed]]:
    """Plan and begin. Returns the plan and the rows that turn out to be in force though no answer had said so."""
    socket = control_path(config)
    begun = {(row.address, row.follower) for row in rows if row.applied_ms is not None}
    try:
        now, _ = in_force(ask(socket, {"do": "settings"}))
    except HlfastError as error:
        plan = plan_follows(judged, config, begun, now_ms)
        why = _NO_ENGINE if isinstance(error, EngineAwayError) else str(error)
        refused = tuple(msgspec.structs.replace(one, refused=why) for one in plan.follows)
        return msgspec.structs.replace(plan, follows=refused), []
    # What an operator follows by hand now counts as the settings' own.
    current = msgspec.structs.replace(config, leaders=now.leaders, followers=now.followers)
    held = _held(now, rows)
    ended = {address for address, _ in begun - held}
    seen = [row for row in rows if row.applied_ms is None and (row.address, row.follower) in held]
    return _begin_all(socket, judged, current, held, now_ms, ended), seen


def _held(now: Config, rows: list[AutoFollowed]) -> set[tuple[str, str]]:
    """(address, follower) of the follows in force that were asked for this way, whether or not an answer came."""
    addresses = {leader.name: leader.address.lower() for leader in now.leaders}
    edges = {(edge.leader, edge.follower) for edge in now.follows}
    asked = ((row.leader, row.follower) for row in rows if addresses.get(row.leader) == row.address)
    return {(addresses[leader], follower) for leader, follower in edges.intersection(asked)}


def _begin_all(
    socket: Path, judged: list[Judged], config: Config, held: set[tuple[str, str]], now_ms: int, ended: set[str]
) -> FollowPlan:
    """Begin what the caps allow. Whom the engine refuses for every follower leaves his place to the next one."""
    hopeless: set[str] = set()
    tried: list[PlannedFollow] = []
    while True:
        plan = plan_follows(judged, config, held, now_ms, ended=ended, refused=hopeless)
        asked = {(one.address, one.follow.follower) for one in tried}
        new = [one for one in plan.follows if (one.address, one.follow.follower) not in asked]
        if not new:
            return msgspec.structs.replace(plan, follows=tuple(tried))
        for at, one in enumerate(new):
            try:
                refused = _refusal(socket, one)
            except EngineAwayError as error:
                away = (msgspec.structs.replace(other, refused=str(error)) for other in new[at:])
                return msgspec.structs.replace(plan, follows=(*tried, *away))
            tried.append(msgspec.structs.replace(one, refused=refused))
            if refused is None:
                held.add((one.address, one.follow.follower))
        hopeless |= {one.address for one in new} - {address for address, _ in held}


def _refusal(socket: Path, planned: PlannedFollow) -> str | None:
    """Begin one follow; why it was not begun, or None.

    Raises:
        EngineAwayError: nobody answered; asking on would only wait. The next search sees whether it was begun.
    """
    try:
        now, revision = in_force(ask(socket, {"do": "settings"}))
        checked, problems = check(_with(now, planned))
        if problems:
            return problems[0].line()
        ask(socket, configure(checked, revision))
    except EngineAwayError:
        raise
    except RequestRefusedError as error:
        return f"{error.what}: {error.fix}"
    except HlfastError as error:
        return str(error)
    return None


def _with(now: Config, planned: PlannedFollow) -> Config:
    leaders = now.leaders
    if all(leader.address.lower() != planned.address for leader in leaders):
        leaders = (*leaders, Leader(name=planned.follow.leader, address=planned.address))
    return msgspec.structs.replace(now, leaders=leaders, follows=(*now.follows, planned.follow))
