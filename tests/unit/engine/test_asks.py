from __future__ import annotations

import asyncio
import json

import pytest
from tests.fakes.venue import until

from hlfast.engine import asks
from hlfast.engine.asks import AskExecutor

pytestmark = pytest.mark.asyncio


class World:
    def __init__(self, concurrency: int = 2) -> None:
        self.answers: list[tuple[int, int, bytes]] = []
        self.wanted: list[dict] = []
        self.accused: list[tuple[int, int]] = []
        self.begun: list[dict] = []
        self.gate = asyncio.Event()
        self.executor = AskExecutor(
            self.fetch,
            lambda *answer: self.answers.append(answer),
            self.wanted.append,
            lambda *feed: self.accused.append(feed),
            concurrency=concurrency,
        )

    async def fetch(self, body: dict) -> tuple[int, bytes]:
        self.begun.append(body)
        await self.gate.wait()
        return (0, b"") if body["type"] == "silent" else (200, b"[]")


def ask(token: int, kind: str = "meta") -> bytes:
    return json.dumps({"token": token, "weight": 2, "request": {"type": kind}}).encode()


async def test_asks_run_with_bounded_concurrency_and_all_are_answered() -> None:
    world = World(concurrency=2)
    world.executor.take([ask(token) for token in range(5)])
    await until(lambda: len(world.begun) == 2)
    assert (world.executor.running, world.executor.waiting) == (2, 3)
    world.gate.set()
    await until(lambda: len(world.answers) == 5)
    assert [token for token, _, _ in world.answers] == [0, 1, 2, 3, 4]
    assert world.executor.running == 0


async def test_asks_hand_on_silence_as_status_zero() -> None:
    world = World()
    world.gate.set()
    world.executor.take([ask(7, "silent")])
    await until(lambda: world.answers)
    assert world.answers == [(7, 0, b"")]
    assert world.executor.unanswered == 1


async def test_asks_hand_subscriptions_to_the_feeds() -> None:
    world = World()
    world.executor.take([b'{"subscribe":{"type":"bbo","coin":"ETH"}}'])
    assert world.wanted == [{"type": "bbo", "coin": "ETH"}]
    assert world.executor.waiting == 0


async def test_asks_hand_on_which_feed_kept_something_back() -> None:
    world = World()
    world.executor.take([b'{"reconnect":3,"leader":1}'])
    assert world.accused == [(3, 1)]
    assert world.executor.waiting == 0


async def test_asks_beyond_the_bound_are_answered_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asks, "MAX_WAITING", 3)
    world = World(concurrency=1)
    world.executor.take([ask(token) for token in range(5)])
    assert world.answers == [(3, 0, b""), (4, 0, b"")], "the core asks again; nothing grows without bound"
    await world.executor.close()


async def test_asks_are_abandoned_at_the_end() -> None:
    world = World()
    world.executor.take([ask(1), ask(2), ask(3)])
    await until(lambda: len(world.begun) == 2)
    await world.executor.close()
    assert world.executor.running == 0
    assert world.answers == []


async def test_asks_report_a_defect_of_the_fetch() -> None:
    told: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))

    async def fetch(body: dict) -> tuple[int, bytes]:
        raise KeyError("defect")

    executor = AskExecutor(fetch, lambda *answer: None, lambda sub: None, lambda *feed: None)
    executor.take([ask(1)])
    await until(lambda: told)
    assert isinstance(told[0]["exception"], KeyError)
