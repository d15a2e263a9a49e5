"""The venue inside its client's process: the same doors, no sockets, no threads, no clock but the loop's.

On an event loop whose time jumps to its next timer, a run is as fast as its work and the same each time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from hlfast.sim.connection import MAX_FRAME
from hlfast.sim.faults import Faults
from hlfast.sim.server import Server
from hlfast.sim.settings import Settings

# Close codes of RFC 6455 that a client sees.
NORMAL, ABNORMAL, NOT_UTF8, TOO_BIG = 1000, 1006, 1007, 1009


class InProcess:
    """One venue and the clients that reach it by calls.

    Args:
        settings: the venue's switches; here, unlike on a port, `verify` may be off.
        loop: runs the venue's timers and hands frames over; nothing happens between its turns.
        now_ms: the venue's Unix time in ms. It should advance with `loop.time()`.
        faults: what goes wrong; its schedule starts now.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        loop: asyncio.AbstractEventLoop,
        now_ms: Callable[[], int],
        faults: Faults | None = None,
    ) -> None:
        self.server = Server(settings, now_ms, loop.time, faults)
        self._loop = loop
        self._wires: dict[_Wire, None] = {}
        self.server.run(loop)

    async def request(self, source: str, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Send an HTTP request from a client address; returns status and body.

        The answer to an action comes with its block. It may never come: the caller brings the time-out.

        Raises:
            ConnectionResetError: a fault cut the connection.
        """
        reply = await self.server.doors.request(source, method, path, body)
        return reply.status, reply.body

    def connect(self, source: str, on_frame: Callable[[bytes], None], on_close: Callable[[int], None]) -> Socket:
        """Open a WebSocket from a client address.

        Args:
            source: the client's address, which its limits belong to.
            on_frame: called with each text frame, in order, in a turn of its own of the loop.
            on_close: called once, after the last frame, with the close code: 1000 after the client's own `close`,
                1006 when the venue drops the socket, 1007 and 1009 for frames that no server takes.

        Raises:
            ConnectionRefusedError: the address has too many sockets or opens them too fast, or a fault refuses them.
        """
        refusal = self.server.refusal(source)
        if refusal is not None:
            raise ConnectionRefusedError(f"{refusal.status}: {source} may not connect now")

        def on_end(code: int) -> None:
            del self._wires[wire]
            on_close(code)

        wire = _Wire(self.server, self._loop, source, on_frame, on_end)
        self._wires[wire] = None
        return Socket(wire)

    async def stop(self) -> None:
        """Stop the venue's clock and drop every socket; `on_close` of each has been called on return."""
        self.server.stop()
        for wire in list(self._wires):
            wire.end()


class Socket:
    """The client's end of a WebSocket."""

    __slots__ = ("_wire",)

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def send(self, frame: bytes) -> None:
        """Send one text frame; after the end of the socket it goes nowhere, as with any transport."""
        self._wire.to_venue.put(frame)

    def close(self) -> None:
        """Close the socket; frames on their way to either side are lost."""
        self._wire.close(NORMAL)


class _Way:
    """One direction of a socket. One callback at a time keeps the order even on a loop that shuffles what is ready."""

    __slots__ = ("_frames", "_hand_over", "_is_due", "_loop", "size")

    def __init__(self, loop: asyncio.AbstractEventLoop, hand_over: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._hand_over: Callable[[bytes], None] | None = hand_over
        self._frames: deque[bytes] = deque()
        self._is_due = False
        self.size = 0

    def put(self, frame: bytes) -> None:
        """Queue a frame for the loop's next turn."""
        if self._hand_over is None:
            return
        self._frames.append(frame)
        self.size += len(frame)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._run)

    def shut(self) -> None:
        """Drop what is queued and take no more."""
        self._hand_over = None
        self._frames.clear()

    def _run(self) -> None:
        self._is_due = False
        # What the callbacks add waits for the next turn: a ping-pong of two sides never keeps the loop to itself.
        for _ in range(len(self._frames)):
            if self._hand_over is None:
                return
            frame = self._frames.popleft()
            self.size -= len(frame)
            self._hand_over(frame)


class _Wire:
    """The venue's end of a socket: what `Connection` writes to."""

    def __init__(
        self,
        server: Server,
        loop: asyncio.AbstractEventLoop,
        source: str,
        on_frame: Callable[[bytes], None],
        on_end: Callable[[int], None],
    ) -> None:
        self._server = server
        self._loop = loop
        self._on_end = on_end
        self._code: int | None = None
        self._has_ended = False
        self.to_venue = _Way(loop, self._receive)
        self._to_client = _Way(loop, on_frame)
        self._link = server.attach(self, source)

    def is_closing(self) -> bool:
        """Tell whether the socket is gone or going."""
        return self._code is not None

    def backlog(self) -> int:
        """Return the bytes that the client hasn't been handed yet."""
        return self._to_client.size

    def send(self, payload: bytes) -> None:
        """Write one text frame."""
        self._to_client.put(payload)

    def abort(self) -> None:
        """Drop the socket without a close frame."""
        self.close(ABNORMAL)

    def close(self, code: int) -> None:
        """Let nothing more through, and end the socket in the loop's next turn."""
        if self._code is None:
            self._code = code
            self.to_venue.shut()
            self._to_client.shut()
            self._loop.call_soon(self.end)

    def end(self) -> None:
        """Take the socket off the venue's books and tell the client; the second call does nothing."""
        if self._has_ended:
            return
        self.close(ABNORMAL)
        self._has_ended = True
        self._server.detach(self._link)
        self._on_end(self._code or ABNORMAL)

    def _receive(self, frame: bytes) -> None:
        if len(frame) > MAX_FRAME:
            self.close(TOO_BIG)
            return
        try:
            text = frame.decode()
        except UnicodeDecodeError:
            self.close(NOT_UTF8)
            return
        self._link.receive(text)
