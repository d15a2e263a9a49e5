from __future__ import annotations

import asyncio

import pytest
from tests.fakes.venue import until

from hlfast.lanes import http
from hlfast.lanes.http import HttpLane

pytestmark = pytest.mark.asyncio


class World:
    def __init__(self, concurrency: int = 2) -> None:
        self.gate = asyncio.Event()
        self.bodies: list[bytes] = []
        self.answers: list[tuple[int, int, bytes]] = []
        self.lane = HttpLane(9, self.post, lambda *answer: self.answers.append(answer), concurrency=concurrency)

    async def post(self, body: bytes) -> tuple[int, bytes]:
        self.bodies.append(body)
        await self.gate.wait()
        return (0, b"ClientError") if body == b"lost" else (200, b"ok:" + body)


async def test_http_lane_brings_each_answer_back_under_its_post_id() -> None:
    world = World()
    for post_id, body in ((11, b"a"), (12, b"lost"), (13, b"c")):
        assert world.lane.write(post_id, body)
    await until(lambda: len(world.bodies) == 2)
    assert world.lane.in_flight == 3
    world.gate.set()
    await until(lambda: len(world.answers) == 3)
    assert sorted(world.answers) == [(11, 200, b"ok:a"), (12, 0, b"ClientError"), (13, 200, b"ok:c")]
    assert world.lane.in_flight == 0


async def test_http_lane_refuses_more_than_it_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_WAITING", 2)
    world = World(concurrency=1)
    assert [world.lane.write(post, b"x") for post in range(5)] == [True, True, True, False, False]
    await world.lane.close()
    assert world.lane.in_flight == 0


async def test_http_lane_gives_no_answer_for_what_it_abandons() -> None:
    world = World()
    world.lane.write(1, b"a")
    await until(lambda: world.bodies)
    await world.lane.close()
    assert world.answers == [], "the next start settles it"
