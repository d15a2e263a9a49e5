"""What may have been traded: each execution in the simulator's ledger held against the targets of its time."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from hlfast.demo.policy import NOTHING, ZERO, Span, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlfast.config.model import Follower
    from hlfast.demo.evidence import Evidence, Execution

# An order on its way executes at the target it was computed for: an entry lives 3 s, a reduction 12 s (expiresAfter),
# and a target that is newer than a reduction's is only smaller or reached by an entry.
FLIGHT_MS = 3_000

Key = tuple[str, str]  # (follower, coin)


@dataclass(slots=True)
class Target:
    """What a follower should hold in one coin, over time."""

    history: list[tuple[int, Span]] = field(default_factory=list)  # (venue ms, target from then on)
    price: Decimal = ZERO  # of the last event that could have ordered
    flat: bool = True  # no edge holds a part: whatever was held must be closed whole

    @property
    def now(self) -> Span:
        """The newest target."""
        return self.history[-1][1] if self.history else NOTHING

    def set(self, time_ms: int, span: Span, price: Decimal, *, flat: bool) -> None:
        """Replace the target from `time_ms` on."""
        self.history.append((time_ms, span))
        self.price, self.flat = price, flat

    def reach(self, time_ms: int) -> tuple[Decimal, Decimal]:
        """The lowest and highest target that an order executed at `time_ms` may have been computed for."""
        low = high = ZERO
        for index, (since, span) in enumerate(self.history):
            ends = self.history[index + 1][0] if index + 1 < len(self.history) else time_ms
            if since <= time_ms and ends >= time_ms - FLIGHT_MS:
                low, high = min(low, span.low), max(high, span.high)
        return low, high

    def travel(self) -> Decimal:
        """The most that following every target step by step would have traded."""
        total, before = ZERO, NOTHING
        for _, span in self.history:
            total += max(abs(span.high - before.low), abs(before.high - span.low))
            before = span
        return total


def check_executions(evidence: Evidence, targets: dict[Key, Target], least_order_usd: Decimal) -> Iterator[str]:
    """Nothing was bought or sold twice: no position beyond its targets, no more traded than the targets moved."""
    positions: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    traded: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    slack: dict[Key, Decimal] = {}
    for execution in evidence.ledger.executions:
        key = (execution.follower, execution.coin)
        before, after = positions[key], positions[key] + execution.size
        positions[key] = after
        traded[key] += abs(execution.size)
        least = evidence.lots[execution.coin] + least_order_usd / execution.price
        slack[key] = max(slack.get(key, ZERO), least)
        low, high = targets[key].reach(execution.time_ms) if key in targets else (ZERO, ZERO)
        # A reduction may end anywhere; what grows, or turns to the other side, ends within a target of its time.
        grew = abs(after) > abs(before) or before * after < 0
        if grew and not low - least <= after <= high + least:
            yield (
                f"{execution.follower}: order {execution.oid} took {execution.coin}"
                f" from {plain(before)} to {plain(after)},"
                f" beyond every target of its time ({plain(low)} to {plain(high)})"
            )
    for key, volume in traded.items():
        most = targets[key].travel() if key in targets else ZERO
        if volume > most + 2 * slack[key]:
            yield f"{key[0]}: traded {plain(volume)} {key[1]}, its targets moved by {plain(most)} in all"
    for key in sorted(positions.keys() | evidence.ledger.positions.keys()):
        if positions[key] != evidence.ledger.positions.get(key, ZERO):
            held = evidence.ledger.positions.get(key, ZERO)
            yield f"{key[0]}: {key[1]} fills sum to {plain(positions[key])}, the account holds {plain(held)}"
    yield from _check_caps(evidence, least_order_usd)


def _check_caps(evidence: Evidence, least_order_usd: Decimal) -> Iterator[str]:
    """An execution that raises a position leaves it, and the account's gross, inside the account's caps."""
    followers = {follower.name: follower for follower in evidence.config.followers}
    held: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    marks = _Marks()
    for (_, coin), holding in evidence.holdings.items():
        marks.note(coin, 0, holding.price)
    moves: list[tuple[int, int, str, Decimal, Execution | None]] = [
        (fill.time_ms, 0, fill.coin, fill.price, None) for fill in evidence.fills
    ]
    moves += [(e.time_ms, 1, e.coin, e.price, e) for e in evidence.ledger.executions]
    for time_ms, _, coin, price, execution in sorted(moves, key=lambda move: move[:2]):
        marks.note(coin, time_ms, price)
        if execution is None:
            continue
        coins = held[execution.follower]
        grew = abs(coins[coin] + execution.size) > abs(coins[coin])
        coins[coin] += execution.size
        if grew:
            gross = sum((abs(size) * marks.lowest(name, time_ms) for name, size in coins.items()), ZERO)
            yield from _over(followers[execution.follower], execution, abs(coins[coin]) * price, gross, least_order_usd)


class _Marks:
    """Prices by coin; an order in flight was planned at one of those of its time."""

    def __init__(self) -> None:
        self._prices: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)

    def note(self, coin: str, time_ms: int, price: Decimal) -> None:
        self._prices[coin].append((time_ms, price))

    def lowest(self, coin: str, time_ms: int) -> Decimal:
        """The lowest price of the coin in the last FLIGHT_MS, the one that held before included."""
        lowest = self._prices[coin][-1][1]
        for noted_ms, price in reversed(self._prices[coin]):
            lowest = min(lowest, price)
            if noted_ms < time_ms - FLIGHT_MS:
                break
        return lowest


def _over(follower: Follower, execution: Execution, value: Decimal, gross: Decimal, slack: Decimal) -> Iterator[str]:
    order = abs(execution.size) * execution.price
    limits = (("order", order, follower.max_order_usd), ("position", value, follower.max_position_usd))
    # The core prices a cap at its own quote: the entry band of 30 bps and the slack of one order lie between.
    for name, amount, limit in (*limits, ("gross", gross, follower.max_gross_usd)):
        if limit is not None and amount > Decimal(limit) * Decimal("1.01") + slack:
            yield f"{follower.name}: order {execution.oid} makes {name} {amount:.2f} USD, the cap is {limit}"


def check_actions(evidence: Evidence) -> Iterator[str]:
    """No nonce carried two different actions, none was executed twice, no client order id filled under two orders."""
    executed: Counter[tuple[str, int]] = Counter()
    digests: dict[tuple[str, int], set[str]] = defaultdict(set)
    for action in evidence.ledger.actions:
        executed[action.follower, action.nonce] += action.accepted
        if action.kind != "noop":  # a noop of the same nonce is the fence of an unknown attempt
            digests[action.follower, action.nonce].add(action.digest)
    for (follower, nonce), times in executed.items():
        if times > 1:
            yield f"{follower}: nonce {nonce} executed {times} times"
    for (follower, nonce), different in digests.items():
        if len(different) > 1:
            yield f"{follower}: nonce {nonce} signed for {len(different)} different actions"
    orders: dict[tuple[str, str], set[int]] = defaultdict(set)
    for execution in evidence.ledger.executions:
        orders[execution.follower, execution.cloid].add(execution.oid)
    for (follower, cloid), oids in orders.items():
        if len(oids) > 1:
            yield f"{follower}: client order id {cloid} filled under {len(oids)} orders"
