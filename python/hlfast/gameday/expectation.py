"""What followers should hold, from the leaders' fills and the settings alone: a second reading of the rules of copying.

Faults may keep an entry from being taken, and a receipt says so; how much of E each edge can have is therefore a span.
Receipts may lower it, never raise it: a part that is not accounted for as refused must be there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, groupby
from typing import Any, Final, TypeAlias

from hlfast.config.model import Follow, Follower
from hlfast.config.portions import is_native
from hlfast.gameday.checker import (
    CLOCK_SLACK_MS,
    LEAST_USD,
    OPENS_WITHIN_MS,
    SCALE,
    STOP_FOUND_MS,
    Evidence,
    attempt_of,
    began_ms,
    is_settlement,
    shared,
    signed,
    stop_hits,
    units,
)

# Outcomes by which all that a decision added is in E, and those of gates, by which nothing is.
_WHOLE: Final = frozenset({"filled", "carried"})
_NONE: Final = frozenset({"skipped", "blocked"})
# What a whole outcome says beside itself; any other reason is of the gate which refused the opening half of a flip.
_NO_GATE: Final = frozenset({"none", "below_minimum", "cap"})
# A price is read at another moment than the fill's by whoever decides on a coalesced change.
_NOTIONAL_SPREAD: Final = Decimal("0.01")

# What an exit uncovers is priced as an exit, and an order is worth what its limit says.
_EXIT_LIMIT: Final = Decimal("0.97")
# The least TWAP is $100.5, valued as orders are.
LEAST_TWAP_USD: Final = Decimal(105)
_NEVER_MS: Final = 2**62

Receipt: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """One leader's change of one coin: of one block, or of several that an edge decided together."""

    leader: str
    coin: str
    before: int
    after: int
    price: Decimal
    time_ms: int
    tids: tuple[int, ...]
    reached: tuple[int, ...]  # what the position was after each of them

    @property
    def flips(self) -> bool:
        """Through zero."""
        return self.before * self.after < 0

    @property
    def opens_from(self) -> int | None:
        """Where an increase starts; None when it is none."""
        if self.flips:
            return 0
        return self.before if abs(self.after) > abs(self.before) else None

    def then(self, later: Move) -> Move:
        """Both as one."""
        tids, reached = self.tids + later.tids, self.reached + later.reached
        return Move(self.leader, self.coin, self.before, later.after, later.price, later.time_ms, tids, reached)

    def part(self, first: int, last: int) -> Move:
        """Its fills from one place up to another alone."""
        before = self.reached[first - 1] if first else self.before
        tids, reached = self.tids[first:last], self.reached[first:last]
        return Move(self.leader, self.coin, before, reached[-1], self.price, self.time_ms, tids, reached)


@lru_cache(maxsize=1)
def moves(evidence: Evidence) -> list[Move]:
    """All leaders' changes, in the venue's order."""
    names = {leader.address: leader.name for leader in evidence.config.leaders}
    held: dict[tuple[str, str], int] = defaultdict(int)
    for (address, coin), (size, _) in evidence.cast.holdings.items():
        held[address, coin] = int(size * SCALE)
    found = []
    # What they trade, and what the venue settles for them.
    rows = [row for row in evidence.ledger["fills"] if row["user"] in names]
    for (address, coin, time_ms), group in groupby(rows, key=lambda row: (row["user"], row["coin"], row["time"])):
        fills = list(group)
        before = held[address, coin]
        changes = (units(row["sz"]) * (1 if row["side"] == "B" else -1) for row in fills)
        _, *reached = accumulate(changes, initial=before)
        held[address, coin] = after = reached[-1]
        tids = tuple(row["tid"] for row in fills)
        price = Decimal(fills[-1]["px"])
        found.append(Move(names[address], coin, before, after, price, time_ms, tids, tuple(reached)))
    return found


@dataclass(slots=True)
class Part:
    """|E| of one edge in one coin: from `low` to `high`, in 10^-8 coins (fractions kept), on the leader's side."""

    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    side: int = 1
    ignoring: bool = False
    # (when the engine knew, least, most) after each change, signed; each holds until the next.
    past: list[tuple[int, Decimal, Decimal]] = field(default_factory=list)

    @property
    def span(self) -> tuple[Decimal, Decimal]:
        """E, signed: least and most."""
        ends = self.side * self.low, self.side * self.high
        return min(ends), max(ends)

    def span_since(self, from_ms: int, to_ms: int) -> tuple[Decimal, Decimal]:
        """The widest that E was in a stretch of time."""
        least = most = Decimal(0)
        for time_ms, low, high in reversed(self.past):
            if time_ms <= to_ms:
                least, most = min(least, low), max(most, high)
            if time_ms < from_ms:
                break
        return least, most

    def fall(self, move: Move) -> None:
        """Apply what a change lowers."""
        if move.after == 0 or move.flips:
            self.low = self.high = Decimal(0)
            self.ignoring = False
        elif abs(move.after) < abs(move.before):
            share = Decimal(move.after) / Decimal(move.before)
            self.low *= share
            self.high *= share

    def rise(self, follow: Follow, move: Move, start: int, share: tuple[bool, bool]) -> None:
        """Add what the policy says: for certain if the first of `share`, at most if the second."""
        least, most = _added(follow, move, start)
        self.side = 1 if move.after > 0 else -1
        certain, possible = share
        # Less of the edge's cap may have been left than there is now: what stood in it can be given back later.
        self.low += _clipped(follow, move, self.high, least) if certain else 0
        self.high += _clipped(follow, move, self.high, most) if possible else 0


@lru_cache(maxsize=1)
def parts(evidence: Evidence) -> dict[tuple[str, str], list[Part]]:
    """(follower, coin) → E of each of its edges."""
    said = _receipts(evidence)
    lines: dict[tuple[str, str], list[Move]] = defaultdict(list)
    for move in moves(evidence):
        lines[move.leader, move.coin].append(move)
    addresses = {leader.name: leader.address for leader in evidence.config.leaders}
    found: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for follow in evidence.config.follows:
        for coin in evidence.cast.coins:
            size, _ = evidence.cast.holdings.get((addresses[follow.leader], coin), (Decimal(0), None))
            part = Part(ignoring=size != 0)
            hits = stop_hits(evidence).get((follow.follower, coin), [])
            line = lines[follow.leader, coin]
            before_ms = 0
            for move, rows in _decided(said, follow, line):
                # What a stop closed is gone, and with it, until a read has found it, the parts added beside it.
                struck = any(move.time_ms - STOP_FOUND_MS < hit_ms < move.time_ms for hit_ms in hits)
                closed = struck or any(before_ms <= hit_ms < move.time_ms for hit_ms in hits)
                before_ms = move.time_ms
                part.fall(move)
                part.low = Decimal(0) if closed else part.low
                start = move.opens_from
                if start is not None and not part.ignoring and coin not in follow.coins_block:
                    certain, possible = _share(move, rows)
                    part.rise(follow, move, start, (certain and not struck, possible))
                guess = _guessed(follow, move, rows)
                part.past.append((_known_ms(rows), min(guess, part.span[0]), max(guess, part.span[1])))
            part.past = _in_order(part.past)
            if line and hits and hits[-1] >= line[-1].time_ms:
                part.low = Decimal(0)
            found[follow.follower, coin].append(part)
    return found


def _decided(
    said: dict[tuple[str, str, str, int], Receipt], follow: Follow, line: list[Move]
) -> Iterator[tuple[Move, list[Receipt]]]:
    """An edge's moves as it decided them.

    One, of those that a restart or a gap made it find together; several, of a block whose fills came in several frames.
    """
    pending: tuple[Move, list[Receipt], int | None] | None = None
    for whole in line:
        known = [said.get((whole.leader, follow.follower, whole.coin, tid)) for tid in whole.tids]
        for move, rows in _steps(whole, known):
            decision = rows[0]["decision"] if rows else None
            if pending is not None and decision is not None and pending[2] == decision:
                pending = pending[0].then(move), pending[1] + rows, decision
                continue
            if pending is not None:
                yield pending[0], pending[1]
            pending = move, rows, decision
    if pending is not None:
        yield pending[0], pending[1]


def _steps(move: Move, known: list[Receipt | None]) -> Iterator[tuple[Move, list[Receipt]]]:
    """A block's change by the decisions that took it; in one step, and without receipts, where some are missing."""
    rows = [row for row in known if row is not None]
    if len(rows) < len(known):
        yield move, []
        return
    first = 0
    for _, group in groupby(rows, key=lambda row: row["decision"]):
        taken = list(group)
        yield move.part(first, first + len(taken)), taken
        first += len(taken)


def _guessed(follow: Follow, move: Move, rows: list[Receipt]) -> Decimal:
    """What E was for a moment, signed, if the tape brought a change and not the one before: it tells sizes only."""
    ends = [(units(row["leader_before"]), units(row["leader_after"])) for row in rows if row["merged_into"] is None]
    size = move.after - move.before
    said = {after for before, after in ends if before != move.before and after - before == size}
    after = said.pop() if len(said) == 1 else 0
    _, most = _added(follow, replace(move, after=after), 0)
    return most * (after > 0) - most * (after < 0)


def _known_ms(rows: list[Receipt]) -> int:
    """When the engine had decided on a change; what no receipt tells of it learnt with a later one."""
    return max((row["decided_ms"] for row in rows), default=_NEVER_MS)


def _in_order(past: list[tuple[int, Decimal, Decimal]]) -> list[tuple[int, Decimal, Decimal]]:
    """A change is known at the latest when one after it is."""
    known_ms, ordered = _NEVER_MS, []
    for time_ms, low, high in reversed(past):
        known_ms = min(known_ms, time_ms)
        ordered.append((known_ms, low, high))
    return ordered[::-1]


def _added(follow: Follow, move: Move, start: int) -> tuple[Decimal, Decimal]:
    """What an increase adds to |E|, before caps: from and to."""
    if follow.mode == "notional":
        # Fixed when the position opens.
        value = Decimal(follow.notional_usd or 0) / move.price * SCALE if start == 0 else Decimal(0)
        return value * (1 - _NOTIONAL_SPREAD), value * (1 + _NOTIONAL_SPREAD)
    whole = Decimal(follow.ratio or 0) * abs(move.after - start)
    return whole, whole


def _clipped(follow: Follow, move: Move, held: Decimal, added: Decimal) -> Decimal:
    """What an edge's own caps leave of it."""
    if follow.max_order_usd:
        added = min(added, Decimal(follow.max_order_usd) / move.price * SCALE)
    if follow.max_position_usd:
        added = min(added, max(Decimal(0), Decimal(follow.max_position_usd) / move.price * SCALE - held))
    return added


@lru_cache(maxsize=1)
def _receipts(evidence: Evidence) -> dict[tuple[str, str, str, int], Receipt]:
    leaders = [leader.name for leader in evidence.config.leaders]
    followers = [follower.name for follower in evidence.config.followers]
    return {
        (leaders[row["leader"]], followers[row["follower"]], row["coin"], row["tid"]): row
        for row in evidence.objects("receipt")
    }


def _share(move: Move, rows: list[Receipt]) -> tuple[bool, bool]:
    """Whether an increase is in E for certain, and whether it may be: what its receipts can say of it."""
    leads = [row for row in rows if row["merged_into"] is None]
    if len(leads) != 1:
        return False, True
    lead = leads[0]
    if units(lead["leader_before"]) != move.before or units(lead["leader_after"]) != move.after:
        return False, True
    if lead["outcome"] in _NONE:
        return False, False
    if lead["outcome"] in _WHOLE:
        passed = lead["reason"] in _NO_GATE
        return passed, passed
    return False, True


def convergence(evidence: Evidence) -> Iterator[str]:
    """I1: with everything quiet each position is ΣE, within a lot and the least order; nothing where E is nothing."""
    accounts = {follower.name: follower.account for follower in evidence.config.followers}
    capped = {each.name for each in evidence.config.followers if is_capped(each)}
    least = {each.name: least_usd(each) for each in evidence.config.followers}
    for (follower, coin), edges in sorted(parts(evidence).items()):
        if follower in evidence.revoked or follower in shared(evidence):
            continue
        held = units(evidence.ledger["positions"].get(accounts[follower], {}).get(coin, {}).get("szi", "0"))
        spans = [part.span for part in edges]
        if follower in capped:
            # A cap of the account cuts the side that is uncovered, whichever leaders' parts that is.
            spans = [(min(low, Decimal(0)), max(high, Decimal(0))) for low, high in spans]
        low, high = (sum(ends, Decimal(0)) for ends in zip(*spans, strict=True))
        slack = Decimal(0)
        if low or high:
            limit = _price(evidence, coin) * _EXIT_LIMIT
            slack = Decimal(evidence.cast.lots[coin]) + least[follower] / limit * SCALE
        if not low - slack <= held <= high + slack:
            yield (
                f"{follower} {coin}: holds {Decimal(held) / SCALE:f}, its policy says"
                f" {low / SCALE:.8f} to {high / SCALE:.8f} (± {slack / SCALE:.8f})"
            )


def never_beyond(evidence: Evidence) -> Iterator[str]:
    """I2: nothing that opens brings a position further than its leaders' moves entitle it to, at any time."""
    names = {follower.account: follower.name for follower in evidence.config.followers}
    expected = parts(evidence)
    held: dict[tuple[str, str], int] = defaultdict(int)
    for row in evidence.ledger["fills"]:
        if row["user"] not in names or names[row["user"]] in shared(evidence):
            continue
        key = names[row["user"]], row["coin"]
        before = held[key]
        after = held[key] = before + signed(row)
        if abs(after) <= abs(before) and before * after >= 0:
            continue
        # The venue goes on with a TWAP while nobody is there to end it.
        since_ms = began_ms(evidence, row) - OPENS_WITHIN_MS
        until_ms = row["time"] + CLOCK_SLACK_MS
        spans = [part.span_since(since_ms, until_ms) for part in expected[key]]
        low, high = (sum(ends, Decimal(0)) for ends in zip(*spans, strict=True))
        slack = evidence.cast.lots[row["coin"]] + LEAST_USD / Decimal(row["px"]) * SCALE
        if not low - slack <= after <= high + slack:
            yield (
                f"{key[0]} {key[1]}: order {row['oid']} makes {Decimal(after) / SCALE:f},"
                f" entitled to {low / SCALE:.8f} to {high / SCALE:.8f}"
            )


def least_usd(follower: Follower) -> Decimal:
    """What may be missing of an account's target because no opening can be as small."""
    return LEAST_TWAP_USD if is_native(follower) else LEAST_USD


def is_capped(follower: Follower) -> bool:
    """Whether the account has caps: they bound the position, whatever E is."""
    return bool(follower.max_order_usd or follower.max_position_usd or follower.max_gross_usd)


def _price(evidence: Evidence, coin: str) -> Decimal:
    """The lowest of the coin's latest prices."""
    prices = [Decimal(row["px"]) for row in evidence.ledger["fills"] if row["coin"] == coin][-8:]
    return min([*prices, evidence.cast.mids[coin]])


def travel(evidence: Evidence) -> Iterator[str]:
    """I2: a follower's volume in a coin is at most its leaders' volume times its ratios, but for what stops did."""
    names = {follower.account: follower.name for follower in evidence.config.followers}
    traded: dict[tuple[str, str], int] = defaultdict(int)
    for row in evidence.ledger["fills"]:
        if row["user"] not in names or is_settlement(evidence, row):
            continue
        attempt = attempt_of(evidence, row)
        if attempt is None or attempt["does"] != "stop":
            traded[names[row["user"]], row["coin"]] += units(row["sz"])
    most: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    # Nobody can copy what the venue settles.
    copied = [move for move in moves(evidence) if move.time_ms < evidence.delisted.get(move.coin, _NEVER_MS)]
    for follow in evidence.config.follows:
        for move in copied:
            if move.leader != follow.leader or move.coin in follow.coins_block:
                continue
            step = LEAST_USD / move.price * SCALE + evidence.cast.lots[move.coin]
            if follow.mode == "notional":
                step += Decimal(follow.notional_usd or 0) * 2 / move.price * SCALE
            else:
                step += Decimal(follow.ratio or 0) * abs(move.after - move.before)
            most[follow.follower, move.coin] += step
    for (follower, coin), volume in sorted(traded.items()):
        if volume > most[follower, coin] and follower not in shared(evidence):
            yield (
                f"{follower} {coin}: traded {Decimal(volume) / SCALE:f},"
                f" its leaders' moves explain {most[follower, coin] / SCALE:.8f}"
            )


def receipts_complete(evidence: Evidence) -> Iterator[str]:
    """I7: with everything quiet, each leader fill has a receipt on each of its edges, and no receipt is of no fill."""
    said = _receipts(evidence)
    follows: dict[str, list[str]] = defaultdict(list)
    for follow in evidence.config.follows:
        follows[follow.leader].append(follow.follower)
    due = set()
    for move in moves(evidence):
        for follower in follows[move.leader]:
            due |= {(move.leader, follower, move.coin, tid) for tid in move.tids}
    started = min((row["now_ms"] for row in evidence.objects("start")), default=0)
    early = {
        (move.leader, follower, move.coin, tid)
        for move in moves(evidence)
        if move.time_ms <= started
        for follower in follows[move.leader]
        for tid in move.tids
    }
    for key in sorted(due - said.keys() - early):
        yield f"no receipt: {key[0]} → {key[1]} {key[2]} tid {key[3]}"
    for key in sorted(said.keys() - due):
        yield f"receipt of no fill: {key[0]} → {key[1]} {key[2]} tid {key[3]}"
