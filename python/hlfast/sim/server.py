"""The venue on a port: HTTP `/info`, `/exchange`, `/control` and WebSocket `/ws`, and the clock of its blocks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from aiohttp import web

from hlfast.sim.actions import AnyAction, Envelope, ParseError, parse_envelope
from hlfast.sim.blocks import Block
from hlfast.sim.connection import MAX_FRAME, Connection
from hlfast.sim.control import Control, ControlError
from hlfast.sim.exchange import Answer, Exchange, count_of
from hlfast.sim.hub import Hub
from hlfast.sim.info import BadRequestError, Info
from hlfast.sim.limits import Limits, action_weight, info_weight, row_weight
from hlfast.sim.settings import Settings
from hlfast.sim.trading import Trading
from hlfast.sim.venue import Venue

TICK_S = 0.1  # of the pushes that repeat state, idle closes and scheduled cancels
MAX_CONTROL_BODY = 64 * 1024 * 1024
MISFIT = "Failed to deserialize the JSON body into the target type"


def wall_ms() -> int:
    """Return Unix time in ms."""
    return time.time_ns() // 1_000_000


class Server:
    """One venue and its doors. All of it runs on one event loop."""

    def __init__(self, settings: Settings, now_ms: Callable[[], int] = wall_ms) -> None:
        self.settings = settings
        self.venue = Venue(settings, now_ms)
        self.trading = Trading(self.venue)
        self.exchange = Exchange(self.venue, self.trading)
        self.info = Info(self.venue, self.trading)
        self.hub = Hub(self.venue, self.info)
        self.limits = Limits(lambda: settings.limits == "venue", time.monotonic)
        self.control = Control(self.venue, self.trading, self.run_block)
        self._connections: dict[Connection, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None

    @staticmethod
    def count_of(action: AnyAction) -> int:
        """Return how many requests an action counts for."""
        return count_of(action)

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the system picks when 0 is asked for.

        Raises:
            OSError: the address can't be bound.
        """
        app = web.Application(client_max_size=MAX_CONTROL_BODY)
        app.router.add_post("/info", self._on_info)
        app.router.add_post("/exchange", self._on_exchange)
        app.router.add_post("/control", self._on_control)
        app.router.add_get("/ws", self._on_ws)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=1024)
        await site.start()
        self._ticker = asyncio.create_task(self._tick())
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close every socket and stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        for connection in list(self._connections):
            connection.abort()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.hub.push_states()
            block = self.venue.begin_block()
            self.exchange.run_scheduled_cancels(block)
            if block.changed():
                self.hub.publish(block)
            horizon = time.monotonic() - self.settings.idle_close_s
            for connection in list(self._connections):
                if connection.last_sent_s < horizon:
                    connection.abort()

    def submit(self, envelope: Envelope, source: str, reply: Callable[[Answer], None]) -> None:
        """Queue an action and see to it that a block comes."""
        self.exchange.receive(envelope, source, reply)
        if self.settings.block_ms == 0 and self.settings.latency_ms == 0:
            self._run_waiting()
        elif self._timer is None:
            self._arm()

    def _arm(self) -> None:
        period = self.settings.block_ms
        now = self.venue.now_ms()
        oldest = min(pending.received_ms for pending in self.exchange.waiting)
        due = max(now, oldest + self.settings.latency_ms)
        if period:
            due = (due // period + 1) * period
        self._timer = asyncio.get_running_loop().call_later((due - now) / 1_000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._run_waiting()
        if self.exchange.waiting:
            self._arm()

    def _run_waiting(self) -> None:
        block = self.venue.begin_block()
        taken = self.exchange.due(block.time_ms)
        answers = [(pending, self.exchange.execute(pending, block)) for pending in taken]
        self.trading.refill_worn(block)
        if self.settings.reply_first:
            for pending, answer in answers:
                pending.reply(answer)
            self.hub.publish(block)
            return
        self.hub.publish(block)
        for pending, answer in answers:
            pending.reply(answer)

    def run_block(self, work: Callable[[Block], Any]) -> Any:
        """Run control work as a block of its own, published at once."""
        block = self.venue.begin_block()
        result = work(block)
        self.trading.refill_worn(block)
        self.hub.publish(block)
        return result

    def _address(self, request: web.Request) -> str:
        return request.remote or "unknown"

    def _too_many(self) -> web.Response:
        self.venue.record.counters["rate_limited"] += 1
        return web.Response(status=429, text="null")

    async def _on_info(self, request: web.Request) -> web.Response:
        try:
            body = orjson.loads(await request.read())
            kind = str(body.get("type")) if isinstance(body, dict) else ""
            if not self.limits.spend(self._address(request), info_weight(kind)):
                return self._too_many()
            answer = self.info.answer(body)
        except (orjson.JSONDecodeError, BadRequestError):
            return web.Response(status=422, text=MISFIT)
        self.limits.charge(self._address(request), row_weight(kind, answer))
        return json_response(answer)

    async def _on_exchange(self, request: web.Request) -> web.Response:
        try:
            envelope = parse_envelope(await request.read())
        except ParseError as error:
            return web.Response(status=422, text=f"{MISFIT}: {error}")
        if not self.limits.spend(self._address(request), action_weight(count_of(envelope.action))):
            return self._too_many()
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def reply(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        self.submit(envelope, self._address(request), reply)
        return json_response(await answered)

    async def _on_control(self, request: web.Request) -> web.Response:
        address = self._address(request)
        if not address.startswith("127.") and address != "::1":
            return web.Response(status=403, text="The control door opens on loopback only.")
        try:
            return json_response(self.control.run(orjson.loads(await request.read())))
        except orjson.JSONDecodeError as error:
            return web.Response(status=400, text=f"Not JSON: {error}")
        except ControlError as error:
            return web.Response(status=400, text=str(error))

    async def _on_ws(self, request: web.Request) -> web.StreamResponse:
        address = self._address(request)
        if not self.limits.may_connect(address):
            return self._too_many()
        source = self.limits.source(address)
        try:
            # The venue offers no compression, so none is negotiated here.
            socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_FRAME)
            await socket.prepare(request)
            if request.transport is None:
                return socket
            connection = Connection(self, request.transport, address, source)
            self._connections[connection] = None
            try:
                await connection.run(socket)
            finally:
                del self._connections[connection]
                connection.close()
            return socket
        finally:
            source.connections -= 1


def json_response(answer: Any) -> web.Response:
    """Encode an answer; rows of the record are structs."""
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
