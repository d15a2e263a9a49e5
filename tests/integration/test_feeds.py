"""Silent and cut feeds, real processes: a small form of bench/e2e/feeds.py, which also says how long it took."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import uvloop

# The benches are programs beside the package, not a part of it.
sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from e2e import feeds
from e2e.feed_world import LEADERS, World
from e2e.identity import followers

STALLS = (
    "active: one user connection",
    "active: one leader's fills on one connection",
    "active: one tape connection",
    "idle: a leader whom no feed shows",
)


def in_a_world(work: Path, main) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as http:
            world = await World.open(http, work)
            try:
                await main(world)
            finally:
                code = await world.close()
            assert code == 0, world.engine.tail()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_every_kind_of_silence_is_found(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        chosen = [case for case in feeds.cases(world.leaders[1].address) if case.name in STALLS]
        assert len(chosen) == len(STALLS)
        for case in chosen:
            await feeds.stall(world, case, 1.0)
        await world.until_whole(feeds.WHOLE_WITHIN_S)
        await world.until_receipts(feeds.WHOLE_WITHIN_S)
        assert await world.receipts() == (0, 0)

    in_a_world(tmp_path, main)


def test_cut_feeds_lose_no_fill_and_double_none(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        for long in (False, False, True, False):
            await feeds.cut(world, 250, long=long)
        await world.until_whole(feeds.WHOLE_WITHIN_S)
        await world.until_receipts(feeds.WHOLE_WITHIN_S)
        assert world.fills > feeds.LONG_BLOCKS * feeds.LONG_ROWS
        assert await world.receipts() == (0, 0)

    in_a_world(tmp_path, main)


def test_more_fills_than_the_venue_keeps_are_named_and_positions_follow(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        leader = world.leaders[1]
        await world.trade(leader, 1)
        await world.until_whole(feeds.WHOLE_WITHIN_S)
        refusal = (await world.sim.control("add_faults", faults=[{"kind": "refuse_sockets"}]))["numbers"][0]
        await world.sim.control("add_faults", faults=[{"kind": "cut_sockets", "for_ms": 1}])
        for _ in range(25):
            await world.trade(leader, 480)
        await world.sim.control("clear_faults", number=refusal)
        await world.until_whole(feeds.WHOLE_WITHIN_S)
        alerts = [event["alert"]["code"] for event in world.events() if event["event"] == "alert"]
        assert "fills_unrecoverable" in alerts
        missing, beyond = await world.receipts()
        assert missing == 25 * 480 - 10_000
        assert beyond == 0

    in_a_world(tmp_path, main)


def test_a_process_that_was_stopped_opens_nothing_old_and_closes_everything(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        opener, closer = world.leaders[1:3]
        await world.trade(closer, 4)
        await world.until_whole(feeds.WHOLE_WITHIN_S)
        await world.until_receipts(feeds.WHOLE_WITHIN_S)
        os.kill(world.engine.ready["pid"], signal.SIGSTOP)
        await world.trade(opener, 4)
        await world.trade(closer, 4)
        await asyncio.sleep(feeds.MAX_AGE_S + 1.0)
        os.kill(world.engine.ready["pid"], signal.SIGCONT)
        await world.until_whole(feeds.WHOLE_WITHIN_S)
        await world.until_receipts(feeds.WHOLE_WITHIN_S)
        assert await world.receipts() == (0, 0)
        held = (await world.sim.control("ledger", since=2**52))["positions"]
        accounts = [account.account for account in followers(LEADERS)]
        assert [held.get(accounts[at], {}) for at in (1, 2)] == [{}, {}]

    in_a_world(tmp_path, main)
