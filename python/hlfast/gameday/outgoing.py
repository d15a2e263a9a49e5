"""What left the engine, by its own bytes: caps in the worst case, signatures that never repeat, keys that stay."""

from __future__ import annotations

import base64
import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from hlfast.gameday.checker import (
    FLIGHT_MS,
    LEAST_USD,
    OPENS_WITHIN_MS,
    SCALE,
    Evidence,
    accounts,
    attempt_of,
    executions,
    lowest,
    shared,
    signed,
    units,
)
from hlfast.sim.actions import Signature
from hlfast.sim.signatures import connection_id, l1_digest, recover

if TYPE_CHECKING:
    from hlfast.config.model import Follower

# Rounding of prices between the plan and the venue.
_MARGIN: Final = Decimal("1.005")
# What happens at one time: what the venue did comes before what was sent then, which can't be there yet.
_FILL, _ENDED, _USED, _SENT = range(4)


@dataclass(slots=True)
class Open:
    """One order that adds risk, from the moment it left until its nonce is used or its time is over."""

    follower: str
    coin: str
    size: int  # signed
    nonce: int
    expires_after: int


@dataclass(slots=True)
class Account:
    """One follower as the venue sees it, with what may still reach it."""

    follower: Follower
    edges: int
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    flying: list[Open] = field(default_factory=list)
    used: set[int] = field(default_factory=set)  # nonces
    running: dict[int, Open] = field(default_factory=dict)  # by the venue's number: what is left of a TWAP

    def worst(self, coin: str, side: int = 0) -> int:
        """The largest |position| that this coin can come to; with a sign, on that side, the other one closed."""
        sizes = [each.size for each in (*self.flying, *self.running.values()) if each.coin == coin]
        bought, sold = (sum(size for size in sizes if (size > 0) == up) for up in (True, False))
        held = self.held[coin]
        if side:
            return max(held, 0) + bought if side > 0 else max(-held, 0) - sold
        return max(abs(held + bought), abs(held + sold), abs(held))


def bodies_of(sent: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each action that left, with venue time: the request's content, whatever carried it."""
    for at_ms, payload in sent:
        body = _read(payload)
        yield at_ms, body["request"]["payload"] if "request" in body else body


@lru_cache(maxsize=1 << 12)
def _read(payload: bytes) -> dict[str, Any]:
    """An action's text; several rules read it, none changes what it reads."""
    return dict(orjson.loads(payload))


def signatures_once(evidence: Evidence) -> Iterator[str]:
    """I5: one r stands for one content; whoever sees two can compute the key."""
    seen: dict[str, bytes] = {}
    for _, body in bodies_of(evidence.sent):
        signature = body["signature"]
        signed_part = {name: part for name, part in body.items() if name != "signature"}
        content = orjson.dumps(signed_part, option=orjson.OPT_SORT_KEYS)
        if seen.setdefault(signature["r"], content) != content:
            yield f"r {signature['r']} signed two contents, the second with nonce {body['nonce']}"


def reductions_reduce(evidence: Evidence) -> Iterator[str]:
    """I10: an execution under a reducing attempt brings the position toward zero and not through it.

    Beside what an engine on a copied journal traded, an exit may go without the venue's flag, by which the account may
    come further from zero.
    """
    names = accounts(evidence)
    rows = (row for _, body in bodies_of(evidence.sent) for row in body["action"].get("orders", ()))
    unflagged = {row["c"] for row in rows if not row["r"]}
    positions: dict[tuple[str, str], int] = defaultdict(int)
    for row in executions(evidence):
        key = (row["user"], row["coin"])
        before = positions[key]
        after = positions[key] = before + signed(row)
        attempt = attempt_of(evidence, row)
        reduces = attempt is not None and attempt["does"] in ("reduce", "stop")
        beside = names[row["user"]] in shared(evidence) and row.get("cloid") in unflagged
        if reduces and not beside and (abs(after) > abs(before) or before * after < 0):
            yield f"{row['user']} {row['coin']}: a reduction took {before} to {after}"


def opens_nothing_delisted(evidence: Evidence) -> Iterator[str]:
    """I2: leaders' fills of a coin end with its delisting, and with the age of the last one whatever opens there.

    What a leader's exit uncovered of another leader's part goes with that exit, which has no age: an engine that was
    suspended sends it before it can have heard of the delisting.
    """
    exits = _exits(evidence)
    followers = evidence.config.followers
    longest_ms = {each.name: (each.execution.seconds or 0) * 1_000 for each in followers if each.execution}
    for at_ms, orders in _opens(evidence):
        for order in orders:
            if order.follower in shared(evidence) or order.expires_after < at_ms:
                continue  # an exit may go without the venue's flag; a copy of what is too late
            if (order.follower, order.coin, order.nonce) in exits:
                continue
            late_ms = at_ms - evidence.delisted.get(order.coin, at_ms) - longest_ms.get(order.follower, 0)
            if late_ms > OPENS_WITHIN_MS:
                yield f"{order.follower} {order.coin}: nonce {order.nonce} opens {late_ms} ms after the delisting"


def _exits(evidence: Evidence) -> set[tuple[str, str, int]]:
    """By follower, coin and nonce: the orders of which all that the engine tells are leaders' reductions."""
    names = [follower.name for follower in evidence.config.followers]
    reduces: dict[tuple[str, str, int], bool] = {}
    for row in evidence.objects("receipt"):
        key = (names[row["follower"]], row["coin"], row["nonce"])
        before, after = units(row["entitled_before"]), units(row["entitled_after"])
        lowers = before * after >= 0 and abs(after) < abs(before)
        reduces[key] = reduces.get(key, True) and lowers
    return {key for key, lowers in reduces.items() if lowers}


def caps_in_the_worst_case(evidence: Evidence) -> Iterator[str]:
    """I6: with all that may still execute, no order that leaves can bring a position or the gross above a cap."""
    edges = [follow.follower for follow in evidence.config.follows]
    books = {each.name: Account(each, edges.count(each.name)) for each in evidence.config.followers}
    agents = {each.agent: each.name for each in evidence.config.followers}
    names = {each.account: each.name for each in evidence.config.followers}
    prices: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
    begun = {(row["signer"], row["nonce"]): row for row in evidence.ledger["twaps"]}
    for now_ms, kind, what in _history(evidence):
        if kind == _FILL:
            prices[what["coin"]].append((now_ms, Decimal(what["px"])))
            if what["user"] in names:
                _execute(books[names[what["user"]]], what)
        elif kind == _ENDED:
            if what["user"] in names:
                books[names[what["user"]]].running.pop(what["twap_id"], None)
        elif kind == _USED:
            name = agents.get(what["signer"])
            if name is not None:
                # A copy that came later began nothing.
                twap = begun.get((what["signer"], what["nonce"])) if what["ok"] else None
                _land(books[name], what["nonce"], twap)
        else:
            for order in what:
                if order.follower in shared(evidence):
                    continue  # two engines know nothing of each other's room
                yield from _leaves(books[order.follower], order, prices, now_ms)


def _history(evidence: Evidence) -> Iterator[tuple[int, int, Any]]:
    """Fills, ends of TWAPs, used nonces and departures in the order of venue time."""
    fills = ((row["time"], _FILL, number, row) for number, row in enumerate(evidence.ledger["fills"]))
    actions = enumerate(evidence.ledger["actions"])
    used = ((row["time"], _USED, number, row) for number, row in actions)
    sent = ((at_ms, _SENT, number, orders) for number, (at_ms, orders) in enumerate(_opens(evidence)))
    over = sorted((row["ended"], _ENDED, row["twap_id"], row) for row in evidence.ledger["twaps"] if row.get("ended"))
    merged = heapq.merge(fills, over, used, sent, key=lambda each: each[:3])
    return ((now_ms, kind, what) for now_ms, kind, _, what in merged)


def _opens(evidence: Evidence) -> Iterator[tuple[int, list[Open]]]:
    """Orders that add risk, of each action as it left."""
    names = [follower.name for follower in evidence.config.followers]
    # An engine on a copied journal may give the same nonce and client id to another order. It knows nothing of this
    # one's room, and a follower for which the venue takes it is held to none.
    rows = evidence.objects("attempt")
    attempts = {(cloid, row["expires_after"]): row for row in rows for cloid in row["cloids"]}
    for at_ms, body in bodies_of(evidence.sent):
        found = list(_twap(evidence, body))
        for row in body["action"].get("orders", ()):
            attempt = attempts.get((row["c"], body["expiresAfter"]))
            if attempt is None or row["r"]:
                continue
            size = units(row["s"]) * (1 if row["b"] else -1)
            coin = evidence.cast.assets[row["a"]]
            found.append(Open(names[attempt["follower"]], coin, size, body["nonce"], body["expiresAfter"]))
        if found:
            yield at_ms, found


def _twap(evidence: Evidence, body: dict[str, Any]) -> Iterator[Open]:
    """The TWAP that an action begins. It has no client id: whose it is says the signature."""
    action, nonce, expires_after = body["action"], body["nonce"], body["expiresAfter"]
    if action["type"] != "twapOrder":
        return
    identity = connection_id(action, nonce, body.get("vaultAddress"), expires_after)
    signer = recover(Signature(**body["signature"]), l1_digest(identity, evidence.config.network))
    names = {follower.agent: follower.name for follower in evidence.config.followers}
    twap = action["twap"]
    if signer in names:
        size = units(twap["s"]) * (1 if twap["b"] else -1)
        yield Open(names[signer], evidence.cast.assets[twap["a"]], size, nonce, expires_after)


def _land(account: Account, nonce: int, twap: dict[str, Any] | None) -> None:
    account.used.add(nonce)
    account.flying = [each for each in account.flying if each.nonce != nonce]
    if twap is not None and twap.get("ended") != twap["time"]:
        size = units(twap["sz"]) * (1 if twap["side"] == "B" else -1)
        account.running[twap["twap_id"]] = Open(account.follower.name, twap["coin"], size, nonce, 0)


def _execute(account: Account, row: dict[str, Any]) -> None:
    account.held[row["coin"]] += signed(row)
    running = account.running.get(row.get("twap_id") or 0)
    if running is not None:
        running.size -= signed(row)


def _leaves(account: Account, order: Open, prices: dict[str, list[tuple[int, Decimal]]], now_ms: int) -> Iterator[str]:
    account.flying = [each for each in account.flying if each.expires_after >= now_ms]
    if order.expires_after < now_ms:
        return  # of an engine whose clock is behind: it can't execute any more
    # A copy of one that is on its way, or there, adds nothing: the venue takes one of them.
    if order.nonce not in account.used and not any(
        (each.nonce, each.coin) == (order.nonce, order.coin) for each in account.flying
    ):
        account.flying.append(order)

    def usd(coin: str, size: int) -> Decimal:
        return Decimal(size) / SCALE * lowest(prices[coin], now_ms - FLIGHT_MS)

    follower = account.follower
    coins = {each.coin for each in (*account.flying, *account.running.values())} | account.held.keys()
    # What is held on the other side may have grown dearer, and an order makes it no larger.
    own = usd(order.coin, account.worst(order.coin, order.size))
    others = sum((usd(coin, account.worst(coin)) for coin in coins - {order.coin}), Decimal(0))
    # What one leader's exit uncovers of another's goes as an exit, whole.
    max_order = follower.max_order_usd if account.edges == 1 else None
    for what, amount, limit in (
        ("order", usd(order.coin, abs(order.size)), max_order),
        ("position", own, follower.max_position_usd),
        ("gross", own + others, follower.max_gross_usd),
    ):
        if limit is not None and amount > Decimal(limit) * _MARGIN + LEAST_USD:
            yield (
                f"{follower.name} {order.coin}: nonce {order.nonce} may make {what} {amount:.2f} USD,"
                f" the cap is {limit}"
            )


def keys_stay(evidence: Evidence) -> Iterator[str]:
    """I17: no key, in any spelling, in what the engine wrote, logged, said or sent until the end."""
    if not evidence.final:
        return
    actions = b"\n".join(payload for _, payload in evidence.sent)
    for number, (key, address) in enumerate(evidence.cast.agents):
        spellings = (key, key.hex().encode(), key.hex().upper().encode(), base64.b64encode(key))
        for name, data in (*evidence.outputs, ("an action", actions)):
            if any(each in data for each in spellings):
                yield f"the key of agent {number} ({address}) stands in {name}"
