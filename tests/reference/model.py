"""The rules of copying, read from the description alone, in `Decimal`: what each edge is entitled to, what each account aims at.

It knows nothing of orders, answers, time or restarts. Where every order is executed at once, an account holds its target but
for a lot and the venue's minimum order.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.reference.gates import Sight, passes
from tests.reference.losses import Losses, is_limited
from tests.reference.parts import ROUNDING, Part, attribute, cross, cut
from tests.reference.world import BEGIN_MS, FEE_RATE, Past

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.reference.world import Coin

    from hlfast.config.model import Config, Follow, Follower

ZERO = Decimal(0)
# The venue's least order and half a dollar more.
ROUNDED_UP_USD = Decimal("10.5")


@dataclass
class Account:
    """What one follower aims at, by coin."""

    targets: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    losses: Losses = field(default_factory=Losses)
    moved: dict[str, Decimal] = field(default_factory=dict)  # the leaders' prices when the account's part last changed


@dataclass(frozen=True)
class Holding:
    """What a leader holds of one coin when copying begins."""

    leader: str
    coin: str
    position: Decimal
    entry: Decimal
    mark: Decimal


class Reference:
    """All edges of a configuration.

    `equities` are account values by name, leaders' and followers'; `held` tells what a follower's account holds of a coin.
    """

    def __init__(
        self,
        config: Config,
        equities: dict[str, Decimal],
        coins: tuple[Coin, ...],
        held: Callable[[str, str], Decimal],
    ) -> None:
        self.now_ms = BEGIN_MS
        self.coins = {coin.name: coin for coin in coins}
        self.held = held
        self.prices: dict[str, Decimal] = {}  # the leaders' last ones
        self.positions: dict[str, dict[str, Decimal]] = defaultdict(dict)  # leader, coin
        self.follows = config.follows
        self.followers = {one.name: one for one in config.followers}
        self.equities = equities
        self.edges_of = {
            one.name: [at for at, edge in enumerate(config.follows) if edge.leader == one.name]
            for one in config.leaders
        }
        self.edges_to = {
            one: [at for at, edge in enumerate(config.follows) if edge.follower == one] for one in self.followers
        }
        self.parts: list[dict[str, Part]] = [defaultdict(Part) for _ in config.follows]
        self.accounts = {one: Account() for one in self.followers}
        self.losses = [Losses() for _ in config.follows]

    def begin(self, holdings: list[Holding]) -> None:
        """Rule 7: leaders hold this already when copying begins."""
        for one in holdings:
            self.prices[one.coin], self.positions[one.leader][one.coin] = one.mark, one.position
        for one in holdings:
            self._adopt(one)

    def _adopt(self, one: Holding) -> None:
        leader, coin, mark, entry = one.leader, one.coin, one.mark, one.entry
        seen = self._see(leader, coin, one.position, mark)
        for at in self.edges_of[leader]:
            follow, part = self.follows[at], self.parts[at][coin]
            near = abs(mark - entry) * 10_000 <= entry * Decimal(follow.adopt_band_bps or 0)
            adopts = follow.existing == "adopt" or (follow.existing == "adopt_within" and near)
            before = self._net(follow.follower, coin)
            if not adopts or not self._increase(at, ZERO, seen):
                part.ignored = True
            self._aim(follow.follower, coin, mark, before, moved=not part.ignored)
            cross(self._parts(follow.follower, coin), mark)

    def change(self, leader: str, coin: str, before: Decimal, after: Decimal, price: Decimal) -> None:
        """Rule 1: the leader's position goes from `before` to `after`, the last of it at `price`."""
        seen = self._see(leader, coin, after, price)
        for at in self.edges_of[leader]:
            follow, part = self.follows[at], self.parts[at][coin]
            net_before = self._net(follow.follower, coin)
            entitled_before = part.entitled
            flips = before * after < 0
            if after == 0 or flips:
                part.entitled, part.ratio, part.ignored = ZERO, None, False
            elif abs(after) < abs(before):
                part.entitled = part.entitled * after / before
            reduced = abs(part.entitled) < abs(entitled_before)
            if flips or abs(after) > abs(before):
                self._increase(at, ZERO if flips else before, seen)
            if reduced:
                self._cut_opposite(follow.follower, coin, price, net_before)
            self._aim(follow.follower, coin, price, net_before, moved=part.entitled != entitled_before)
            cross(self._parts(follow.follower, coin), price)

    def executed(self, follower: str, coin: str, size: Decimal, price: Decimal) -> None:
        """The account bought or sold (`size` negative)."""
        attribute(self._parts(follower, coin), size, price, FEE_RATE)
        if self.accounts[follower].losses.tripped:
            # Nothing is opened any more: what no order has bought by now, none will.
            self._cut(follower, coin, self.held(follower, coin))
            cross(self._parts(follower, coin), self.prices[coin])

    def account_read(self, follower: str, now_ms: int, worth: Decimal) -> None:
        """Rule 31. Nobody deposits or withdraws here, so that what an account is worth tells what it earned."""
        account, losses = self.followers[follower], self.accounts[follower].losses
        if losses.read(account, now_ms, worth, worth) and account.on_trip == "flatten":
            self._flatten(follower, self.edges_to[follower])
        for at in self.edges_to[follower]:
            follow = self.follows[at]
            if is_limited(follow):
                earned = sum((part.earned(self.prices.get(coin, ZERO)) for coin, part in self.parts[at].items()), ZERO)
                if self.losses[at].read(follow, now_ms, earned) and follow.on_trip == "flatten":
                    self._flatten(follower, [at])

    def target(self, follower: str, coin: str) -> Decimal:
        """What the account should hold, unrounded."""
        return self.accounts[follower].targets[coin]

    def _flatten(self, follower: str, edges: list[int]) -> None:
        """What was copied is closed."""
        for coin in {coin for at in edges for coin, part in self.parts[at].items() if part.entitled != 0}:
            before = self._net(follower, coin)
            for at in edges:
                self.parts[at][coin].entitled = ZERO
            self._aim(follower, coin, self.prices[coin], before, moved=True)
            cross(self._parts(follower, coin), self.prices[coin])

    def _see(self, leader: str, coin: str, position: Decimal, price: Decimal) -> Sight:
        self.prices[coin], self.positions[leader][coin] = price, position
        worth = sum((abs(size) * self.prices[name] for name, size in self.positions[leader].items()), ZERO)
        leverage = worth / self.equities[leader]
        return Sight(self.coins[coin], position, price, self.now_ms, leverage, Past.of(leader))

    def _increase(self, at: int, before: Decimal, seen: Sight) -> bool:
        """Rule 1: E grows if every gate passes. False: it did not."""
        follow, part = self.follows[at], self.parts[at][seen.coin.name]
        if part.ignored:
            return False
        opens = part.ratio is None
        if part.ratio is None:
            part.ratio = self._ratio(follow, seen.coin.name, seen.position, seen.price)
        if self.accounts[follow.follower].losses.tripped or self.losses[at].tripped or not passes(follow, seen):
            return False
        if follow.mode in ("notional", "risk") and not follow.scale_adds and (before != 0 or not opens):
            return False
        wanted = part.ratio * (seen.position - before)
        room = self._edge_room(at, seen.coin.name, seen.price)
        size = min(abs(wanted), room)
        if follow.round_up:
            size += self._lacking(follow, seen.coin, size if wanted > 0 else -size, room - size, seen.price)
        part.entitled += size if wanted > 0 else -size
        return size > 0

    def _edge_room(self, at: int, coin: str, price: Decimal) -> Decimal:
        """What the edge's caps leave for one increase."""
        follow, part = self.follows[at], self.parts[at][coin]
        rooms = [Decimal("Infinity")]
        if follow.max_order_usd is not None:
            rooms.append(Decimal(follow.max_order_usd) / price)
        if follow.max_position_usd is not None:
            rooms.append(Decimal(follow.max_position_usd) / price - abs(part.entitled))
        if follow.max_gross_usd is not None:
            others = [(name, one) for name, one in self.parts[at].items() if name != coin]
            worth = sum((one.worst * self._dearest(follow.follower, name) for name, one in others), ZERO)
            rooms.append((Decimal(follow.max_gross_usd) - worth) / price - abs(part.entitled))
        room = min(rooms)
        return room if room > ROUNDING else ZERO

    def _lacking(self, follow: Follow, coin: Coin, wanted: Decimal, room: Decimal, price: Decimal) -> Decimal:
        """With `round_up`: what lacks to an order at the lowest price that it may be valued at, if it may be added."""
        net = self._net(follow.follower, coin.name) + wanted
        if net * wanted <= 0:
            return ZERO  # it only takes from what the other edges hold
        missing = net - self.held(follow.follower, coin.name)
        to_buy = missing if wanted > 0 else -missing
        lowest = price * (10_000 - follow.entry_band_bps) / 10_000
        lacks = (ROUNDED_UP_USD / lowest / coin.lot).to_integral_value(ROUND_CEILING) * coin.lot - to_buy
        most = Decimal(follow.round_up_max_usd or 0) / price
        return lacks if to_buy > 0 and 0 < lacks <= min(most, room) else ZERO

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
        closes = self.coins[coin].closes(self.now_ms)[-days - 1 :]
        squares = [(after / before - 1) ** 2 for before, after in pairwise(closes)]
        return (sum(squares, ZERO) / len(squares)).sqrt()

    def _net(self, follower: str, coin: str) -> Decimal:
        return sum((part.entitled for part in self._parts(follower, coin)), ZERO)

    def _parts(self, follower: str, coin: str) -> list[Part]:
        return [self.parts[at][coin] for at in self.edges_to[follower]]

    def _dearest(self, follower: str, coin: str) -> Decimal:
        """At worst: the price now, or the one for which the account's part last changed."""
        return max(self.prices.get(coin, ZERO), self.accounts[follower].moved.get(coin, ZERO))

    def _cut_opposite(self, follower: str, coin: str, price: Decimal, net_before: Decimal) -> None:
        """Rule 16: where an edge's exit raises |net| above the account's cap, the other side is cut pro rata to it."""
        account = self.followers[follower]
        if self.accounts[follower].losses.tripped:
            self._cut(follower, coin, net_before)
        elif account.max_position_usd is not None:
            most = max(Decimal(account.max_position_usd) / price, abs(net_before))
            self._cut(follower, coin, most.copy_sign(self._net(follower, coin)))

    def _cut(self, follower: str, coin: str, bound: Decimal) -> None:
        """Σ E lies between nothing and `bound`: the side that is beyond gives, pro rata."""
        net = self._net(follower, coin)
        most = abs(bound) if net * bound > 0 else ZERO
        if abs(net) > most:
            cut([part for part in self._parts(follower, coin) if part.entitled * net > 0], abs(net) - most)

    def _aim(self, follower: str, coin: str, price: Decimal, net_before: Decimal, *, moved: bool) -> None:
        """Rule 1: the target is Σ E within the account's caps. They bound what a leader's event adds, never what is held."""
        account, state = self.followers[follower], self.accounts[follower]
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
        rooms, gross = [], []
        if account.max_position_usd is not None:
            rooms.append(Decimal(account.max_position_usd) / price)
        if account.max_gross_usd is not None:
            gross.append(Decimal(account.max_gross_usd))
        if account.max_gross_leverage is not None:
            gross.append(Decimal(account.max_gross_leverage) * self.equities[account.name])
        if gross:
            others = sum(
                max(abs(size), abs(self.held(account.name, other))) * self._dearest(account.name, other)
                for other, size in state.targets.items()
                if other != coin
            )
            rooms.append(max(ZERO, min(gross) - others) / price)
        return min(rooms) if rooms else None
