"""How far a follower's exposure was from what the leader's moves asked for, for how long, and why.

The *ideal* position applies rule 1 of copying alone: the ratio fixed when the leader's position opens, his increases
and reductions in it; no filter, cap, minimum, delay or refusal. Tracking error is the time integral of |ideal - held|
in USD, and every moment of it belongs to causes:

- what a gate refused or an expiry gave back stays missing until the leader leaves the position: its receipt's reason;
- what is entitled and not held: latency while a decision waits for its order, afterwards what ended that order;
  a filled order leaves less than a lot or the venue's minimum.

Where causes pull in different directions the error of that moment is shared by their sizes. All of it is a function of
receipts and executions, so a journal and a replay are judged by the same code.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_DOWN, Decimal
from operator import attrgetter, itemgetter
from typing import Any, Final

import msgspec

from hlfast.config.model import Follow

ZERO: Final = Decimal(0)
HOUR_MS: Final = 3_600_000
CAUSES: Final = ("minimum", "caps", "filter", "latency", "margin", "rejection", "blocked")
# Receipts carry E cut to eight decimals.
_DUST: Final = Decimal("0.00000004")

# "": the policy wants nothing there, or nothing is missing.
_CAUSE_OF_REASON: Final = {
    **dict.fromkeys(("none", "existing_position", "add_ignored", "no_change", "nothing_held"), ""),
    "below_minimum": "minimum",
    **dict.fromkeys(("cap", "impact"), "caps"),
    **dict.fromkeys(("margin", "leverage_refused"), "margin"),
    **dict.fromkeys(("price_beyond_band", "too_old", "no_match", "superseded", "delayed", "twap_ended"), "latency"),
    **dict.fromkeys(
        (
            *("unknown_coin", "not_a_perp", "delisted", "coin_filtered", "below_min_value", "above_max_value"),
            *("side_filtered", "outside_hours", "leader_leverage", "leader_quality", "leader_left"),
            *("market_too_young", "low_volume", "low_open_interest", "not_spot", "spot_pair", "outcome_market"),
            "thin_book",
        ),
        "filter",
    ),
    **dict.fromkeys(
        (
            *("venue_limit", "price_too_far", "reduce_only", "invalid", "unknown_text", "venue_busy"),
            *("follower_stopped", "out_of_range"),
        ),
        "rejection",
    ),
    **dict.fromkeys(
        (
            *("quality_unread", "market_unread", "volatility_unread", "book_unread"),
            *("equity_unreadable", "leader_dirty", "leader_paused", "manual_position", "signer_stopped"),
            *("breaker", "request_budget", "paused", "frozen", "killed", "flattened", "unfollowed"),
            *("daily_loss", "drawdown", "losses_unread"),
        ),
        "blocked",
    ),
}
_CAUSE_OF_OUTCOME: Final = {
    "carried": "minimum",
    "expired": "latency",
    "skipped": "filter",
    "rejected": "rejection",
    "blocked": "blocked",
}


class Receipt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What tracking reads of a receipt, as `read_journal` and `WhatIf` write it; `follower` may be a name too."""

    follower: int | str
    leader: int | str
    coin: str
    number: int
    decision: int
    time_ms: int
    tid: int
    merged_into: int | None
    outcome: str
    reason: str
    leader_before: Decimal
    leader_after: Decimal
    leader_price: Decimal
    entitled_before: Decimal
    entitled_after: Decimal
    ordered: Decimal
    filled: Decimal
    decided_ms: int
    settled_ms: int


class Executed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One execution of a follower. `size` is signed."""

    time_ms: int
    follower: int | str
    coin: str
    size: Decimal


class IdealCoin(msgspec.Struct, frozen=True, kw_only=True):
    """What the ideal follower made of one coin: position at the end, money received less paid, value traded."""

    position: Decimal
    traded_usd: Decimal
    volume_usd: Decimal


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """Tracking error of everything given. `share` is error ÷ ideal exposure; None where nothing was asked for."""

    ideal_usd_hours: Decimal
    error_usd_hours: Decimal
    share: float | None
    causes: dict[str, Decimal]  # USD·hours; every cause of `CAUSES`, their sum is the error
    coins: dict[str, dict[str, Decimal]]
    ideal: dict[str, IdealCoin]
    unsized: int = 0  # openings whose ratio is not known: not in the ideal


RatioOf = Callable[[Receipt], Decimal | None]


def cause_of(outcome: str, reason: str) -> str:
    """Return the cause behind an ending; "" where nothing is missing."""
    found = _CAUSE_OF_REASON.get(reason)
    return _CAUSE_OF_OUTCOME.get(outcome, "") if found is None else found


def is_numbered(receipt: Receipt) -> bool:
    """Whether it carries its decision's numbers; the other fills of a decision point at the first."""
    return receipt.merged_into != receipt.decision


# Modes in which an add changes nothing unless it is told to.
_ONCE: Final = ("notional", "risk")
_RATIO_STEP: Final = Decimal("0.000000000001")  # of the core


def policy_ratio(follow: Follow, receipt: Receipt) -> Decimal | None:
    """Return what a policy alone says of the size that this receipt opens, cut as the core cuts it; None: it can't."""
    if follow.mode == "ratio" and follow.ratio is not None:
        ratio = Decimal(follow.ratio)
    elif follow.mode == "notional" and follow.notional_usd is not None and receipt.leader_after:
        ratio = Decimal(follow.notional_usd) / (receipt.leader_price * abs(receipt.leader_after))
    else:
        return None
    return _signed(ratio, follow)


def equity_ratio(follow: Follow, mine: Decimal | int, his: Decimal | int) -> Decimal | None:
    """Return what mode equity opens a position with; None: an equity is not above zero."""
    if mine <= 0 or his <= 0:
        return None
    return _signed(Decimal(follow.weight or 1) * mine / his, follow)


def _signed(ratio: Decimal, follow: Follow) -> Decimal:
    cut = ratio.quantize(_RATIO_STEP, ROUND_DOWN)
    return -cut if follow.inverse else cut


def seen_ratios(receipts: Iterable[Receipt]) -> RatioOf:
    """Tell ratios by what the engine did: that of the edge's nearest earlier increase, else of its first one."""
    seen: dict[tuple[int | str, int | str], list[tuple[int, Decimal]]] = defaultdict(list)
    for one in sorted(filter(is_numbered, receipts), key=attrgetter("decided_ms")):
        grown, given = one.leader_after - one.leader_before, one.entitled_after - one.entitled_before
        if given and grown and abs(one.leader_after) > abs(one.leader_before):
            seen[one.leader, one.follower].append((one.decided_ms, given / grown))

    def of(receipt: Receipt) -> Decimal | None:
        known = seen.get((receipt.leader, receipt.follower))
        if not known:
            return None
        return known[max(0, bisect_right(known, receipt.decided_ms, key=itemgetter(0)) - 1)][1]

    return of


class _Edge:
    """One leader's part of one coin."""

    __slots__ = ("ending", "ideal", "missing", "ratio")

    def __init__(self) -> None:
        self.ideal = ZERO
        self.ratio: Decimal | None = None
        self.missing: dict[str, Decimal] = {}
        self.ending = "latency"

    @property
    def entitled(self) -> Decimal:
        return self.ideal - sum(self.missing.values(), ZERO)

    def miss(self, cause: str, amount: Decimal) -> None:
        if abs(amount) > _DUST:
            self.missing[cause] = self.missing.get(cause, ZERO) + amount

    def take(self, receipt: Receipt, follow: Follow | None, ratio_of: RatioOf) -> tuple[Decimal, bool]:
        """Apply a decision; return the change of the ideal, and whether its ratio was known."""
        before, after = receipt.leader_before, receipt.leader_after
        was = self.ideal
        self._adopt(receipt)
        self.miss(self.ending, self.entitled - receipt.entitled_before)
        kept = ZERO if after * before <= 0 else min(after / before, Decimal(1))
        if before and kept < 1:
            self._fall(kept)
        fallen = receipt.entitled_before * kept if before else ZERO
        grows = abs(after) > abs(before) or after * before < 0
        wanted, known = self._wanted(receipt, follow, ratio_of, before if kept else ZERO) if grows else (ZERO, True)
        self.ideal += wanted
        cause = cause_of(receipt.outcome, receipt.reason)
        given = receipt.entitled_after - fallen
        # An increase that passed its gates and still gave less was cut by a cap, one that gave more was raised to the
        # minimum; a part that fell further was closed.
        cut = "caps" if abs(given) < abs(wanted) else "minimum"
        self.miss((cause or cut) if grows else "blocked", wanted - given)
        if not self.ideal and not after:
            self.ratio, self.missing = None, {}
        return self.ideal - was, known

    def _adopt(self, receipt: Receipt) -> None:
        """A position from before copying began leaves no receipt when it is taken over."""
        if not self.ideal and self.ratio is None and receipt.entitled_before and receipt.leader_before:
            self.ideal = receipt.entitled_before
            self.ratio = receipt.entitled_before / receipt.leader_before

    def _fall(self, kept: Decimal) -> None:
        self.ideal *= kept
        self.missing = {cause: amount * kept for cause, amount in self.missing.items()} if kept else {}
        if not kept:
            self.ratio = None

    def _wanted(
        self, receipt: Receipt, follow: Follow | None, ratio_of: RatioOf, start: Decimal
    ) -> tuple[Decimal, bool]:
        if receipt.reason == "existing_position":
            return ZERO, True
        adds = follow is None or follow.mode not in _ONCE or follow.scale_adds
        if start and not adds:
            return ZERO, True
        if self.ratio is None:
            self.ratio = ratio_of(receipt)
        if self.ratio is None:
            return receipt.entitled_after - receipt.entitled_before, False
        return self.ratio * (receipt.leader_after - start), True


class _Lot:
    """One follower's coin: the integral up to now."""

    def __init__(self) -> None:
        self.edges: dict[int | str, _Edge] = defaultdict(_Edge)
        self.held = self.price = self.traded = self.volume = self.asked = ZERO
        self.waiting = 0
        self.ending = "minimum"
        self.since_ms = 0
        self.causes: dict[str, Decimal] = defaultdict(Decimal)

    @property
    def ideal(self) -> Decimal:
        return sum((edge.ideal for edge in self.edges.values()), ZERO)

    def advance(self, to_ms: int) -> None:
        """Count the time since the last change."""
        span = to_ms - self.since_ms
        self.since_ms = to_ms
        if span <= 0 or not self.price:
            return
        ideal = self.ideal
        weight = self.price * span
        self.asked += abs(ideal) * weight
        gap = abs(ideal - self.held)
        if gap <= _DUST:
            return
        parts = self._parts(ideal)
        whole = sum(parts.values(), ZERO)
        for cause, size in parts.items():
            self.causes[cause] += gap * weight * size / whole

    @property
    def profit(self) -> Decimal:
        """What the ideal follower made of it so far."""
        return self.traded + self.ideal * self.price

    def decide(self, receipt: Receipt, follow: Follow | None, ratio_of: RatioOf, price: Decimal) -> bool:
        """Take a decision in; false: its ratio is not known."""
        moved, known = self.edges[receipt.leader].take(receipt, follow, ratio_of)
        self.waiting += 1
        self.price = price
        self.traded -= moved * price
        self.volume += abs(moved) * price
        return known

    def settle(self, receipt: Receipt) -> None:
        """Its decision waits no more."""
        self.waiting -= 1
        self.ending = cause_of(receipt.outcome, receipt.reason) or "minimum"
        self.edges[receipt.leader].ending = self.ending

    def _parts(self, ideal: Decimal) -> dict[str, Decimal]:
        parts: dict[str, Decimal] = defaultdict(Decimal)
        missing = ZERO
        for edge in self.edges.values():
            for cause, amount in edge.missing.items():
                parts[cause] += abs(amount)
                missing += amount
        rest = abs(ideal - missing - self.held)
        if rest:
            parts["latency" if self.waiting else self.ending] += rest
        return parts


def track(
    receipts: Iterable[Receipt],
    executed: Iterable[Executed],
    follows: Mapping[tuple[int | str, int | str], Follow],
    ratio_of: RatioOf,
    end_ms: int,
    *,
    price_of: Callable[[Receipt], Decimal] = attrgetter("leader_price"),
    seen: Callable[[int, Decimal], None] | None = None,
) -> Tracking:
    """Integrate tracking error over receipts and executions.

    Args:
        receipts: of any followers and leaders, in any order.
        executed: what the followers' orders executed, in the order of time.
        follows: the policies by (leader, follower); one that is missing counts as one that scales adds.
        ratio_of: follower's size over leader's for a position that this receipt opens; None: not known.
        end_ms: until when, Unix milliseconds.
        price_of: what the ideal follower pays for a decision.
        seen: called with the time and the ideal followers' profit so far whenever it changes.
    """
    lots: dict[tuple[int | str, str], _Lot] = defaultdict(_Lot)
    profit, unsized = ZERO, 0
    for at_ms, kind, _, what in _in_time(receipts, executed):
        lot = lots[what.follower, what.coin]
        lot.advance(at_ms)
        if kind == _EXECUTED:
            lot.held += what.size
        elif kind == _SETTLED:
            lot.settle(what)
        else:
            before = lot.profit
            known = lot.decide(what, follows.get((what.leader, what.follower)), ratio_of, price_of(what))
            unsized += not known
            if seen is not None:
                profit += lot.profit - before
                seen(at_ms, profit)
    for lot in lots.values():
        lot.advance(end_ms)
    return _summed(lots, unsized)


_DECIDED, _EXECUTED, _SETTLED = range(3)


def _in_time(receipts: Iterable[Receipt], executed: Iterable[Executed]) -> list[tuple[int, int, int, Any]]:
    """Decisions count from the leader's fill on; receipts are written when they end, in another order."""
    numbered = [receipt for receipt in receipts if is_numbered(receipt)]
    events: list[tuple[int, int, int, Any]] = [(one.time_ms, _DECIDED, one.decision, one) for one in numbered]
    events += [(one.settled_ms, _SETTLED, one.number, one) for one in numbered]
    events += [(one.time_ms, _EXECUTED, place, one) for place, one in enumerate(executed)]
    return sorted(events, key=itemgetter(0, 1, 2))


def _summed(lots: Mapping[tuple[int | str, str], _Lot], unsized: int) -> Tracking:
    coins: dict[str, dict[str, Decimal]] = {}
    ideal: dict[str, IdealCoin] = {}
    for (_, coin), lot in lots.items():
        mine = coins.setdefault(coin, dict.fromkeys(CAUSES, ZERO))
        for cause, amount in lot.causes.items():
            mine[cause] += amount / HOUR_MS
        other = ideal.get(coin, IdealCoin(position=ZERO, traded_usd=ZERO, volume_usd=ZERO))
        ideal[coin] = IdealCoin(
            position=other.position + lot.ideal,
            traded_usd=other.traded_usd + lot.traded,
            volume_usd=other.volume_usd + lot.volume,
        )
    causes = {cause: sum((mine[cause] for mine in coins.values()), ZERO) for cause in CAUSES}
    asked = sum((lot.asked for lot in lots.values()), ZERO) / HOUR_MS
    error = sum(causes.values(), ZERO)
    return Tracking(
        ideal_usd_hours=asked,
        error_usd_hours=error,
        share=float(error / asked) if asked else None,
        causes=causes,
        coins=coins,
        ideal=ideal,
        unsized=unsized,
    )
