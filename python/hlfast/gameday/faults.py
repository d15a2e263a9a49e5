"""Which faults a seed brings, how often, and when: drawn per kind, so that leaving one out moves no other's dice."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

# Kind → (least, most): a probability per opportunity, or a rate per hour for those that come by the clock.
PER_OPPORTUNITY: Final[dict[str, tuple[float, float]]] = {
    "frame_dropped": (0.001, 0.05),
    "fills_lost": (0.03, 0.4),  # a leader's fills that no connection brings; in some seeds alone, see `_SOME`
    "frame_doubled": (0.005, 0.2),
    "frame_late": (0.005, 0.1),  # overtaken by later ones, up to 2 s
    "frame_garbled": (0.0005, 0.01),
    "request_lost": (0.005, 0.1),  # an action that never reaches the venue, and nothing says so
    "answer_lost": (0.005, 0.15),
    "answer_garbled": (0.005, 0.1),  # a wrong count of statuses, cut JSON
    "error_while_executing": (0.005, 0.2),  # 5xx at once, the action reaches the venue up to 600 s later
    "request_late": (0.005, 0.1),
    "busy": (0.005, 0.1),  # 429: nothing happened
    "server_error": (0.005, 0.1),  # 5xx: nothing happened
    "read_lost": (0.01, 0.2),
    "read_error": (0.01, 0.2),
    "read_late": (0.01, 0.2),
    "status_lags": (0.05, 0.5),  # orderStatus does not know an order of the last 4 s
    "dial_refused": (0.05, 0.5),
    "crash_at_send": (0.001, 0.02),  # killed between two writes of one fan-out
}
PER_HOUR: Final[dict[str, tuple[float, float]]] = {
    "cut": (20, 600),
    "silence": (10, 120),  # a socket that stays open and brings nothing
    "crash": (10, 90),
    "power": (10, 60),
    "pause": (10, 90),
    "slow_network": (10, 120),
    "halt": (5, 40),
    "coin_halt": (30, 200),  # orders of one coin are refused; in some seeds alone
    "delisting": (20, 60),  # once: a coin that a follower holds, for ever; in some seeds alone
    "thin_book": (10, 120),
    "price_jump": (10, 200),
    "disk_full": (5, 40),
    "second_engine": (10, 60),
    "clone": (5, 40),  # a copy of the journal on another machine: beside this engine, or in its place while it sleeps
    "agent_revoked": (2, 20),
    "outage": (2, 12),  # everything at /exchange fails for minutes while part of it executes
}
KINDS: Final = (*PER_OPPORTUNITY, *PER_HOUR)
# Kind → (every, at): only seeds that leave `at` when divided by `every` have it. Kept seeds stay what they were.
_SOME: Final = {"fills_lost": (10, 2), "coin_halt": (17, 15), "delisting": (17, 4)}
# A crash must not become the only thing that ever happens.
_MOST: Final = {"crash_at_send": 6, "agent_revoked": 1, "outage": 1, "delisting": 1, "frame_garbled": 30}


@dataclass
class Struck:
    """One fault as it happened."""

    kind: str
    number: int  # of its kind, from 0
    at_ms: int
    what: str


@dataclass
class Faults:
    """The faults of one seed.

    Args:
        seed: all dice.
        without: kinds left out.
        spared: single faults left out, as (kind, number).
        only: these kinds and no others, whatever the dice say; None leaves it to them.
    """

    seed: int
    without: frozenset[str] = frozenset()
    spared: frozenset[tuple[str, int]] = frozenset()
    only: frozenset[str] | None = None
    active: bool = False
    struck: list[Struck] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._dice = {kind: random.Random(f"{self.seed}/{kind}") for kind in KINDS}  # noqa: S311 - to be repeated
        self._level: dict[str, float] = {}
        for kind, (least, most) in (PER_OPPORTUNITY | PER_HOUR).items():
            dice = self._dice[kind]
            on = dice.random() < 0.5
            level = math.exp(dice.uniform(math.log(least), math.log(most)))
            if kind in _SOME:
                every, at = _SOME[kind]
                on = self.seed % every == at
            if self.only is not None:
                on = kind in self.only
            self._level[kind] = level if on and kind not in self.without else 0.0

    @property
    def enabled(self) -> list[str]:
        """The kinds that this seed has."""
        return [kind for kind in KINDS if self._level[kind]]

    def dice(self, kind: str) -> random.Random:
        """Chance for a kind's details."""
        return self._dice[kind]

    def strikes(self, kind: str, at_ms: int, what: str = "") -> bool:
        """Whether this opportunity for a fault is taken; if so, it is noted."""
        level = self._level[kind]
        if not self.active or not level or self._dice[kind].random() >= level:
            return False
        return self.note(kind, at_ms, what)

    def note(self, kind: str, at_ms: int, what: str = "") -> bool:
        """Count a fault; False when it is spared or its kind had enough."""
        number = self.counts[kind]
        if number >= _MOST.get(kind, 1_000_000):
            return False
        self.counts[kind] += 1
        if (kind, number) in self.spared:
            return False
        self.struck.append(Struck(kind, number, at_ms, what))
        return True

    def times(self, kind: str, seconds: float) -> Iterable[float]:
        """When a kind that comes by the clock strikes, in seconds from the start of `seconds` of chaos."""
        level = self._level[kind]
        at = 0.0
        while level:
            at += self._dice[kind].expovariate(level / 3600)
            if at >= seconds:
                return
            yield at
