"""A WebSocket connection that carries posts. Answers come back through the same socket's frames, into the same core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hlfast.venue.ports import REAL
from hlfast.venue.ws import Down, WsConnection


class Watcher(Protocol):
    """Who is told what happens to a lane."""

    def lane_up(self, lane: WsPostLane) -> None:
        """It takes posts."""

    def lane_down(self, lane: WsPostLane, reason: str) -> None:
        """It was open, and is gone: posts in flight on it are unknown."""

    def lane_error(self, lane: WsPostLane, text: str) -> None:
        """The venue complains, and does not say of which post."""


class WsPostLane:
    """One road for posts.

    Args:
        number: its source number, which is also its lane number.
        watcher: told of ups, downs and error texts.

    Attributes:
        data_ns: monotonic time of the last answer.
        up_ns: monotonic time of the opening; 0 when down.
        paused: the socket takes nothing more now; what is written waits in the transport.
        pauses: how often that happened.
    """

    def __init__(self, number: int, watcher: Watcher, *, clock: Callable[[], int] = REAL.monotonic_ns) -> None:
        self.number = number
        self.data_ns = 0
        self.up_ns = 0
        self.paused = False
        self.pauses = 0
        self._watcher = watcher
        self._clock = clock
        self._connection: WsConnection
        self._write: Callable[[bytes], bool]

    def attach(self, connection: WsConnection) -> None:
        """Give it its connection; once, before anything else."""
        self._connection = connection
        self._write = connection.write

    def start(self) -> None:
        """Begin to dial."""
        self._connection.start()

    async def close(self) -> None:
        """End for good."""
        await self._connection.close()

    def write(self, _post_id: int, frames: bytes) -> bool:
        """Hand ready frames to the transport in one write; False when the lane is down and nothing was handed over."""
        return self._write(frames)

    # called by the connection, on the loop

    def went_up(self) -> None:
        """The connection is open."""
        self.up_ns = self._clock()
        self._watcher.lane_up(self)

    def went_down(self, down: Down) -> None:
        """The connection ended, or could not be opened."""
        self.up_ns = 0
        self.paused = False
        if down.was_up:
            self._watcher.lane_down(self, down.reason)

    def pause(self) -> None:
        """The transport's buffer is full."""
        self.paused = True
        self.pauses += 1

    def resume(self) -> None:
        """The transport takes bytes again."""
        self.paused = False

    def notice(self, _frame_class: int, payload: bytes) -> None:
        """A frame that the core does not take; on a lane that is an error text whose post is not known."""
        self._watcher.lane_error(self, payload[:300].decode("utf-8", "replace"))
