"""The checker: reads the venue's ledger, the journal and the settings, and says what should never have happened.

Each invariant is a function of the evidence. Numbers are whole: sizes in 10^-8 coins, parts of a leader's position in
10^-20. Nothing of the core is imported. `expectation` reads the rules of copying a second time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hlfast.config.model import Config
    from hlfast.gameday.cast import Cast

SCALE: Final = 10**8
MOST_IN_FLIGHT: Final = 50
# Block times may run behind the estimate, and an estimate may be off by the round trip it was made of.
CLOCK_SLACK_MS: Final = 3_000
# What an order's limit and the minimum leave: the least order is $10, valued up to 3 % below the mark.
LEAST_USD: Final = Decimal("10.5")
# The longest that an opening is in flight: its expiry, and the clock's error.
FLIGHT_MS: Final = 3_000 + CLOCK_SLACK_MS
# How long after a leader's fill an opening may execute: its age, its expiry, and the clocks' errors.
OPENS_WITHIN_MS: Final = 8_000
# A stop's execution is found by a read of the account or of the order, and later while reads fail.
STOP_FOUND_MS: Final = 120_000
# What is due at a time comes with the block after it.
_BLOCK_MS: Final = 1_000
_MOST_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant and its evidence."""

    invariant: str
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that the checker may read, and nobody changes. One is another's equal only if it is the same.

    Attributes:
        ledger: the venue's, by the control door.
        journal: every object of the engine's journal, in order.
        status: the core's own view at the end, which must agree with the ledger.
        revoked: followers whose agent was taken away.
        healed_ms: when the faults ended.
        nominal: nothing went wrong in this run.
        sent: each action that left an engine, with venue time: its bytes.
        delisted: coin → when the venue took it off, in venue time.
        beside: attempts of engines that ran on copies of the journal.
        copied_at: the last record before the first copy.
        resting: account → coin → what its orders in the book would trade, signed.
        outputs: all else that engines wrote, by name: journals, logs, what they said of themselves.
        replayed: what deciding every record again found; None when nothing differed.
        final: the epilogue is over.
    """

    config: Config
    ledger: dict[str, Any]
    journal: list[dict[str, Any]]
    status: dict[str, Any]
    cast: Cast
    revoked: frozenset[str]
    healed_ms: int
    now_ms: int
    nominal: bool
    final: bool
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    beside: list[dict[str, Any]] = field(default_factory=list)
    copied_at: int = 0
    delisted: dict[str, int] = field(default_factory=dict)
    resting: dict[str, dict[str, int]] = field(default_factory=dict)
    outputs: list[tuple[str, bytes]] = field(default_factory=list)
    replayed: str | None = None

    def objects(self, kind: str) -> Iterator[dict[str, Any]]:
        """The journal's objects of one kind."""
        return iter(_by_kind(self).get(kind, ()))


@lru_cache(maxsize=1)
def _by_kind(evidence: Evidence) -> dict[str, list[dict[str, Any]]]:
    """The journal's objects by what they are: a dozen rules look through it."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in evidence.journal:
        found[row["kind"]].append(row)
    return found


@lru_cache(maxsize=1 << 16)
def units(text: str) -> int:
    """A decimal text in 10^-8."""
    return int(Decimal(text) * SCALE)


def check(evidence: Evidence) -> list[Violation]:
    """Hold the evidence against every invariant that it can show."""
    from hlfast.gameday.expectation import convergence, never_beyond, receipts_complete
    from hlfast.gameday.outgoing import (
        caps_in_the_worst_case,
        keys_stay,
        opens_nothing_delisted,
        reductions_reduce,
        signatures_once,
    )

    rules: dict[str, tuple[Callable[[Evidence], Iterator[str]], ...]] = {
        "I1": (convergence,),
        "I2": (no_order_executed_twice, one_twap_at_a_time, no_more_than_targets, never_beyond, opens_nothing_delisted),
        "I3": (journal_first,),
        "I4": (nonces, one_action_per_nonce),
        "I5": (signatures_once,),
        "I6": (caps, caps_in_the_worst_case),
        "I7": (receipts_complete,),
        "I8": (no_double_spend_of_nonce,),
        "I9": (receipts_once,),
        "I10": (reductions_reduce,),
        "I11": (nothing_late,),
        "I14": (within_budget,),
        "I15": (one_writer,),
        "I16": (fills_sum_to_positions, delisted_and_gone),
        "I17": (keys_stay,),
        "I19": (decided_again,),
        "I20": (status_agrees,),
        "D4": (stops_rest,),
    }
    found = []
    for name, functions in rules.items():
        for function in functions:
            texts = list(function(evidence))
            found += [Violation(name, evidence.now_ms, text) for text in texts[:_MOST_SHOWN]]
            if len(texts) > _MOST_SHOWN:
                found.append(Violation(name, evidence.now_ms, f"{function.__name__}: {len(texts)} in all"))
    return found


def accounts(evidence: Evidence) -> dict[str, str]:
    """Account → follower."""
    return {follower.account: follower.name for follower in evidence.config.followers}


def executions(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """What the venue executed for followers."""
    names = accounts(evidence)
    return (row for row in evidence.ledger["fills"] if row["user"] in names)


@lru_cache(maxsize=1)
def attempts_by_cloid(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """Order id of the client → the attempt in the journal that carries it."""
    copies = {"resend", "cancel"}
    rows = [row for row in chain(evidence.beside, evidence.objects("attempt")) if row["does"] not in copies]
    return {cloid: row for row in rows for cloid in row["cloids"]}


@lru_cache(maxsize=1)
def _attempts_by_nonce(evidence: Evidence) -> dict[tuple[str, int], dict[str, Any]]:
    """Signer and nonce → the attempt that the venue took under it: engines on copied journals share nonces."""
    rows = {row["digest"]: row for row in chain(evidence.beside, evidence.objects("attempt"))}
    taken = (row for row in evidence.ledger["actions"] if row["ok"] and row["digest"] in rows)
    return {(row["signer"], row["nonce"]): rows[row["digest"]] for row in taken}


@lru_cache(maxsize=1)
def _twaps(evidence: Evidence) -> dict[int, dict[str, Any]]:
    """The venue's number → a TWAP that somebody began."""
    return {row["twap_id"]: row for row in evidence.ledger["twaps"]}


def twap_of(evidence: Evidence, row: dict[str, Any]) -> dict[str, Any] | None:
    """The TWAP whose slice an execution is; None for one of an order."""
    return _twaps(evidence).get(row.get("twap_id") or 0)


def began_ms(evidence: Evidence, row: dict[str, Any]) -> int:
    """When what was executed reached the venue, as far as it may have waited there by itself: a TWAP's beginning."""
    twap = twap_of(evidence, row)
    return int(row["time"] if twap is None else twap["time"])


def attempt_of(evidence: Evidence, row: dict[str, Any]) -> dict[str, Any] | None:
    """The attempt that an execution belongs to; of a slice, the one that began its TWAP."""
    origin = twap_of(evidence, row) or row
    found = _attempts_by_nonce(evidence).get((origin.get("signer") or "", origin.get("nonce") or 0))
    return found or attempts_by_cloid(evidence).get(row.get("cloid") or "")


@lru_cache(maxsize=1)
def shared(evidence: Evidence) -> frozenset[str]:
    """Followers that an engine on a copied journal traded for too: the one that counts knows less of them."""
    if not evidence.beside:
        return frozenset()
    untold = _without_trace(evidence)
    agents = [follower.agent for follower in evidence.config.followers]
    rows = (row for row in evidence.objects("attempt") if row["digest"] not in untold)
    own = {(agents[row["signer"]], row["digest"]) for row in rows}
    names = {follower.agent: follower.name for follower in evidence.config.followers}
    accepted = (row for row in evidence.ledger["actions"] if row["ok"] and (row["signer"], row["digest"]) not in own)
    return frozenset(names[row["signer"]] for row in accepted if row["signer"] in names)


def _without_trace(evidence: Evidence) -> set[str]:
    """Actions that both engines sent, of which the venue took one and knows no order: who sent that can't be told."""
    copied = {row["digest"] for row in evidence.objects("attempt") if row["sequence"] > evidence.copied_at}
    both = copied & {row["digest"] for row in evidence.beside}
    actions = [row for row in evidence.ledger["actions"] if row["kind"] == "order" and row["digest"] in both]
    refused = {row["digest"] for row in actions if not row["ok"]}
    return {row["digest"] for row in actions if row["ok"] and row["digest"] in refused and _all_refused(row)}


def _all_refused(action: dict[str, Any]) -> bool:
    return all("error" in status for status in action["response"]["data"]["statuses"])


def signed(row: dict[str, Any]) -> int:
    """An execution's size in 10^-8, below zero for a sale."""
    return units(row["sz"]) * (1 if row["side"] == "B" else -1)


def is_settlement(evidence: Evidence, row: dict[str, Any]) -> bool:
    """Whether the venue closed a position by itself when it took the coin off: nobody ordered that."""
    ordered = row.get("nonce") or row.get("cloid") or row.get("twap_id")
    return not ordered and row["time"] == evidence.delisted.get(row["coin"])


@lru_cache(maxsize=1)
def stop_hits(evidence: Evidence) -> dict[tuple[str, str], list[int]]:
    """(follower, coin) → when a stop that rested at the venue was executed."""
    names = accounts(evidence)
    hits: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in executions(evidence):
        attempt = attempt_of(evidence, row)
        if attempt is not None and attempt["does"] == "stop":
            hits[names[row["user"]], row["coin"]].append(row["time"])
    return hits


def stops_rest(evidence: Evidence) -> Iterator[str]:
    """D4: at the end each position of a follower with stops has orders at the venue that would close it."""
    for follower in evidence.config.followers:
        if not evidence.final or follower.disaster_stop_bps is None:
            continue
        if follower.name in evidence.revoked | shared(evidence):
            continue
        held = evidence.ledger["positions"].get(follower.account, {})
        resting = evidence.resting.get(follower.account, {})
        for coin in sorted(held.keys() | resting.keys()):
            size = units(held.get(coin, {}).get("szi", "0"))
            if not stop_hits(evidence).get((follower.name, coin)) and resting.get(coin, 0) != -size:
                yield f"{follower.name} {coin}: holds {size}, its stops would trade {resting.get(coin, 0)}"


def journal_first(evidence: Evidence) -> Iterator[str]:
    """I3: whatever of ours reached the venue was in the journal, with this digest, at a time not after its arrival."""
    # Settings of two accounts may be the same bytes: what tells them apart is who signed.
    written = {(row["signer"], row["digest"]) for row in chain(evidence.beside, evidence.objects("attempt"))}
    agents = {follower.agent: at for at, follower in enumerate(evidence.config.followers)}
    for action in evidence.ledger["actions"]:
        if action["signer"] not in agents and action["kind"] != "order":
            continue
        if (agents.get(action["signer"]), action["digest"]) not in written:
            yield f"action {action['number']} ({action['kind']}, nonce {action['nonce']}) is in no journal record"


def no_order_executed_twice(evidence: Evidence) -> Iterator[str]:
    """I2: one client id fills under one order of the venue; of what stood in a journal when it was copied, too."""
    oids: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in executions(evidence):
        oids[row["user"], row.get("cloid") or f"none of {row['oid']}"].add(row["oid"])
    attempts, names = attempts_by_cloid(evidence), accounts(evidence)
    for (user, cloid), orders in oids.items():
        planned = attempts[cloid]["sequence"] if cloid in attempts else 0
        if len(orders) > 1 and not (names[user] in shared(evidence) and planned > evidence.copied_at):
            yield f"{user}: client id {cloid} filled under {len(orders)} orders"


def one_twap_at_a_time(evidence: Evidence) -> Iterator[str]:
    """I2: a follower's TWAP of a coin begins after the one before it is over."""
    names, running = accounts(evidence), dict[tuple[str, str], dict[str, Any]]()
    for row in evidence.ledger["twaps"]:
        if row["user"] not in names or names[row["user"]] in shared(evidence):
            continue
        before = running.get((row["user"], row["coin"]))
        if before is not None and not 0 < before.get("ended", 0) <= row["time"]:
            yield f"{row['user']} {row['coin']}: TWAP {row['twap_id']} beside {before['twap_id']}"
        running[row["user"], row["coin"]] = row


def no_more_than_targets(evidence: Evidence) -> Iterator[str]:
    """I2: what was traded is not more than the leaders' own moves, times the ratio, plus what rounding explains."""
    from hlfast.gameday.expectation import travel

    yield from travel(evidence)


def no_double_spend_of_nonce(evidence: Evidence) -> Iterator[str]:
    """I8: of all actions under one nonce of one signer the venue let one pass: what was fenced never executes."""
    passed: Counter[tuple[str, int]] = Counter()
    for action in evidence.ledger["actions"]:
        passed[action["signer"], action["nonce"]] += bool(action["ok"])
    for (signer, nonce), times in passed.items():
        if times > 1:
            yield f"{signer}: nonce {nonce} passed {times} times"


def nonces(evidence: Evidence) -> Iterator[str]:
    """I4: per signer each new attempt has a higher nonce; under one nonce stand its action and its fences alone."""
    highest: dict[int, int] = {}
    digests: dict[tuple[int, int], set[str]] = defaultdict(set)
    # In the order in which they were given out; a record has what stands alone before its batch of orders.
    for row in sorted(evidence.objects("attempt"), key=lambda row: (row["sequence"], row["post_id"])):
        key = (row["signer"], row["nonce"])
        if row["does"] in ("fence", "resend"):
            if key not in digests:
                yield f"signer {key[0]}: a {row['does']} of nonce {key[1]}, which was never given out"
            elif row["does"] == "resend" and row["digest"] not in digests[key]:
                yield f"signer {key[0]}: nonce {key[1]} sent again with another content"
            continue
        if row["nonce"] <= highest.get(row["signer"], 0):
            yield f"signer {key[0]}: nonce {key[1]} after {highest[row['signer']]}"
        highest[row["signer"]] = max(row["nonce"], highest.get(row["signer"], 0))
        digests[key].add(row["digest"])
    for (signer, nonce), different in digests.items():
        if len(different) > 1:
            yield f"signer {signer}: nonce {nonce} signed for {len(different)} actions"


def one_action_per_nonce(evidence: Evidence) -> Iterator[str]:
    """I4: at the venue, too, one nonce of one signer stands for one action of an engine, its copies, and its fences."""
    # Two signers' actions of one content have one digest.
    own = {(row["signer"], row["digest"]) for row in evidence.objects("attempt")}
    known = {follower.agent: at for at, follower in enumerate(evidence.config.followers)}
    sent: dict[tuple[int, int], set[str]] = defaultdict(set)
    for action in evidence.ledger["actions"]:
        signer = known.get(action["signer"])
        if action["kind"] != "noop" and signer is not None and (signer, action["digest"]) in own:
            sent[signer, action["nonce"]].add(action["digest"])
    for (signer, nonce), different in sent.items():
        if len(different) > 1:
            yield f"signer {signer}: {len(different)} actions at the venue under nonce {nonce}"


def caps(evidence: Evidence) -> Iterator[str]:
    """I6: no execution that raises a position leaves it, its order or the account's gross above a cap."""
    followers = {follower.account: follower for follower in evidence.config.followers}
    edges = Counter(follow.follower for follow in evidence.config.follows)
    positions: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    prices: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
    orders: dict[int, Decimal] = defaultdict(Decimal)
    for row in evidence.ledger["fills"]:
        price = Decimal(row["px"])
        prices[row["coin"]].append((row["time"], price))
        follower = followers.get(row["user"])
        if follower is None or follower.name in shared(evidence):
            continue
        held = positions[follower.account]
        before = held[row["coin"]]
        held[row["coin"]] += signed(row)
        after = held[row["coin"]]
        grew = abs(after) > abs(before) and before * after >= 0
        if not grew:
            continue
        orders[row["oid"]] += Decimal(row["sz"]) * price
        since_ms = began_ms(evidence, row) - FLIGHT_MS
        gross = sum(
            (abs(Decimal(size)) / SCALE * lowest(prices[coin], since_ms) for coin, size in held.items()), Decimal(0)
        )
        value = abs(Decimal(after)) / SCALE * lowest(prices[row["coin"]], since_ms)
        for what, amount, limit in (
            # What one leader's exit uncovers of another's goes as an exit, whole.
            ("order", orders[row["oid"]], follower.max_order_usd if edges[follower.name] == 1 else None),
            ("position", value, follower.max_position_usd),
            ("gross", gross, follower.max_gross_usd),
        ):
            if limit is not None and amount > Decimal(limit) * Decimal("1.005") + LEAST_USD:
                yield (
                    f"{follower.name} {row['coin']}: order {row['oid']} makes {what} {amount:.2f} USD,"
                    f" the cap is {limit}"
                )


def lowest(prices: list[tuple[int, Decimal]], since_ms: int) -> Decimal:
    """The lowest price that what was planned since then may have been planned at."""
    lowest = prices[-1][1] if prices else Decimal(0)
    for time_ms, price in reversed(prices):
        lowest = min(lowest, price)
        if time_ms < since_ms:
            break
    return lowest


def receipts_once(evidence: Evidence) -> Iterator[str]:
    """I9: one terminal record per fill and edge, numbered without a gap, and never a second one."""
    seen: set[tuple[int, str, int, int]] = set()
    last = 0
    for row in evidence.objects("receipt"):
        key = (row["follow"], row["coin"], row["time_ms"], row["tid"])
        if key in seen:
            yield f"second receipt of follow {key[0]} for {key[1]} tid {key[3]}"
        seen.add(key)
        if row["number"] != last + 1:
            yield f"receipt {row['number']} follows {last}"
        last = row["number"]


def nothing_late(evidence: Evidence) -> Iterator[str]:
    """I11: nothing executes after its expiry, and no opening long after the leader's fill that it copies."""
    longest_ms = {
        each.account: (each.execution.seconds or 0) * 1_000 for each in evidence.config.followers if each.execution
    }
    for row in executions(evidence):
        attempt, at_ms = attempt_of(evidence, row), began_ms(evidence, row)
        if is_settlement(evidence, row):
            continue
        if row["time"] > evidence.delisted.get(row["coin"], row["time"]):
            yield f"{row['user']} {row['coin']}: order {row['oid']} executed after the coin was delisted"
        if attempt is None:
            yield f"{row['user']} {row['coin']}: order {row['oid']} executed under no client id or TWAP of the journal"
        elif at_ms > attempt["expires_after"] and attempt["does"] != "stop":
            yield f"{row['user']} {row['coin']}: executed {at_ms - attempt['expires_after']} ms after its expiry"
        elif row["time"] - at_ms > longest_ms.get(row["user"], 0) + _BLOCK_MS:
            yield f"{row['user']} {row['coin']}: a slice {row['time'] - at_ms} ms after its TWAP began"
    written = {row["sequence"]: row["now_ms"] for row in evidence.objects("input")}
    limits = {"open": 3_000, "reduce": 12_000}
    for row in evidence.objects("attempt"):
        limit = limits.get(row["does"])
        if limit is not None and row["expires_after"] > written[row["sequence"]] + limit:
            yield f"nonce {row['nonce']}: lives {row['expires_after'] - written[row['sequence']]} ms"


def within_budget(evidence: Evidence) -> Iterator[str]:
    """I14: with nothing wrong, the venue never has to say that we ask too much."""
    limited = evidence.ledger["counters"].get("rate_limited", 0)
    if evidence.nominal and limited:
        yield f"the venue refused {limited} requests as too many"
    strangers = evidence.ledger["counters"].get("unknown_signers", 0)
    if strangers and not evidence.revoked:
        yield f"the venue saw {strangers} signatures of signers that it does not know"


def one_writer(evidence: Evidence) -> Iterator[str]:
    """I15: epochs of the journal grow, each one is written by one opening."""
    last = 0
    for row in evidence.objects("start"):
        if row["epoch"] <= last:
            yield f"epoch {row['epoch']} after {last}"
        last = row["epoch"]


def decided_again(evidence: Evidence) -> Iterator[str]:
    """I19: from its first record on, the journal decides the same again, and each snapshot is what it leads to."""
    if evidence.replayed is not None:
        yield evidence.replayed


def fills_sum_to_positions(evidence: Evidence) -> Iterator[str]:
    """I16: the fills of an account are its position."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for row in executions(evidence):
        sums[row["user"], row["coin"]] += signed(row)
    for account in accounts(evidence):
        for coin, held in evidence.ledger["positions"].get(account, {}).items():
            if sums.pop((account, coin), 0) != units(held["szi"]):
                yield f"{account}: {coin} is {held['szi']}, which is not the sum of its fills"
        for (user, coin), total in list(sums.items()):
            if user == account and total != 0:
                yield f"{account}: fills of {coin} sum to {total}, the account holds none"


def delisted_and_gone(evidence: Evidence) -> Iterator[str]:
    """I16: of a coin that the venue took off no account holds anything, and nothing of it rests."""
    for account, name in accounts(evidence).items():
        for coin in evidence.delisted:
            held = evidence.ledger["positions"].get(account, {}).get(coin, {}).get("szi", "0")
            resting = evidence.resting.get(account, {}).get(coin, 0)
            if units(held) or resting:
                yield f"{name} {coin}: holds {held} of what was delisted, its orders would trade {resting}"


def _lot_agrees(evidence: Evidence, name: str, coin: str, lot: dict[str, Any], venue: int) -> Iterator[str]:
    hits = stop_hits(evidence).get((name, coin), [])
    if hits and hits[-1] > evidence.now_ms - STOP_FOUND_MS and not evidence.final:
        return
    if units(lot["own"]) != venue:
        yield f"{name} {coin}: the core says {lot['own']}, the venue {Decimal(venue) / SCALE:f}"
    # Where orders crossed a hit that the venue had cut, what can't be told apart is called manual.
    if units(lot["manual"]) != 0 and not hits:
        yield f"{name} {coin}: {lot['manual']} is called somebody else's, and nobody else traded"


def _knows_of_another(name: str, follower: dict[str, Any], held: dict[str, Any]) -> Iterator[str]:
    """Another engine traded for this follower: the core must know what is there, if not whose."""
    for coin in sorted(follower["positions"].keys() | held.keys()):
        lot = follower["positions"].get(coin, {"own": "0", "manual": "0"})
        venue = units(held.get(coin, {}).get("szi", "0"))
        if units(lot["own"]) + units(lot["manual"]) != venue:
            known = f"{lot['own']} and {lot['manual']}"
            yield f"{name} {coin}: the core knows of {known}, the venue has {Decimal(venue) / SCALE:f}"


def status_agrees(evidence: Evidence) -> Iterator[str]:
    """I20: with everything quiet, what the core believes is what the venue says, and nobody else's trades are in it."""
    addresses = {follower.name: follower.account for follower in evidence.config.followers}
    for follower in evidence.status.get("followers", []):
        name = follower["name"]
        if name in evidence.revoked:
            continue
        if name in shared(evidence):
            if not evidence.final:
                continue  # what somebody else does is found by the next read
            yield from _knows_of_another(name, follower, evidence.ledger["positions"].get(addresses[name], {}))
            continue
        if follower["stopped"]:
            yield f"{name} is stopped ({follower['stopped']}), and nothing explains it"
        held = evidence.ledger["positions"].get(addresses[name], {})
        for coin in sorted(follower["positions"].keys() | held.keys()):
            lot = follower["positions"].get(coin, {"own": "0", "manual": "0"})
            yield from _lot_agrees(evidence, name, coin, lot, units(held.get(coin, {}).get("szi", "0")))
    if evidence.status.get("breaker"):
        yield "the breaker for foreign signers tripped"
