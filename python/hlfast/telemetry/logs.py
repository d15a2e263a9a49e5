"""Structured logs that cost the loop one append.

The loop only appends an event to a bounded ring; a thread of its own encodes and writes them as JSON lines a few times
a second. Why no logging library: docs/adr/0010.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from time import time_ns
from typing import Any, BinaryIO, Final

import msgspec

CAPACITY: Final = 4_096
_DRAIN_S: Final = 0.2
# A burst is written in portions, so that the thread never holds the interpreter for long.
_PORTION: Final = 64

Event = tuple[int, str, str, dict[str, Any]]


def minute(time_ms: int) -> str:
    """Write a time (Unix ms) as people read it; what no calendar has, as the number that it is."""
    try:
        return f"{datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time_ms):%Y-%m-%d %H:%M} UTC"
    except OverflowError:
        return f"{time_ms} ms"


class EventLog:
    """A ring of events, written as JSON lines by a thread.

    When the ring is full the oldest event goes, and the number lost is said.

    Args:
        stream: where the lines go; standard error by default.
        capacity: events held while the thread is busy.
    """

    def __init__(self, stream: BinaryIO | None = None, capacity: int = CAPACITY) -> None:
        self._ring: deque[Event] = deque(maxlen=capacity)
        self._seen = 0
        self._taken = 0
        self.lost = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._stream = stream or sys.stderr.buffer

    def start(self) -> None:
        """Start the writing thread."""
        self._thread = threading.Thread(target=self._run, name="hlfast-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left and end the thread. Safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
            self._thread = None
        self.drain()

    def info(self, event: str, **fields: Any) -> None:
        """Worth knowing."""
        self._emit("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something works less than it should."""
        self._emit("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Somebody must act."""
        self._emit("error", event, fields)

    def drain(self) -> None:
        """Write what is in the ring. Called by the thread; by tests and at the end directly."""
        while self._ring:
            portion = [self._ring.popleft() for _ in range(min(_PORTION, len(self._ring)))]
            self._taken += len(portion)
            self._write(portion)
        lost = self._seen - self._taken - len(self._ring) - self.lost
        if lost > 0:
            self.lost += lost
            self._write([(time_ns(), "warning", "log events lost", {"lost": lost})])

    def _write(self, events: list[Event]) -> None:
        lines = [
            msgspec.json.encode({"at_ms": at_ns // 1_000_000, "level": level, "event": event, **fields})
            for at_ns, level, event, fields in events
        ]
        try:
            self._stream.write(b"\n".join(lines) + b"\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.lost += len(events)  # nobody reads us any more; trading goes on

    def _emit(self, level: str, event: str, fields: dict[str, Any]) -> None:
        self._seen += 1
        self._ring.append((time_ns(), level, event, fields))

    def _run(self) -> None:
        while not self._stop.wait(_DRAIN_S):
            self.drain()
