"""Questions about nonces: fences, identical resends, the window, expiry. Nothing here trades."""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

from hlfast.probe.desk import LOOKUP_LAG_MS, Desk
from hlfast.probe.question import NEW_TEXT, UNSOUND, Learned, Question, learned
from hlfast.signing import Signer
from hlfast.venue.exchange import Exchange

# As the core's table of texts (rust/core/src/order/text.rs).
NONCE_USED: Final = ("Invalid nonce: duplicate nonce", "Nonce error: duplicate")
TOO_LOW: Final = "Invalid nonce: nonce too low"
TOO_HIGH: Final = "Invalid nonce: nonce too high"
EXPIRED: Final = "Action already expired"
NO_SUCH_SIGNER: Final = (
    "User or API Wallet ",
    "L1 error: User or API Wallet ",
    "Must deposit before performing actions",
)
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
# What the engine has on its way for one signer at most.
_IN_FLIGHT: Final = 50
_AT_ONCE: Final = 25


async def _fence_before(desk: Desk) -> Learned:
    order = desk.order()
    fence = await desk.send(desk.noop(nonce=order.nonce), "http")
    late = await desk.send(order)
    record = await desk.look_up(order.cloid, LOOKUP_LAG_MS)
    agrees = fence.was_taken and late.says(*NONCE_USED) and record is None
    return learned(agrees, fence, late, "unknownOid" if record is None else f"orderStatus: {record.status}")


async def _fence_after(desk: Desk) -> Learned:
    order = desk.order()
    placed = await desk.send(order)
    fence = await desk.send(desk.noop(nonce=order.nonce), "http")
    rests = len(await desk.resting())
    return learned(placed.was_taken and fence.says(*NONCE_USED) and rests == 1, placed, fence, f"{rests} resting")


async def _fence_race(desk: Desk) -> Learned:
    order = desk.order()
    placed, fence = await desk.send_together((order, "ws"), (desk.noop(nonce=order.nonce), "http"))
    rests = len(await desk.resting())
    loser = fence if placed.was_taken else placed
    is_one = placed.was_taken != fence.was_taken and loser.says(*NONCE_USED)
    return learned(is_one and rests == int(placed.was_taken), placed, fence, f"{rests} resting")


async def _resend(desk: Desk) -> Learned:
    order = desk.order()
    first, second = await desk.send(order, "ws"), await desk.send(order, "http")
    rests = len(await desk.resting())
    agrees = first.was_taken and second.says(*NONCE_USED) and rests == 1
    return learned(agrees, first, second, f"{rests} resting")


async def _resend_race(desk: Desk) -> Learned:
    order = desk.order()
    first, second = await desk.send_together((order, "ws"), (order, "http"))
    rests = len(await desk.resting())
    loser = second if first.was_taken else first
    agrees = first.was_taken != second.was_taken and loser.says(*NONCE_USED) and rests == 1
    return learned(agrees, first, second, f"{rests} resting")


async def _nonce_again(desk: Desk) -> Learned:
    order = desk.order()
    other = desk.order(nonce=order.nonce)
    first, second = await desk.send(order), await desk.send(other)
    record = await desk.look_up(other.cloid, LOOKUP_LAG_MS)
    return learned(first.was_taken and second.says(*NONCE_USED) and record is None, first, second)


async def _nonce_old(desk: Desk) -> Learned:
    said = await desk.send(desk.noop(nonce=desk.clock.now_ms() - 2 * _DAY_MS - _HOUR_MS))
    return learned(said.says(TOO_LOW), said)


async def _nonce_ahead(desk: Desk) -> Learned:
    said = await desk.send(desk.noop(nonce=desk.clock.now_ms() + _DAY_MS + _HOUR_MS))
    return learned(said.says(TOO_HIGH), said)


async def _nonce_order(desk: Desk) -> Learned:
    oldest = desk.noop()
    newer = [desk.noop() for _ in range(_IN_FLIGHT)]
    taken = 0
    for at in range(0, _IN_FLIGHT, _AT_ONCE):
        said = await desk.send_together(*((each, "ws") for each in newer[at : at + _AT_ONCE]))
        taken += sum(one.was_taken for one in said)
    last = await desk.send(oldest)
    return learned(taken == _IN_FLIGHT and last.was_taken, f"{taken} of {_IN_FLIGHT} newer ones taken", last)


async def _expiry(desk: Desk) -> Learned:
    round_trip_ms = max(desk.clock.round_trip_ms, 20)
    words, holds = [], True
    for ahead_ms in (-1_000, 0, round_trip_ms, 2 * round_trip_ms, 5_000):
        order = desk.order(expires_after=desk.clock.now_ms() + ahead_ms)
        said = await desk.send(order)
        if said.was_taken:
            record = await desk.look_up(order.cloid, 2 * LOOKUP_LAG_MS)
            spare_ms = order.expires_after - record.order.timestamp if record is not None else None
            # Taken with its time over is what must not be, whatever the clock that counts.
            holds &= ahead_ms > -1_000 and (spare_ms is None or spare_ms >= 0)
            words.append(f"{ahead_ms:+} ms: taken {spare_ms} ms before its expiry")
        else:
            holds &= said.says(EXPIRED) and ahead_ms < 5_000
            words.append(f"{ahead_ms:+} ms: {said.verbatim}")
    return learned(holds, *words)


async def _expired_nonce(desk: Desk) -> Learned:
    order = desk.order(expires_after=desk.clock.now_ms() - 1_000)
    late = await desk.send(order)
    fence = await desk.send(desk.noop(nonce=order.nonce))
    return learned(late.says(EXPIRED) and fence.was_taken, late, fence)


async def _unknown_signer(desk: Desk) -> Learned:
    stranger = Signer.from_key(secrets.token_bytes(32))
    signed = desk.noop()
    exchange = Exchange(desk.road("http"), stranger, network="testnet")
    body = exchange.signed({"type": "noop"}, nonce=signed.nonce, expires_after=signed.expires_after)
    said = await desk.send(msgspec.structs.replace(signed, body=body))
    agrees = said.says(*NO_SUCH_SIGNER) and stranger.address in (said.refusal or "").lower()
    return learned(agrees, said, f"the signer was {stranger.address}")


QUESTIONS = (
    Question(
        name="fence-before",
        asks="a no-op with the nonce of an order that was not sent, then that order",
        assumes="the no-op is taken, the order refused as a duplicate nonce and unknown to orderStatus",
        otherwise=UNSOUND,
        ask=_fence_before,
        actions=2,
    ),
    Question(
        name="fence-after",
        asks="an order, then a no-op with its nonce",
        assumes="the order rests, the no-op is refused as a duplicate nonce",
        otherwise=UNSOUND,
        ask=_fence_after,
        actions=2,
    ),
    Question(
        name="fence-race",
        asks="an order and a no-op with its nonce at once, one over each lane",
        assumes="one of them is taken, the other refused as a duplicate nonce",
        otherwise=UNSOUND,
        ask=_fence_race,
        actions=2,
    ),
    Question(
        name="resend",
        asks="an order over the WebSocket, then the same bytes over HTTP",
        assumes="it rests once, the second is refused as a duplicate nonce",
        otherwise=UNSOUND,
        ask=_resend,
        actions=2,
    ),
    Question(
        name="resend-race",
        asks="the same order over both lanes at once",
        assumes="it rests once, the other is refused as a duplicate nonce",
        otherwise=UNSOUND,
        ask=_resend_race,
        actions=2,
    ),
    Question(
        name="nonce-again",
        asks="an order, then another order with its nonce",
        assumes="the second is refused as a duplicate nonce and unknown to orderStatus",
        otherwise=UNSOUND,
        ask=_nonce_again,
        actions=2,
    ),
    Question(
        name="nonce-old",
        asks="a no-op whose nonce is two days and an hour old",
        assumes=f'refused: "{TOO_LOW} …"',
        otherwise=NEW_TEXT,
        ask=_nonce_old,
        actions=1,
    ),
    Question(
        name="nonce-ahead",
        asks="a no-op whose nonce is a day and an hour ahead",
        assumes=f'refused: "{TOO_HIGH} …"',
        otherwise=NEW_TEXT,
        ask=_nonce_ahead,
        actions=1,
    ),
    Question(
        name="nonce-order",
        asks=f"{_IN_FLIGHT} no-ops, then one whose nonce is lower than all of theirs",
        assumes="all are taken: the venue keeps more nonces than the engine has on their way",
        otherwise="no setting: lower MAX_IN_FLIGHT in rust/core/src/order/attempt.rs. Safe until then: what is refused "
        "as too low is looked up",
        ask=_nonce_order,
        actions=_IN_FLIGHT + 1,
    ),
    Question(
        name="expiry",
        asks="orders that expire 1 s ago, now, in one and in two round trips, in 5 s",
        assumes=f'nothing rests whose time in the book is past its expiresAfter; the others: "{EXPIRED}"',
        otherwise="no setting: EXPIRY_MARGIN_MS in rust/core/src/engine/resolve.rs must be more than it was late",
        ask=_expiry,
        actions=5,
    ),
    Question(
        name="expired-nonce",
        asks="an order that has expired, then a no-op with its nonce",
        assumes="the no-op is taken: an expired action uses no nonce",
        otherwise="nothing: a fence that finds the nonce used looks the orders up, and they are not there",
        ask=_expired_nonce,
        actions=2,
    ),
    Question(
        name="unknown-signer",
        asks="a no-op signed with a new key that nobody approved",
        assumes="refused, with the address of that key in the text",
        otherwise="no setting: a wrong signature would not stop the engine's entries. Add the text to "
        "rust/core/src/order/text.rs",
        ask=_unknown_signer,
        actions=1,
    ),
)
