"""Nothing of a probe rests, nothing is held: after each question, after an error, after Ctrl-C."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Final

from hlfast.errors import HlfastError
from hlfast.probe.desk import Desk, Lane
from hlfast.probe.subject import is_ours
from hlfast.venue.outcomes import Filled, Refused

# After the venue was away: again in 2 s, 4 s … 64 s, two minutes in all.
_ROUNDS: Final = 6
_ACTIONS: Final = 2 * _ROUNDS
# Each round's close reaches further: 2 %, 4 % … of what is bid or offered.
_STEP: Final = Decimal("0.02")


async def clean(desk: Desk) -> tuple[str, ...]:
    """Cancel what a probe placed and close what it opened; returns what could not be, with what to do by hand.

    Looks again after everything it does, and ends only when the venue shows neither. What has no answer is looked up
    first: an action that may still execute would undo the cleaning.
    """
    desk.allow(_ACTIONS)
    trouble: list[str] = []
    for round_number in range(1, _ROUNDS + 1):
        try:
            await desk.settle()
            if await _is_clean(desk, round_number, trouble):
                return ()
        except HlfastError as error:
            trouble.append(str(error))
            await asyncio.sleep(2**round_number)
    coin, account = desk.subject.asset.coin, desk.subject.account
    return (
        f"account {account} is not clean: cancel its orders on {coin} and close its position by hand",
        *trouble[-2:],
    )


async def _is_clean(desk: Desk, round_number: int, trouble: list[str]) -> bool:
    """Look, and do one thing about each of what rests and what is held; True: neither is there."""
    lane: Lane = "http" if round_number % 2 else "ws"  # a lane that is dead costs every other round
    rests = [order.oid for order in await desk.resting() if is_ours(order)]
    if rests:
        await desk.withdraw(rests, lane)
    held = await desk.position()
    if held:
        price = await desk.touch(is_buy=held < 0, slippage=_STEP * round_number)
        close = desk.order(is_buy=held < 0, size=abs(held), price=price, tif="Ioc", reduce_only=True)
        said = await desk.send(close, lane)
        if isinstance(said.outcome, Refused) or (
            isinstance(said.outcome, Filled) and said.outcome.total_sz < abs(held)
        ):
            trouble.append(f"closing {held} {desk.subject.asset.coin}: {said.verbatim}")
    return not rests and not held
