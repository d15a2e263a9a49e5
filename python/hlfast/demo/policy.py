"""What each follower should hold: the copying rules read a second time, in plain Decimal.

Written from the description of how copying behaves, not from the core. A quantity that can't be known exactly from
outside (an equity ratio, the unfilled part of an entry that expired) is a `Span`: the truth lies between its ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hlfast.config.model import Follow, Follower

ZERO = Decimal(0)


def plain(value: Decimal) -> str:
    """As the venue would print it: at most 8 decimals, no exponent, no trailing zeros."""
    text = f"{value:.8f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@dataclass(frozen=True, slots=True)
class Span:
    """All values from `low` to `high`; a known value has both equal. Signed."""

    low: Decimal
    high: Decimal

    @classmethod
    def exactly(cls, value: Decimal) -> Span:
        """A value that is known."""
        return cls(value, value)

    @property
    def exact(self) -> bool:
        """Whether there is just one value."""
        return self.low == self.high

    @property
    def certain(self) -> bool:
        """Whether it is something, not possibly nothing."""
        return self.low > 0 or self.high < 0

    @property
    def largest(self) -> Decimal:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def times(self, factor: Decimal) -> Span:
        """Scale; a negative factor turns the ends round."""
        ends = (self.low * factor, self.high * factor)
        return Span(min(ends), max(ends))

    def within(self, most: Decimal) -> Span:
        """Cut to magnitudes up to `most`."""
        return Span(max(-most, min(most, self.low)), max(-most, min(most, self.high)))

    def shares(self, share: Span) -> Span:
        """From the smallest to the largest share of it; shares are 0 to 1."""
        low, high = self.times(share.low), self.times(share.high)
        return Span(min(low.low, high.low), max(low.high, high.high))


NOTHING = Span.exactly(ZERO)


@dataclass(frozen=True, slots=True)
class Change:
    """One leader event in one coin: the position went from `before` to `after`, last fill at `price`."""

    before: Decimal
    after: Decimal
    price: Decimal

    @property
    def is_flip(self) -> bool:
        """The position changed sides."""
        return self.before * self.after < 0

    @property
    def is_increase(self) -> bool:
        """The position grew, opened, or changed sides."""
        return self.is_flip or abs(self.after) > abs(self.before)


class Entitled:
    """E of one follow edge in one coin (rule 1), and the rules that decide whether an increase may enter it."""

    def __init__(self, follow: Follow, coin: str, equity_ratio: Span | None, *, delisted: bool = False) -> None:
        self.follow = follow
        self.coin = coin
        self.equity_ratio = equity_ratio
        self.delisted = delisted  # the venue lets positions be closed, not opened
        self.held = NOTHING
        self.ratio: Span | None = None  # fixed when the leader's position opens, until it is flat (rule 10)
        self.ignoring = False  # a position from before the start, not adopted (rule 7)

    def start(self, position: Decimal, entry_price: Decimal, price: Decimal) -> None:
        """Take over what the leader holds at start, as the follow's `existing` says."""
        if position == 0:
            return
        band = Decimal(self.follow.adopt_band_bps or 0) / 10_000 * entry_price
        adopt = self.follow.existing == "adopt" or (
            self.follow.existing == "adopt_within" and abs(price - entry_price) <= band
        )
        opening = Change(ZERO, position, price)
        self.ratio = self._ratio_at(opening)
        if adopt and not self.gates(opening):
            self.held = self._addition(opening)
        else:
            self.ignoring = True

    def gates(self, change: Change) -> frozenset[str]:
        """The rules that keep an increase out; empty if it may enter. Reductions are never asked (rule 16)."""
        follow = self.follow
        listed = follow.coins_allow is None or self.coin in follow.coins_allow
        value = abs(change.after) * change.price
        too_small = follow.min_value_usd is not None and value < Decimal(follow.min_value_usd)
        too_large = follow.max_value_usd is not None and value > Decimal(follow.max_value_usd)
        verdicts = {
            "coin": not listed or self.coin in follow.coins_block,
            "delisted": self.delisted,
            "existing": self.ignoring and not change.is_flip,
            "value": too_small or too_large,
        }
        return frozenset(rule for rule, refuses in verdicts.items() if refuses)

    def apply(self, change: Change, kept: Span | None = None) -> Span:
        """Take one leader event; return what its increase would add if all of it entered.

        `kept` bounds the share of that addition that stayed: none if the entry expired unfilled, any part if some of
        it did; None means all. What expired gives its part of E back (rule 1).
        """
        if not change.is_increase:
            if change.after == 0:
                self.held, self.ratio, self.ignoring = NOTHING, None, False
            else:
                self.held = self.held.times(change.after / change.before)
            return NOTHING
        gates = self.gates(change)
        opening = change
        if change.is_flip:
            self.held, self.ignoring = NOTHING, False
            opening = Change(ZERO, change.after, change.price)
        if opening.before == 0:
            self.ratio = self._ratio_at(opening)
        elif self.follow.mode == "notional" and not self.follow.scale_adds:
            return NOTHING
        if gates:
            return NOTHING
        added = self._addition(opening)
        self.held = self.held + (added if kept is None else added.shares(kept))
        return added

    def _addition(self, change: Change) -> Span:
        """r·(L1 - L0), cut by the edge's caps at the leader's price; a cap never takes away what is held."""
        if self.ratio is None:
            raise ValueError(f"{self.follow.leader}: {self.coin} grows from {change.before:f} but was never opened")
        added = self.ratio.times(change.after - change.before)
        if self.follow.max_order_usd is not None:
            added = added.within(Decimal(self.follow.max_order_usd) / change.price)
        if self.follow.max_position_usd is not None:
            most = Decimal(self.follow.max_position_usd) / change.price
            grown = (self.held + added).within(max(most, self.held.largest))
            added = Span(grown.low - self.held.low, grown.high - self.held.high)
        return added

    def _ratio_at(self, change: Change) -> Span:
        follow = self.follow
        if follow.mode == "ratio":
            return Span.exactly(Decimal(follow.ratio or 0))
        if follow.mode == "notional":
            return Span.exactly(Decimal(follow.notional_usd or 0) / (change.price * abs(change.after)))
        if self.equity_ratio is None:
            raise ValueError(f"{follow.follower}: mode equity needs the equities that were seen")
        return self.equity_ratio.times(Decimal(follow.weight or 1))


def net_target(edges: list[Entitled], follower: Follower, change: Change, before: Span) -> Span:
    """ΣE over a follower's edges in one coin, then the account's position cap (rules 1 and 16).

    The cap is in USD and judged at a price between the leader's and the order's limit. A price alone never sends an
    order: what was allowed `before` may stay although the cap buys less now. So a target at its cap is a span.
    """
    total = NOTHING
    for edge in edges:
        total = total + edge.held
    if follower.max_position_usd is None:
        return total
    most = Decimal(follower.max_position_usd) / change.price
    band = Decimal(max(edge.follow.entry_band_bps for edge in edges)) / 10_000
    ends = [total.within(most * (1 - band)), total.within(max(most * (1 + band), before.largest))]
    if not change.is_increase:
        ends.append(total.within(min(most, before.largest)))  # a cap that buys more now lets nothing in by itself
    return Span(min(end.low for end in ends), max(end.high for end in ends))
