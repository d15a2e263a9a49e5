"""One life of the engine's process: shell and core of `hlfast run`, on the simulated loop, network and disk."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from hlfast._core import Engine
from hlfast.config.model import Config, for_core
from hlfast.engine.clock import VenueClock
from hlfast.engine.runtime import Runtime
from hlfast.gameday.loop import Life
from hlfast.gameday.network import Network, Road
from hlfast.keys import load_keys
from hlfast.telemetry.logs import EventLog
from hlfast.venue.exchange import Exchange
from hlfast.venue.info import Info
from hlfast.venue.ports import Ports

_INFO_MS: Final = 5_000
_LOG_EVENTS: Final = 4_096


class _VenueRoad:
    """The venue client's verbatim calls, with the engine's deadlines."""

    def __init__(self, road: Road) -> None:
        self._info = Info(road)
        self.exchange: Final = Exchange(road).raw

    async def info(self, body: dict[str, Any]) -> tuple[int, bytes]:
        return await self._info.raw(body, deadline_ms=_INFO_MS)


def _placeless(config: Config) -> Config:
    """The settings as every run of a seed has them: the journal holds them, and its bytes are compared."""
    journal = replace(config.journal, directory="journal")
    return replace(config, journal=journal, keys=replace(config.keys, credentials_directory="keys"))


class Host:
    """A process from its start to its end.

    Args:
        network: its way to the venue.
        config: its settings.
        source: its address.
        seed: its chance.
        wall_offset_ns: how far its wall clock is off.
        drift_ppm: how much too fast its clocks run.
        tick_ms: how often its engine ticks.
        on_send: called before each action leaves; False when the process is to die there.
    """

    def __init__(
        self,
        network: Network,
        config: Config,
        source: str,
        seed: int,
        *,
        wall_offset_ns: int = 0,
        drift_ppm: int = 0,
        tick_ms: int = 20,
        on_send: Callable[[Host], bool] | None = None,
    ) -> None:
        self.network = network
        self.config = config
        self.source = source
        self.life = Life()
        self.failure: BaseException | None = None
        self.ended = False
        self.ready_ms: int | None = None
        self.lines = BytesIO()
        self.engine: Engine | None = None
        self.runtime: Runtime | None = None
        self._seed = seed
        self._on_send = on_send
        loop, start_ns = network.loop, network.now_ms() * 1_000_000 - int(network.loop.time() * 1e9)

        ns_a_second = 1_000_000_000 + 1_000 * drift_ppm

        def monotonic_ns() -> int:
            # A monotonic clock begins anywhere; 0 would mean "never" to whoever reads it.
            return 1_000_000_000_000 + int(loop.time() * ns_a_second)

        def wall_ns() -> int:
            return start_ns + int(loop.time() * 1e9) + wall_offset_ns

        rng = random.Random(seed)  # noqa: S311 - to be repeated
        self.ports = Ports(network.dialler(self), monotonic_ns, wall_ns, rng, tick_ms)

    def start(self) -> None:
        """Open the journal and begin.

        Raises:
            JournalError: as from `hlfast run`: in use, damaged, or of other decisions.
        """
        clock = VenueClock(self.ports.monotonic_ns, self.ports.wall_ns)
        self.engine = Engine.simulated(
            for_core(_placeless(self.config)), self.config.journal.directory, clock.now_ms(), self._seed
        )
        load_keys(self.engine, self.config.keys)
        log = EventLog(self.lines, _LOG_EVENTS)
        loop = self.network.loop

        def begin() -> None:
            runtime = Runtime(
                self.config,
                self.engine,  # type: ignore[arg-type]  # set above
                _VenueRoad(Road(self.network, self)),
                log,
                clock,
                asyncio.Event(),
                self.ports,
            )
            self.runtime = runtime
            task = loop.create_task(self._live(runtime))
            task.add_done_callback(self._ended)

        loop.start(self.life, begin)
        self._log = log

    async def _live(self, runtime: Runtime) -> None:
        await runtime.open()
        if await runtime.until_ready():
            self.ready_ms = self.network.now_ms()
        await runtime.stopping.wait()
        await runtime.close()
        self.failure = runtime.fatal

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.ended = True
        if not task.cancelled() and task.exception() is not None:
            self.failure = task.exception()
        self.network.sever(self.life)

    def hands_over(self) -> bool:
        """An action is about to leave."""
        return self._on_send is None or (self._on_send(self) and self.life.state != "dead")

    def kill(self, power_fails: int | None = None) -> None:
        """End it as SIGKILL does, or as the power does."""
        if self.life.state == "dead":
            return
        self.network.loop.end_life(self.life)
        if self.engine is not None:
            self.engine.crash(power_fails)
        self.network.sever(self.life)

    def status(self) -> dict[str, Any]:
        """The core's own view."""
        if self.engine is None:
            return {}
        return dict(msgspec.json.decode(self.engine.status()))

    def log_lines(self) -> bytes:
        """Everything it logged."""
        self._log.drain()
        return self.lines.getvalue()
