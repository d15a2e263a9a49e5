"""Kill the engine with SIGKILL while the simulator lives on and leaders keep trading: at random moments, or at named places.

    python bench/e2e/kill9.py --kills 200 --seed 1
    python bench/e2e/kill9.py --kills 100 --seed 1 --failpoints

At the end the engine starts a last time and everything settles. Fails (exit code 1) on any order executed twice, any
leader fill without exactly one receipt, any position beyond what its policy allows, or any signer the simulator does not
know. Every wait is bounded; only processes started here are killed, by their own handle.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import aiohttp
import failpoints
import uvloop
from msgspec import structs
from rich.console import Console
from rich.progress import Progress, TaskID, TimeElapsedColumn

from hlfast.demo.evidence import Evidence, Holding, LeaderFill
from hlfast.demo.judge import judge
from hlfast.demo.processes import Child, ProcessError, Simulator
from hlfast.demo.recordings import Fill, Recording, packaged
from hlfast.demo.scenario import POLICIES, cast, first_prices, opening, play_order
from hlfast.demo.session import row_of
from hlfast.demo.settings_file import toml_text
from hlfast.demo.throwaway import make_agents
from hlfast.demo.trail import Trail, delisted_of, lots_of, read_ledger

# One edge a follower: with two, an entry that was given back could leave the net larger than it would be with it.
# No value gates and no fixed values: fills that a restart finds in one snapshot are one change, whose value is another.
KILLED_POLICIES = tuple(POLICIES[index] for index in (1, 3, 5, 9, 12, 15))
FOLLOWERS = 14
# From the start of the process: before it is ready, during recovery, and in full flight.
LIFE_S = (0.2, 3.0)
# A place that is not reached by then is left to a later life; a life in four may end so.
FAILPOINT_LIFE_S = 8.0
# Records between two snapshots where snapshots are to be interrupted.
FAILPOINT_SNAPSHOT_EVERY = 150
SETTLE_S = 60.0
QUIET_S = 3.0


def endless(recordings: list[Recording]) -> Iterator[tuple[Recording, tuple[Fill, ...]]]:
    """All events by recorded time, again and again; each goes on from where its leader's position is."""
    position: dict[tuple[str, str], Decimal] = {}
    while True:
        for recording, group in play_order(recordings):
            linked = []
            for fill in group:
                key = (recording.name, fill.coin)
                linked.append(replace(fill, start=position.get(key, fill.start)))
                position[key] = linked[-1].end
            yield recording, tuple(linked)


class Trial:
    """One simulator, one journal, many lives of the engine."""

    def __init__(
        self,
        kills: int,
        rate: float,
        seed: int,
        durability: Literal["durable", "relaxed"],
        directory: Path,
        overlay: Path | None,
    ) -> None:
        self.kills, self.rate, self.directory, self.durability = kills, rate, directory, durability
        self.random = random.Random(seed)
        self.recordings = packaged()
        self.cast = cast(self.recordings, make_agents(directory / "credentials", FOLLOWERS), KILLED_POLICIES)
        self.prices = first_prices(play_order(self.recordings))
        self.fills: list[LeaderFill] = []
        self.killed_before_ready = 0
        self.overlay = overlay
        self.at_places = dict.fromkeys(failpoints.PLACES, 0) if overlay else {}
        self.trading = True

    async def run(self, bar: Progress, task: TaskID) -> dict[str, Any]:
        """Kill, restart, settle, judge."""
        began = time.monotonic()
        async with aiohttp.ClientSession() as http:
            sim = await self._start_simulator(http)
            try:
                # The first life sees the leaders before they trade: what came before that is nobody's to copy.
                engine = await self._spawn()
                await engine.wait_ready()
                leaders = asyncio.create_task(self._trade(sim))
                await self._die(engine)
                await (self._die_at_places if self.overlay else self._die_at_random)(bar, task)
                engine = await self._spawn()
                await engine.wait_ready()
                await asyncio.sleep(1.0)
                self.trading = False
                await leaders
                await self._settle(sim)
                code = await engine.stop()
                evidence = await self._evidence(sim)
            finally:
                await sim.child.kill()
        return self._result(evidence, code, time.monotonic() - began)

    async def _start_simulator(self, http: aiohttp.ClientSession) -> Simulator:
        scenario = self.directory / "scenario.json"
        scenario.write_text(json.dumps(opening(self.recordings, self.cast, self.prices)))
        arguments = ["hlfast.sim", "--port", "0", "--json", "--scenario", str(scenario), "--limits", "off"]
        sim = Simulator(await Child.start("simulator", *arguments, directory=self.directory), http)
        self.config = self.cast.config(
            base_url=sim.base_url,
            journal=str(self.directory / "journal"),
            credentials=str(self.directory / "credentials"),
            durability=self.durability,
            limits="off",
        )
        if self.overlay:
            journal = structs.replace(self.config.journal, snapshot_every=FAILPOINT_SNAPSHOT_EVERY)
            self.config = structs.replace(self.config, journal=journal)
        (self.directory / "hlfast.toml").write_text(toml_text(self.config))
        return sim

    async def _spawn(self, failpoint: str | None = None) -> Child:
        arguments = ("hlfast", "run", "--config", str(self.directory / "hlfast.toml"), "--json")
        environment = {"PYTHONPATH": str(self.overlay)} if self.overlay else {}
        if failpoint:
            environment["FAILPOINT"] = failpoint
        return await Child.spawn("engine", *arguments, directory=self.directory, environment=environment)

    async def _die_at_random(self, bar: Progress, task: TaskID) -> None:
        for _ in range(self.kills):
            await self._die(await self._spawn())
            bar.advance(task)

    async def _die_at_places(self, bar: Progress, task: TaskID) -> None:
        """One place after the other, until enough lives have ended where they were to."""
        lives = 0
        while sum(self.at_places.values()) < self.kills and lives < 2 * self.kills + len(self.at_places):
            for place in self.at_places:
                lives += 1
                engine = await self._spawn(failpoints.setting(place, self.random))
                if await self._died_by_itself(engine):
                    self.at_places[place] += 1
                    bar.advance(task)
                if sum(self.at_places.values()) == self.kills:
                    return

    async def _died_by_itself(self, engine: Child) -> bool:
        try:
            code = await asyncio.wait_for(engine.process.wait(), FAILPOINT_LIFE_S)
        except TimeoutError:
            await engine.kill()
            return False
        if code != -signal.SIGKILL:
            raise ProcessError(f"the engine ended by itself with exit code {code}\n{engine.tail()}")
        return True

    async def _die(self, engine: Child) -> None:
        life = self.random.uniform(*LIFE_S)
        try:
            await asyncio.wait_for(engine.process.wait(), life)
        except TimeoutError:
            self.killed_before_ready += not await engine.said_ready()
            await engine.kill()
            return
        raise ProcessError(f"the engine ended by itself with exit code {engine.process.returncode}\n{engine.tail()}")

    async def _trade(self, sim: Simulator) -> None:
        """Leaders trade at a steady rate, whether the engine lives or not."""
        events = endless(self.recordings)
        number = 0
        while self.trading:
            recording, group = next(events)
            answer = await sim.control("leader_fills", address=recording.address, rows=[row_of(fill) for fill in group])
            for fill, made in zip(group, answer["fills"], strict=True):
                self.fills.append(
                    LeaderFill(
                        number, recording.name, fill.coin, made["tid"], made["time"], fill.price, fill.start, fill.end
                    )
                )
            number += 1
            await asyncio.sleep(1 / self.rate)

    async def _settle(self, sim: Simulator) -> None:
        edges = {leader.name: sum(f.leader == leader.name for f in self.cast.follows) for leader in self.cast.leaders}
        due = sum(edges[fill.leader] for fill in self.fills)
        trail = Trail(self.directory / "journal", self.config)
        seen, since, until = -1, time.monotonic(), time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            trail.read_on()
            newest = int((await sim.control("ledger", since=max(seen, 0)))["next"])
            if newest != seen:
                seen, since = newest, time.monotonic()
            if len(trail.receipts) >= due and time.monotonic() - since > QUIET_S:
                return
            await asyncio.sleep(0.25)

    async def _evidence(self, sim: Simulator) -> Evidence:
        trail = Trail(self.directory / "journal", self.config)
        trail.read_on()
        holdings = {
            (recording.name, coin): Holding(position, entry, self.prices[coin])
            for recording in self.recordings
            for coin, (position, entry) in recording.first_positions().items()
            if position
        }
        universes = [await sim.info(type="meta"), *[await sim.info(type="meta", dex=dex) for dex in self.cast.dexs]]
        return Evidence(
            config=self.config,
            fills=tuple(self.fills),
            holdings=holdings,
            lots=lots_of(*universes),
            delisted=delisted_of(*universes),
            ledger=read_ledger(await sim.control("ledger"), self.config),
            receipts=tuple(trail.receipts),
            interrupted=True,
        )

    def _result(self, evidence: Evidence, code: int, seconds: float) -> dict[str, Any]:
        verdict = judge(evidence)
        never = [f"no process was killed at {place}" for place, kills in self.at_places.items() if not kills]
        mismatches = [
            *verdict.mismatches,
            *(never if self.kills >= 2 * len(self.at_places) else []),
            *([f"the last engine ended with exit code {code}"] if code else []),
        ]
        return {
            "verdict": "mismatch" if mismatches else "ok",
            "kills": self.kills,
            "killed_at": self.at_places,
            "killed_before_ready": self.killed_before_ready,
            "durability": self.durability,
            "leader_fills": len(self.fills),
            "actions": len(evidence.ledger.actions),
            "executions": len(evidence.ledger.executions),
            "double_orders": sum(" executed " in m or "client order id" in m for m in mismatches),
            "fills_without_receipt": sum("no receipt for" in m for m in mismatches),
            "second_receipts": sum("second receipt" in m for m in mismatches),
            "unknown_signers": evidence.ledger.counters["unknown_signers"],
            "duplicate_nonces_refused": evidence.ledger.counters["duplicate_nonces"],
            "seconds": round(seconds, 1),
            "mismatches": mismatches,
        }


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0, help="leader events a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--durability", choices=("durable", "relaxed"), default="durable")
    parser.add_argument("--failpoints", action="store_true", help="at each place of failpoints.py in turn")
    parser.add_argument("--keep", type=Path, help="run in this new directory and keep it")
    parser.add_argument("--out", type=Path, help="write the JSON result here too")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True)
    directory = arguments.keep or Path(tempfile.mkdtemp(prefix="hlfast-kill9-"))
    overlay = failpoints.build() if arguments.failpoints else None
    trial = Trial(arguments.kills, arguments.rate, arguments.seed, arguments.durability, directory, overlay)
    bar = Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=Console(stderr=True))
    try:
        with bar, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(trial.run(bar, bar.add_task("kill -9", total=arguments.kills)))
    except ProcessError as why:
        print(f"kill9: {why}", file=sys.stderr)
        return 2
    finally:
        if not arguments.keep:
            shutil.rmtree(directory, ignore_errors=True)
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")
    return 0 if result["verdict"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
