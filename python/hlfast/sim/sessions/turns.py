"""The clock of turns: it stands still while the venue works, and every timer has a name that a replay finds again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_turn: ContextVar[int] = ContextVar("turn", default=0)


class Turns:
    """Time and names of one recording or replay. Turns are numbered; a timer is named by the turn that set it."""

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms
        self._start_ms = start_ms
        self._timers_of: Counter[int] = Counter()
        self._turns = 0

    def now_ms(self) -> int:
        """Return the clock of the present turn, in Unix ms."""
        return self._now_ms

    def monotonic_s(self) -> float:
        """Return seconds since the start, by the same clock."""
        return (self._now_ms - self._start_ms) / 1_000

    def name_timer(self) -> str:
        """Return the name of a timer that is being set.

        Names come from the turn and not from a running number: what a waiting request does when it goes on may come
        before or after another client's turn, and is the same turn either way.
        """
        turn = _turn.get()
        self._timers_of[turn] += 1
        return f"{turn}.{self._timers_of[turn]}"

    @contextmanager
    def turn(self, now_ms: int) -> Iterator[None]:
        """Let the venue work at one reading of the clock, which never runs backwards."""
        self._now_ms = max(self._now_ms, now_ms)
        self._turns += 1
        token = _turn.set(self._turns)
        try:
            yield
        finally:
            _turn.reset(token)


class Named:
    """A timer by name; calling it off tells its owner."""

    __slots__ = ("_on_cancel",)

    def __init__(self, on_cancel: Callable[[], None]) -> None:
        self._on_cancel = on_cancel

    def cancel(self) -> None:
        """Call it off; nothing happens when it has run."""
        self._on_cancel()
