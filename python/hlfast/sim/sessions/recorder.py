"""A server whose turns are written down."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hlfast.sim.connection import Wire
from hlfast.sim.doors import Reply
from hlfast.sim.faults.link import Link
from hlfast.sim.sessions.head import Head
from hlfast.sim.sessions.rows import Row, spelled
from hlfast.sim.sessions.turns import Named, Turns
from hlfast.sim.settings import Settings
from hlfast.sim.timers import Handle, Timers

FLUSH_S = 1.0  # a killed process loses this much of the recording at most


class Recorder:
    """Stands between a port and a server of its own, and between that server and its timers.

    Args:
        path: the file, made or overwritten.
        head: how the server is started; its ops run with `run`.
        now_ms: Unix ms; read once a turn.

    Raises:
        OSError: the file can't be written.
        ValueError: something in the head doesn't fit.
    """

    def __init__(self, path: Path, head: Head, now_ms: Callable[[], int]) -> None:
        self._head = head
        self._now_ms = now_ms
        self._turns = Turns(head.start_ms)
        self._server = head.server(self._turns.now_ms, self._turns.monotonic_s)
        self._loop: Timers | None = None
        self._requests = itertools.count(1)
        self._sockets = itertools.count(1)
        # Signed actions are in it, which the real venue might still take: nobody else reads them.
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._file.write(msgspec.json.encode(head) + b"\n")
        self._flushed_s = time.monotonic()

    @property
    def settings(self) -> Settings:
        """Every switch."""
        return self._server.settings

    def write(self, kind: str, **fields: Any) -> None:
        """Add a row at the present turn's time."""
        if self._file.closed:
            return
        self._file.write(msgspec.json.encode(Row(t=self._turns.now_ms(), kind=kind, **fields)) + b"\n")
        now = time.monotonic()
        if now - self._flushed_s > FLUSH_S:
            self._file.flush()
            self._flushed_s = now

    def run(self, loop: Timers) -> None:
        """Start the venue's clock on `loop` and run the head's ops; it starts once.

        Raises:
            ControlError: an op that doesn't fit.
        """
        if self._loop is None:
            self._loop = loop
            self._head.begin(self._server, self)

    def stop(self) -> None:
        """Close the file, then stop the venue: its end is no turn that a replay could repeat."""
        self._file.close()
        self._server.stop()

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:
        """Set a timer whose turn is written down when it comes.

        Raises:
            RuntimeError: the clock doesn't run.
        """
        if self._loop is None:
            raise RuntimeError("the venue's clock doesn't run: call `run` first")
        name = self._turns.name_timer()

        def fire() -> None:
            with self._turns.turn(self._now_ms()):
                self.write("timer", name=name)
                callback()

        return Named(self._loop.call_later(delay, fire).cancel)

    def _input(self) -> Any:
        return self._turns.turn(self._now_ms())

    async def request(self, source: str, method: str, path: str, body: bytes) -> Reply:
        """Answer one request of a client address.

        Raises:
            ConnectionResetError: a fault took the answer.
        """
        number = next(self._requests)
        with self._input():
            self.write("request", id=number, source=source, method=method, path=path, **spelled(body))
            try:
                reply = await self._server.request(source, method, path, body)
            except ConnectionResetError:
                self.write("no_answer", id=number)
                raise
        self.write("answer", id=number, status=reply.status, **spelled(reply.body))
        return reply

    def refusal(self, source: str) -> Reply | None:
        """Count a new socket of a client address; returns the HTTP answer when it may not open one."""
        with self._input():
            self.write("knock", source=source)
            refused = self._server.refusal(source)
            self.write("refused" if refused else "admitted", status=refused.status if refused else 0)
        return refused

    def attach(self, wire: Wire, source: str) -> RecordedSocket:
        """Take a new socket of a client address."""
        number = next(self._sockets)
        with self._input():
            self.write("open", id=number, source=source)
            recorded = RecordedWire(self, number, wire)
            return RecordedSocket(self, number, recorded, self._server.attach(recorded, source))

    def detach(self, socket: RecordedSocket) -> None:
        """Forget a socket that has gone."""
        with self._input():
            self.write("left", id=socket.number)
            socket.wire.is_over = True
            self._server.detach(socket.link)

    def take(self, socket: RecordedSocket, text: str) -> None:
        """Take one message of a client."""
        with self._input():
            self.write("said", id=socket.number, text=text)
            socket.link.receive(text)


class RecordedSocket:
    """The port's handle of a socket."""

    def __init__(self, recorder: Recorder, number: int, wire: RecordedWire, link: Link) -> None:
        self._recorder = recorder
        self.number = number
        self.wire = wire
        self.link = link

    def receive(self, text: str) -> None:
        """Take one message of the client."""
        self._recorder.take(self, text)


class RecordedWire:
    """Writes down what the venue sends.

    It closes in a turn: when the venue cuts it, or when the port says that the client left, not when the transport
    first feels the client's end.
    """

    def __init__(self, recorder: Recorder, number: int, wire: Wire) -> None:
        self._recorder = recorder
        self._number = number
        self._wire = wire
        self.is_over = False

    def is_closing(self) -> bool:
        """Tell whether the socket was cut or left."""
        return self.is_over

    def backlog(self) -> int:
        """Return the bytes that the client hasn't taken yet."""
        return self._wire.backlog()

    def send(self, payload: bytes) -> None:
        """Write one text frame, to the file and to the client."""
        self._recorder.write("told", id=self._number, **spelled(payload))
        if not self._wire.is_closing():
            self._wire.send(payload)

    def abort(self) -> None:
        """Drop the socket without a close frame."""
        if not self.is_over:
            self.is_over = True
            self._recorder.write("cut", id=self._number)
        self._wire.abort()
