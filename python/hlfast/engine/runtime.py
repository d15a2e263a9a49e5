"""The life of the engine process: open, run, and close without leaving anything unsaid.

Order of opening: lanes and metadata together, then recovery, then feeds. Nothing is subscribed before the core knows
the markets and has begun to settle what a former run left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

import msgspec

from hlfast.config.model import Config
from hlfast.engine.agents import LOOK_MS, AgentWatch
from hlfast.engine.asks import AskExecutor
from hlfast.engine.clock import VenueClock
from hlfast.engine.control_socket import refusal
from hlfast.engine.door import Door
from hlfast.engine.limits import beside_weight_a_second
from hlfast.engine.markets import META_WEIGHT, meta_requests, parse_live_coins, parse_spot_pairs
from hlfast.engine.port import EnginePort
from hlfast.engine.timers import BusyPoll, Ticker
from hlfast.engine.watchdog import LOOKS_PER_STALL, Watchdog
from hlfast.engine.ways import Ways
from hlfast.errors import HlfastError
from hlfast.feeds.backfill import Backfill
from hlfast.telemetry.logs import EventLog
from hlfast.venue.ports import REAL, Ports

DRAIN_S: Final = 10.0
_RETRY_S: Final = 1.0
_READY_MOST_S: Final = 0.25
_CLOCK_WEIGHT: Final = 2
_CLOCK_MS: Final = 15_000
# An answer that was so long on its way says little: the venue is asked again sooner.
_LATE_NS: Final = 500_000_000
_CLOCK_SOON_MS: Final = 1_000
_META_MS: Final = 600_000
_SECOND_MS: Final = 1_000


class VenueRoad(Protocol):
    """The HTTP side of the venue, verbatim; status 0 when no answer came."""

    async def info(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """POST /info."""

    async def exchange(self, body: bytes) -> tuple[int, bytes]:
        """POST /exchange with a ready body."""


class Status(msgspec.Struct, frozen=True):
    """What the shell reads of the core's status; the rest is for people."""

    ready: bool = False
    in_flight: int = 0  # attempts without a known outcome, whether their answer is still to come or not


class _VenueTime(msgspec.Struct):
    time: int


class _Request(msgspec.Struct):
    do: str


class _NewSettings(msgspec.Struct):
    config: Config


class Runtime:
    """Connects one core to the venue.

    Args:
        config: the settings.
        engine: the core, its keys loaded.
        venue: the HTTP side of the venue.
        log: where events are written.
        clock: venue time; made by the caller, who opened the core with it.
        stopping: set when the end is asked for, perhaps before this object was made.
        ports: dialling and clocks.
        admit: looks at new settings before the core does, and raises HlfastError for what it can't run.
    """

    def __init__(
        self,
        config: Config,
        engine: EnginePort,
        venue: VenueRoad,
        log: EventLog,
        clock: VenueClock | None = None,
        stopping: asyncio.Event | None = None,
        ports: Ports = REAL,
        admit: Callable[[Config], None] = lambda _: None,
    ) -> None:
        self.config = config
        self._admit = admit
        self.engine = engine
        self._monotonic_ns = ports.monotonic_ns
        self.clock = clock or VenueClock(ports.monotonic_ns, ports.wall_ns)
        self.fatal: BaseException | None = None
        self.stopping = stopping or asyncio.Event()
        self._venue = venue
        self._log = log
        self._lane_up = asyncio.Event()
        self._door = Door(engine, self.clock, self._on_fatal, ports.monotonic_ns)
        self.ways = Ways(config, self._door, log, venue.exchange, self._lane_up.set, ports)
        backfill = Backfill(venue.info, lambda weight: engine.reserve_weight(weight, self.clock.now_ms()))
        self.asks = AskExecutor(backfill.read, self._door.info, self.ways.want, self._accuse)
        self.agents = AgentWatch(
            engine, self.clock, venue.info, self._door.operate, self._tell_of_agent, ports.monotonic_ns
        )
        self.watchdog = Watchdog(self.ways.feeds, config.engine.stall_ms)
        self._tick_ms = ports.tick_ms
        self._check_ticks = self._ticks_in(config.engine.stall_ms // LOOKS_PER_STALL)
        self._clock_ticks = self._ticks_in(_CLOCK_MS)
        self._clock_soon_ticks = self._ticks_in(_CLOCK_SOON_MS)
        self._meta_ticks = self._ticks_in(_META_MS)
        self._second_ticks = self._ticks_in(_SECOND_MS)
        self._agent_ticks = self._ticks_in(LOOK_MS)
        self._ticker = Ticker(self._on_tick, engine.observe_loop_lag, period_ms=ports.tick_ms, clock=ports.monotonic_ns)
        self._busy = BusyPoll()
        self._beside = beside_weight_a_second(config)
        self._ticks = 0
        self._probes_soon = False
        self._errands: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connect, recover, subscribe: until the feeds are dialled, or the end is asked for."""
        self.ways.start_lanes()
        metadata, _ = await asyncio.gather(self._read_metadata(), self._read_clock())
        if self.stopping.is_set():
            return
        if self.config.engine.http_lane:
            self._door.http_lane_up(self.ways.http_lane.number)
        else:
            await self._until_stopping(self._lane_up.wait())
        for body in metadata:
            self.engine.load_meta(body, self.clock.now_ms())
        self._door.start()
        self.ways.watch(self.engine.watched())
        self.ways.start_feeds(parse_live_coins(metadata[0], self.config.venue.dexs), parse_spot_pairs(metadata[1]))
        self._ticker.start()
        self.agents.adopt()
        self._run(self.agents.look())
        if self.config.engine.busy_poll:
            self._busy.start()

    async def until_ready(self) -> bool:
        """Wait until the core has settled the past and read the accounts; False if the end came first."""
        wait_s = self._tick_ms / 1000
        while not self.stopping.is_set():
            if self.status().ready:
                return True
            await self._until_stopping(asyncio.sleep(wait_s))
            # The status of thousands of accounts takes milliseconds of the loop's time.
            wait_s = min(wait_s * 1.5, _READY_MOST_S)
        return False

    async def close(self) -> None:
        """Stop intake, let what is in flight end within `DRAIN_S`, then write everything down. Call once."""
        await self.ways.close_feeds()
        await self._drain()
        self._ticker.stop()
        self._busy.stop()
        for task in list(self._errands):
            task.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)
        await self.asks.close()
        self._door.close()
        await self.ways.close_lanes()
        try:
            self.engine.flush()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told, and decides the exit code
            self._on_fatal(error)

    def status(self) -> Status:
        """The core's own view."""
        return msgspec.json.decode(self.engine.status(), type=Status)

    def health(self) -> bytes:
        """The core's status with the shell's beside it, as JSON."""
        alone, uncovered = self.ways.coverage()
        shell = {
            "fatal": None if self.fatal is None else f"{type(self.fatal).__name__}: {self.fatal}",
            "stopping": self.stopping.is_set(),
            "leaders_without_user_feed": alone,
            "leaders_uncovered": uncovered,
            "coins_uncovered": len(self.ways.tape.uncovered),
            "user_feeds_up": sum(feed.up_ns != 0 for feed in self.ways.user_feeds),
            "tape_feeds_up": sum(feed.up_ns != 0 for feed in self.ways.tape_feeds),
            "lanes_up": sum(lane.up_ns != 0 for lane in self.ways.lanes),
            "lanes_paused": sum(lane.paused for lane in self.ways.lanes),
            "reads_waiting": self.asks.waiting + self.asks.running,
            "clock_skew_ms": self.clock.skew_ms(),
        }
        return msgspec.json.encode({"shell": shell, "core": msgspec.Raw(self.engine.status())})

    async def operate(self, request: bytes) -> bytes:
        """Answer one request of the control socket: a look at the status here, everything else in the core."""
        try:
            kind = msgspec.json.decode(request, type=_Request).do
        except msgspec.DecodeError as error:
            return refusal(f"the request can't be read ({error})", 'send one JSON object a line, with "do"')
        if kind == "status":
            return b'{"ok":true,"status":' + self.health() + b"}"
        if kind == "settings":
            settings, revision = self.engine.settings()
            return msgspec.json.encode({"ok": True, "revision": revision, "settings": msgspec.Raw(settings)})
        if kind in {"pause", "resume"}:
            return self.agents.operate(request)
        return self._configure(request) if kind == "configure" else self._door.operate(request)

    def _configure(self, request: bytes) -> bytes:
        try:
            self._admit(msgspec.json.decode(request, type=_NewSettings).config)
        except msgspec.DecodeError as error:
            return refusal(f"the settings can't be read ({error})", "send them as hlfast reload does")
        except HlfastError as error:
            return refusal(str(error), "nothing was changed")
        answer = self._door.operate(request)
        self.ways.watch(self.engine.watched())
        self.agents.adopt()
        return answer

    def gauges(self) -> dict[str, tuple[str, str, float]]:
        """The shell's own metrics: name → (kind, help, value). On the loop."""
        ways = self.ways
        alone, uncovered = ways.coverage()
        gauge, counter = "gauge", "counter"
        return {
            "hlfast_shell_leaders_uncovered": (gauge, "Leaders that no feed covers now.", uncovered),
            "hlfast_shell_leaders_without_user_feed": (gauge, "Leaders without confirmed userFills.", alone),
            "hlfast_shell_coins_uncovered": (gauge, "Coins whose trades found no room.", len(ways.tape.uncovered)),
            "hlfast_shell_user_feeds_up": (
                gauge,
                "User feeds that are open.",
                sum(f.up_ns != 0 for f in ways.user_feeds),
            ),
            "hlfast_shell_tape_feeds_up": (
                gauge,
                "Tape feeds that are open.",
                sum(f.up_ns != 0 for f in ways.tape_feeds),
            ),
            "hlfast_shell_lanes_up": (gauge, "WebSocket lanes that are open.", sum(e.up_ns != 0 for e in ways.lanes)),
            "hlfast_shell_lanes_paused": (
                gauge,
                "Lanes whose socket takes no more now.",
                sum(e.paused for e in ways.lanes),
            ),
            "hlfast_shell_lane_pauses_total": (
                counter,
                "Times a lane's socket was full.",
                sum(e.pauses for e in ways.lanes),
            ),
            "hlfast_shell_connections_lost_total": (counter, "Connections that ended.", ways.downs),
            "hlfast_shell_feed_stalls_total": (counter, "Feeds dropped as silent.", self.watchdog.stalls),
            "hlfast_shell_writes_refused_total": (counter, "Writes that a lane did not take.", self._door.unwritten),
            "hlfast_shell_http_posts_in_flight": (
                gauge,
                "Posts over HTTP without an answer.",
                ways.http_lane.in_flight,
            ),
            "hlfast_shell_reads_waiting": (gauge, "Reads not yet answered.", self.asks.waiting + self.asks.running),
            "hlfast_shell_reads_unanswered_total": (counter, "Reads that got no answer.", self.asks.unanswered),
            "hlfast_shell_clock_skew_seconds": (gauge, "Venue time less wall clock.", self.clock.skew_ms() / 1000),
            "hlfast_shell_log_events_lost_total": (counter, "Log events dropped.", self._log.lost),
        }

    def _on_fatal(self, error: BaseException) -> None:
        if self.fatal is None:
            self.fatal = error
            self._log.error("fatal", error=f"{type(error).__name__}: {error}")
            self.stopping.set()

    async def _drain(self) -> None:
        """Give posts in flight and reductions that still try a bounded time, and none when the core cannot go on."""
        deadline = self._monotonic_ns() + int(DRAIN_S * 1e9)
        failures = self._door.failures
        while self._monotonic_ns() < deadline and self._door.failures == failures:
            try:
                if self.status().in_flight == 0 and self.ways.http_lane.in_flight == 0:
                    return
            except Exception as error:  # noqa: BLE001 - a core that cannot even tell its state cannot be waited for
                self._log.error("no status while stopping", error=str(error))
                return
            await asyncio.sleep(self._tick_ms / 1000)

    def _on_tick(self) -> None:
        self._ticks = ticks = self._ticks + 1
        self.clock.advance()
        self._door.tick()
        self.asks.take(self.engine.take_requests())
        for alert in self.engine.take_alerts():
            self._tell(msgspec.json.decode(alert, type=dict[str, Any]))
        if ticks % self._check_ticks == 0:
            self.watchdog.check(self._monotonic_ns())
        if ticks % (self._clock_soon_ticks if self._probes_soon else self._clock_ticks) == 0:
            self._run(self._probe_clock())
        if ticks % self._meta_ticks == 0:
            self._run(self._refresh_metadata())
        if ticks % self._agent_ticks == 0:
            self._run(self.agents.look())
        if self._beside and ticks % self._second_ticks == 0:
            # Spent by another process of this address: what is counted here is not taken twice.
            self.engine.reserve_weight(self._beside, self.clock.now_ms())

    def _accuse(self, source: int, leader: int) -> None:
        name = self.config.leaders[leader].name
        self.watchdog.accuse(source, f"a fill of {name} came elsewhere and not here")

    def _ticks_in(self, every_ms: int) -> int:
        return max(1, every_ms // self._tick_ms)

    def _tell_of_agent(self, level: str, code: str, text: str) -> None:
        self._tell({"level": level, "code": code, "leader": None, "follower": None, "text": text})

    def _tell(self, fields: dict[str, Any]) -> None:
        write = {"info": self._log.info, "warning": self._log.warning}.get(str(fields.get("level")), self._log.error)
        write("alert", alert=fields)
        self.agents.on_alert(fields.get("code"), fields.get("follower"))

    async def _read_metadata(self) -> list[bytes]:
        """Read until it is there and understood: without the markets nothing can be decided."""
        bodies: list[bytes] = []
        for place, request in enumerate(meta_requests(self.config.venue.dexs)):
            while not self.stopping.is_set():
                if not self.engine.reserve_weight(META_WEIGHT, self.clock.now_ms()):
                    await self._until_stopping(asyncio.sleep(_RETRY_S))
                    continue
                status, body = await self._venue.info(request)
                if status == 200 and self._is_understood(place, body):
                    bodies.append(body)
                    break
                answer = body[:200].decode("utf-8", "replace")
                self._log.error("no metadata", request=request, status=status, answer=answer)
                await self._until_stopping(asyncio.sleep(_RETRY_S))
        return bodies

    def _is_understood(self, place: int, body: bytes) -> bool:
        try:
            # A venue without spot is one; without perps it is none.
            return (
                bool(parse_live_coins(body, self.config.venue.dexs))
                if place == 0
                else parse_spot_pairs(body) is not None
            )
        except msgspec.DecodeError:
            return False

    async def _refresh_metadata(self) -> None:
        """Learn listings and delistings."""
        for place, request in enumerate(meta_requests(self.config.venue.dexs)):
            if not self.engine.reserve_weight(META_WEIGHT, self.clock.now_ms()):
                return
            status, body = await self._venue.info(request)
            if status != 200:
                self._log.warning("metadata not refreshed", request=request, status=status)
                return
            try:
                self.engine.load_meta(body, self.clock.now_ms())
                if place == 0:
                    coins = parse_live_coins(body, self.config.venue.dexs)
                    self.ways.tape.add_coins(coins, trades=self.config.engine.tape)
                else:
                    self.ways.tape.add_coins(parse_spot_pairs(body), trades=False)
            except (ValueError, msgspec.DecodeError) as error:
                self._log.error("metadata not understood", request=request, error=str(error))

    async def _read_clock(self) -> None:
        """Ask until the venue tells its time: by the host's clock alone orders could be expired, or valid for days."""
        while not self.stopping.is_set():
            await self._probe_clock()
            if self.clock.known:
                return
            await self._until_stopping(asyncio.sleep(_RETRY_S))

    async def _probe_clock(self) -> None:
        if not self.engine.reserve_weight(_CLOCK_WEIGHT, self.clock.now_ms()):
            return
        sent_ns = self._monotonic_ns()
        status, body = await self._venue.info({"type": "exchangeStatus"})
        recv_ns = self._monotonic_ns()
        try:
            if status == 200:
                self.clock.observe(sent_ns, recv_ns, msgspec.json.decode(body, type=_VenueTime).time)
                self._probes_soon = recv_ns - sent_ns > _LATE_NS or self.clock.doubted
                return
        except msgspec.DecodeError:
            pass
        self._log.warning("no venue time", status=status, answer=body[:200].decode("utf-8", "replace"))

    async def _until_stopping(self, wait: Awaitable[object]) -> None:
        """Wait for something, or for the end if that comes first."""
        waits = [asyncio.ensure_future(wait), asyncio.ensure_future(self.stopping.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    def _run(self, errand: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errand_ended)

    def _errand_ended(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._log.error("errand failed", errand=task.get_name(), error=f"{type(error).__name__}: {error}")
