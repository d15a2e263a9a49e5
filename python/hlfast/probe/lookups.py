"""Questions about client order ids, orderStatus and the venue's clock. Nothing here trades."""

from __future__ import annotations

from hlfast.probe.desk import EXPIRY_MARGIN_MS, LOOKUP_LAG_MS, READ_LAG_MS, CouldNotAskError, Desk, Said
from hlfast.probe.question import Learned, Question, learned
from hlfast.venue.accounts import OrderRecord
from hlfast.venue.outcomes import Resting


async def _cloid_resting(desk: Desk) -> Learned:
    cloid = desk.next_cloid()
    first = await _rested(desk, cloid)
    second = await desk.send(desk.order(cloid=cloid))
    rests = len(await desk.resting())
    return learned(second.was_taken and rests == 2, first, second, f"{rests} resting")


async def _cloid_lookup(desk: Desk) -> Learned:
    cloid = desk.next_cloid()
    old = _oid(await _rested(desk, cloid))
    await desk.withdraw([old])
    second = await desk.send(desk.order(cloid=cloid))
    if not second.was_taken:
        raise CouldNotAskError(f"the id can't be used again: {second.verbatim}")
    new = _oid(second)
    await desk.sleep_until(desk.last_order_ms + READ_LAG_MS)
    record = await desk.look_up(cloid, 2 * LOOKUP_LAG_MS)
    found = record.order.oid if record is not None else None
    return learned(found == new, f"orders {old} (canceled), then {new}; orderStatus shows {found}")


async def _status_lag(desk: Desk) -> Learned:
    cloid = desk.next_cloid()
    said = await _rested(desk, cloid)
    began = desk.clock.now_ms()
    record = await desk.look_up(cloid, 2 * LOOKUP_LAG_MS)
    took = desk.clock.now_ms() - began
    if record is None:
        return learned(False, said, f"orderStatus: unknownOid for {took} ms")
    return learned(took <= LOOKUP_LAG_MS, said, f"orderStatus: {record.status}, known {took} ms after the answer")


async def _status_unknown(desk: Desk) -> Learned:
    found = await desk.info.order_status(desk.subject.account, desk.next_cloid())
    return learned(found.order is None and found.status == "unknownOid", found.status)


async def _clock(desk: Desk) -> Learned:
    cloid = desk.next_cloid()
    before = desk.clock.now_ms()
    said = await _rested(desk, cloid)
    after = desk.clock.now_ms()
    placed = (await _known(desk, cloid)).order.timestamp
    agrees = before - EXPIRY_MARGIN_MS <= placed <= after + EXPIRY_MARGIN_MS
    return learned(agrees, said, f"sent at {before}, in the book at {placed}, answered at {after} by exchangeStatus")


async def _rested(desk: Desk, cloid: str) -> Said:
    said = await desk.send(desk.order(cloid=cloid))
    if not said.was_taken:
        raise CouldNotAskError(f"the first order was refused: {said.verbatim}")
    return said


async def _known(desk: Desk, cloid: str) -> OrderRecord:
    record = await desk.look_up(cloid, 2 * LOOKUP_LAG_MS)
    if record is None:
        raise CouldNotAskError("orderStatus does not know an order that was taken")
    return record


def _oid(said: Said) -> int:
    outcome = said.outcome
    if not isinstance(outcome, Resting):
        raise CouldNotAskError(f"an order that should rest does not: {said.verbatim}")
    return outcome.oid


QUESTIONS = (
    Question(
        name="cloid-resting",
        asks="two orders with one client order id, the first of them resting",
        assumes="both rest: the id guards against nothing",
        otherwise='nothing in hlfast, which uses no id twice; for the simulator: repeated_cloid = "refuse_resting"',
        ask=_cloid_resting,
        actions=2,
    ),
    Question(
        name="cloid-lookup",
        asks="an order that is canceled, another with its client order id, then orderStatus by that id",
        assumes="the newer one is shown",
        otherwise="nothing in hlfast, which uses no id twice; for the simulator: stale_cloid = true",
        ask=_cloid_lookup,
        actions=3,
    ),
    Question(
        name="status-lag",
        asks="orderStatus by client order id right after the answer",
        assumes=f"the order is known within {LOOKUP_LAG_MS} ms",
        otherwise="no setting: LOOKUP_LAG_MS in rust/core/src/order/attempt.rs must be more than that, else what "
        "executed may be taken for dead; for the simulator: order_status_lag_ms",
        ask=_status_lag,
        actions=1,
    ),
    Question(
        name="status-unknown",
        asks="orderStatus of a client order id that was never used",
        assumes='"unknownOid"',
        otherwise="no setting: look-ups would not end, their coins take no entries. Mend rust/core/src/feed/account.rs",
        ask=_status_unknown,
        actions=0,
    ),
    Question(
        name="clock",
        asks="an order, and its time in the book beside exchangeStatus",
        assumes=f"both are one clock, within {EXPIRY_MARGIN_MS} ms",
        otherwise="no setting: EXPIRY_MARGIN_MS in rust/core/src/engine/resolve.rs must be more than the difference",
        ask=_clock,
        actions=1,
    ),
)
