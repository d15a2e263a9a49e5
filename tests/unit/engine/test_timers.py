from __future__ import annotations

import asyncio
import os
import time

import pytest
import uvloop

from hlfast.engine.timers import BusyPoll, Ticker

MS = 1_000_000


class Hands:
    def __init__(self) -> None:
        self.ns = 1_000 * MS

    def __call__(self) -> int:
        return self.ns


@pytest.mark.asyncio
async def test_ticker_reports_lag_and_does_not_drift() -> None:
    hands, lags, ticks = Hands(), [], []
    ticker = Ticker(lambda: ticks.append(hands.ns), lags.append, clock=hands)
    ticker.start()
    for late_ms in (0, 7, 0, 3):
        hands.ns = ticker._due_ns + late_ms * MS
        ticker.fire()
        ticker._timer.cancel()
    assert lags == [0, 7 * MS, 0, 3 * MS]
    assert ticker._due_ns == 1_000 * MS + 5 * 20 * MS, "lateness of one tick does not move the next"
    ticker.stop()


@pytest.mark.asyncio
async def test_ticker_forgets_what_was_missed_while_the_process_stood_still() -> None:
    hands, ticks = Hands(), []
    ticker = Ticker(lambda: ticks.append(1), lambda lag: None, clock=hands)
    ticker.start()
    hands.ns += 20_000 * MS
    ticker.fire()
    assert ticker._due_ns == hands.ns + 20 * MS
    assert len(ticks) == 1
    ticker.stop()
    ticker.stop()


def _spin(factory, seconds: float) -> tuple[int, float]:
    """Turns of the loop, and how long a byte on a pipe waited for its callback at most."""

    async def main() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        poll = BusyPoll()
        poll.start()
        read, write = os.pipe()
        waits: list[int] = []
        sent = 0

        def readable() -> None:
            os.read(read, 1)
            waits.append(time.monotonic_ns() - sent)

        loop.add_reader(read, readable)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sent = time.monotonic_ns()
            os.write(write, b"x")
            seen = len(waits)
            while len(waits) == seen:  # noqa: ASYNC110 - this loop is what is tested
                await asyncio.sleep(0)
        loop.remove_reader(read)
        os.close(read)
        os.close(write)
        poll.stop()
        turns = poll.turns
        await asyncio.sleep(0.02)
        assert poll.turns <= turns + 1, "it sleeps again when told to"
        return turns, sorted(waits)[len(waits) // 2] / 1e3

    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())


@pytest.mark.parametrize("factory", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_busy_poll_keeps_the_loop_turning_and_sockets_served(factory) -> None:
    turns, _ = _spin(factory, 0.1)
    # A loop that sleeps until a timer would turn five times in 0.1 s.
    assert turns > 500
