"""The venue's limits per source address (documents of August 2026), enforced only with `limits = "venue"`."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from hlfast.sim.settings import Settings

MINUTE_S = 60.0
WEIGHT_PER_MINUTE = 1_200
CONNECTIONS = 10
NEW_CONNECTIONS_PER_MINUTE = 30
SUBSCRIPTIONS = 1_000
MESSAGES_PER_MINUTE = 2_000
POSTS_IN_FLIGHT = 100
MAX_SOURCES = 10_000  # addresses remembered; beyond it, those that have been quiet for a minute go

_WEIGHTS = dict.fromkeys(
    (
        "l2Book",
        "allMids",
        "clearinghouseState",
        "orderStatus",
        "spotClearinghouseState",
        "exchangeStatus",
    ),
    2,
) | {"userRole": 60}
_ROWS_PER_WEIGHT = dict.fromkeys(
    (
        "recentTrades",
        "historicalOrders",
        "userFills",
        "userFillsByTime",
        "fundingHistory",
        "userFunding",
        "userNonFundingLedgerUpdates",
        "twapHistory",
        "userTwapSliceFills",
        "userTwapSliceFillsByTime",
        "delegatorHistory",
        "delegatorRewards",
    ),
    20,
) | {"candleSnapshot": 60}


def info_weight(kind: str) -> int:
    """Return what a request of this type costs before its rows are known."""
    return _WEIGHTS.get(kind, 20)


def row_weight(kind: str, answer: Any) -> int:
    """Return what the rows of an answer cost on top."""
    per = _ROWS_PER_WEIGHT.get(kind)
    return len(answer) // per if per and isinstance(answer, list) else 0


def action_weight(items: int) -> int:
    """Return what an exchange action of so many items costs."""
    return 1 + items // 40


class Window:
    """A sum over the last minute."""

    __slots__ = ("_rows", "_total")

    def __init__(self) -> None:
        self._rows: deque[tuple[float, int]] = deque()
        self._total = 0

    def total(self, now_s: float) -> int:
        """Return the sum of what the last minute added."""
        rows, horizon = self._rows, now_s - MINUTE_S
        while rows and rows[0][0] <= horizon:
            self._total -= rows.popleft()[1]
        return self._total

    def add(self, amount: int, now_s: float) -> None:
        """Add to the sum."""
        rows = self._rows
        rows.append((now_s, amount))
        self._total += amount
        if rows[0][0] <= now_s - MINUTE_S:
            self.total(now_s)


class Source:
    """One client address: its budgets and what it holds open."""

    __slots__ = ("connections", "messages", "opened", "posts", "subscriptions", "users", "weight")

    def __init__(self) -> None:
        self.weight = Window()
        self.opened = Window()
        self.messages = Window()
        self.connections = 0
        self.subscriptions = 0
        self.posts = 0
        self.users: Counter[str] = Counter()

    def is_quiet(self, now_s: float) -> bool:
        """Tell whether nothing is held open and nothing was done in the last minute."""
        is_busy = self.connections or self.subscriptions or self.posts or self.users
        return not (is_busy or any(window.total(now_s) for window in (self.weight, self.opened, self.messages)))


class Limits:
    """All source addresses; the clock is monotonic seconds, injected.

    What was done is counted while the limits are off too: when they come on, the last minute counts.
    """

    def __init__(self, settings: Settings, now_s: Callable[[], float]) -> None:
        self._settings = settings
        self._now_s = now_s
        self._sources: dict[str, Source] = {}

    @property
    def is_enforced(self) -> bool:
        """Tell whether the venue's limits hold."""
        return self._settings.limits == "venue"

    def source(self, address: str) -> Source:
        """Return the books of one client address."""
        found = self._sources.get(address)
        if found is None:
            if len(self._sources) >= MAX_SOURCES:
                self._forget_quiet()
            found = self._sources[address] = Source()
        return found

    def _forget_quiet(self) -> None:
        now = self._now_s()
        self._sources = {address: source for address, source in self._sources.items() if not source.is_quiet(now)}

    def spend(self, source: Source, weight: int) -> bool:
        """Take REST weight; False when the minute's budget doesn't cover it (nothing is taken then)."""
        now = self._now_s()
        if self._settings.limits == "venue" and source.weight.total(now) + weight > WEIGHT_PER_MINUTE:
            return False
        source.weight.add(weight, now)
        return True

    def charge(self, source: Source, weight: int) -> None:
        """Take weight that an answer cost only once its rows were known."""
        if weight:
            source.weight.add(weight, self._now_s())

    def may_connect(self, source: Source) -> bool:
        """Count a new connection; False when the address has too many or opens them too fast."""
        now = self._now_s()
        full = source.connections >= CONNECTIONS or source.opened.total(now) >= NEW_CONNECTIONS_PER_MINUTE
        if self.is_enforced and full:
            return False
        source.opened.add(1, now)
        source.connections += 1
        return True

    def may_send(self, source: Source) -> bool:
        """Count a client message; False when the minute's messages are used up."""
        now = self._now_s()
        if self._settings.limits == "venue" and source.messages.total(now) >= MESSAGES_PER_MINUTE:
            return False
        source.messages.add(1, now)
        return True
