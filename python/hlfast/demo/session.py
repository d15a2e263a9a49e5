"""One demo run: start both processes, let the recorded fills happen, watch, wait for quiet, collect the evidence."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import aiohttp

from hlfast.config.model import Config
from hlfast.demo.board import Progress
from hlfast.demo.evidence import Evidence, Holding, LeaderFill
from hlfast.demo.pace import jumps, offsets
from hlfast.demo.policy import Span
from hlfast.demo.processes import Child, ProcessError, Simulator
from hlfast.demo.recordings import Fill, Recording
from hlfast.demo.scenario import Cast, cast, first_prices, opening, play_order
from hlfast.demo.settings_file import toml_text
from hlfast.demo.throwaway import make_agents
from hlfast.demo.trail import Trail, delisted_of, lots_of, read_ledger

# Kept free at the end of `seconds`: orders in flight settle, the engine stops, the judge reads.
SETTLE_S = 6.0
STOP_S = 3.0
# Nothing new at the simulator for this long, with all receipts there, is quiet: longer than the first retry (1 s).
QUIET_S = 1.5
WATCH_S = 0.25
# Days of trading happen within seconds, so the simulator's blocks are shorter too (the venue's take about 70 ms): else
# the next recorded price would be there before an order could meet the one that it copies.
BLOCK_MS = "2"
EQUITY_S = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    recordings: tuple[Recording, ...]
    followers: int = 25
    seconds: float = 30.0
    speed: float | None = None
    durability: Literal["durable", "relaxed"] = "durable"
    limits: Literal["venue", "off"] = "off"


@dataclass
class Run:
    """What one run left behind."""

    evidence: Evidence
    progress: Progress
    exit_codes: dict[str, int]
    problems: list[str] = field(default_factory=list)
    cut_short: str = ""  # why not all recorded events were injected; what was injected is judged all the same


class Session:
    """Owns the two processes and the directory of one run. Runs on one event loop."""

    def __init__(
        self,
        options: Options,
        directory: Path,
        show: Callable[[Progress], None],
        engine: tuple[str, ...] = ("hlfast", "run"),
    ) -> None:
        self.engine = engine  # what `python -m` starts, with `--config FILE --json`
        self.options = options
        self.directory = directory
        self.show = show
        self.began = time.monotonic()
        self.started = 0.0  # when the first fill was injected
        self.events = play_order(options.recordings)
        self.prices = first_prices(self.events)
        self.agents = make_agents(directory / "credentials", options.followers)
        self.cast: Cast = cast(options.recordings, self.agents)
        self.names = {recording.address: recording.name for recording in options.recordings}
        self.fills: list[LeaderFill] = []
        self.problems: list[str] = []
        self.cut_short = ""
        self.equities: dict[str, list[Decimal]] = {}
        edges = {name: sum(follow.leader == name for follow in self.cast.follows) for name in self.names.values()}
        self.progress = Progress(
            leaders=list(self.names.values()),
            followers=len(self.cast.followers),
            edges=len(self.cast.follows),
            fills_total=sum(len(recording.fills) for recording in options.recordings),
            receipts_due=sum(len(recording.fills) * edges[recording.name] for recording in options.recordings),
            seconds=options.seconds,
        )

    async def run(self) -> Run:
        """Play everything and collect.

        Raises:
            ProcessError: a process wasn't ready, or the simulator refused a row.
            RecordingError: the speed doesn't fit the time.
        """
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=8)) as http:
            sim = await self._start_simulator(http)
            try:
                config = self._write_settings(sim.base_url)
                settings = str(self.directory / "hlfast.toml")
                arguments = (*self.engine, "--config", settings, "--json")
                engine = await Child.start("engine", *arguments, directory=self.directory)
                try:
                    return await self._play(sim, engine, config, http)
                finally:
                    await engine.kill()
            finally:
                await sim.child.kill()

    async def _start_simulator(self, http: aiohttp.ClientSession) -> Simulator:
        scenario = self.directory / "scenario.json"
        scenario.write_text(json.dumps(opening(self.options.recordings, self.cast, self.prices)))
        arguments = [
            "hlfast.sim",
            "--port",
            "0",
            "--json",
            "--scenario",
            str(scenario),
            "--limits",
            self.options.limits,
        ]
        return Simulator(await Child.start("simulator", *arguments, directory=self.directory), http)

    def _write_settings(self, base_url: str) -> Config:
        config = self.cast.config(
            base_url=base_url,
            journal=str(self.directory / "journal"),
            credentials=str(self.directory / "credentials"),
            durability=self.options.durability,
            limits=self.options.limits,
        )
        (self.directory / "hlfast.toml").write_text(toml_text(config))
        return config

    async def _play(self, sim: Simulator, engine: Child, config: Config, http: aiohttp.ClientSession) -> Run:
        trail = Trail(self.directory / "journal", config)
        watching = asyncio.create_task(self._watch(sim, engine, trail, http))
        try:
            await self._inject(sim, engine)
            await self._settle(sim, trail)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        self.progress.stage = "stopping"
        await self._read_latency(engine, http)
        codes = {"engine": await engine.stop()}
        metas = [await sim.info(type="meta"), *[await sim.info(type="meta", dex=dex) for dex in self.cast.dexs]]
        ledger = read_ledger(await sim.control("ledger"), config)
        codes["simulator"] = await sim.child.stop()
        trail.read_on()
        self._note(trail)
        evidence = Evidence(
            config=config,
            fills=tuple(self.fills),
            holdings=self._holdings(),
            lots=lots_of(*metas),
            delisted=delisted_of(*metas),
            ledger=ledger,
            receipts=tuple(trail.receipts),
            equity_ratios=self._equity_ratios(),
        )
        self.problems += [f"{name} ended with exit code {code}" for name, code in codes.items() if code != 0]
        return Run(evidence, self.progress, codes, self.problems, self.cut_short)

    async def _inject(self, sim: Simulator, engine: Child) -> None:
        self.progress.stage = "copying"
        used = time.monotonic() - self.began
        window = max(1.0, self.options.seconds - used - SETTLE_S - STOP_S)
        times = [group[0].time_ms for _, group in self.events]
        after = jumps([(group[0].coin, group[0].price, group[-1].price) for _, group in self.events])
        due = offsets(times, seconds=window, speed=self.options.speed, after=after)
        start = self.started = time.monotonic()
        for number, ((recording, group), offset) in enumerate(zip(self.events, due, strict=True)):
            await asyncio.sleep(max(0.0, start + offset - time.monotonic()))
            if time.monotonic() > self.began + self.options.seconds - STOP_S:
                self.cut_short = (
                    f"only {number:,} of {len(due):,} events happened: the machine was too slow for --seconds"
                )
                return
            if not engine.running:
                raise ProcessError(f"the engine ended with exit code {engine.process.returncode}\n{engine.tail()}")
            rows = [row_of(fill) for fill in group]
            answer = await sim.control("leader_fills", address=recording.address, rows=rows)
            self._note_fills(number, recording.name, group, answer["fills"])

    def _note_fills(self, event: int, leader: str, group: tuple[Fill, ...], made: list[dict[str, Any]]) -> None:
        for fill, identity in zip(group, made, strict=True):
            tid, time_ms = int(identity["tid"]), int(identity["time"])
            self.fills.append(LeaderFill(event, leader, fill.coin, tid, time_ms, fill.price, fill.start, fill.end))
        self.progress.fills[leader] += len(group)

    async def _settle(self, sim: Simulator, trail: Trail) -> None:
        """Wait until every receipt is there and the simulator hears nothing new, at most to the end of the time."""
        self.progress.stage = "settling"
        until = self.began + self.options.seconds - STOP_S
        seen, since = -1, time.monotonic()
        while time.monotonic() < until:
            newest = int((await sim.control("ledger", since=max(seen, 0)))["next"])
            if newest != seen:
                seen, since = newest, time.monotonic()
            complete = len(trail.receipts) >= self.progress.receipts_due
            if complete and time.monotonic() - since >= QUIET_S:
                return
            await asyncio.sleep(WATCH_S)

    async def _watch(self, sim: Simulator, engine: Child, trail: Trail, http: aiohttp.ClientSession) -> None:
        """Keep the board and the equities fresh."""
        equities_due = 0.0
        while True:
            trail.read_on()
            self._note(trail)
            await self._read_latency(engine, http)
            if time.monotonic() >= equities_due:
                equities_due = time.monotonic() + EQUITY_S
                await self._read_equities(sim)
            await asyncio.sleep(WATCH_S)

    def _note(self, trail: Trail) -> None:
        self.progress.actions = trail.actions
        if self.progress.stage in ("copying", "settling"):
            self.progress.copied_s = time.monotonic() - self.started
        self.progress.receipts = trail.outcomes
        self.progress.elapsed = time.monotonic() - self.began
        self.show(self.progress)

    async def _read_latency(self, engine: Child, http: aiohttp.ClientSession) -> None:
        url = engine.ready.get("latency_url")
        if not url or not engine.running:
            return
        async with http.get(str(url)) as answer:
            self.progress.latency_us = json.loads(await answer.text())

    async def _read_equities(self, sim: Simulator) -> None:
        """Sample what accounts are worth: the ratio of mode `equity` is fixed at some moment of the run."""
        accounts = {leader.name: leader.address for leader in self.cast.leaders}
        accounts |= {follower.name: follower.account for follower in self.cast.followers}
        for follow in self.cast.follows:
            if follow.mode == "equity":
                for name in (follow.leader, follow.follower):
                    state = await sim.info(type="clearinghouseState", user=accounts[name])
                    self.equities.setdefault(name, []).append(Decimal(state["marginSummary"]["accountValue"]))

    def _equity_ratios(self) -> dict[tuple[str, str], Span]:
        ratios = {}
        for follow in self.cast.follows:
            leader, follower = self.equities.get(follow.leader), self.equities.get(follow.follower)
            if follow.mode == "equity" and leader and follower:
                ratios[follow.leader, follow.follower] = Span(min(follower) / max(leader), max(follower) / min(leader))
        return ratios

    def _holdings(self) -> dict[tuple[str, str], Holding]:
        return {
            (recording.name, coin): Holding(position, entry, self.prices[coin])
            for recording in self.options.recordings
            for coin, (position, entry) in recording.first_positions().items()
            if position
        }


def row_of(fill: Fill) -> dict[str, Any]:
    """The recorded row, with the position that the fill before it left."""
    row = {name: str(value) if isinstance(value, Decimal) else value for name, value in fill.row.items()}
    return row | {"startPosition": f"{fill.start:f}"}
