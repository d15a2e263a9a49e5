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


class Link:
    """The connection's wire, and the carrier's way to it."""

    def __init__(self, server: Server, wire: Wire, address: str, number: int) -> None:
        self._server = server
        self._wire = wire
        self.address = address
        self.number = number
        self._out = _Lane(server, self._write)
        self._in = _Lane(server, self._take)
        self.connection = Connection(server, self, address, server.limits.source(address))

    def receive(self, text: str) -> None:
        """Take one text frame of the client."""
        if self._server.faults.has_frames or not self._in.is_idle():
            self._pass(self._in, "in", text.encode(errors="replace"))
        else:
            self.connection.receive(text)

    def send(self, payload: bytes) -> None:
        """Send one text frame to the client."""
        if self._server.faults.has_frames or not self._out.is_idle():
            self._pass(self._out, "out", payload)
        else:
            self._write(payload)

    def is_closing(self) -> bool:
        """Tell whether the socket is gone or going."""
        return self._wire.is_closing()

    def backlog(self) -> int:
        """Return the bytes that the client hasn't taken yet, held ones included."""
        return self._wire.backlog() + self._out.size

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
        passage = self._server.faults.passage(self, way, frame)
        if passage.is_cut:
            self.abort()
            return
        if not passage.is_lost:
            lane.put(passage.frame, passage.delay_ms, in_order=not passage.is_overtaken)
            for apart_ms in passage.again_ms:
                lane.put(passage.frame, passage.delay_ms + apart_ms, in_order=apart_ms == 0)

    def _write(self, payload: bytes) -> None:
        if not self._wire.is_closing():
            self._server.venue.event_log.add(b"frame %d" % self.number, payload)
            self._wire.send(payload)

    def _take(self, frame: bytes) -> None:
        if not self._wire.is_closing():
            self.connection.receive(frame.decode(errors="replace"))


class _Lane:
    """Frames of one direction that wait for their time."""

    __slots__ = ("_deliver", "_queue", "_server", "_timers", "size")

    def __init__(self, server: Server, deliver: Callable[[bytes], None]) -> None:
        self._server = server
        self._deliver = deliver
        self._queue: deque[tuple[float, bytes]] = deque()
        self._timers: dict[Handle, None] = {}
        self.size = 0

    def is_idle(self) -> bool:
        """Tell whether a frame put now would overtake nothing."""
        return not self._queue

    def put(self, frame: bytes, delay_ms: int, *, in_order: bool) -> None:
        """Deliver a frame after a delay; in order: not before those put earlier."""
        due_s = self._server.monotonic_s() + delay_ms / 1_000
        if not in_order:
            self._later(due_s, lambda: self._arrive(frame))
            self.size += len(frame)
        elif delay_ms == 0 and not self._queue:
            self._deliver(frame)
        else:
            due_s = max(due_s, self._queue[-1][0]) if self._queue else due_s
            self._queue.append((due_s, frame))
            self.size += len(frame)
            if len(self._queue) == 1:
                self._later(due_s, self._run)

    def release(self) -> None:
        """Deliver at once what waits in order."""
        while self._queue:
            self._arrive(self._queue.popleft()[1])

    def shut(self) -> None:
        """Lose what waits."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._queue.clear()
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
        while self._queue and self._queue[0][0] <= now_s + 1e-6:
            self._arrive(self._queue.popleft()[1])
        if self._queue:
            self._later(self._queue[0][0], self._run)
