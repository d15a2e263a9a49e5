"""Rule 14: what each edge holds of a coin, and how one account's executions are shared out among its edges."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)
# Shares are quotients: a sum of them may lie this far beside what was shared out.
ROUNDING = Decimal("1e-18")


@dataclass(eq=False)
class Part:
    """What one edge holds of one coin."""

    entitled: Decimal = ZERO  # E, signed, unrounded
    held: Decimal = ZERO  # its share of what was executed
    cash: Decimal = ZERO  # what that took in, in USD
    fees: Decimal = ZERO  # and cost
    shares: int = 0  # how often something was shared out to it
    ratio: Decimal | None = None  # fixed while the leader's position stays open (rule 10)
    ignored: bool = False  # the leader's position is from before copying began (rule 7)

    @property
    def wanted(self) -> Decimal:
        """What is still to be bought for it, or sold."""
        wanted = self.entitled - self.held
        return wanted if abs(wanted) > ROUNDING else ZERO

    @property
    def worst(self) -> Decimal:
        """What counts against caps: what should go is there until it went."""
        return max(abs(self.entitled), abs(self.held))

    def earned(self, price: Decimal) -> Decimal:
        """With what it holds at that price."""
        return self.cash - self.fees + self.held * price


def attribute(parts: list[Part], size: Decimal, price: Decimal, fee_rate: Decimal) -> None:
    """An execution goes pro rata to the edges that want it. What is more goes out of what they hold, then out of the others'."""
    wants = [(part, part.wanted) for part in parts]
    asking = [part for part, wanted in wants if wanted * size > 0]
    rest = size - _take(wants, size, price, fee_rate)
    for group in (asking, [part for part in parts if part not in asking]):
        rest -= _take([(part, -part.held) for part in group], rest, price, fee_rate)


def cross(parts: list[Part], price: Decimal) -> None:
    """What one edge wants and another wants to be rid of goes from one to the other, without an order."""
    wants = [(part, part.wanted) for part in parts]
    bought, sold = (sum((wanted for _, wanted in wants if wanted * side > 0), ZERO) for side in (1, -1))
    size = min(bought, -sold)
    _take(wants, size, price, ZERO)
    _take(wants, -size, price, ZERO)


def cut(parts: list[Part], excess: Decimal) -> None:
    """Takes so much E from the edges on one side, pro rata."""
    total = sum((abs(part.entitled) for part in parts), ZERO)
    for part in parts:
        part.entitled -= part.entitled / total * excess


def _take(of: list[tuple[Part, Decimal]], size: Decimal, price: Decimal, fee_rate: Decimal) -> Decimal:
    """Shares `size` out, at most what there is of it, pro rata; what was shared out."""
    there = [(part, amount) for part, amount in of if amount * size > 0]
    total = sum((amount for _, amount in there), ZERO)
    taken = min(abs(size), abs(total)).copy_sign(size)
    for part, amount in there:
        share = taken * amount / total
        part.held += share
        part.cash -= share * price
        part.fees += abs(share) * price * fee_rate
        part.shares += 1
    return taken
