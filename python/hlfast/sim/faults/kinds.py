"""What every fault has in common: when it holds, how often it strikes, and what it may do at its edges."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from hlfast.sim.server import Server

DAY_MS = 86_400_000
Millis = Annotated[int, Meta(ge=0, le=30 * DAY_MS)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Address = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$")]


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A range of milliseconds to draw from, both ends included."""

    least: Millis = 0
    most: Millis = 0

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise ValueError(f"least {self.least} is above most {self.most}")

    def draw(self, rng: random.Random) -> int:
        """Return a number of milliseconds."""
        return rng.randint(self.least, self.most)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """A fault as written in schedules and control requests.

    Attributes:
        after_ms: when it begins, counted from its schedule's start (or from the control request).
        for_ms: how long it holds; 0: until it is cleared. Faults that strike once do so at their beginning.
    """

    after_ms: Millis = 0
    for_ms: Millis = 0

    def begin(self, scene: Scene) -> None:
        """Do what happens once, when the fault begins."""

    def end(self, scene: Scene) -> None:
        """Undo what `begin` left behind."""


@dataclass(slots=True, eq=False)
class Scene:
    """A fault at work: its own random numbers, so that leaving another fault out changes nothing here."""

    number: int
    fault: Fault
    server: Server
    rng: random.Random
    state: str = "waiting"  # then "active", then "over"
    count: int = 0
    ends_ms: int | None = None  # venue time, None: until cleared
    sockets: set[int] | None = None  # the sockets that it concerns; None: all
    kept: dict[str, object] = field(default_factory=dict)  # what `end` puts back

    def left_ms(self) -> int:
        """Return how long the fault still holds; a day when nobody has said."""
        return DAY_MS if self.ends_ms is None else max(0, self.ends_ms - self.server.venue.now_ms())

    def strikes(self, share: float) -> bool:
        """Draw whether the fault strikes, and count it when it does."""
        if share < 1.0 and self.rng.random() >= share:
            return False
        self.hit()
        return True

    def hit(self) -> None:
        """Count the fault once."""
        self.count += 1
        kind = self.fault.__struct_config__.tag
        self.server.faults.struck[str(kind)] += 1
