"""Rule 31: latches that a loss trips, of an account or of one edge. The day is UTC, and nothing here lifts one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.reference.world import DAY_MS

if TYPE_CHECKING:
    from hlfast.config.model import Follow, Follower

ZERO = Decimal(0)


@dataclass
class Losses:
    """What somebody has earned, reading by reading."""

    last: Decimal | None = None
    last_day: int = -1
    morning: Decimal = ZERO  # what it had earned when the day began
    best: Decimal = ZERO
    tripped: bool = False

    def read(self, limits: Follower | Follow, now_ms: int, earned: Decimal, worth: Decimal = ZERO) -> bool:
        """One reading; `worth` is what an account would be sold for. True: it trips now."""
        day = now_ms // DAY_MS
        if self.last is None:
            self.best = earned
        if day != self.last_day:
            # The last reading before midnight; after a day without one, the first behind it.
            self.morning = self.last if self.last is not None and day == self.last_day + 1 else earned
        self.last, self.last_day, self.best = earned, day, max(self.best, earned)
        fall = self.best - earned
        bps = getattr(limits, "max_drawdown_bps", None)
        reached = (
            _reached(self.morning - earned, limits.max_daily_loss_usd)
            or _reached(fall, limits.max_drawdown_usd)
            or (bps is not None and fall / (worth + fall) * 10_000 >= bps)
        )
        trips, self.tripped = reached and not self.tripped, reached or self.tripped
        return trips


def _reached(loss: Decimal, limit: str | None) -> bool:
    return limit is not None and loss >= Decimal(limit)


def is_limited(one: Follower | Follow) -> bool:
    """Whether there is anything that it may not lose."""
    limits = (one.max_daily_loss_usd, one.max_drawdown_usd, getattr(one, "max_drawdown_bps", None))
    return any(limit is not None for limit in limits)
