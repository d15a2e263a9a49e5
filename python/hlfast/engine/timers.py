"""The tick, the loop's lag, and the loop that never sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from hlfast.venue.ports import REAL

TICK_MS: Final = 20
_MS_NS: Final = 1_000_000
# Further behind than this (a stopped process, a suspended machine) the missed ticks are dropped, not made up for.
_FORGET_NS: Final = 1_000 * _MS_NS


class Ticker:
    """Calls `on_tick` every 20 ms without drift, and reports how late each call was.

    uvloop's timers have whole milliseconds, so lags below 1 ms are rounding as much as lag.

    Args:
        on_tick: called on the loop.
        on_lag: called with nanoseconds, zero or more.
        period_ms: between calls.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        on_tick: Callable[[], None],
        on_lag: Callable[[int], None],
        *,
        period_ms: int = TICK_MS,
        clock: Callable[[], int] = REAL.monotonic_ns,
    ) -> None:
        self._on_tick = on_tick
        self._on_lag = on_lag
        self._period_ns = period_ms * _MS_NS
        self._clock = clock
        self._due_ns = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; the first call comes one period from now."""
        self._loop = asyncio.get_running_loop()
        now_ns = self._clock()
        self._due_ns = now_ns + self._period_ns
        self._arm(now_ns)

    def stop(self) -> None:
        """End. Safe to call twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def fire(self) -> None:
        """One tick: what the timer calls."""
        now_ns = self._clock()
        late_ns = max(0, now_ns - self._due_ns)
        self._on_lag(late_ns)
        self._due_ns = now_ns + self._period_ns if late_ns > _FORGET_NS else self._due_ns + self._period_ns
        self._arm(now_ns)
        self._on_tick()

    def _arm(self, now_ns: int) -> None:
        wait_ns = max(0, self._due_ns - now_ns)
        self._timer = self._loop.call_later(wait_ns / 1e9, self.fire)


class BusyPoll:
    """Keeps the loop from sleeping: a callback that is always due makes each poll of the sockets return at once.

    It takes one core whole. It saves the wake-up of a sleeping process, which costs more than signing does.
    """

    def __init__(self) -> None:
        self._on = False
        self.turns = 0

    def start(self) -> None:
        """Begin to spin on the running loop."""
        self._on = True
        call_soon = asyncio.get_running_loop().call_soon

        def turn() -> None:
            self.turns += 1
            if self._on:
                call_soon(turn)

        call_soon(turn)

    def stop(self) -> None:
        """Let the loop sleep again."""
        self._on = False
