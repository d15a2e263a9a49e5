"""Many seeds on several processes, one seed's minimal fault list, and the seeds that are kept for ever."""

from __future__ import annotations

import gc
import math
import shutil
import tempfile
import time
import tomllib
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from hlfast.gameday.checker import Violation
from hlfast.gameday.world import Options, Result, World

# Journals on a memory disk: a seed makes some hundred syncs, and nothing here is about the disk's speed.
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a private directory is made in it
_MOST_TRIES: Final = 60


def play(options: Options) -> Result:
    """Run one seed in a directory of its own, which goes with it."""
    directory = Path(tempfile.mkdtemp(prefix="hlfast-gameday-", dir=_MEMORY if _MEMORY.is_dir() else None))
    with _the_dead_at_rest():
        try:
            return World(options, directory).run()
        except Exception as error:  # noqa: BLE001 - a seed that breaks the simulation is a finding
            found = Violation("simulation", 0, f"{type(error).__name__}: {error}")
            return Result(options.seed, [found], [], [], 0.0, 0, 0, 0, 0, "")
        finally:
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _the_dead_at_rest() -> Iterator[None]:
    """Collect what killed processes left waiting when the seed is over, not while it runs, and without a warning."""
    gc.disable()
    with warnings.catch_warnings():
        # Killed between the making of a task and its first step.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        try:
            yield
        finally:
            gc.enable()
            gc.collect()


def _keep_imports() -> None:
    """In a process of its own: what was imported is never garbage, and need not be looked through after each seed."""
    gc.freeze()


def campaign(seeds: Iterable[int], options: Options, jobs: int, until_s: float = math.inf) -> Iterator[Result]:
    """Run seeds on `jobs` processes; results in the order of the seeds.

    Args:
        seeds: which.
        options: of all of them.
        jobs: processes.
        until_s: of `time.monotonic`: no further result is waited for after it, and no seed begun.
    """
    work = [replace(options, seed=seed) for seed in seeds]
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _keep_imports) if jobs > 1 else None
    try:
        for result in pool.map(play, work, chunksize=1) if pool else map(play, work):
            yield result
            if time.monotonic() > until_s:
                return
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def repeats(results: list[Result], options: Options, jobs: int, share: float = 0.01) -> dict[int, bool]:
    """Run a share of the seeds again; seed → whether the run was the same to the byte (I18)."""
    first = {each.seed: each.digest for each in results[:: max(1, round(1 / share))]}
    again = campaign(first, options, min(jobs, len(first)))
    return {each.seed: each.digest == first[each.seed] for each in again}


def shrink(options: Options, told: Callable[[str], None]) -> Result:
    """Leave out kinds, then single faults, as long as the same invariant still breaks.

    Args:
        options: of a seed that fails.
        told: hears of each step.

    Returns:
        The run with the fewest faults that was found, within a bounded number of tries.
    """
    best = play(options)
    wanted = {violation.invariant for violation in best.violations}
    tries = 0

    def attempt(smaller: Options) -> bool:
        nonlocal best, options, tries
        if tries >= _MOST_TRIES:
            return False
        tries += 1
        result = play(smaller)
        if not wanted & {violation.invariant for violation in result.violations}:
            return False
        best, options = result, smaller
        told(f"{len(result.struck)} faults of {len({fault.kind for fault in result.struck})} kinds still break it")
        return True

    for kind in list(best.kinds):
        attempt(replace(options, without=options.without | {kind}))
    chunk = max(1, len(best.struck) // 2)
    while chunk and tries < _MOST_TRIES:
        faults = [(fault.kind, fault.number) for fault in best.struck]
        smaller = False
        for start in range(0, len(faults), chunk):
            spared = options.spared | frozenset(faults[start : start + chunk])
            smaller |= attempt(replace(options, spared=spared))
        if not smaller:
            chunk //= 2
    return best


def kept_seeds(path: Path) -> list[Options]:
    """The seeds that once failed, as they are kept in a TOML file: `[[seed]] number, seconds, found`."""
    rows = tomllib.loads(path.read_text())["seed"]
    return [Options(seed=row["number"], seconds=float(row["seconds"])) for row in rows]
