"""From the start of a process to its first valid copy, with 100 orders whose outcome a killed one left unknown.

    python bench/e2e/restart.py --rounds 30 --record

Each round: a leader's fill goes out to 100 followers, the simulator answers none of them and executes half, the engine gets
SIGKILL. A new one starts while the leader trades every 50 ms. Counted is the time from its start to the first order of its
own that executes, and to the first copy of every follower. Exit code 1 when an order executed twice, a signer was unknown,
or a follower does not hold what its leader holds at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import machine
import report
from e2e import service
from e2e.gates import Gate
from e2e.identity import LEADER, followers
from e2e.sink_process import TARGET
from hlfast.demo.processes import Child, ProcessError, Simulator

FOLLOWERS = 100
COIN, PRICE, SIZE = "SOL", "150", Decimal("0.5")
# Buys up to so much, then sells, and so on: followers always have something to lose.
LEAST, MOST = Decimal(2), Decimal(12)
EVERY_S = 0.05
LIMIT_S = 30.0
SETTLE_LOOKS, SETTLE_EVERY_S = 120, 0.25


class World:
    """One simulator and one journal over all rounds; a new engine each round."""

    def __init__(self, sim: Simulator, work: Path, argv: list[str]) -> None:
        self.sim, self.work, self._argv = sim, work, argv
        self.position, self._step = Decimal(0), SIZE
        self._next = 0
        self.executed: Counter[tuple[str, int]] = Counter()

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, work: Path) -> World:
        """Start the simulator with its accounts; write the engine's settings and keys."""
        accounts = followers(FOLLOWERS)
        ops: list[dict[str, Any]] = [{"op": "fund", "address": LEADER, "usdc": "1000000000"}]
        for account in accounts:
            ops.append({"op": "fund", "address": account.account, "usdc": "1000000"})
            ops.append({"op": "approve_agent", "master": account.account, "agent": account.agent})
        ops.append({"op": "set_book", "coin": COIN, "mid": PRICE})
        scenario = work / "scenario.json"
        scenario.write_text(json.dumps(ops), encoding="utf-8")
        arguments = ["hlfast.sim", "--port", "0", "--json", "--scenario", str(scenario)]
        sim = Simulator(await Child.start("simulator", *arguments, directory=work), http)
        argv = service.command(sim.base_url, accounts, work, service.Options(durability="durable"))
        return cls(sim, work, argv[argv.index("-m") + 1 :])

    async def spawn(self) -> Child:
        """Start an engine and don't wait."""
        return await Child.spawn("engine", *self._argv, directory=self.work)

    async def trade(self, step: Decimal | None = None) -> int:
        """Let the leader trade once, by itself up and down; the fill's venue time."""
        if step is None:
            if not LEAST <= self.position + self._step <= MOST and abs(self.position + self._step) > LEAST:
                self._step = -self._step
            step = self._step
        row = {
            "coin": COIN, "px": PRICE, "sz": str(abs(step)), "side": "B" if step > 0 else "A", "time": 0,
            "startPosition": str(self.position), "dir": "", "closedPnl": "0.0", "hash": "0x" + "0" * 64, "oid": 1,
            "crossed": True, "fee": "0.0", "tid": 1, "feeToken": "USDC",
        }  # fmt: skip
        answer = await self.sim.control("leader_fills", address=LEADER, rows=[row])
        self.position += step
        return int(answer["fills"][0]["time"])

    async def orders(self) -> list[dict[str, Any]]:
        """Accepted orders since the last call; each nonce is counted."""
        answer = await self.sim.control("ledger", since=self._next)
        self._next = int(answer["next"])
        rows = [row for row in answer["actions"] if row["kind"] == "order" and row["ok"]]
        self.executed.update((row["signer"], row["nonce"]) for row in rows)
        return rows

    async def settle(self) -> dict[Decimal, int]:
        """Wait until every follower holds what the leader holds, or long enough; `positions`."""
        for _ in range(SETTLE_LOOKS):
            held = await self.positions()
            if set(held) == {self.position}:
                break
            await asyncio.sleep(SETTLE_EVERY_S)
        return held

    async def positions(self) -> dict[Decimal, int]:
        """How many followers hold how much."""
        held = (await self.sim.control("ledger", since=self._next))["positions"]
        sizes = (held.get(account.account, {}).get(COIN, {}).get("szi", "0") for account in followers(FOLLOWERS))
        return Counter(Decimal(size) for size in sizes)


async def leave_unknown(world: World, engine: Child) -> None:
    """Have every follower's order go without an answer, half of them executed; then end the engine."""
    fault = {"kind": "lose_answers", "door": "exchange", "executes": 0.5}
    await world.sim.control("add_faults", faults=[fault])
    await world.trade()
    until = time.monotonic() + LIMIT_S
    while True:
        struck = (await world.sim.control("faults"))["struck"].get("lose_answers", 0)
        if struck >= FOLLOWERS:
            break
        if time.monotonic() > until:
            raise ProcessError(f"{struck} of {FOLLOWERS} orders came to the simulator")
        await asyncio.sleep(0.01)
    await engine.kill()
    await world.sim.control("clear_faults")
    await world.orders()


async def restart(world: World) -> tuple[Child, float, float]:
    """Start an engine while the leader trades; seconds to the first new order and to every follower's."""
    began = time.monotonic()
    engine = await world.spawn()
    first, seen = 0.0, set()
    # Orders of the killed engine have older nonces: theirs is at most the time of its last fill.
    newest = max((nonce for _, nonce in world.executed), default=0)
    while len(seen) < FOLLOWERS:
        if time.monotonic() - began > LIMIT_S:
            raise ProcessError(f"{len(seen)} of {FOLLOWERS} followers copied again\n{engine.tail()}")
        await world.trade()
        await asyncio.sleep(EVERY_S)
        seen |= {row["signer"] for row in await world.orders() if row["nonce"] > newest}
        if seen and not first:
            first = time.monotonic() - began
    return engine, first, time.monotonic() - began


async def run(rounds: int, work: Path, bar: Progress) -> dict[str, Any]:
    """All rounds, then rest, then the account of it."""
    task = bar.add_task("restarts", total=rounds)
    async with aiohttp.ClientSession() as http:
        world = await World.open(http, work)
        try:
            engine = await world.spawn()
            await engine.wait_ready()
            times = []
            for _ in range(rounds):
                await world.trade()
                await asyncio.sleep(0.5)
                await leave_unknown(world, engine)
                engine, first, everyone = await restart(world)
                times.append((first, everyone))
                bar.advance(task)
            # An entry that grew too old during a restart is rightly missing: flat, and then one entry, nobody may miss.
            await world.trade(-world.position)
            await world.settle()
            await world.trade(SIZE)
            held = await world.settle()
            await world.orders()
            counters = (await world.sim.control("ledger", since=0))["counters"]
            code = await engine.stop()
        finally:
            await world.sim.child.kill()
    firsts, everyones = sorted(first for first, _ in times), sorted(everyone for _, everyone in times)
    return {
        "restarts": rounds,
        "unknowns_each": FOLLOWERS,
        "first_copy_s": {"p50": firsts[len(firsts) // 2], "p99": firsts[-1 - len(firsts) // 100], "max": firsts[-1]},
        "every_follower_s": {"p50": everyones[len(everyones) // 2], "max": everyones[-1]},
        "double_orders": sum(times > 1 for times in world.executed.values()),
        "unknown_signers": counters["unknown_signers"],
        "leader_holds": str(world.position),
        "followers_hold": {str(size): count for size, count in held.items()},
        "exit_code": code,
    }


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--record", action="store_true", help="write bench/results/restart.json and RESULTS.md")
    arguments = parser.parse_args()
    TARGET.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="restart-", dir=TARGET))
    on = machine.conditions(work, "bench/e2e/restart.py")
    console = Console(stderr=True)
    bar = Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console, disable=arguments.quiet)
    try:
        with bar, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(run(arguments.rounds, work, bar))
    except ProcessError as why:
        print(f"restart: {why}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(work, ignore_errors=True)
    p99_s = result["first_copy_s"]["p99"]
    note = f"{FOLLOWERS} unknown orders, {result['restarts']} restarts"
    result |= {**on, "gates": [Gate("restart to the first valid copy, p99", p99_s, 3.0, "s", note=note).result()]}
    if arguments.record:
        report.record({"restart": result})
    print(json.dumps(result) if arguments.json else report.tables({"restart": result}))
    whole = [Decimal(size) for size in result["followers_hold"]] == [Decimal(result["leader_holds"])]
    sound = whole and not result["double_orders"] and not result["unknown_signers"] and not result["exit_code"]
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
