"""Runs a history through the core and through the reference, and lists where they part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.reference.ideal import Coin, Ideal
from tests.reference.model import Reference

from hlfast.config import model

# Venue rule: an order is worth 10 dollars at least; the core keeps half a dollar more, and prices a reduction up to 3 % off.
LEAST_USD = Decimal("10.9")
# The core keeps ratios in 10^-12 and shows positions in 10^-8.
RATIO_STEP, SHOWN = Decimal("1e-12"), Decimal("2e-8")


@dataclass(frozen=True)
class Change:
    """Fills of one leader and coin in one frame."""

    leader: str
    coin: str
    rows: tuple[dict[str, Any], ...]

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
    ideal = Ideal(config, directory, coins, equities)
    reference = Reference(config, equities, {coin.name: coin.closes for coin in coins})
    address = {leader.name: leader.address for leader in config.leaders}
    for (leader, coin), (position, entry) in (held or {}).items():
        ideal.leaders[address[leader], coin] = (position, entry)
        reference.begin(leader, coin, position, entry, entry)
    ideal.begin()
    lots = {coin.name: coin.lot for coin in coins}
    # A price alone sends nothing (rule 1): what was too small to open stays so until the target moves outward.
    cheapest: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    found, compared = [], 0
    for change in history:
        ideal.fills(address[change.leader], list(change.rows))
        reference.change(change.leader, change.coin, change.before, change.after, change.price)
        for follower in ideal.config.followers:
            own = ideal.positions[follower.account, change.coin]
            target = reference.target(follower.name, change.coin)
            former, price = cheapest.get((follower.name, change.coin), (target, change.price))
            inward = former * target >= 0 and abs(target) <= abs(former)
            price = min(price, change.price) if inward else change.price
            cheapest[follower.name, change.coin] = (target, price)
            band = lots[change.coin] + LEAST_USD / price
            compared += 1
            if abs(own - target) > band or (target == 0) > (own == 0):
                found.append(f"{follower.name} holds {own} {change.coin} for {target} after {change}")
    found += _entitled(ideal, reference, config)
    return found, compared


def _entitled(ideal: Ideal, reference: Reference, config: model.Config) -> list[str]:
    """What the core believes each edge is entitled to, beside the reference."""
    found = []
    for at, follow in enumerate(ideal.status()["follows"]):
        leader = config.follows[at].leader
        address = next(one.address for one in config.leaders if one.name == leader)
        for coin in {coin for edge, coin in reference.parts if edge == at}:
            wanted = reference.parts[at, coin].entitled
            held = Decimal(follow["entitled"].get(coin, "0"))
            position = abs(ideal.leaders.get((address, coin), (Decimal(0), None))[0])
            # A reduction scales what is held by a quotient of integers: once per change, in 10^-20.
            if abs(held - wanted) > SHOWN + RATIO_STEP * max(position, abs(wanted) * 1_000):
                found.append(f"edge {at} is entitled to {held} {coin}, and should be to {wanted}")
    return found
