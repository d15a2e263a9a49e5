from __future__ import annotations

import asyncio

from hlfast.gameday.loop import HostLoop, Life


def run(loop: HostLoop, work) -> None:
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


def test_loop_holds_a_stopped_life_and_drops_a_dead_one() -> None:
    loop, seen = HostLoop(1), []
    stopped, dead = Life(), Life()

    async def tick(name: str) -> None:
        while True:
            seen.append((name, loop.time()))
            await asyncio.sleep(1)

    async def main() -> None:
        tasks = []
        loop.start(stopped, lambda: tasks.append(loop.create_task(tick("stopped"))))
        loop.start(dead, lambda: tasks.append(loop.create_task(tick("dead"))))
        await asyncio.sleep(2.5)
        loop.stop_life(stopped)
        loop.end_life(dead)
        await asyncio.sleep(10)
        assert [name for name, at in seen if at > 2.5] == []
        loop.continue_life(stopped)
        await asyncio.sleep(0.5)
        assert [at for name, at in seen if at > 2.5] == [12.5], "what fell due meanwhile runs once, then goes on"
        for task in tasks:
            task.cancel()

    loop.set_exception_handler(lambda _loop, _context: None)  # a dead life's task is never awaited
    run(loop, main())


def test_loop_draws_the_order_of_lives_and_keeps_that_of_one() -> None:
    orders = set()
    for seed in range(12):
        loop, seen, lives = HostLoop(seed), [], [Life(), Life()]

        async def main(loop=loop, seen=seen, lives=lives) -> None:
            for number in range(3):
                for name, life in zip("ab", lives, strict=True):
                    loop.call_at(1.0 + number * 1e-12, seen.append, name + str(number), context=life.context)
            await asyncio.sleep(2)

        run(loop, main())
        assert [each for each in seen if each[0] == "a"] == ["a0", "a1", "a2"]
        orders.add(seen[0])
    assert orders == {"a0", "b0"}
