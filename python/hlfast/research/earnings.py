"""What each leader earned in each follower's coins: executions, fees and funding shared among the edges that held them.

An account has one position a coin, however many leaders it copies. The core gives each of them a part (rule 14), and
here it is done once more by the same rule: an execution goes pro rata to those whose part is not what they are
entitled to; what is more than that first to the same ones as far as they hold it, then to everybody else. Where one is
to be rid of what another wants, the size goes from part to part at the leaders' last price, without an order. What
somebody else closed of the engine's position is everybody's; anything else that the engine did not order is the
`manual` part. At every moment the parts of a coin add up to the account's position. Fees go with the sizes of an order,
funding with the parts held.
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


class _Coin:
    """All parts of one follower's coin."""

    def __init__(self) -> None:
        self.parts: dict[str, _Part] = {}
        self.manual = _Part()
        self.price = self.leaders_price = ZERO

    def entitle(self, leader: str, entitled: Decimal, price: Decimal) -> None:
        """A leader's decision; what the others want to be rid of is crossed at once."""
        self.parts.setdefault(leader, _Part()).entitled = entitled
        self.leaders_price = price
        self._cross()

    def trade(self, trade: Trade) -> None:
        self.price = trade.price
        whole = sum((part.held for part in self.parts.values()), ZERO)
        if trade.asked is None:
            shrinks = whole * trade.size < 0 and abs(trade.size) <= abs(whole)
            if self.manual.held or not shrinks:
                self.manual.move(trade.size, trade.price)
                self.manual.fees += trade.fee_usd
                return
        moves = self._attribute(trade)
        for leader, size in moves.items():
            part = self.parts[leader]
            part.move(size, trade.price)
            part.fees += trade.fee_usd * abs(size) / abs(trade.size)
        if not trade.asked and whole:
            # What no leader asked for is gone from what they are entitled to.
            for part in self.parts.values():
                part.entitled = (part.entitled * (whole + trade.size) / whole).quantize(_UNIT)
        self._cross()

    def _attribute(self, trade: Trade) -> dict[str, Decimal]:
        sign = 1 if trade.size > 0 else -1
        moves: dict[str, Decimal] = defaultdict(Decimal)
        wants = {leader: _toward(part.entitled - part.held, sign) for leader, part in self.parts.items()}
        rest = abs(trade.size) - _share_out(moves, abs(trade.size), wants)
        for asking in (True, False):
            rooms = {
                leader: max(_toward(part.held, -sign) - moves[leader], ZERO)
                for leader, part in self.parts.items()
                if not asking or wants[leader]
            }
            rest -= _share_out(moves, rest, rooms)
        if rest:
            first = trade.asked or next(iter(sorted(self.parts)), MANUAL)
            self.parts.setdefault(first, _Part())
            moves[first] += rest
        return {leader: size * sign for leader, size in moves.items() if size}

    def _cross(self) -> None:
        gaps = {leader: part.entitled - part.held for leader, part in self.parts.items()}
        buys, sells = ({leader: _toward(gap, sign) for leader, gap in gaps.items()} for sign in (1, -1))
        both = min(sum(buys.values(), ZERO), sum(sells.values(), ZERO))
        if both:
            for sign, weights in ((1, buys), (-1, sells)):
                moves: dict[str, Decimal] = defaultdict(Decimal)
                _share_out(moves, both, weights)
                for leader, size in moves.items():
                    self.parts[leader].move(size * sign, self.leaders_price)

    def pay(self, usd: Decimal) -> None:
        """Share a payment by what is held; where nothing is known to be held it belongs to the manual part."""
        everybody = (self.manual, *self.parts.values())
        whole = sum((part.held for part in everybody), ZERO)
        if not whole:
            self.manual.funding += usd
            return
        for part in everybody:
            part.funding += usd * part.held / whole


def _toward(value: Decimal, sign: int) -> Decimal:
    return abs(value) if value * sign > 0 else ZERO


def _share_out(moves: dict[str, Decimal], amount: Decimal, weights: Mapping[str, Decimal]) -> Decimal:
    """Add shares of an amount pro rata, to nobody more than its weight; return what was given.

    Cut on the running sum to what the venue can count: nothing is lost, and no dust is left.
    """
    total = sum(weights.values(), ZERO)
    given = min(total, amount)
    upto = shared = ZERO
    for leader, weight in weights.items():
        upto += weight
        share = (given * upto / total).quantize(_UNIT) - shared if total else ZERO
        moves[leader] += share
        shared += share
    return given


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
            coin.entitle(str(what.leader), what.entitled_after, what.leader_price)
        elif kind == _TRADED:
            coin.trade(what)
        else:
            coin.pay(what.usd)
    rows = []
    for (follower, name), coin in sorted(coins.items()):
        mark = (marks or {}).get(name, coin.price)
        everybody = sorted({**coin.parts, MANUAL: coin.manual}.items())
        rows += [_row(leader, follower, name, part, mark) for leader, part in everybody if part.volume or part.funding]
    return tuple(rows)


_ENTITLED, _TRADED, _PAID = range(3)


def _in_time(
    receipts: Iterable[Receipt], trades: Iterable[Trade], payments: Iterable[Payment]
) -> list[tuple[int, int, int, Any]]:
    numbered = [receipt for receipt in receipts if is_numbered(receipt)]
    # The venue's clock for both: the engine's own may be some milliseconds off, and orders follow closely.
    events: list[tuple[int, int, int, Any]] = [(one.time_ms, _ENTITLED, one.decision, one) for one in numbered]
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
