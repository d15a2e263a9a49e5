"""One venue, its doors and the clock of its blocks; what carries the bytes stands outside (`port`, `inprocess`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from hlfast.sim.actions import AnyAction, Envelope
from hlfast.sim.authority import count_of
from hlfast.sim.blocks import Block
from hlfast.sim.connection import Connection, Wire
from hlfast.sim.control import Control
from hlfast.sim.doors import Doors
from hlfast.sim.exchange import Exchange
from hlfast.sim.hub import Hub
from hlfast.sim.info import Info
from hlfast.sim.limits import Limits
from hlfast.sim.settings import Settings
from hlfast.sim.trading import Trading
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Answer

TICK_S = 0.1  # of the pushes that repeat state, idle closes and scheduled cancels


def wall_ms() -> int:
    """Return Unix time in ms."""
    return time.time_ns() // 1_000_000


class Server:
    """All of it runs on one event loop, whose timers and the two clocks given here are its only sense of time."""

    def __init__(
        self,
        settings: Settings,
        now_ms: Callable[[], int] = wall_ms,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.monotonic_s = monotonic_s
        self.venue = Venue(settings, now_ms)
        self.trading = Trading(self.venue)
        self.exchange = Exchange(self.venue, self.trading)
        self.info = Info(self.venue, self.trading)
        self.hub = Hub(self.venue, self.info)
        self.limits = Limits(lambda: settings.limits == "venue", monotonic_s)
        self.control = Control(self.venue, self.trading, self.run_block, self.call_later)
        self.doors = Doors(self)
        self._connections: dict[Connection, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ticker: asyncio.TimerHandle | None = None

    @staticmethod
    def count_of(action: AnyAction) -> int:
        """Return how many requests an action counts for."""
        return count_of(action)

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the clock of blocks and pushes on a loop; it starts once."""
        if self._loop is not None:
            return
        self._loop = loop
        self._ticker = self.call_later(TICK_S, self._on_tick)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Set a timer on the venue's clock.

        Raises:
            RuntimeError: the clock doesn't run.
        """
        if self._loop is None:
            raise RuntimeError("the venue's clock doesn't run: call `run` first, or set block_ms and latency_ms to 0")
        return self._loop.call_later(delay_s, callback)

    def stop(self) -> None:
        """Close every socket and stop the clock."""
        self.control.plays.stop({})
        for handle in (self._timer, self._ticker):
            if handle is not None:
                handle.cancel()
        self._timer = self._ticker = self._loop = None
        for connection in list(self._connections):
            connection.abort()

    def attach(self, wire: Wire, address: str) -> Connection:
        """Take a new socket of a client address, which `limits` let pass."""
        connection = Connection(self, wire, address, self.limits.source(address))
        self._connections[connection] = None
        return connection

    def detach(self, connection: Connection) -> None:
        """Forget a socket that has gone."""
        del self._connections[connection]
        connection.close()

    def _on_tick(self) -> None:
        self._ticker = self.call_later(TICK_S, self._on_tick)
        self.hub.push_states()
        block = self.venue.begin_block()
        self.exchange.run_due(block)
        if block.changed():
            self.hub.publish(block)
        horizon = self.monotonic_s() - self.settings.idle_close_s
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
        self._timer = self.call_later((due - now) / 1_000, self._on_timer)

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
