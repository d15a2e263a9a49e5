from __future__ import annotations

import asyncio
import os

import pytest
import uvloop

from hlfast.engine.timers import BusyPoll, Ticker
from hlfast.sim.virtual import VirtualLoop

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


@pytest.mark.parametrize("factory", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_busy_poll_keeps_the_loop_turning_and_sockets_served(factory) -> None:
    async def main() -> None:
        poll = BusyPoll()
        poll.start()
        read, write = os.pipe()
        served = asyncio.Event()
        asyncio.get_running_loop().add_reader(read, served.set)
        # A loop that may sleep turns once for this timer, and the callback that does not come again is counted once.
        await asyncio.sleep(0.05)
        assert poll.turns > 10
        os.write(write, b"x")
        await served.wait()
        asyncio.get_running_loop().remove_reader(read)
        os.close(read)
        os.close(write)
        poll.stop()
        await asyncio.sleep(0.001)
        turns = poll.turns
        await asyncio.sleep(0.001)
        assert poll.turns == turns, "it sleeps again when told to"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def test_ticker_ticks_on_for_hours() -> None:
    loop, ticks = VirtualLoop(), 0

    def on_tick() -> None:
        nonlocal ticks
        ticks += 1

    async def main() -> None:
        ticker = Ticker(on_tick, lambda lag: None, period_ms=1_000, clock=lambda: round(loop.time() * 1_000) * MS)
        ticker.start()
        await asyncio.sleep(3 * 3_600 + 0.5)
        ticker.stop()

    loop.run_until_complete(main())
    loop.close()
    assert ticks == 3 * 3_600
