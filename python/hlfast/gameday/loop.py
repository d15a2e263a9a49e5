"""One loop, one time, several processes: the simulator's virtual loop, on which each callback belongs to a host.

A process that is killed never runs again, whatever it had waiting; a stopped one goes on later where it was. Which
process a callback belongs to is in its context, as every task inherits it.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any, Literal

from hlfast.sim.virtual import StuckError, VirtualLoop

_EPSILON_S = 1e-9
_COMPACT_ABOVE = 100


class Life:
    """One life of a simulated process, as the loop sees it."""

    def __init__(self) -> None:
        self.state: Literal["running", "stopped", "dead"] = "running"
        self.held: list[asyncio.Handle] = []
        self.context: Context = copy_context()
        self.context.run(_life.set, self)


_life: ContextVar[Life | None] = ContextVar("life", default=None)


class HostLoop(VirtualLoop):
    """Runs what is ready in turns; within a turn the order of the processes is drawn, that of one process is kept.

    Args:
        seed: of the order.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = random.Random(seed)  # noqa: S311 - a schedule that can be repeated, not a secret
        self.turns = 0

    def start(self, life: Life, work: Callable[[], Any]) -> None:
        """Run `work` in a process's context, in a turn of its own."""
        self.call_soon(work, context=life.context)

    def stop_life(self, life: Life) -> None:
        """Hold a process, as SIGSTOP does."""
        if life.state == "running":
            life.state = "stopped"

    def continue_life(self, life: Life) -> None:
        """Let it go on, with everything that fell due meanwhile."""
        if life.state == "stopped":
            life.state = "running"
            self._ready.extend(life.held)  # type: ignore[attr-defined]
            life.held = []

    def end_life(self, life: Life) -> None:
        """Kill a process: nothing of it runs again."""
        life.state = "dead"
        life.held = []

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:  # noqa: SLF001 - this is the loop's own half of a handle
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            heapq.heappop(scheduled)._scheduled = False  # noqa: SLF001
        if not ready:
            if not scheduled:
                raise StuckError("no callback is ready and no timer is set")
            self._now_s = max(self._now_s, scheduled[0]._when)  # noqa: SLF001
        due = self._now_s + _EPSILON_S
        while scheduled and scheduled[0]._when <= due:  # noqa: SLF001
            handle = heapq.heappop(scheduled)
            handle._scheduled = False  # noqa: SLF001
            if handle._cancelled:  # noqa: SLF001
                self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            else:
                ready.append(handle)
        self.turns += 1
        if len(ready) == 1:
            self._run_handle(ready.popleft())
        else:
            turn = [ready.popleft() for _ in range(len(ready))]
            for handle in self._ordered(turn):
                self._run_handle(handle)

    def _ordered(self, turn: list[asyncio.Handle]) -> list[asyncio.Handle]:
        lives: dict[int, list[asyncio.Handle]] = {}
        for handle in turn:
            lives.setdefault(id(handle._context.get(_life)), []).append(handle)  # type: ignore[attr-defined]  # noqa: SLF001
        if len(lives) == 1:
            return turn
        groups = list(lives.values())
        self._rng.shuffle(groups)
        return [handle for group in groups for handle in group]

    @staticmethod
    def _run_handle(handle: asyncio.Handle) -> None:
        if handle._cancelled:  # noqa: SLF001
            return
        life = handle._context.get(_life)  # type: ignore[attr-defined]  # noqa: SLF001
        if life is None or life.state == "running":
            handle._run()  # noqa: SLF001
        elif life.state == "stopped":
            life.held.append(handle)
