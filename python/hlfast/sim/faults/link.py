"""One socket between what carries it and its connection: the place where frames meet faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from hlfast.sim.connection import Connection, Wire
from hlfast.sim.faults.frames import Way
from hlfast.sim.timers import Handle

if TYPE_CHECKING:
    from hlfast.sim.server import Server

MAX_BACKLOG = 32 * 1024 * 1024  # a client this far behind is cut off rather than buffered without end


class Link:
    """The connection's way to its client, and the carrier's way to the connection."""

    def __init__(self, server: Server, wire: Wire, address: str, number: int) -> None:
        self._server = server
        self._faults = server.faults
        self._wire = wire
        self.address = address
        self.number = number
        self._entry = b"frame %d" % number  # in the event log
        self.last_sent_s = server.monotonic_s()
        self._out = _Lane(server, self._write)
        self._in = _Lane(server, self._take)
        self.connection = Connection(server, self, address, server.limits.source(address))

    def receive(self, text: str) -> None:
        """Take one text frame of the client."""
        if self._faults.frames or self._in.queue:
            self._pass(self._in, "in", text.encode(errors="replace"))
        else:
            self.connection.receive(text)

    def send(self, payload: bytes) -> None:
        """Send one text frame to the client; one too far behind is cut off, one that is going hears nothing more."""
        if self._wire.is_closing():
            return
        if self._wire.backlog() + self._out.size > MAX_BACKLOG:
            self.abort()
            return
        self.last_sent_s = self._server.monotonic_s()
        if self._faults.frames or self._out.queue:
            self._pass(self._out, "out", payload)
        else:
            self._log_and_send(payload)

    def abort(self) -> None:
        """Drop the socket without a close frame."""
        self.shut()
        self._wire.abort()

    def release(self) -> None:
        """Let through what waits its turn in order."""
        self._in.release()
        self._out.release()

    def shut(self) -> None:
        """Lose what faults hold back."""
        self._in.shut()
        self._out.shut()

    def _pass(self, lane: _Lane, way: Way, frame: bytes) -> None:
        passage = self._faults.passage(self, way, frame)
        if passage.is_cut:
            self.abort()
            return
        if not passage.is_lost:
            lane.put(passage.frame, passage.delay_ms, in_order=not passage.is_overtaken)
            for apart_ms in passage.again_ms:
                lane.put(passage.frame, passage.delay_ms + apart_ms, in_order=apart_ms == 0)

    def _write(self, payload: bytes) -> None:
        if not self._wire.is_closing():
            self._log_and_send(payload)

    def _log_and_send(self, payload: bytes) -> None:
        self._server.venue.event_log.add(self._entry, payload)
        self._wire.send(payload)

    def _take(self, frame: bytes) -> None:
        if not self._wire.is_closing():
            self.connection.receive(frame.decode(errors="replace"))


class _Lane:
    """Frames of one direction that wait for their time; `queue` holds those that nothing may overtake."""

    __slots__ = ("_deliver", "_server", "_timers", "queue", "size")

    def __init__(self, server: Server, deliver: Callable[[bytes], None]) -> None:
        self._server = server
        self._deliver = deliver
        self.queue: deque[tuple[float, bytes]] = deque()
        self._timers: dict[Handle, None] = {}
        self.size = 0

    def put(self, frame: bytes, delay_ms: int, *, in_order: bool) -> None:
        """Deliver a frame after a delay; in order: not before those put earlier."""
        due_s = self._server.monotonic_s() + delay_ms / 1_000
        if not in_order:
            self._later(due_s, lambda: self._arrive(frame))
            self.size += len(frame)
        elif delay_ms == 0 and not self.queue:
            self._deliver(frame)
        else:
            due_s = max(due_s, self.queue[-1][0]) if self.queue else due_s
            self.queue.append((due_s, frame))
            self.size += len(frame)
            if len(self.queue) == 1:
                self._later(due_s, self._run)

    def release(self) -> None:
        """Deliver at once what waits in order."""
        while self.queue:
            self._arrive(self.queue.popleft()[1])

    def shut(self) -> None:
        """Lose what waits."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.queue.clear()
        self.size = 0

    def _later(self, due_s: float, callback: Callable[[], None]) -> None:
        def fire() -> None:
            self._timers.pop(handle, None)
            callback()

        handle = self._server.call_later(max(0.0, due_s - self._server.monotonic_s()), fire)
        self._timers[handle] = None

    def _arrive(self, frame: bytes) -> None:
        self.size -= len(frame)
        self._deliver(frame)

    def _run(self) -> None:
        now_s = self._server.monotonic_s()
        while self.queue and self.queue[0][0] <= now_s + 1e-6:
            self._arrive(self.queue.popleft()[1])
        if self.queue:
            self._later(self.queue[0][0], self._run)
