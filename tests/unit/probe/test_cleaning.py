"""Whatever ends a probe, nothing of it rests and nothing is held."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.fakes.probe import ACCOUNT, World, in_world

from hlfast.errors import HlfastError
from hlfast.probe.catalogue import QUESTIONS
from hlfast.probe.session import ask_all

TRADES = [question.name for question in QUESTIONS if question.trades]
# Greeting, then buys, sales and a stop, with the cleaning between them.
_POSTS = 14


@pytest.mark.parametrize("at", range(1, _POSTS + 1))
def test_a_stop_at_any_action_leaves_nothing(at: int) -> None:
    async def talk(world: World) -> None:
        world.on_post = lambda: world.stop.set() if len(world.posts) == at else None
        conclusion = await world.ask(*TRADES)
        assert conclusion.left == ()
        assert conclusion.ending == "stopped"

    world = in_world(talk)
    assert world.is_clean()
    assert len(world.posts) >= at


def test_a_stop_while_something_is_held_closes_it() -> None:
    async def talk(world: World) -> None:
        async def watch() -> None:
            while float(world.held()) == 0:  # noqa: ASYNC110 - of another side's books
                await asyncio.sleep(0.005)
            world.stop.set()

        watching = asyncio.ensure_future(watch())
        await world.ask("small-close")
        await watching

    world = in_world(talk)
    assert world.fills()
    assert world.is_clean()


@pytest.mark.parametrize("executes", [0.0, 1.0])
@pytest.mark.parametrize("name", ["resend", "cloid-filled", "far-trigger", "nonce-order"])
def test_silence_is_looked_up_before_anything_else_is_sent(name: str, executes: float) -> None:
    sent: list[int] = []

    async def talk(world: World) -> None:
        def lose() -> None:
            if len(world.posts) == 2:  # the first after the greeting
                fault = {"kind": "lose_answers", "share": 1.0, "executes": executes, "for_ms": 60_000}
                sent.append(world.control("add_faults", faults=[fault])["numbers"][0])
            elif len(world.posts) == 3 and name != "nonce-order":
                world.control("clear_faults", number=sent[0])
                sent.append(world.loop.now_ms())

        world.on_post = lose
        conclusion = await world.ask(name)
        assert conclusion.left == ()

    world = in_world(talk)
    assert world.verdicts() == {name: "not asked"}
    answers = world.answers(name)
    assert "outcome unknown" in answers
    assert "looked up" in answers or "has expired" in answers
    assert world.is_clean()


def test_an_answer_that_executes_much_later_than_it_is_missed_is_still_cleaned_up() -> None:
    async def talk(world: World) -> None:
        late = {"kind": "error_answers", "share": 1.0, "executes": 1.0, "late_ms": {"least": 8_500, "most": 9_000}}

        def fail() -> None:
            if len(world.posts) == 2:
                world.control("add_faults", faults=[late | {"for_ms": 3_000}])

        world.on_post = fail
        await world.ask("cloid-filled")
        assert world.fills()
        await asyncio.sleep(30)

    world = in_world(talk)
    assert world.verdicts() == {"cloid-filled": "not asked"}
    assert world.is_clean()


def test_a_stop_while_an_action_is_late_waits_until_it_can_not_come_any_more() -> None:
    async def talk(world: World) -> None:
        def delay_and_stop() -> None:
            if len(world.posts) == 2:
                late = {"kind": "late_inclusion", "share": 1.0, "delay_ms": {"least": 9_000, "most": 9_500}}
                world.control("add_faults", faults=[late | {"for_ms": 1_000}])
                world.loop.call_later(0.1, world.stop.set)

        world.on_post = delay_and_stop
        conclusion = await world.ask("cloid-filled")
        assert conclusion.left == ()
        assert world.fills()
        await asyncio.sleep(30)

    assert in_world(talk).is_clean()


def test_a_venue_that_is_away_for_a_minute_is_waited_for() -> None:
    async def talk(world: World) -> None:
        away = {"kind": "error_answers", "door": "info", "share": 1.0, "executes": 1.0, "for_ms": 60_000}
        world.on_post = lambda: world.control("add_faults", faults=[away]) if len(world.posts) == 2 else None
        conclusion = await world.ask("cloid-resting")
        assert conclusion.left == ()

    world = in_world(talk)
    assert world.verdicts() == {"cloid-resting": "not asked"}
    assert world.is_clean()


def test_what_a_killed_probe_left_is_cancelled_first() -> None:
    async def talk(world: World) -> None:
        killed = await world.desk()
        killed.allow(2)
        await killed.send(killed.order())
        await killed.send(killed.order())
        assert world.rests() == 2
        await asyncio.sleep(5)
        conclusion = await world.ask("resend")
        assert conclusion.left == ()

    world = in_world(talk)
    assert world.verdicts() == {"resend": "as assumed"}
    assert world.is_clean()


def test_what_can_not_be_closed_is_said_and_ends_the_asking() -> None:
    conclusions: list[Any] = []

    async def talk(world: World) -> None:
        def halt() -> None:
            if float(world.held()):
                world.control("config", halted=True)

        world.on_post = halt
        conclusions.append(await world.ask("reduce-only-shrinks", "small-close"))

    world = in_world(talk)
    assert list(world.verdicts()) == ["reduce-only-shrinks"]
    assert conclusions[0].left
    assert ACCOUNT in conclusions[0].left[0]
    assert "by hand" in conclusions[0].left[0]
    assert "Trading is halted" in " ".join(conclusions[0].left)


def test_an_error_of_a_question_is_raised_after_cleaning() -> None:
    async def talk(world: World) -> None:
        desk = await world.desk()

        async def breaks(_desk: object) -> Any:
            await desk.send(desk.order())
            raise ZeroDivisionError

        broken = next(question for question in QUESTIONS if question.name == "resend")
        broken = type(broken)(name="broken", asks="a", assumes="b", otherwise="c", ask=breaks, actions=2)
        with pytest.raises(ZeroDivisionError):
            await ask_all(desk, [broken], world.findings.append, world.stop)

    assert in_world(talk).is_clean()


def test_a_question_can_not_send_more_than_it_said() -> None:
    async def talk(world: World) -> None:
        desk = await world.desk()
        desk.allow(1)
        await desk.send(desk.noop())
        with pytest.raises(HlfastError, match="more actions"):
            await desk.send(desk.noop())

    in_world(talk)
