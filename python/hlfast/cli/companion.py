"""The process beside the engine: projector, accounts, fitness and discovery. `hlfast run` starts it when one is wanted.

It reads the journal, the venue's public data and the database, and speaks to the engine over its control socket alone.
Its end, slowness or death costs the engine nothing; the engine's end, whatever it dies of, ends it too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import msgspec

from hlfast.cli.discover import search_until, searching
from hlfast.cli.records import reading
from hlfast.cli.stopping import stopping
from hlfast.config.model import Config, control_path
from hlfast.control.client import ask
from hlfast.control.projector import Projector
from hlfast.control.projector import render as render_projector
from hlfast.errors import HlfastError
from hlfast.research.quotes import Quotes
from hlfast.research.watching import Unfit, Watcher
from hlfast.research.watching import render as render_fitness
from hlfast.store.database import opened
from hlfast.telemetry.endpoint import Endpoint
from hlfast.telemetry.logs import EventLog
from hlfast.telemetry.process import render_gauges, render_process
from hlfast.venue.ws import WsConnection

# The engine shares the cores: it goes first.
_NICENESS: Final = 10
_LONGEST_WHY: Final = 200
_JUDGE_S: Final = 1.0
_RETRY_S: Final = 5.0
_LONGEST_RETRY_S: Final = 300.0

# What it counts itself, beside what the projector and fitness show.
COUNTERS: Final = {
    "hlfast_companion_failures_total": "Parts that failed and were begun again.",
    "hlfast_fitness_downgrades_total": "Leaders found unfit.",
    "hlfast_discovery_searches_total": "Searches ended.",
    "hlfast_discovery_judged_total": "Traders judged.",
}

_Part = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


class Companion:
    """Runs what the settings ask for, each part by itself: one that fails is told, counted and begun again.

    Args:
        config: the settings.
        log: where events are written.
    """

    def __init__(self, config: Config, log: EventLog) -> None:
        self._config = config
        self._log = log
        self._quotes = Quotes()
        self._watcher = Watcher(config, self._quotes, self._want)
        self._books = WsConnection(config.venue.stream_url, lambda frame, _: self._quotes.take(bytes(frame)))
        self._projector: Projector | None = None
        self._failures = 0
        self._downgrades = 0
        self._searches = 0
        self._judged = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`."""
        endpoint = Endpoint(self._render, lambda: b"{}", lambda: b"{}")
        metrics = self._config.metrics
        if metrics.enabled:
            with contextlib.suppress(OSError):
                url = await endpoint.start(metrics.host, self._config.companion.metrics_port)
                self._log.info("companion started", metrics=f"{url}/metrics")
        parts = [self._keep_up("records", self._records, stop)]
        if self._config.discovery.enabled:
            parts.append(self._keep_up("discovery", self._discovery, stop))
        try:
            await asyncio.gather(*parts)
        finally:
            await endpoint.close()

    async def _keep_up(
        self, name: str, part: Callable[[asyncio.Event], Coroutine[Any, Any, None]], stop: asyncio.Event
    ) -> None:
        pause = _RETRY_S
        while not stop.is_set():
            begun = time.monotonic()
            try:
                await part(stop)
            except Exception as error:  # noqa: BLE001 - the root of a task: told, counted, begun again
                self._failures += 1
                lived = time.monotonic() - begun
                pause = _RETRY_S if lived > _LONGEST_RETRY_S else min(pause * 2, _LONGEST_RETRY_S)
                self._log.error("companion part failed", part=name, error=_text(error), again_in_s=pause)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)

    async def _records(self, stop: asyncio.Event) -> None:
        """Journal to database, accounts to database, and fitness on what was just written."""
        config = self._config
        async with opened(config.store.url) as engine, reading(config, engine) as reader:
            self._projector = Projector(engine, Path(config.journal.directory), config, seen=self._watcher.take)
            parts = [self._projector.follow(stop, self._complain)]
            if config.store.accounts_s:
                parts.append(reader.follow(config.store.accounts_s, stop, self._complain))
            if config.fitness.enabled:
                parts.append(self._judge(stop))
            await _all_or_none(parts)

    async def _discovery(self, stop: asyncio.Event) -> None:
        config = self._config
        async with opened(config.store.url) as engine, searching(config, engine, self._tell) as search:
            async for found, plan in search_until(search, config, engine, stop):
                self._searches += 1
                if isinstance(found, HlfastError):
                    self._log.warning("discovery ended early", error=str(found))
                    continue
                self._judged += len(found.judged)
                follows = () if plan is None else plan.follows
                self._log.info(
                    "discovery",
                    judged=len(found.judged),
                    dismissed=len(found.dismissed),
                    failed=len(found.failed),
                    notes=list(found.notes),
                    best=[f"{one.address} {one.graded.grade}" for one in found.judged[:3]],
                    followed=[one.address for one in follows if one.refused is None],
                    not_followed=[f"{one.address}: {one.refused}" for one in follows if one.refused],
                )

    def _want(self, coin: str) -> None:
        if not self._config.fitness.enabled:
            return
        is_new = coin not in self._quotes.coins()
        dropped = self._quotes.want(coin)
        if dropped is not None:
            self._books.unsubscribe({"type": "bbo", "coin": dropped})
        if is_new:
            self._books.subscribe({"type": "bbo", "coin": coin})

    async def _judge(self, stop: asyncio.Event) -> None:
        self._books.start()
        try:
            while not stop.is_set():
                for unfit in self._watcher.judge(time.time_ns() // 1_000_000):
                    await self._downgrade(unfit)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _JUDGE_S)
        finally:
            await self._books.close()

    async def _downgrade(self, unfit: Unfit) -> None:
        """Ask the engine for close-only. An engine that can't be asked is told of: the operator decides then."""
        if not self._config.fitness.downgrade:
            self._downgrades += 1
            self._log.warning("leader unfit", leader=unfit.leader, why=unfit.why)
            return
        try:
            paused = await asyncio.to_thread(pause_unless_paused, control_path(self._config), unfit)
        except HlfastError as error:
            self._log.error("leader unfit and not paused", leader=unfit.leader, why=unfit.why, error=str(error))
            return
        if paused:
            self._downgrades += 1
            self._log.warning("leader unfit: close-only", leader=unfit.leader, why=unfit.why)

    def _render(self) -> bytes:
        values = (self._failures, self._downgrades, self._searches, self._judged)
        counters = {
            name: ("counter", about, value) for (name, about), value in zip(COUNTERS.items(), values, strict=True)
        }
        text = render_gauges(counters) + render_process()
        if self._projector is not None:
            text += render_projector(self._projector.progress)
        return text + render_fitness(self._watcher.figures())

    def _tell(self, line: str) -> None:
        self._log.info("discovery", doing=line)

    def _complain(self, line: str) -> None:
        self._log.warning("records", trouble=line)


def pause_unless_paused(socket: Path, unfit: Unfit) -> bool:
    """Ask for close-only of a leader, unless he is paused already: an operator's pause may be a stronger one.

    Raises:
        EngineAwayError, RequestRefusedError: as `ask`.
    """
    leaders = ask(socket, {"do": "status"})["status"]["core"]["leaders"]
    if any(one["name"] == unfit.leader and one["pause"] is not None for one in leaders):
        return False
    why = f"unfit: {unfit.why}"[:_LONGEST_WHY]
    ask(socket, {"do": "pause", "leader": unfit.leader, "kind": "close_only", "why": why})
    return True


async def _all_or_none(parts: list[Coroutine[Any, Any, None]]) -> None:
    """Run parts together; when one fails the others end."""
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part)


def _text(error: BaseException) -> str:
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
    return f"{type(inner).__name__}: {inner}".splitlines()[0]


async def _main(config: Config, lifeline: int) -> None:
    log = EventLog()
    log.start()
    loop = asyncio.get_running_loop()
    try:
        async with stopping() as stop:
            # Nothing is ever written into it: readable means that the engine's process is gone.
            loop.add_reader(lifeline, stop.set)
            await Companion(config, log).run(stop)
    finally:
        loop.remove_reader(lifeline)
        log.close()


def main() -> None:
    """Entry of the process: settings on standard input, the number of the pipe's end as argument."""
    os.nice(_NICENESS)
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=Config)
    asyncio.run(_main(config, int(sys.argv[1])))


if __name__ == "__main__":
    main()
