"""What followers should hold, from the leaders' fills and the settings alone: a second reading of the rules of copying.

Faults may keep an entry from being taken, and a receipt says so; how much of E each edge can have is therefore a span.
Receipts may lower it, never raise it: a part that is not accounted for as refused must be there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from hlfast.config.model import Follow
from hlfast.gameday.checker import LEAST_USD, SCALE, Evidence, units

# Gates keep a part out of E. What expired or was rejected may stay as far as it was held already.
_NONE: Final = frozenset({"skipped", "blocked"})
_WHOLE: Final = frozenset({"filled"})


@dataclass(frozen=True, slots=True)
class Move:
    """One leader's change of one coin in one block."""

    leader: str
    coin: str
    before: int
    after: int
    price: Decimal
    time_ms: int
    tids: tuple[int, ...]


def moves(evidence: Evidence) -> list[Move]:
    """All leaders' changes, in the venue's order."""
    names = {leader.address: leader.name for leader in evidence.config.leaders}
    held: dict[tuple[str, str], int] = defaultdict(int)
    for (address, coin), (size, _) in evidence.cast.holdings.items():
        held[address, coin] = int(size * SCALE)
    found = []
    rows = [row for row in evidence.ledger["fills"] if row.get("leader")]
    for (address, coin, time_ms), group in groupby(rows, key=lambda row: (row["user"], row["coin"], row["time"])):
        fills = list(group)
        change = sum(units(row["sz"]) * (1 if row["side"] == "B" else -1) for row in fills)
        before = held[address, coin]
        held[address, coin] = before + change
        tids = tuple(row["tid"] for row in fills)
        price = Decimal(fills[-1]["px"])
        found.append(Move(names[address], coin, before, before + change, price, time_ms, tids))
    return found


@dataclass(slots=True)
class Part:
    """E of one edge in one coin: from `low` to `high`, in 10^-8 coins (fractions kept), of the leader's sign."""

    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    ignoring: bool = False

    def fall(self, move: Move) -> None:
        """Apply what a change lowers."""
        if move.after == 0 or move.before * move.after < 0:
            self.low = self.high = Decimal(0)
            self.ignoring = False
        elif abs(move.after) < abs(move.before):
            share = Decimal(move.after) / Decimal(move.before)
            self.low *= share
            self.high *= share

    def rise(self, least: Decimal, most: Decimal) -> None:
        """Add from `least` to `most`, both of one sign."""
        self.low += min(least, most)
        self.high += max(least, most)


def parts(evidence: Evidence) -> dict[tuple[str, str], dict[str, Part]]:
    """(follower, coin) → leader → E."""
    follows: dict[str, list[Follow]] = defaultdict(list)
    for follow in evidence.config.follows:
        follows[follow.leader].append(follow)
    said = _receipts(evidence)
    found: dict[tuple[str, str], dict[str, Part]] = defaultdict(dict)
    addresses = {leader.address: leader.name for leader in evidence.config.leaders}
    for (address, coin), (size, _) in evidence.cast.holdings.items():
        for follow in follows[addresses[address]]:
            found[follow.follower, coin][follow.leader] = Part(ignoring=size != 0)
    shared = {follow.follower for follow in evidence.config.follows if _leaders_of(evidence, follow.follower) > 1}
    for move in moves(evidence):
        for follow in follows[move.leader]:
            part = found[follow.follower, move.coin].setdefault(move.leader, Part())
            part.fall(move)
            grows = abs(move.after) > abs(move.before) or move.before * move.after < 0
            if not grows or part.ignoring or move.coin in follow.coins_block:
                continue
            start = 0 if move.before * move.after < 0 else move.before
            least, most = _share(said, evidence, follow, move, exact=follow.follower not in shared)
            added = _added(follow, move, start)
            part.rise(added * least, added * most)
    return found


def _leaders_of(evidence: Evidence, follower: str) -> int:
    return sum(follow.follower == follower for follow in evidence.config.follows)


def _added(follow: Follow, move: Move, start: int) -> Decimal:
    if follow.mode == "notional":
        # Fixed when the position opens; 1 % for the price that the opening was decided at.
        sign = 1 if move.after > 0 else -1
        value = Decimal(follow.notional_usd or 0) * Decimal("1.01") / move.price * SCALE
        return value * sign if start == 0 else Decimal(0)
    return Decimal(follow.ratio or 0) * (move.after - start)


def _receipts(evidence: Evidence) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    leaders = [leader.name for leader in evidence.config.leaders]
    followers = [follower.name for follower in evidence.config.followers]
    return {
        (leaders[row["leader"]], followers[row["follower"]], row["coin"], row["tid"]): row
        for row in evidence.objects("receipt")
    }


def _share(
    said: dict[tuple[str, str, str, int], dict[str, Any]],
    evidence: Evidence,
    follow: Follow,
    move: Move,
    *,
    exact: bool,
) -> tuple[Decimal, Decimal]:
    """From which to which share an increase stayed in E, as far as receipts can say."""
    nothing, everything = Decimal(0), Decimal(1)
    follower = next(each for each in evidence.config.followers if each.name == follow.follower)
    capped = follower.max_order_usd or follower.max_position_usd or follower.max_gross_usd
    capped = capped or follow.max_order_usd or follow.max_position_usd
    rows = [said.get((move.leader, follow.follower, move.coin, tid)) for tid in move.tids]
    if any(row is None for row in rows) or not exact:
        return nothing, everything
    known = [row for row in rows if row is not None]
    decisions = {row["decision"] for row in known}
    leads = [row for row in known if row["merged_into"] is None]
    alone = len(decisions) == 1 and len(leads) == 1
    if not alone:
        return nothing, everything
    lead = leads[0]
    same = units(lead["leader_before"]) == move.before and units(lead["leader_after"]) == move.after
    if not same or move.before * move.after < 0:
        return nothing, everything
    least = Decimal(evidence.cast.lots[move.coin]) + LEAST_USD / move.price * SCALE
    if lead["outcome"] in _NONE and units(lead["filled"]) == 0:
        return nothing, nothing
    # An order that closed something else beside it says nothing of this part alone.
    alone = abs(units(lead["ordered"])) <= abs(Decimal(follow.ratio or 0) * (move.after - move.before)) + least
    whole = alone and lead["outcome"] in _WHOLE and lead["reason"] == "none" and follow.mode == "ratio" and not capped
    return (everything, everything) if whole else (nothing, everything)


def convergence(evidence: Evidence) -> Iterator[str]:
    """I1: with everything quiet each position is ΣE, within a lot and the least order; nothing where E is nothing."""
    accounts = {follower.name: follower.account for follower in evidence.config.followers}
    expected = parts(evidence)
    for (follower, coin), edges in sorted(expected.items()):
        if follower in evidence.revoked:
            continue
        held = units(evidence.ledger["positions"].get(accounts[follower], {}).get(coin, {}).get("szi", "0"))
        low = sum((min(part.low, part.high) for part in edges.values()), Decimal(0))
        high = sum((max(part.low, part.high) for part in edges.values()), Decimal(0))
        if _is_capped(evidence, follower):
            low, high = min(low, Decimal(0)), max(high, Decimal(0))
        slack = Decimal(0)
        if low or high:
            slack = Decimal(evidence.cast.lots[coin]) + LEAST_USD / _price(evidence, coin) * SCALE
        if not low - slack <= held <= high + slack:
            yield (
                f"{follower} {coin}: holds {Decimal(held) / SCALE:f}, its policy says"
                f" {low / SCALE:.8f} to {high / SCALE:.8f} (± {slack / SCALE:.8f})"
            )


def _is_capped(evidence: Evidence, name: str) -> bool:
    follower = next(each for each in evidence.config.followers if each.name == name)
    edges = [follow for follow in evidence.config.follows if follow.follower == name]
    account = follower.max_order_usd or follower.max_position_usd or follower.max_gross_usd
    return bool(account) or any(edge.max_order_usd or edge.max_position_usd for edge in edges)


def _price(evidence: Evidence, coin: str) -> Decimal:
    """The lowest of the coin's latest prices."""
    prices = [Decimal(row["px"]) for row in evidence.ledger["fills"] if row["coin"] == coin][-8:]
    return min([*prices, evidence.cast.mids[coin]])


def travel(evidence: Evidence) -> Iterator[str]:
    """I2: a follower's volume in a coin is at most its leaders' volume times its ratios."""
    names = {follower.account: follower.name for follower in evidence.config.followers}
    traded: dict[tuple[str, str], int] = defaultdict(int)
    for row in evidence.ledger["fills"]:
        if row["user"] in names:
            traded[names[row["user"]], row["coin"]] += units(row["sz"])
    most: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    all_moves = moves(evidence)
    for follow in evidence.config.follows:
        for move in all_moves:
            if move.leader != follow.leader or move.coin in follow.coins_block:
                continue
            step = LEAST_USD / move.price * SCALE + evidence.cast.lots[move.coin]
            if follow.mode == "notional":
                step += Decimal(follow.notional_usd or 0) * 2 / move.price * SCALE
            else:
                step += Decimal(follow.ratio or 0) * abs(move.after - move.before)
            most[follow.follower, move.coin] += step
    for (follower, coin), volume in sorted(traded.items()):
        if volume > most[follower, coin]:
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
