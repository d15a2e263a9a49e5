"""Questions that need executions, of about the smallest size that the venue takes. Each leaves the account flat."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hlfast.probe.desk import CouldNotAskError, Desk, Said
from hlfast.probe.orders import MINIMUM
from hlfast.probe.question import UNSOUND, Learned, Question, learned
from hlfast.venue.actions import Trigger
from hlfast.venue.outcomes import Filled

_SMALL: Final = Decimal(12)
_LARGE: Final = Decimal(24)
_PART: Final = Decimal(6)
_REST: Final = Decimal(7)
# Further from the market than any limit price may be (80 %), and nearer than the farthest stop (9,000 bps).
_FAR_TRIGGER: Final = Decimal("0.15")
_BEHIND: Final = Decimal("0.9")


async def _cloid_filled(desk: Desk) -> Learned:
    cloid = desk.next_cloid()
    await _buy(desk, _SMALL, cloid)
    price = await desk.touch(is_buy=True)
    second = await desk.send(desk.order(cloid=cloid, price=price, size=desk.size_of(_SMALL, price), tif="Ioc"))
    return learned(isinstance(second.outcome, Filled), second)


async def _shrinks(desk: Desk) -> Learned:
    held = await _buy(desk, _SMALL)
    said = await _sell(desk, 2 * held)
    left = await desk.position()
    outcome = said.outcome
    agrees = isinstance(outcome, Filled) and outcome.total_sz == held and not left
    return learned(agrees, said, f"held {held}, then {left}")


async def _small_close(desk: Desk) -> Learned:
    held = await _buy(desk, _LARGE)
    price = await desk.touch(is_buy=False)
    part = await _sell(desk, desk.size_of(_PART, price))
    rest = desk.size_of(_REST, price)
    first = await _sell(desk, held - rest)
    if not isinstance(first.outcome, Filled):
        raise CouldNotAskError(f"the larger part was not sold: {first.verbatim}")
    last = await _sell(desk, rest)
    left = await desk.position()
    agrees = part.says(MINIMUM) and isinstance(last.outcome, Filled) and not left
    return learned(agrees, part, last, f"{left} left")


async def _far_trigger(desk: Desk) -> Learned:
    held = await _buy(desk, _SMALL)
    trigger = desk.far_price(_FAR_TRIGGER)
    price = desk.subject.asset.round_price(trigger * _BEHIND, up=False)
    stop = Trigger(price=trigger, kind="sl")
    said = await desk.send(desk.order(is_buy=False, size=held, price=price, reduce_only=True, trigger=stop))
    return learned(said.was_taken, said)


async def _buy(desk: Desk, usd: Decimal, cloid: str | None = None) -> Decimal:
    """Buy for so much at once and return the size."""
    price = await desk.touch(is_buy=True)
    size = desk.size_of(usd, price)
    order = desk.order(cloid=cloid, price=price, size=size, tif="Ioc")
    said = await desk.send(order)
    if not isinstance(said.outcome, Filled) or said.outcome.total_sz != size:
        raise CouldNotAskError(f"nothing, or a part only, was bought: {said.verbatim}")
    return size


async def _sell(desk: Desk, size: Decimal) -> Said:
    price = await desk.touch(is_buy=False)
    return await desk.send(desk.order(is_buy=False, size=size, price=price, tif="Ioc", reduce_only=True))


QUESTIONS = (
    Question(
        name="cloid-filled",
        asks="two marketable orders with one client order id, the first of them filled",
        assumes="both are filled: the id guards against nothing",
        otherwise='nothing in hlfast, which uses no id twice; for the simulator: repeated_cloid = "refuse"',
        ask=_cloid_filled,
        actions=2,
        trades=True,
    ),
    Question(
        name="reduce-only-shrinks",
        asks="a reduce-only sale of twice the position",
        assumes="it sells the position and no more",
        otherwise=UNSOUND,
        ask=_shrinks,
        actions=2,
        trades=True,
    ),
    Question(
        name="small-close",
        asks="a reduce-only sale of a 6 USD part, then one of the last 7 USD",
        assumes=f'the part is refused ("{MINIMUM} …"), the close of the whole position is taken',
        otherwise="no setting: the rest of a position would stay if below 10 USD. Mend rust/core/src/copy/plan.rs",
        ask=_small_close,
        actions=4,
        trades=True,
    ),
    Question(
        name="far-trigger",
        asks="a reduce-only stop of a long at 15 % of the market's price",
        assumes="it is taken: the band of 80 % is for limit prices",
        otherwise="set followers[].disaster_stop_bps to 7000 or less: refused ones are alerted (disaster_stop_refused)",
        ask=_far_trigger,
        actions=2,
        trades=True,
    ),
)
