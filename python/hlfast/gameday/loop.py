"""One loop, one time, several processes: the simulator's virtual loop, on which each callback belongs to a host.

A process that is killed never runs again, whatever it had waiting; a stopped one goes on later where it was. Which
process a callback belongs to is in its context, as every task inherits it.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from typing import Any, Literal

from hlfast.sim.virtual import StuckError, VirtualLoop

_EPSILON_S = 1e-9


class Life:
    """One life of a simulated process, as the loop sees it."""

    def __init__(self) -> None:
        self.state: Literal["running", "stopped", "dead"] = "running"
        self.held: list[Due] = []
        self.context: Context = copy_context()
        self.context.run(_life.set, self)


_life: ContextVar[Life | None] = ContextVar("life", default=None)


class Due:
    """A callback that is to run: what asyncio's handles are to their users, at a third of the cost."""

    __slots__ = ("_when_s", "arguments", "callback", "context", "is_cancelled")

    def __init__(
        self, callback: Callable[..., Any], arguments: tuple[Any, ...], context: Context | None, when_s: float
    ) -> None:
        self.callback = callback
        self.arguments = arguments
        self._when_s = when_s
        self.context = context if context is not None else copy_context()
        self.is_cancelled = False

    def cancel(self) -> None:
        """Never run it."""
        self.is_cancelled = True
        self.callback = _nothing
        self.arguments = ()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.is_cancelled

    def when(self) -> float:
        """When it is due, in seconds of the loop."""
        return self._when_s


def _nothing() -> None:
    """What is left of a cancelled callback."""


class HostLoop(VirtualLoop):
    """Runs what is ready in turns; within a turn the order of the processes is drawn, that of one process is kept.

    Args:
        seed: of the order.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = random.Random(seed)  # noqa: S311 - a schedule that can be repeated, not a secret
        self._soon: deque[Due] = deque()
        # What falls due at one time runs in the order in which it was set.
        self._timers: list[tuple[float, int, Due]] = []
        self._set = 0
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
            self._soon.extend(life.held)
            life.held = []

    def end_life(self, life: Life) -> None:
        """Kill a process: nothing of it runs again."""
        life.state = "dead"
        life.held = []

    # asyncio's own, for one thread and without its debug mode

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Due:  # type: ignore[override]
        """Run a callback in the next turn."""
        due = Due(callback, args, context, self._now_s)
        self._soon.append(due)
        return due

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Due:
        """Run a callback after `delay` seconds."""
        when = self._now_s + delay
        due = Due(callback, args, context, when)
        self._set += 1
        heappush(self._timers, (when, self._set, due))
        return due

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Due:
        """Run a callback at a time of the loop."""
        due = Due(callback, args, context, when)
        self._set += 1
        heappush(self._timers, (when, self._set, due))
        return due

    def _run_once(self) -> None:
        """Take turns until the loop is to stop: asyncio asks between calls, which costs as much as a turn."""
        soon = self._soon
        while True:
            self._fall_due()
            self.turns += 1
            if len(soon) == 1:
                self._go(soon.popleft())
            else:
                turn = list(soon)
                soon.clear()
                for due in self._ordered(turn):
                    self._go(due)
            if self._stopping:  # type: ignore[attr-defined]  # asyncio's own, unknown to its stubs
                return

    def _fall_due(self) -> None:
        """Move what is due to what is ready, in the time of the next timer if nothing was ready."""
        soon, timers = self._soon, self._timers
        while timers and timers[0][2].is_cancelled:
            heappop(timers)
        if not soon:
            if not timers:
                raise StuckError("no callback is ready and no timer is set")
            self._advance(max(0.0, timers[0][0] - self._now_s))
        limit = self._now_s + _EPSILON_S
        while timers and timers[0][0] <= limit:
            soon.append(heappop(timers)[2])

    def _ordered(self, turn: list[Due]) -> list[Due]:
        lives: dict[int, list[Due]] = {}
        for due in turn:
            lives.setdefault(id(due.context.get(_life, None)), []).append(due)
        if len(lives) == 1:
            return turn
        groups = list(lives.values())
        self._rng.shuffle(groups)
        return [due for group in groups for due in group]

    def _go(self, due: Due) -> None:
        if due.is_cancelled:
            return
        life = due.context.get(_life, None)
        if life is None or life.state == "running":
            try:
                due.context.run(due.callback, *due.arguments)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio does: told, and the loop goes on
                self.call_exception_handler({"message": "an exception in a callback", "exception": error})
        elif life.state == "stopped":
            life.held.append(due)
