"""The rules of copying, read from the description alone, in `Decimal`: what each edge is entitled to, what each account aims at.

It knows nothing of orders, answers, time or restarts. Where every order is executed at once, an account holds its target but
for a lot and the venue's minimum order.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hlfast.config.model import Config, Follow, Follower

ZERO = Decimal(0)
# Shares are quotients: a sum of them may lie this far beside what was shared out.
ROUNDING = Decimal("1e-18")


@dataclass
class Part:
    """What one edge holds of one coin."""

    entitled: Decimal = ZERO  # E, signed, unrounded
    ratio: Decimal | None = None  # fixed while the leader's position stays open (rule 10)
    ignored: bool = False  # the leader's position is from before copying began (rule 7)


@dataclass
class Account:
    """What one follower aims at, by coin."""

    targets: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    prices: dict[str, Decimal] = field(default_factory=dict)  # the leaders' last prices
    moved: dict[str, Decimal] = field(default_factory=dict)  # their prices when the account's part last changed


class Reference:
    """All edges of a configuration.

    `equities` are account values by name, leaders' and followers'; `closes` each coin's prices at the end of the last days.
    """

    def __init__(
        self, config: Config, equities: dict[str, Decimal], closes: dict[str, list[Decimal]] | None = None
    ) -> None:
        self.closes = closes or {}
        self.follows = config.follows
        self.followers = {one.name: one for one in config.followers}
        self.equities = equities
        self.parts: dict[tuple[int, str], Part] = defaultdict(Part)
        self.accounts: dict[str, Account] = defaultdict(Account)

    def begin(self, leader: str, coin: str, position: Decimal, entry: Decimal, mark: Decimal) -> None:
        """Rule 7: the leader holds this already when copying begins."""
        for at, follow in self._edges(leader):
            part = self.parts[at, coin]
            near = abs(mark - entry) * 10_000 <= entry * Decimal(follow.adopt_band_bps or 0)
            adopts = follow.existing == "adopt" or (follow.existing == "adopt_within" and near)
            before = self._net(follow.follower, coin)
            if not adopts or not self._increase(follow, part, coin, ZERO, position, mark):
                part.ignored = True
            self._aim(follow.follower, coin, mark, before, moved=not part.ignored)

    def change(self, leader: str, coin: str, before: Decimal, after: Decimal, price: Decimal) -> None:
        """Rule 1: the leader's position goes from `before` to `after`, the last of it at `price`."""
        for at, follow in self._edges(leader):
            part = self.parts[at, coin]
            net_before = self._net(follow.follower, coin)
            entitled_before = part.entitled
            flips = before * after < 0
            if after == 0 or flips:
                part.entitled, part.ratio, part.ignored = ZERO, None, False
            elif abs(after) < abs(before):
                part.entitled = part.entitled * after / before
            reduced = abs(part.entitled) < abs(entitled_before)
            if flips or abs(after) > abs(before):
                self._increase(follow, part, coin, ZERO if flips else before, after, price)
            if reduced:
                self._cut_opposite(follow.follower, coin, price, net_before)
            self._aim(follow.follower, coin, price, net_before, moved=part.entitled != entitled_before)

    def target(self, follower: str, coin: str) -> Decimal:
        """What the account should hold, unrounded."""
        return self.accounts[follower].targets[coin]

    def _edges(self, leader: str) -> list[tuple[int, Follow]]:
        return [(at, follow) for at, follow in enumerate(self.follows) if follow.leader == leader]

    def _increase(self, follow: Follow, part: Part, coin: str, before: Decimal, after: Decimal, price: Decimal) -> bool:
        """Rule 1: E grows if every gate passes. False: it did not."""
        if part.ignored:
            return False
        opens = part.ratio is None
        if opens:
            part.ratio = self._ratio(follow, coin, after, price)
        if not _passes(follow, coin, abs(after) * price):
            return False
        if follow.mode in ("notional", "risk") and not follow.scale_adds and (before != 0 or not opens):
            return False
        wanted = part.ratio * (after - before) if part.ratio is not None else ZERO
        size = abs(wanted)
        if follow.max_order_usd is not None:
            size = min(size, Decimal(follow.max_order_usd) / price)
        if follow.max_position_usd is not None:
            size = min(size, max(ZERO, Decimal(follow.max_position_usd) / price - abs(part.entitled)))
        part.entitled += size if wanted > 0 else -size
        return size > 0

    def _ratio(self, follow: Follow, coin: str, after: Decimal, price: Decimal) -> Decimal:
        """Rule 9: the follower's part of the leader's position, fixed when that opens."""
        if follow.mode == "ratio":
            ratio = Decimal(follow.ratio or 0)
        elif follow.mode == "equity":
            ratio = self.equities[follow.follower] / self.equities[follow.leader] * Decimal(follow.weight or 0)
        elif follow.mode == "risk":
            leverage = min(
                Decimal(follow.risk_bps or 0) / 10_000 / self._usual_move(coin, follow.volatility_days or 30),
                Decimal(follow.risk_max_leverage or 3),
            )
            ratio = self.equities[follow.follower] * leverage / (price * abs(after))
        else:
            ratio = Decimal(follow.notional_usd or 0) / (price * abs(after))
        return -ratio if follow.inverse else ratio

    def _usual_move(self, coin: str, days: int) -> Decimal:
        """The root of the mean square of the last daily returns."""
        closes = self.closes[coin][-days - 1 :]
        squares = [(after / before - 1) ** 2 for before, after in pairwise(closes)]
        return (sum(squares, ZERO) / len(squares)).sqrt()

    def _net(self, follower: str, coin: str) -> Decimal:
        mine = (at for at, follow in enumerate(self.follows) if follow.follower == follower)
        return sum((self.parts[at, coin].entitled for at in mine), ZERO)

    def _cut_opposite(self, follower: str, coin: str, price: Decimal, net_before: Decimal) -> None:
        """Rule 16: where an edge's exit raises |net| above the account's cap, the other side is cut pro rata to it."""
        account = self.followers[follower]
        if account.max_position_usd is None:
            return
        net, cap = self._net(follower, coin), Decimal(account.max_position_usd) / price
        most = max(cap, abs(net_before))
        if abs(net) <= most:
            return
        mine = [at for at, follow in enumerate(self.follows) if follow.follower == follower]
        same = [self.parts[at, coin] for at in mine if self.parts[at, coin].entitled * net > 0]
        total = sum((abs(part.entitled) for part in same), ZERO)
        for part in same:
            part.entitled -= part.entitled / total * (abs(net) - most)

    def _aim(self, follower: str, coin: str, price: Decimal, net_before: Decimal, *, moved: bool) -> None:
        """Rule 1: the target is Σ E within the account's caps. They bound what a leader's event adds, never what is held."""
        account, state = self.followers[follower], self.accounts[follower]
        state.prices[coin] = price
        if moved:
            state.moved[coin] = price
        net, held = self._net(follower, coin), abs(state.targets[coin])
        same_side = net_before * net > 0
        room = self._room(account, state, coin, price)
        if room is None:
            most = abs(net)
        elif not same_side:
            most = room
        elif abs(net) > abs(net_before) + ROUNDING:
            most = max(room, held)
        else:
            most = held
        size = min(abs(net), most)
        state.targets[coin] = size if net > 0 else -size

    def _room(self, account: Follower, state: Account, coin: str, price: Decimal) -> Decimal | None:
        rooms = []
        if account.max_position_usd is not None:
            rooms.append(Decimal(account.max_position_usd) / price)
        if account.max_gross_usd is not None:
            # At worst: the dearer of the price now and the one it was traded for.
            worth = {
                other: abs(size) * max(state.prices[other], state.moved.get(other, ZERO))
                for other, size in state.targets.items()
                if other != coin
            }
            others = sum(worth.values(), ZERO)
            rooms.append(max(ZERO, Decimal(account.max_gross_usd) - others) / price)
        return min(rooms) if rooms else None


def _passes(follow: Follow, coin: str, value: Decimal) -> bool:
    """Rules 16 and 17: filters see the resulting position."""
    if follow.coins_allow is not None and coin not in follow.coins_allow:
        return False
    if coin in follow.coins_block:
        return False
    if follow.min_value_usd is not None and value < Decimal(follow.min_value_usd):
        return False
    return follow.max_value_usd is None or value <= Decimal(follow.max_value_usd)
