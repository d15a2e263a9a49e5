"""Timers that fire when a desk's clock is moved over them."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from sim.desk import Desk


class Alarm:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Clockwork:
    """Time passes only in `run`; alarms of one moment ring in the order in which they were set."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._alarms: list[tuple[int, int, Alarm]] = []
        self._set = 0

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Alarm:
        alarm = Alarm(callback)
        self._set += 1
        heapq.heappush(self._alarms, (self._desk.now_ms + round(delay * 1_000), self._set, alarm))
        return alarm

    def run(self, duration_ms: int) -> None:
        end = self._desk.now_ms + duration_ms
        while self._alarms and self._alarms[0][0] <= end:
            due, _, alarm = heapq.heappop(self._alarms)
            self._desk.now_ms = max(self._desk.now_ms, due)
            if alarm.callback is not None:
                alarm.callback()
        self._desk.now_ms = end


def lively_desk(**switches: Any) -> tuple[Desk, Clockwork]:
    """Return a desk whose plays run on clockwork."""
    desk = Desk(**switches)
    clockwork = Clockwork(desk)
    desk.server.control.plays._call_later = clockwork.call_later
    return desk, clockwork
