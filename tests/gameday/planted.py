"""The test of the tests: defects planted in the core and in the shell, each of which a few seeds must find.

    python -m tests.gameday.planted EXTENSION [--most 50] [--jobs 2] [NAME …]

EXTENSION is `_core` built with the feature `planted`; see `make hunt`. Prints one line a defect: how many seeds it
took and which invariant broke. Exit code 1 if one of them lived through all its seeds.

As a plugin of pytest (`-p tests.gameday.planted`) it plants the defect of the shell that HLFAST_PLANTED names.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

SECONDS = 300.0


def load_core(path: str) -> Any:
    """Put another build of the extension in the place of `hlfast._core`, before anything imports that."""
    if "hlfast._core" in sys.modules:
        raise RuntimeError("hlfast._core is loaded already")
    spec = importlib.util.spec_from_file_location("hlfast._core", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} is no extension")
    module = importlib.util.module_from_spec(spec)
    sys.modules["hlfast._core"] = module
    spec.loader.exec_module(module)
    return module


# Defects of the shell. Each takes effect for the life of its process.


def no_subscriptions_after_reconnect() -> None:
    """A connection that comes back carries nothing."""
    from hlfast.venue.ws import WsConnection

    came_up = WsConnection._came_up

    def forgetful(self: Any, listener: Any) -> None:
        if self.dials_made > 1:
            self._wanted.clear()
        came_up(self, listener)

    WsConnection._came_up = forgetful  # type: ignore[method-assign]


def reconnect_gives_up() -> None:
    """A connection is not dialled a second time."""
    from hlfast.venue.ws import WsConnection

    async def once(self: Any) -> None:
        await self._live_once()
        await asyncio.sleep(1e9)

    WsConnection._keep_up = once  # type: ignore[method-assign]


def unanswered_reads_vanish() -> None:
    """A read without an answer is never told to the core."""
    from hlfast.engine.asks import AskExecutor

    give = AskExecutor._give

    def forgetful(self: Any, ask: Any, status: int, body: bytes) -> None:
        if status == 200:
            give(self, ask, status, body)

    AskExecutor._give = forgetful  # type: ignore[method-assign]


def first_chunk_only() -> None:
    """Followers beyond the first chunk of a fan-out are not asked for."""
    from hlfast.engine.door import Door

    def write(self: Any, sends: Any) -> None:
        for lane, post_id, data in sends or ():
            self._writers[lane](post_id, data)

    Door._write = write  # type: ignore[method-assign]


def venue_time_is_the_wall_clock() -> None:
    """The venue's own time is read and thrown away, and this host's clock is 20 s slow."""
    from hlfast.engine.clock import VenueClock

    made = VenueClock.__init__

    def skewed(self: Any, monotonic: Any, wall: Any) -> None:
        made(self, monotonic, lambda: wall() - 20_000_000_000)

    VenueClock.__init__ = skewed  # type: ignore[method-assign]
    VenueClock.observe = lambda self, *_: setattr(self, "known", True)  # type: ignore[method-assign]


def lost_sockets_go_unnoticed() -> None:
    """The core never hears that a connection is gone."""
    from hlfast.engine.door import Door

    Door.source_down = lambda *_: None  # type: ignore[method-assign]


def notices_must_be_utf_8() -> None:
    """An acknowledgement that is no UTF-8 ends the engine."""
    from hlfast.feeds.source import FeedSource

    notice = FeedSource.notice

    def strict(self: Any, frame_class: int, payload: bytes) -> None:
        payload.decode()
        notice(self, frame_class, payload)

    FeedSource.notice = strict  # type: ignore[method-assign]


def ticks_stop() -> None:
    """The timer is not set again after an hour's worth of ticks in a minute."""
    from hlfast.engine.timers import Ticker

    arm = Ticker._arm
    count = 0

    def tired(self: Any) -> None:
        nonlocal count
        count += 1
        if count < 3_000:
            arm(self)

    Ticker._arm = tired  # type: ignore[method-assign]


SHELL: dict[str, Callable[[], None]] = {
    work.__name__: work
    for work in (
        no_subscriptions_after_reconnect,
        reconnect_gives_up,
        unanswered_reads_vanish,
        first_chunk_only,
        venue_time_is_the_wall_clock,
        lost_sockets_go_unnoticed,
        notices_must_be_utf_8,
        ticks_stop,
    )
}


def pytest_configure() -> None:
    """Plant what the environment asks for, before any test is collected."""
    name = os.environ.get("HLFAST_PLANTED")
    if name is not None:
        SHELL[name]()


def breaks(extension: str, number: int) -> str | None:
    """What breaks in a seed without any defect: such a seed shows nothing."""
    if "hlfast._core" not in sys.modules:
        load_core(extension)
    from hlfast.gameday.campaign import play
    from hlfast.gameday.world import Options

    found = play(Options(seed=number, seconds=SECONDS)).violations
    return f"{found[0].invariant}: {found[0].text[:110]}" if found else None


def hunt(extension: str, name: str, seeds: list[int]) -> tuple[str, int | None, str]:
    """Run seeds with one defect until one breaks; (name, how many it took or None, what broke)."""
    core = load_core(extension) if "hlfast._core" not in sys.modules else sys.modules["hlfast._core"]
    if name in SHELL:
        SHELL[name]()
    else:
        core.plant(name)
    from hlfast.gameday.campaign import play
    from hlfast.gameday.world import Options

    for took, number in enumerate(seeds, 1):
        found = play(Options(seed=number, seconds=SECONDS)).violations
        if found:
            return name, took, f"{found[0].invariant}: {found[0].text[:110]}"
    return name, None, ""


def main() -> int:
    """Hunt every defect; one process each, so that none meets another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extension")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--most", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    extension = str(Path(options.extension).resolve())
    names = options.names or [*load_core(extension).PLANTED, *SHELL]
    began = time.monotonic()
    took: list[int] = []
    alive: list[str] = []
    numbers = range(1, options.most + 1)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        broken = dict(zip(numbers, pool.map(breaks, [extension] * options.most, numbers), strict=True))
    for number, what in broken.items():
        if what is not None:
            print(f"seed {number} breaks without a defect: {what}", flush=True)
    seeds = [number for number, what in broken.items() if what is None]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        hunts = [pool.submit(hunt, extension, name, seeds) for name in names]
        for each in hunts:
            name, count, what = each.result()
            print(f"{name}: {'ALIVE' if count is None else f'{count} seeds, {what}'}", flush=True)
            if count is None:
                alive.append(name)
            else:
                took.append(count)
    median = statistics.median(took) if took else 0
    print(
        f"{len(took)} of {len(names)} found, median {median} seeds, most {max(took, default=0)}, {time.monotonic() - began:.0f} s"
    )
    return 1 if alive or len(seeds) < options.most else 0


if __name__ == "__main__":
    sys.exit(main())
