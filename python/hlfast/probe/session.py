"""One run: every question in turn, cleaned up after each, whatever ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from hlfast.errors import HlfastError
from hlfast.probe.cleaning import clean
from hlfast.probe.desk import CouldNotAskError, Desk, SilenceError
from hlfast.probe.question import Finding, Question
from hlfast.probe.subject import RefusedError

# Of one question, its look-ups of lost answers not counted; of all of them together.
QUESTION_S: Final = 60.0
SESSION_S: Final = 900.0
Ending = Literal["all asked", "stopped", "out of time"]


class Conclusion(msgspec.Struct, frozen=True):
    """How a run ended. `left` names what could not be cleaned up; empty: nothing rests and nothing is held."""

    ending: Ending
    left: tuple[str, ...]


async def ask_all(
    desk: Desk, questions: Sequence[Question], tell: Callable[[Finding], None], stop: asyncio.Event
) -> Conclusion:
    """Ask one after the other and tell each finding as it is made; clean up before returning, however it ended.

    Args:
        desk: signs and sends.
        questions: what to ask.
        tell: gets each finding.
        stop: ends the asking at once when it is set; the cleaning goes on.

    Raises:
        RefusedError: the venue takes no action of this agent at all.
    """
    asking = asyncio.ensure_future(_ask_in_turn(desk, questions, tell))
    stopped = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait({asking, stopped}, timeout=SESSION_S, return_when=asyncio.FIRST_COMPLETED)
        ending: Ending = "all asked" if asking in done else "stopped" if stopped in done else "out of time"
    finally:
        stopped.cancel()
        asking.cancel()
        await asyncio.wait({asking})
        left = await clean(desk)
    if not asking.cancelled() and (error := asking.exception()) is not None:
        raise error
    return Conclusion(ending, left)


async def _ask_in_turn(desk: Desk, questions: Sequence[Question], tell: Callable[[Finding], None]) -> None:
    await _greet(desk)
    if desk.subject.strays and await clean(desk):
        return
    for question in questions:
        tell(await _ask(desk, question))
        left = await clean(desk)
        if left:
            return  # the next question would ask something else than it says


async def _greet(desk: Desk) -> None:
    """Send one no-op: whether the venue takes this agent's signatures, made for the testnet."""
    desk.allow(1)
    try:
        said = await desk.send(desk.noop())
    except SilenceError as error:
        raise RefusedError(f"the venue does not answer: {error}", "try again later") from None
    if not said.was_taken:
        fix = "see whether the agent is approved, and whether this is a testnet"
        raise RefusedError(f"the venue refuses this agent's actions: {said.verbatim}", fix)


async def _ask(desk: Desk, question: Question) -> Finding:
    desk.allow(question.actions)
    try:
        async with asyncio.timeout(QUESTION_S):
            found = await question.ask(desk)
    except (CouldNotAskError, SilenceError) as error:
        return _unasked(question, str(error), await _settled(desk))
    except TimeoutError:
        return _unasked(question, f"no end within {QUESTION_S:.0f} s", await _settled(desk))
    except HlfastError as error:  # a read failed
        return _unasked(question, str(error), await _settled(desk))
    verdict: Literal["as assumed", "differs"] = "as assumed" if found.agrees else "differs"
    change = "" if found.agrees else question.otherwise
    return Finding(question.name, verdict, question.asks, found.said, question.assumes, change)


async def _settled(desk: Desk) -> tuple[str, ...]:
    """Look up what has no answer, before anything else is sent."""
    try:
        return await desk.settle()
    except HlfastError as error:
        return (f"could not be looked up yet: {error}",)


def _unasked(question: Question, why: str, settled: tuple[str, ...]) -> Finding:
    return Finding(question.name, "not asked", question.asks, (why, *settled), question.assumes)
