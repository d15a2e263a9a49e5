"""Runs a history through the core and through the reference, and lists where they part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.reference.ideal import Executed, Ideal
from tests.reference.model import Holding, Reference
from tests.reference.world import Coin

from hlfast.config import model

# Venue rule: an order is worth 10 dollars at least; the core keeps half a dollar more, and prices a reduction up to 3 % off.
LEAST_USD = Decimal("10.9")
# The core keeps ratios in 10^-12, shows positions in 10^-8 and adds up dollars in 10^-6.
RATIO_STEP, SHOWN, USD_STEP = Decimal("1e-12"), Decimal("2e-8"), Decimal("1e-6")

# What is due is read at the first tick, and again 30 s later; what trips a latch is asked about once more 3 s behind it, and
# an account that fell by more than half counts from its second read.
SETTLING_MS, STEP_MS = 40_000, 4_000


@dataclass(frozen=True)
class Change:
    """Fills of one leader and coin in one frame."""

    leader: str
    coin: str
    rows: tuple[dict[str, Any], ...]
    wait_ms: int = 0  # ahead of them

    @property
    def before(self) -> Decimal:
        """The leader's position ahead of them."""
        return Decimal(self.rows[0]["startPosition"])

    @property
    def after(self) -> Decimal:
        """The leader's position behind them."""
        last = self.rows[-1]
        return Decimal(last["startPosition"]) + (Decimal(last["sz"]) if last["side"] == "B" else -Decimal(last["sz"]))

    @property
    def price(self) -> Decimal:
        """Of the last one."""
        return Decimal(self.rows[-1]["px"])


def differences(
    config: model.Config,
    coins: tuple[Coin, ...],
    equities: dict[str, Decimal],
    history: Iterable[Change],
    directory: Path,
    held: dict[tuple[str, str], tuple[Decimal, Decimal]] | None = None,
) -> tuple[list[str], int]:
    """What differs, in words, and how many positions were compared. `held`: leader, coin: position and entry price at the start."""
    both = _Both(config, coins, equities, directory)
    both.begin(held or {})
    for change in history:
        both.change(change)
    return both.found + _entitled(both.ideal, both.reference, config), both.compared


class _Both:
    """The core and the reference, told the same."""

    def __init__(
        self, config: model.Config, coins: tuple[Coin, ...], equities: dict[str, Decimal], directory: Path
    ) -> None:
        self.ideal = Ideal(config, directory, coins, equities)
        self._account = {follower.name: follower.account for follower in config.followers}
        self._address = {leader.name: leader.address for leader in config.leaders}
        self._lots = {coin.name: coin.lot for coin in coins}
        # Of what it needs alone: an engine ends with the last that knows it, and its journal's directory goes then.
        positions, account = self.ideal.positions, self._account
        self.reference = Reference(config, equities, coins, lambda name, coin: positions[account[name]][coin])
        # A price alone sends nothing (rule 1): what was too small to open stays so until the target moves outward.
        self._cheapest: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        self._spot = {coin.name for coin in coins if coin.is_spot}
        self.found: list[str] = []
        self.compared = 0

    def begin(self, held: dict[tuple[str, str], tuple[Decimal, Decimal]]) -> None:
        """Come up. Leader by leader, coins in the venue's order: where a cap binds, the first have it."""
        order = list(self._address), list(self._lots)
        first = sorted(held.items(), key=lambda item: [at.index(what) for at, what in zip(order, item[0], strict=True)])
        for (leader, coin), (position, entry) in first:
            self.ideal.leaders[self._address[leader], coin] = (position, entry)
            self.ideal.marks[coin] = entry
        self.reference.begin([Holding(*where, *what, self.ideal.marks[where[1]]) for where, what in first])
        self.ideal.begin()
        self._tell()

    def change(self, change: Change) -> None:
        """One change of a leader, and every account beside its target."""
        if change.wait_ms:
            self.ideal.pass_ms(change.wait_ms - SETTLING_MS, change.wait_ms)
            self.ideal.pass_ms(SETTLING_MS, STEP_MS)
            self._tell()
            for follower, coin in list(self._cheapest):
                self._cheapest_price(follower, coin, self.reference.target(follower, coin))
        self.reference.now_ms = self.ideal.now_ms
        self.reference.change(change.leader, change.coin, change.before, change.after, change.price)
        self.ideal.fills(self._address[change.leader], list(change.rows))
        self._tell()
        for follower in self._account:
            own, target = self.reference.held(follower, change.coin), self.reference.target(follower, change.coin)
            band = self._lots[change.coin] + LEAST_USD / self._cheapest_price(follower, change.coin, target)
            self.compared += 1
            # The venue's exemption of whole closes from its minimum is for perps.
            rests = target == 0 and own != 0 and change.coin not in self._spot
            if abs(own - target) > band or rests:
                self.found.append(f"{follower} holds {own} {change.coin} for {target} after {change}")

    def _cheapest_price(self, follower: str, coin: str, target: Decimal) -> Decimal:
        """Since the target last moved outward."""
        now = self.reference.prices[coin]
        former, price = self._cheapest.get((follower, coin), (Decimal(0), now))
        inward = former * target >= 0 and abs(target) <= abs(former)
        moved = self.reference.accounts[follower].moved.get(coin, now)
        price = min(now, price if inward else moved)
        self._cheapest[follower, coin] = (target, price)
        return price

    def _tell(self) -> None:
        """The reference learns what became of the accounts."""
        names = {address: name for name, address in self._account.items()}
        for event in self.ideal.events:
            if isinstance(event, Executed):
                self.reference.executed(names[event.account], event.coin, event.size, event.price)
            elif event.account in names:
                self.reference.account_read(names[event.account], event.now_ms, event.worth)
        self.ideal.events.clear()


def _entitled(ideal: Ideal, reference: Reference, config: model.Config) -> list[str]:
    """What the core believes of each edge, beside the reference."""
    found = []
    for at, follow in enumerate(ideal.status()["follows"]):
        leader = config.follows[at].leader
        address = next(one.address for one in config.leaders if one.name == leader)
        cash = rounded = Decimal(0)
        for coin, part in reference.parts[at].items():
            entitled, held = (Decimal(follow[what].get(coin, "0")) for what in ("entitled", "held"))
            position = abs(ideal.leaders.get((address, coin), (Decimal(0), None))[0])
            # A reduction scales what is held by a quotient of integers: once per change, in 10^-20.
            off = SHOWN + RATIO_STEP * max(position, abs(part.entitled) * 1_000)
            if config.follows[at].max_gross_usd is not None:
                off += USD_STEP / reference.prices.get(coin, Decimal(1))
            if abs(entitled - part.entitled) > off:
                found.append(f"edge {at} is entitled to {entitled} {coin}, and should be to {part.entitled}")
            # Each share is a whole number of 10^-8 coins, of what all edges want.
            all_want = sum(abs(reference.parts[one][coin].entitled) for one in reference.edges_to[follow["follower"]])
            off += SHOWN * part.shares + RATIO_STEP * 1_000 * all_want
            if abs(held - part.held) > off:
                found.append(f"edge {at} holds {held} {coin}, and should {part.held}")
            cash += part.cash
            rounded += (2 * USD_STEP + off * reference.prices.get(coin, Decimal(0))) * (1 + part.shares)
        # What is adopted together is crossed or bought, as it comes: at the mark or at a limit.
        if config.follows[at].existing == "ignore" and abs(Decimal(follow["cash_usd"]) - cash) > rounded:
            found.append(f"edge {at} took in {follow['cash_usd']} USD, and should {cash}")
    return found
