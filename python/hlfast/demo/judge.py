"""The independent judge: does what the simulator recorded follow from the followers' policies?

It recomputes every entitled position with `hlfast.demo.policy` from the configuration and the leaders' fills in the
order of injection, and holds the simulator's ledger and the engine's receipts against that. It imports neither the core
nor the engine.

What it trusts
    The simulator's ledger, and that rows injected in one call are one leader event.
What it takes from receipts, because nothing else knows it
    Which entries expired, were rejected, or filled in part, so that their share of E was given back. A claim counts
    only if the ledger supports it (`_supported`): the coin's price left the entry band, an order of that follower
    did not fill then, or the receipt is older than the entry's allowed age. Too many such claims fail the run.
What it never takes from receipts
    Sizes, positions, ratios, and whether a policy lets an increase in.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from hlfast.demo.executions import Target, check_actions, check_executions
from hlfast.demo.policy import NOTHING, ZERO, Change, Entitled, Span, net_target, plain

if TYPE_CHECKING:
    from hlfast.config.model import Follow
    from hlfast.demo.evidence import Evidence, LeaderFill, Receipt

# The venue refuses orders below $10 at their limit, which lies up to 3 % below the price (the emergency band); the half
# dollar covers that and the ticks around it.
LEAST_ORDER_USD = Decimal("10.5")
# A quote older than this decides nothing; a younger one may still show the price before the leader's fill.
QUOTE_AGE_MS = 2_000
# Decisions that are taken over by later ones before they settle form a chain.
LONGEST_CHAIN = 1_000
# A run in which more entries expire than this share is no demonstration of copying.
MOST_EXPIRED = Decimal("0.10")
# Spans are honest but weak: at least this share of positions must be known exactly, where there are enough to tell.
LEAST_EXACT = Decimal("0.75")
ENOUGH_POSITIONS = 50

ENTERED = frozenset({"filled", "carried"})
GIVEN_BACK = frozenset({"expired", "rejected", "skipped", "blocked"})
IN_PART = frozenset({"partly_filled", "settled"})
# Reasons that come from the moment and not from the policy: only these may stop an increase that every gate lets in.
OF_THE_MOMENT = frozenset({"age", "price", "venue"})


@dataclass
class Verdict:
    """`mismatches` empty means that every check held."""

    mismatches: list[str] = field(default_factory=list)
    positions: int = 0  # follower and coin pairs compared
    exact: int = 0  # of these, known exactly
    entries: int = 0  # increases that a policy lets in
    expired: int = 0  # of these, claimed to have expired

    @property
    def ok(self) -> bool:
        """Whether the run is what its policies say."""
        return not self.mismatches


@dataclass(frozen=True, slots=True)
class _Claim:
    """A receipt that carries an event's outcome; `elsewhere`: it is a later event's, which took this one over."""

    receipt: Receipt
    elsewhere: bool


@dataclass(slots=True)
class _Step:
    """One leader event on one edge: what the rules say of it."""

    follow: Follow
    change: Change
    gates: frozenset[str]
    held: Span  # E before
    fill: LeaderFill  # the last of the event
    added: Span = NOTHING  # what the increase would add

    @property
    def lowers(self) -> bool:
        """Part of it lowers what is held."""
        return not self.change.is_increase or (self.change.is_flip and self.held != NOTHING)


def judge(evidence: Evidence) -> Verdict:
    """Hold one run against its policies. Pure: reads only `evidence`."""
    return _Judge(evidence).run()


class _Judge:
    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.verdict = Verdict()
        self.wrong = self.verdict.mismatches.append
        self.follows: dict[str, list[Follow]] = defaultdict(list)
        for follow in evidence.config.follows:
            self.follows[follow.leader].append(follow)
        self.followers = {follower.name: follower for follower in evidence.config.followers}
        self.edges: dict[tuple[str, str], dict[str, Entitled]] = defaultdict(dict)  # (follower, coin) → leader → E
        self.targets: dict[tuple[str, str], Target] = defaultdict(Target)
        self.receipts: dict[tuple[str, str, str, int], Receipt] = {}
        self.carriers: dict[
            tuple[str, int], Receipt
        ] = {}  # (follower, decision) → the receipt that carries its outcome
        self.prices: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
        self.unfilled: dict[str, list[int]] = defaultdict(list)  # when an order of a follower did not fill
        for action in evidence.ledger.actions:
            if action.unfilled:
                self.unfilled[action.follower].append(action.time_ms)
        for fill in evidence.fills:
            self.prices[fill.coin].append((fill.time_ms, fill.price))

    def run(self) -> Verdict:
        self._take_receipts()
        self._start()
        for _, event in groupby(self.evidence.fills, key=lambda fill: (fill.event, fill.leader, fill.coin)):
            self._follow(list(event))
        self._compare_positions()
        self.verdict.mismatches += check_executions(self.evidence, self.targets, LEAST_ORDER_USD)
        self.verdict.mismatches += check_actions(self.evidence)
        self._check_shares()
        return self.verdict

    def _take_receipts(self) -> None:
        """Exactly one receipt per leader fill and follow edge (rule 35)."""
        due = {
            (fill.leader, follow.follower, fill.coin, fill.tid)
            for fill in self.evidence.fills
            for follow in self.follows[fill.leader]
        }
        for receipt in self.evidence.receipts:
            key = (receipt.leader, receipt.follower, receipt.coin, receipt.tid)
            if key not in due:
                self.wrong(
                    f"{receipt.follower}: receipt for no fill: {receipt.leader} {receipt.coin} tid {receipt.tid}"
                )
            elif key in self.receipts:
                self.wrong(f"{receipt.follower}: second receipt for {receipt.leader} {receipt.coin} tid {receipt.tid}")
            self.receipts[key] = receipt
            if receipt.merged_into != receipt.decision:
                self.carriers[receipt.follower, receipt.decision] = receipt
        for leader, follower, coin, tid in sorted(due - self.receipts.keys()):
            self.wrong(f"{follower}: no receipt for {leader} {coin} tid {tid}")

    def _edge(self, follow: Follow, coin: str) -> Entitled:
        edges = self.edges[follow.follower, coin]
        if follow.leader not in edges:
            ratio = self.evidence.equity_ratios.get((follow.leader, follow.follower))
            edges[follow.leader] = Entitled(follow, coin, ratio, delisted=coin in self.evidence.delisted)
        return edges[follow.leader]

    def _start(self) -> None:
        for (leader, coin), holding in self.evidence.holdings.items():
            for follow in self.follows[leader]:
                self._edge(follow, coin).start(holding.position, holding.entry_price, holding.price)
                self._retarget(follow.follower, coin, Change(ZERO, holding.position, holding.price), 0)

    def _retarget(self, follower: str, coin: str, change: Change, time_ms: int) -> None:
        target = self.targets[follower, coin]
        edges = list(self.edges[follower, coin].values())
        span = net_target(edges, self.followers[follower], change, target.now)
        if self.followers[follower].max_gross_usd is not None:
            # Depends on every other coin's price; `check_executions` holds the cap itself.
            span = Span(min(span.low, ZERO), max(span.high, ZERO))
        target.set(time_ms, span, change.price, flat=all(edge.held == NOTHING for edge in edges))

    def _follow(self, event: list[LeaderFill]) -> None:
        first, last = event[0], event[-1]
        change = Change(first.start, last.end, last.price)
        for follow in self.follows[first.leader]:
            edge = self._edge(follow, first.coin)
            gates = edge.gates(change) if change.is_increase else frozenset[str]()
            held = edge.held
            keys = ((fill.leader, follow.follower, fill.coin, fill.tid) for fill in event)
            claims = self._claims([self.receipts[key] for key in keys if key in self.receipts], event)
            step = _Step(follow, change, gates, held, last)
            step.added = edge.apply(change, self._kept(claims, step))
            self.verdict.entries += change.is_increase and step.added != NOTHING
            for claim in claims:
                self._check_claim(claim, step)
            self._retarget(follow.follower, first.coin, change, last.time_ms)

    def _claims(self, receipts: list[Receipt], event: list[LeaderFill]) -> list[_Claim]:
        """The receipts that carry an event's outcome, each once; a merged one stands where its decision was settled."""
        tids = {fill.tid for fill in event}
        carriers: dict[tuple[int, int], Receipt] = {}
        for receipt in receipts:
            carrier = receipt
            for _ in range(LONGEST_CHAIN):
                if carrier.merged_into is None:
                    break
                carrier = self.carriers.get((carrier.follower, carrier.merged_into), carrier)
            carriers[carrier.decision, carrier.tid] = carrier
        return [_Claim(carrier, elsewhere=carrier.tid not in tids) for carrier in carriers.values()]

    def _kept(self, claims: list[_Claim], step: _Step) -> Span | None:
        """The share of an event's increase that stayed, as its receipts claim; None is all of it.

        An entry that was still on its way when a later event came is settled with that one: if the ledger shows a
        reason why it may not have filled, any share of it may have stayed. Caps of the account bound the target, not E.
        """
        if self.evidence.interrupted:
            return Span(ZERO, Decimal(1))
        here = {_outcome(claim.receipt) for claim in claims if not claim.elsewhere}
        there = [claim.receipt for claim in claims if claim.elsewhere]
        if here and here <= GIVEN_BACK and not there:
            return NOTHING
        if here & (IN_PART | GIVEN_BACK):
            return Span(ZERO, Decimal(1))
        if any(self._supported(receipt, step) for receipt in there):
            return Span(ZERO, Decimal(1))
        return None

    def _check_claim(self, claim: _Claim, step: _Step) -> None:
        """What a receipt calls skipped, blocked or expired must follow from the policy."""
        receipt = claim.receipt
        refused = receipt.outcome in GIVEN_BACK
        wrong = None
        if receipt.outcome not in ENTERED | GIVEN_BACK | IN_PART:
            wrong = "that is no terminal outcome"
        elif self.evidence.interrupted:
            return  # a restart sees all that it missed as one change: its receipts explain that one, not each event
        elif claim.elsewhere:
            return  # the outcome is another event's; what it did to this one shows in the position
        elif step.lowers:
            tiny = receipt.reason == "nothing" and step.held.largest * step.change.price <= LEAST_ORDER_USD
            if refused and step.held.certain and not tiny:
                wrong = "it lowers a held position: exits are never stopped"
        elif step.gates or step.added == NOTHING:
            wrong = _why_kept_out(receipt, step.gates, refused=refused)
        elif refused:
            wrong = self._why_given_back(receipt, step)
        if wrong:
            said = f"{receipt.outcome}({receipt.reason})" if receipt.reason else receipt.outcome
            self.wrong(f"{receipt.follower}: {receipt.leader} {receipt.coin} tid {receipt.tid} is {said}, but {wrong}")

    def _why_given_back(self, receipt: Receipt, step: _Step) -> str | None:
        if receipt.reason not in OF_THE_MOMENT:
            return "every gate of the policy lets it in"
        self.verdict.expired += 1
        return None if self._supported(receipt, step) else "nothing in the ledger supports that"

    def _supported(self, receipt: Receipt, step: _Step) -> bool:
        """Whether the ledger shows why an entry could have run out of time or price before it was settled."""
        fill, band = step.fill, Decimal(step.follow.entry_band_bps) / 10_000 * step.fill.price
        moved = any(
            abs(price - fill.price) * 2 > band
            for time_ms, price in self.prices[fill.coin]
            if fill.time_ms - QUOTE_AGE_MS <= time_ms <= receipt.time_ms
        )
        unfilled = any(fill.time_ms <= time_ms <= receipt.time_ms for time_ms in self.unfilled[receipt.follower])
        return moved or unfilled or receipt.time_ms - fill.time_ms >= step.follow.max_age_ms

    def _compare_positions(self) -> None:
        """Every position equals its target within a lot and the least order; what was closed leaves nothing."""
        positions = self.evidence.ledger.positions
        for follower, coin in sorted(self.targets.keys() | positions.keys()):
            target = self.targets.get((follower, coin), Target())
            position = positions.get((follower, coin), ZERO)
            slack = ZERO if target.flat else self.evidence.lots[coin] + LEAST_ORDER_USD / target.price
            wanted = target.now
            self.verdict.positions += 1
            self.verdict.exact += wanted.exact
            if not wanted.low - slack <= position <= wanted.high + slack:
                says = plain(wanted.low) if wanted.exact else f"{plain(wanted.low)} to {plain(wanted.high)}"
                self.wrong(f"{follower}: holds {plain(position)} {coin}, its policy says {says} (± {plain(slack)})")

    def _check_shares(self) -> None:
        unknown = self.evidence.ledger.counters["unknown_signers"]
        if unknown:
            self.wrong(f"the simulator saw {unknown} signatures of signers it does not know")
        verdict = self.verdict
        if self.evidence.interrupted:
            return
        if verdict.expired > MOST_EXPIRED * verdict.entries:
            self.wrong(f"{verdict.expired} of {verdict.entries} entries expired: more than {MOST_EXPIRED:%}")
        if verdict.positions >= ENOUGH_POSITIONS and verdict.exact < LEAST_EXACT * verdict.positions:
            self.wrong(f"only {verdict.exact} of {verdict.positions} positions could be judged exactly")
        traded = {execution.follower for execution in self.evidence.ledger.executions}
        for leader, follows in self.follows.items():
            if not any(follow.follower in traded for follow in follows):
                self.wrong(f"{leader}: no follower of this leader traded")


def _outcome(receipt: Receipt) -> str:
    """`filled` for a reason of the moment is an exit that filled while the entry beside it did not."""
    in_part = receipt.outcome == "filled" and receipt.reason in OF_THE_MOMENT
    return "partly_filled" if in_part else receipt.outcome


def _why_kept_out(receipt: Receipt, gates: frozenset[str], *, refused: bool) -> str | None:
    rules = ", ".join(sorted(gates)) or "cap"
    if not refused and receipt.outcome != "carried":
        return f"the policy keeps it out ({rules})"
    if gates and refused and receipt.reason not in gates:
        return f"what keeps it out is {rules}"
    return None
