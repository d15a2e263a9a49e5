"""How soon a silent feed is found, and whether a cut one loses anything: ten leaders, one engine, one simulator.

    python bench/e2e/feeds.py --stalls 5 --reconnects 200 --fills 100000
    python bench/e2e/feeds.py --stalls 0 --reconnects 2000 --fills 1000000 --record

Stalls: sockets stay open while frames vanish, of a whole connection or of one leader's channel. "Active": the leader trades
every 100 ms and the market moves; "idle": nothing happens for 12 s before. Counted is the time from the fault to the moment at which
the last connection that it struck is given up; for a leader that was idle and whom no feed shows any more, from its first fill.

Reconnects: every socket is cut, orders' too, while leaders trade on. Counted is the time until all connections carry again and the
engine knows all that happened. Every 25th time sockets are refused meanwhile, and one leader makes more fills than a snapshot holds. At the
end each fill must have exactly one receipt in the journal. Exit code 1 when one has none or two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from rich.console import Console
from rich.progress import Progress, TaskID, TimeElapsedColumn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import machine
import report
from e2e.feed_world import Leader, World
from e2e.gates import Gate
from e2e.sink_process import TARGET
from hlfast.demo.processes import ProcessError

ACTIVE_EVERY_S = 0.1
ACTIVE_S, IDLE_S = 2.0, 12.0
FOUND_WITHIN_S = 20.0
WHOLE_WITHIN_S = 30.0
# An entry older than this is not copied any more: the default of follows.
MAX_AGE_S = 2.0
LONG_EVERY = 25
LONG_BLOCKS, LONG_ROWS = 10, 250
STALL_REASONS = ("no data for", "came elsewhere", "without an answer")

USER = {"kind": "stall", "carries": "userFills"}
TAPE = {"kind": "stall", "carries": "trades"}


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of stall: its faults, how many connections they strike, and what the leaders do."""

    name: str
    faults: tuple[dict[str, Any], ...]
    strikes: int
    active: bool = True
    # The stalled leader's channel carries nothing, so nothing can be missed before it trades.
    trades_once: bool = False


def cases(victim: str) -> list[Case]:
    """All stalls; `victim`: the leader whose channels are stalled where it is one leader's."""
    channel = {"kind": "stall", "channel": "userFills", "user": victim}
    on_tape = {"kind": "stall", "channel": "trades", "user": victim}
    return [
        Case("active: one user connection", (USER | {"most": 1},), 1),
        Case("active: both user connections", (USER,), 2),
        Case("active: every feed", (USER, TAPE), 4),
        Case("active: one leader's fills on one connection", (channel | {"carries": "userFills", "most": 1},), 1),
        Case("active: one leader's fills on both", (channel,), 2),
        Case("active: one tape connection", (TAPE | {"most": 1},), 1),
        Case("idle: one user connection", (USER | {"most": 1},), 1, active=False),
        Case("idle: every feed", (USER, TAPE), 4, active=False),
        Case("idle: one tape connection", (TAPE | {"most": 1},), 1, active=False),
        Case("idle: a leader whom no feed shows", (channel, on_tape), 2, active=False, trades_once=True),
    ]


@asynccontextmanager
async def activity(world: World, *leaders: Leader) -> AsyncIterator[None]:
    """Leaders trade every 100 ms, one fill each."""
    over = asyncio.Event()

    async def trade() -> None:
        while not over.is_set():
            for leader in leaders:
                await world.trade(leader, 1)
            await asyncio.sleep(ACTIVE_EVERY_S)

    task = asyncio.create_task(trade())
    try:
        yield
    finally:
        over.set()
        await task


async def stall(world: World, case: Case, before_s: float) -> tuple[float, int]:
    """Provoke one stall; seconds until it was found, and feeds that were given up although they were well."""
    victim = world.leaders[1]
    await world.until_whole(WHOLE_WITHIN_S)
    world.events()
    async with activity(world, *([world.leaders[0], victim] if case.active else [])):
        await asyncio.sleep(before_s)
        false_alarms = len(given_up(world))
        began_ms, found = time.time() * 1000, []
        await world.sim.control("add_faults", faults=list(case.faults))
        if case.trades_once:
            began_ms = time.time() * 1000
            await world.trade(victim, 1)
        while len(found) < case.strikes:
            await asyncio.sleep(0.05)
            found += given_up(world)
            if time.time() * 1000 - began_ms > FOUND_WITHIN_S * 1000:
                raise ProcessError(f"{case.name}: {len(found)} of {case.strikes} were found\n{world.engine.tail()}")
        await world.sim.control("clear_faults")
    await asyncio.sleep(0.5)
    return (max(event["at_ms"] for event in found[: case.strikes]) - began_ms) / 1000, false_alarms


def given_up(world: World) -> list[dict[str, Any]]:
    """Feeds that the engine dropped as silent since the last look."""
    downs = (event for event in world.events() if event["event"] == "feed down")
    return [event for event in downs if any(reason in event["reason"] for reason in STALL_REASONS)]


async def stalls(world: World, rounds: int, seed: int, step: Any) -> dict[str, Any]:
    """Each case so many times, in turn."""
    chance = random.Random(seed)
    found: dict[str, list[float]] = {}
    false_alarms = 0
    for _ in range(rounds):
        for case in cases(world.leaders[1].address):
            step(case.name)
            seconds, wrong = await stall(world, case, (ACTIVE_S if case.active else IDLE_S) + chance.random())
            found.setdefault(case.name, []).append(seconds)
            false_alarms += wrong
    return {"found_s": found, "well_feeds_given_up": false_alarms}


async def cut(world: World, per_cut: int, *, long: bool) -> float:
    """Cut everything while leaders trade on; seconds until nothing is missing."""
    gap, live = per_cut // 25, per_cut // 50
    scissors = {"kind": "cut_sockets", "for_ms": 1}
    if long:
        refusal = (await world.sim.control("add_faults", faults=[{"kind": "refuse_sockets"}]))["numbers"][0]
        await world.sim.control("add_faults", faults=[scissors])
        for _ in range(LONG_BLOCKS):
            await world.trade(world.leaders[0], LONG_ROWS)
        began = time.monotonic()
        await world.sim.control("clear_faults", number=refusal)
    else:
        began = time.monotonic()
        await world.sim.control("add_faults", faults=[scissors])
    await asyncio.gather(*(world.trade(leader, gap) for leader in world.leaders))
    await world.until_whole(WHOLE_WITHIN_S)
    seconds = time.monotonic() - began
    for _ in range(3):
        await asyncio.gather(*(world.trade(leader, live) for leader in world.leaders))
    return seconds


async def reconnects(world: World, count: int, fills: int, step: Any) -> dict[str, Any]:
    """All cuts, then rest, then the account of it."""
    await world.until_whole(WHOLE_WITHIN_S)
    made_before, per_cut = world.fills, max(50, fills // count)
    times = []
    for number in range(count):
        step("reconnects")
        times.append(await cut(world, per_cut, long=number % LONG_EVERY == LONG_EVERY - 1))
    while world.fills - made_before < fills:
        await world.trade(world.leaders[0], min(LONG_ROWS, fills - world.fills + made_before))
    await world.until_whole(WHOLE_WITHIN_S)
    await world.until_receipts(WHOLE_WITHIN_S)
    missed, beyond = await world.receipts()
    times.sort()
    return {
        "reconnects": count,
        "fills": world.fills - made_before,
        "missed": missed,
        "second_receipts": beyond,
        "restored_s": {
            "p50": times[count // 2],
            "p90": times[count * 9 // 10],
            "p99": times[min(count - 1, count * 99 // 100)],
            "max": times[-1],
        },
    }


def gates_of(result: dict[str, Any]) -> list[Gate]:
    """What must be shown."""
    found: dict[str, list[float]] = result.get("stalls", {}).get("found_s", {})
    gates = []
    for kind, limit_s in (("active", 2.0), ("idle", 10.0)):
        slowest = [max(seconds) for name, seconds in found.items() if name.startswith(kind)]
        if slowest:
            gates.append(Gate(f"stalled feed found, {kind} leader, slowest", max(slowest), limit_s, "s"))
    if seen := result.get("reconnects"):
        note = f"{seen['reconnects']:,} reconnects of every socket, loopback"
        gates.append(Gate("reconnect and backfill, p99", seen["restored_s"]["p99"], 1.5, "s", note=note))
        gates.append(Gate("fills missed", float(seen["missed"]), 0.0, f"of {seen['fills']:,} fills"))
    return gates


def table_of(result: dict[str, Any]) -> list[list[str]]:
    """Rows for RESULTS.md."""
    rows = [["what", "times", "fastest s", "median s", "slowest s"]]
    for name, seconds in result.get("stalls", {}).get("found_s", {}).items():
        ordered = sorted(seconds)
        shown = (ordered[0], ordered[len(ordered) // 2], ordered[-1])
        rows.append([f"stall found, {name}", str(len(ordered)), *(f"{each:.2f}" for each in shown)])
    if seen := result.get("reconnects"):
        shown = seen["restored_s"]
        rows.append(
            ["reconnect and backfill", str(seen["reconnects"]), "", f"{shown['p50']:.2f}", f"{shown['max']:.2f}"]
        )
    return rows


async def run(arguments: argparse.Namespace, work: Path, bar: Progress) -> dict[str, Any]:
    """Both halves in one world."""
    steps = arguments.stalls * len(cases("")) + arguments.reconnects
    task: TaskID = bar.add_task("feeds", total=steps)

    def step(what: str) -> None:
        bar.update(task, description=what, advance=1)

    async with aiohttp.ClientSession() as http:
        world = await World.open(http, work)
        result: dict[str, Any] = {}
        try:
            if arguments.stalls:
                result["stalls"] = await stalls(world, arguments.stalls, arguments.seed, step)
            if arguments.reconnects:
                result["reconnects"] = await reconnects(world, arguments.reconnects, arguments.fills, step)
        finally:
            code = await world.close()
    return result | {"exit_code": code}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stalls", type=int, default=5, help="rounds of every kind of stall")
    parser.add_argument("--reconnects", type=int, default=200)
    parser.add_argument("--fills", type=int, default=100_000, help="leader fills over all reconnects")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="one round of stalls, 20 reconnects, 10,000 fills")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--record", action="store_true", help="write bench/results/feeds.json and RESULTS.md")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.stalls, arguments.reconnects, arguments.fills = 1, 20, 10_000
    TARGET.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="feeds-", dir=TARGET))
    console = Console(stderr=True)
    bar = Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console, disable=arguments.quiet)
    on = machine.conditions(work, "bench/e2e/feeds.py")
    try:
        with bar, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(run(arguments, work, bar))
        result |= {**on, "table": table_of(result), "gates": [gate.result() for gate in gates_of(result)]}
        if arguments.record:
            report.record({"feeds": result})
    except ProcessError as why:
        print(f"feeds: {why}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(json.dumps(result) if arguments.json else report.tables({"feeds": result}))
    seen = result.get("reconnects", {})
    return 1 if seen.get("missed") or seen.get("second_receipts") or result["exit_code"] else 0


if __name__ == "__main__":
    sys.exit(main())
