"""What the venue needs of whatever makes its time pass; asyncio's loops fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Handle(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None:
        """Call it off; nothing happens when it has run."""


class Timers(Protocol):
    """Sets timers; callbacks run one at a time, on the venue's thread."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:
        """Run `callback` after `delay` seconds."""
