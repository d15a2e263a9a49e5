"""One venue, its doors and the clock of its blocks; what carries the bytes stands outside (`port`, `inprocess`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from hlfast.sim.actions import Envelope
from hlfast.sim.audit import ConservationError
from hlfast.sim.blocks import Block
from hlfast.sim.connection import Wire
from hlfast.sim.control import Control
from hlfast.sim.doors import Doors, Reply
from hlfast.sim.exchange import Exchange, Pending
from hlfast.sim.faults import Faults
from hlfast.sim.faults.answers import Failure
from hlfast.sim.faults.link import Link
from hlfast.sim.hub import Hub
from hlfast.sim.info import Info
from hlfast.sim.limits import Limits
from hlfast.sim.page.overview import Overview
from hlfast.sim.settings import Settings
from hlfast.sim.timers import Handle, Timers
from hlfast.sim.trading import Trading
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Answer

_encode = msgspec.json.Encoder().encode
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
        faults: Faults | None = None,
    ) -> None:
        self.settings = settings
        self.monotonic_s = monotonic_s
        self.venue = Venue(settings, now_ms)
        self.trading = Trading(self.venue)
        self.exchange = Exchange(self.venue, self.trading)
        self.info = Info(self.venue, self.trading)
        self.hub = Hub(self.venue, self.info)
        self.limits = Limits(settings, monotonic_s)
        self.faults = faults or Faults()
        self.faults.attach(self)
        self.control = Control(self.venue, self.trading, self.run_block, self.call_later, self.faults)
        self.control.add("overview", Overview(self).answer)
        self.doors = Doors(self)
        self._links: dict[Link, None] = {}
        self._sockets = 0
        self._loop: Timers | None = None
        self._timer: Handle | None = None
        self._timer_ms = 0
        self._ticker: Handle | None = None

    def run(self, loop: Timers) -> None:
        """Start the clock of blocks, pushes and faults on a loop; it starts once."""
        if self._loop is not None:
            return
        self._loop = loop
        self._ticker = self.call_later(TICK_S, self._on_tick)
        self.faults.start()

    @property
    def is_running(self) -> bool:
        """Tell whether the clock runs."""
        return self._loop is not None

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Handle:
        """Set a timer on the venue's clock.

        Raises:
            RuntimeError: the clock doesn't run.
        """
        if self._loop is None:
            raise RuntimeError(
                "the venue's clock doesn't run: call `run` first, or set block_ms, latency_ms and taker_delay_ms to 0"
            )
        return self._loop.call_later(delay_s, callback)

    def stop(self) -> None:
        """Close every socket and stop the clock."""
        self.control.plays.stop({})
        for handle in (self._timer, self._ticker):
            if handle is not None:
                handle.cancel()
        self._timer = self._ticker = self._loop = None
        for link in self.links():
            link.abort()

    async def request(self, source: str, method: str, path: str, body: bytes) -> Reply:
        """Answer one HTTP request of a client address.

        Raises:
            ConnectionResetError: a fault took the answer.
        """
        return await self.doors.request(source, method, path, body)

    def links(self) -> list[Link]:
        """Return the sockets that are open, in the order in which they came."""
        return list(self._links)

    def refusal(self, address: str) -> Reply | None:
        """Count a new socket of a client address; returns the HTTP answer when it may not open one."""
        if self.faults.refuses(address):
            return Reply(503, b"503 Service Unavailable")
        return None if self.limits.may_connect(self.limits.source(address)) else self.doors.too_many()

    def attach(self, wire: Wire, address: str) -> Link:
        """Take a new socket of a client address, after `refusal` let it pass."""
        self._sockets += 1
        link = Link(self, wire, address, self._sockets)
        self._links[link] = None
        return link

    def detach(self, link: Link) -> None:
        """Forget a socket that has gone."""
        del self._links[link]
        link.shut()
        link.connection.close()
        self.limits.source(link.address).connections -= 1

    def _on_tick(self) -> None:
        self._ticker = self.call_later(TICK_S, self._on_tick)
        self.hub.push_states()
        block = self.venue.begin_block()
        self.exchange.run_due(block)
        self._hold_books(block)
        if block.changed():
            self._write_down(block, [])
            self.hub.publish(block)
        horizon = self.monotonic_s() - self.settings.idle_close_s
        for link in self.links():
            if link.last_sent_s < horizon:
                link.abort()

    def submit(self, envelope: Envelope, source: str, reply: Callable[[Answer | Failure], None]) -> None:
        """Queue an action and see to it that a block comes.

        `reply` is called once: with its answer, or with what a fault put in its place.
        """
        fate = self.faults.fate(source, "exchange")
        if fate is None:
            self._queue(envelope, source, reply, 0)
            return
        failure, delay_ms = fate.failure, fate.delay_ms
        if failure is not None:
            self.after(delay_ms, lambda: reply(failure))
            if fate.reaches:
                self._queue(envelope, source, _unheard, fate.hold_ms)
            return
        self._queue(envelope, source, lambda answer: self.after(delay_ms, lambda: reply(answer)), fate.hold_ms)

    def after(self, delay_ms: int, callback: Callable[[], None]) -> None:
        """Call back after a while; without one, at once."""
        if delay_ms:
            self.call_later(delay_ms / 1_000, callback)
        else:
            callback()

    def _queue(self, envelope: Envelope, source: str, reply: Callable[[Answer], None], hold_ms: int) -> None:
        self.exchange.receive(envelope, source, reply, hold_ms)
        settings = self.settings
        if not (settings.block_ms or settings.latency_ms or settings.taker_delay_ms or hold_ms):
            self._run_waiting()
        else:
            self._arm()

    def _arm(self) -> None:
        """Set the timer of the next block that some action waits for; an earlier one than is set replaces it."""
        due_ms = self.exchange.next_due_ms()
        if due_ms is None:
            return
        period, now = self.settings.block_ms, self.venue.now_ms()
        due_ms = max(now, due_ms)
        if period:
            due_ms = (due_ms // period + 1) * period
        if self._timer is not None:
            if self._timer_ms <= due_ms:
                return
            self._timer.cancel()
        self._timer_ms = due_ms
        self._timer = self.call_later((due_ms - now) / 1_000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._run_waiting()
        self._arm()

    def _run_waiting(self) -> None:
        block = self.venue.begin_block()
        taken = self.exchange.due(block.time_ms)
        answers = [(pending, self.exchange.execute(pending, block)) for pending in taken]
        self.trading.refill_worn(block)
        self._hold_books(block)
        self._write_down(block, answers)
        if self.settings.reply_first:
            for pending, answer in answers:
                pending.reply(answer)
            self.hub.publish(block)
            return
        self.hub.publish(block)
        for pending, answer in answers:
            pending.reply(answer)

    def _hold_books(self, block: Block) -> None:
        """Check that the block conserved money and positions; a venue that didn't shuts every socket and stops."""
        try:
            self.venue.close_block(block)
        except ConservationError:
            self.stop()
            raise

    def _write_down(self, block: Block, answers: list[tuple[Pending, Answer]]) -> None:
        log = self.venue.event_log
        for pending, answer in answers:
            log.add(pending.digest, _encode((block.time_ms, pending.source, pending.signer, answer)))
        log.add_block(block)

    def run_block(self, work: Callable[[Block], Any]) -> Any:
        """Run control work as a block of its own, published at once."""
        block = self.venue.begin_block()
        result = work(block)
        self.trading.refill_worn(block)
        self._hold_books(block)
        self._write_down(block, [])
        self.hub.publish(block)
        return result


def _unheard(_answer: Answer) -> None:
    """Take the answer of an action whose client was told something else."""
