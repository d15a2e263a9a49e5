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

    Each is one request of the engine's operator, journaled and kept over restarts as `hlfast follow` is. Whoever was
    followed this way and is not any more was ended by an operator, and is never followed this way again.
    """
    now_ms = time.time_ns() // 1_000_000
    async with database.connect() as connection:
        kept = [judged_of(trader.judgement) for trader in await find_traders(connection)]
        begun = {one.address for one in await find_auto_follows(connection) if one.applied_ms is not None}
    judged = [one for one in kept if one is not None]
    plan = await asyncio.to_thread(_follow, judged, config, begun, now_ms)
    async with database.begin() as connection:
        for one in plan.follows:
            await save_auto_follow(
                connection,
                AutoFollowed(
                    address=one.address,
                    follower=one.follow.follower,
                    leader=one.follow.leader,
                    planned_ms=now_ms,
                    policy=builtins_of(one.follow),
                    applied_ms=None if one.refused else now_ms,
                    refused=one.refused,
                ),
            )
    return plan


def _follow(judged: list[Judged], config: Config, begun: set[str], now_ms: int) -> FollowPlan:
    socket = control_path(config)
    try:
        now, _ = in_force(ask(socket, {"do": "settings"}))
    except HlfastError as error:
        plan = plan_follows(judged, config, begun, now_ms)
        why = _NO_ENGINE if isinstance(error, EngineAwayError) else str(error)
        refused = tuple(msgspec.structs.replace(one, refused=why) for one in plan.follows)
        return msgspec.structs.replace(plan, follows=refused)
    # What an operator follows by hand now counts as the settings' own.
    current = msgspec.structs.replace(config, leaders=now.leaders, followers=now.followers)
    names = {edge.leader for edge in now.follows}
    followed = begun & {leader.address.lower() for leader in now.leaders if leader.name in names}
    plan = plan_follows(judged, current, followed, now_ms, ended=begun - followed)
    tried = tuple(msgspec.structs.replace(one, refused=_refusal(socket, one)) for one in plan.follows)
    return msgspec.structs.replace(plan, follows=tried)


def _refusal(socket: Path, planned: PlannedFollow) -> str | None:
    """Begin one follow; why it was not begun, or None."""
    try:
        now, revision = in_force(ask(socket, {"do": "settings"}))
        checked, problems = check(_with(now, planned))
        if problems:
            return problems[0].line()
        ask(socket, configure(checked, revision))
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
