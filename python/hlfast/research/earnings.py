"""What each leader earned in each follower's coins: executions, fees and funding shared among the edges that held them.

An account has one position a coin, however many leaders it copies. Every execution of the engine is shared among its
edges in proportion to what each one's part lacked of its entitled position at that moment; so where one leader sells
what another buys, both parts move at the price of the net order. What an order executed beyond that belongs to the edge
whose receipt carried it. A stop at the venue, and what somebody else closed of the engine's position, take from all
parts alike, as the core does. Anything else that the engine did not order is the `manual` part. At every moment the
parts of a coin add up to the account's position. Fees go with the sizes, funding with the parts held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

import msgspec

from hlfast.research.tracking import Receipt, is_numbered

ZERO: Final = Decimal(0)
_UNIT: Final = Decimal("0.00000001")
MANUAL: Final = "manual"
NOBODY: Final = ""  # an order of the engine that no receipt carried: a stop that rested at the venue


class Trade(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One execution on a follower's account. `size` is signed; `asked` is the leader whose receipt carried the order.

    `asked` is None for what the engine did not order, and `NOBODY` for an order that no leader's fill asked for.
    """

    time_ms: int
    follower: str
    coin: str
    size: Decimal
    price: Decimal
    fee_usd: Decimal
    asked: str | None = None


class Payment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Funding of one hour; received is positive."""

    time_ms: int
    follower: str
    coin: str
    usd: Decimal


class Earned(msgspec.Struct, frozen=True, kw_only=True):
    """One leader's part in one follower's coin. `net_usd` = closed + open - fees + funding.

    Attributes:
        position: what it holds at the end. volume_usd: value traded.
        closed_usd: profit of what was closed, against the average price it was opened at.
        open_usd: profit of what is held, at the mark.
    """

    leader: str
    follower: str
    coin: str
    position: Decimal
    volume_usd: Decimal
    closed_usd: Decimal
    open_usd: Decimal
    fees_usd: Decimal
    funding_usd: Decimal
    net_usd: Decimal


class _Part:
    """A position at average cost."""

    __slots__ = ("closed", "cost", "entitled", "fees", "funding", "held", "volume")

    def __init__(self) -> None:
        self.held = self.cost = self.closed = self.volume = self.fees = self.funding = self.entitled = ZERO

    def move(self, size: Decimal, price: Decimal) -> None:
        """Trade at a price; through zero if the size says so."""
        self.volume += abs(size) * price
        if self.held * size < 0:
            closing = -self.held if abs(size) > abs(self.held) else size
            basis = self.cost * (-closing) / self.held
            self.closed += -closing * price - basis
            self.cost -= basis
            self.held += closing
            size -= closing
        self.cost += size * price
        self.held += size


def _units(size: Decimal) -> Decimal:
    """Cut to what the venue can count, so that shares leave no dust."""
    return size.quantize(_UNIT)


def _whole(moves: dict[str, Decimal], size: Decimal, rest_to: str) -> dict[str, Decimal]:
    """Make the shares add up: what is left over or too much goes to one of them."""
    rest = size - sum(moves.values(), ZERO)
    moves[rest_to] = moves.get(rest_to, ZERO) + rest
    return {leader: share for leader, share in moves.items() if share}


class _Coin:
    """All parts of one follower's coin."""

    def __init__(self) -> None:
        self.parts: dict[str, _Part] = defaultdict(_Part)
        self.price = ZERO

    def trade(self, trade: Trade) -> None:
        moves = self._shares(trade)
        whole = sum(map(abs, moves.values()), ZERO)
        self.price = trade.price
        for leader, size in moves.items():
            part = self.parts[leader]
            part.move(size, trade.price)
            part.fees += trade.fee_usd * abs(size) / whole

    def _shares(self, trade: Trade) -> dict[str, Decimal]:
        held = {leader: part.held for leader, part in self.parts.items() if leader != MANUAL and part.held}
        whole = sum(held.values(), ZERO)
        shrinks = whole * trade.size < 0 and abs(trade.size) <= abs(whole)
        alone = MANUAL not in self.parts or not self.parts[MANUAL].held
        if not trade.asked and shrinks and (trade.asked == NOBODY or alone):
            moves = {leader: _units(size * trade.size / whole) for leader, size in held.items()}
            for leader, size in held.items():
                self.parts[leader].entitled += _units(self.parts[leader].entitled * moves[leader] / size)
            return _whole(moves, trade.size, max(held, key=lambda leader: abs(held[leader])))
        if not trade.asked:
            return {MANUAL: trade.size}
        gaps = {leader: part.entitled - part.held for leader, part in self.parts.items() if leader != MANUAL}
        gap = sum(gaps.values(), ZERO)
        moves = {}
        if gap * trade.size > 0:
            done = min(Decimal(1), trade.size / gap)
            moves = {leader: _units(missing * done) for leader, missing in gaps.items()}
        # What rounding and the venue's minimum made larger, and what nobody lacked, is the asking edge's.
        return _whole(moves, trade.size, trade.asked)

    def pay(self, usd: Decimal) -> None:
        """Share a payment by what is held; where nothing is known to be held it belongs to the manual part."""
        whole = sum((part.held for part in self.parts.values()), ZERO)
        if not whole:
            self.parts[MANUAL].funding += usd
            return
        for part in self.parts.values():
            part.funding += usd * part.held / whole


def earned(
    receipts: Iterable[Receipt],
    trades: Iterable[Trade],
    payments: Iterable[Payment],
    marks: Mapping[str, Decimal] | None = None,
) -> tuple[Earned, ...]:
    """Share everything out.

    Args:
        receipts: of these followers, in any order; leader and follower by name.
        trades: all executions of their accounts since the engine began to copy into them.
        payments: their funding.
        marks: prices for what is still held; without one, the coin's last execution.

    Returns:
        By follower, coin and leader; parts that never held anything are left out.
    """
    coins: dict[tuple[str, str], _Coin] = defaultdict(_Coin)
    for _, kind, _, what in _in_time(receipts, trades, payments):
        coin = coins[str(what.follower), what.coin]
        if kind == _ENTITLED:
            coin.parts[str(what.leader)].entitled = what.entitled_after
        elif kind == _TRADED:
            coin.trade(what)
        else:
            coin.pay(what.usd)
    rows = []
    for (follower, name), coin in sorted(coins.items()):
        mark = (marks or {}).get(name, coin.price)
        rows += [
            _row(leader, follower, name, part, mark)
            for leader, part in sorted(coin.parts.items())
            if part.volume or part.funding
        ]
    return tuple(rows)


_ENTITLED, _TRADED, _PAID = range(3)


def _in_time(
    receipts: Iterable[Receipt], trades: Iterable[Trade], payments: Iterable[Payment]
) -> list[tuple[int, int, int, Any]]:
    numbered = [receipt for receipt in receipts if is_numbered(receipt)]
    events: list[tuple[int, int, int, Any]] = [(one.decided_ms, _ENTITLED, one.decision, one) for one in numbered]
    events += [(one.time_ms, _TRADED, place, one) for place, one in enumerate(trades)]
    events += [(one.time_ms, _PAID, place, one) for place, one in enumerate(payments)]
    return sorted(events, key=itemgetter(0, 1, 2))


def _row(leader: str, follower: str, coin: str, part: _Part, mark: Decimal) -> Earned:
    unrealised = part.held * mark - part.cost
    return Earned(
        leader=leader,
        follower=follower,
        coin=coin,
        position=part.held,
        volume_usd=part.volume,
        closed_usd=part.closed,
        open_usd=unrealised,
        fees_usd=part.fees,
        funding_usd=part.funding,
        net_usd=part.closed + unrealised - part.fees + part.funding,
    )


_NAMES: Final = ("leader", "follower", "coin")
_SUMS: Final = ("position", "volume_usd", "closed_usd", "open_usd", "fees_usd", "funding_usd", "net_usd")


def summed(rows: Iterable[Earned], by: Iterable[str]) -> tuple[Earned, ...]:
    """Add rows up by some of leader, follower and coin; what is summed over is called "all", and has no position.

    Args:
        rows: of `earned`.
        by: names of the columns that stay.
    """
    kept = tuple(by)
    groups: dict[tuple[str, ...], list[Earned]] = defaultdict(list)
    for row in rows:
        groups[tuple(getattr(row, name) for name in kept)].append(row)
    found = []
    for key, members in sorted(groups.items()):
        named = dict(zip(kept, key, strict=True))
        first, *rest = (row if "coin" in kept else msgspec.structs.replace(row, position=ZERO) for row in members)
        whole = first
        for row in rest:
            whole = msgspec.structs.replace(
                whole, **{name: getattr(whole, name) + getattr(row, name) for name in _SUMS}
            )
        found.append(msgspec.structs.replace(whole, **{name: named.get(name, "all") for name in _NAMES}))
    return tuple(found)
