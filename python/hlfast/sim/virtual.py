"""An event loop whose time is a number: it jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable


class StuckError(RuntimeError):
    """No callback is ready and no timer is set: what the run waits for can't happen."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs callbacks and timers in one thread, in the same order each time.

    It serves no file descriptors: sockets, subprocesses, executors and signals don't wake it. Its clock starts at 0 s.

    Args:
        start_ms: what `now_ms` returns at first, in Unix ms.
    """

    def __init__(self, start_ms: int = 1_790_000_000_000) -> None:
        self._now_s = 0.0
        self._start_ms = self._now_ms = start_ms
        super().__init__(_Jump(self._advance))

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now_s

    def now_ms(self) -> int:
        """Return virtual Unix time in ms."""
        return self._now_ms

    def _advance(self, seconds: float) -> None:
        self._now_s += seconds
        # Timers are sums of floats: a microsecond's rounding keeps 0.57 s from being 569 ms.
        self._now_ms = self._start_ms + round(self._now_s * 1_000_000) // 1_000


class _Jump(selectors.SelectSelector):
    """Takes the loop's waits and spends them at once."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return nothing, `timeout` seconds later.

        Raises:
            StuckError: there is no time-out, so nothing would ever happen.
        """
        if timeout is None:
            raise StuckError("no callback is ready and no timer is set")
        if timeout > 0:
            self._advance(timeout)
        return []
