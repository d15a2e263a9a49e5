"""The hot path: a frame goes into the core and its orders onto the sockets within one callback.

No await, no queue, no log line. What the core does not take (acknowledgements, errors) is handed to the connection's
owner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from hlfast.engine.clock import VenueClock
from hlfast.engine.port import EnginePort, Sends, Writer
from hlfast.errors import HlfastError
from hlfast.venue.ports import REAL

_MS_NS: Final = 1_000_000


class FrameOwner(Protocol):
    """Whoever owns a connection."""

    data_ns: int  # monotonic time of the last frame that the core took in

    def notice(self, frame_class: int, payload: bytes) -> None:
        """A frame that was no business of the core: FRAME_ACK, FRAME_ERROR, FRAME_OTHER or FRAME_BAD."""


class Door:
    """Everything that comes in goes through here, and everything that the core answers leaves through here.

    Args:
        engine: the core.
        clock: venue time.
        on_fatal: told once, about the first exception that the core raised.
        monotonic_ns: the clock that frames are stamped with.

    Attributes:
        failures: exceptions of the core.
        unwritten: writes that a lane did not take; the core treats these posts as unknown.
    """

    def __init__(
        self,
        engine: EnginePort,
        clock: VenueClock,
        on_fatal: Callable[[BaseException], None],
        monotonic_ns: Callable[[], int] = REAL.monotonic_ns,
    ) -> None:
        self.engine = engine
        self._monotonic_ns = monotonic_ns
        self.clock = clock
        self._on_fatal = on_fatal
        self._writers: dict[int, Writer] = {}
        self.failures = 0
        self.unwritten = 0
        self._closed = False

    def attach(self, lane: int, writer: Writer) -> None:
        """Name a lane's way out: called with (post id, bytes), it returns False when it could take nothing."""
        self._writers[lane] = writer

    def frames(self, source: int, owner: FrameOwner) -> Callable[[bytes, int], None]:
        """Make the frame callback of one connection; everything it uses is bound here, once."""
        step = self.engine.on_frame
        clock = self.clock
        write = self._write
        written = self.engine.observe_written
        fail = self._fail
        notice = owner.notice
        monotonic_ns = self._monotonic_ns

        def on_frame(payload: bytes, recv_ns: int) -> None:
            try:
                sends = step(source, payload, recv_ns, (recv_ns + clock.offset_ns) // _MS_NS)
                if sends is None:
                    owner.data_ns = recv_ns
                elif isinstance(sends, int):
                    notice(sends, payload)
                else:
                    owner.data_ns = recv_ns
                    write(sends)
                    written(monotonic_ns())
            except BaseException as error:  # noqa: BLE001 - a panic of the core is no Exception
                fail(error)

        return on_frame

    def _write(self, sends: Sends | None) -> None:
        """Write what the core answered, then its further chunks, each as soon as it is planned."""
        if sends is None:
            return
        writers = self._writers
        next_chunk = self.engine.next_chunk
        now_ms = self.clock.now_ms
        while sends is not None:
            for lane, post_id, data in sends:
                if writers[lane](post_id, data) is False:
                    # The lane went down a moment ago. The core learns it from source_down and treats the post as
                    # unknown.
                    self.unwritten += 1
            sends = next_chunk(now_ms())

    def source_up(self, source: int, kind: str) -> None:
        """A connection is open; its subscriptions are on their way."""
        self._guard(lambda: self.engine.source_up(source, kind, self.clock.now_ms()))

    def source_down(self, source: int) -> None:
        """A connection is gone."""
        self._guard(lambda: self.engine.source_down(source, self.clock.now_ms()))

    def http_lane_up(self, lane: int) -> None:
        """Posts may go over HTTP."""
        self._guard(lambda: self.engine.http_lane_up(lane, self.clock.now_ms()))

    def http_answer(self, post_id: int, status: int, body: bytes) -> None:
        """What came back for a post over HTTP; status 0 when nothing did."""
        self._guard(lambda: self.engine.on_http_answer(post_id, status, body, self.clock.now_ms()))

    def info(self, token: int, status: int, body: bytes) -> None:
        """What came back for a read; status 0 when nothing did."""
        self._guard(lambda: self.engine.on_info(token, status, body, self.clock.now_ms()))

    def start(self) -> None:
        """Let the core settle what a former run left."""
        self._guard(lambda: self.engine.start(self.clock.now_ms()))

    def tick(self) -> None:
        """Let time pass. Some ten to fifty times a second, so without the detour of the other cold calls."""
        if self._closed:
            return
        try:
            self._write(self.engine.on_tick(self.clock.now_ms()))
        except BaseException as error:  # noqa: BLE001 - see above
            self._fail(error)

    def operate(self, request: bytes) -> bytes:
        """Carry out an operator's request; the core's answer.

        Raises:
            HlfastError: the core is closed or broken; whether it was carried out is not known.
        """
        if self._closed:
            raise HlfastError("the engine is stopping")
        try:
            answer, sends = self.engine.operate(request, self.clock.now_ms())
            self._write(sends)
        except BaseException as error:
            self._fail(error)
            raise
        return answer

    def close(self) -> None:
        """From now on the core hears nothing: its journal is about to be flushed for the last time."""
        self._closed = True

    def _guard(self, call: Callable[[], Sends | None]) -> None:
        """Run a cold call of the core and deliver its answer."""
        if self._closed:
            return
        try:
            self._write(call())
        except BaseException as error:  # noqa: BLE001 - see above
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self.failures += 1
        if self.failures == 1:
            self._on_fatal(error)
