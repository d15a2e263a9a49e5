"""Time and memory of a whole analysis: a million made fills, and a recorded history if one is named.

    nice -n -15 .venv/bin/python bench/research/analytics.py [--fills 1000000] [--file HISTORY] [--record]

One core: the process binds itself to one, and polars runs one thread. The made trader works 20 coins in round trips of
20 fills with partial closes and flips, with tid, over two years.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"

import numpy as np
import polars as pl
from kept import Gate, conditions, finish

from hlfast.research.analysis import analyse
from hlfast.research.files import history_from_file
from hlfast.research.history import MONEY, History

START_MS = 1_704_067_200_000
COINS = 20


def made_history(count: int, seed: int = 7) -> History:
    rng = np.random.default_rng(seed)
    coin = rng.integers(0, COINS, count)
    time_ms = START_MS + np.sort(rng.integers(0, 730 * 86_400_000, count))
    size = rng.integers(1, 2_000, count)
    is_buy = rng.random(count) < 0.5
    price = np.maximum(1, 100_000 + np.cumsum(rng.integers(-5, 6, count)))
    start = np.zeros(count, dtype=np.int64)
    closed = np.zeros(count, dtype=np.int64)
    for number in range(COINS):
        rows = np.flatnonzero(coin == number)
        delta = np.where(is_buy[rows], size[rows], -size[rows])
        # Every 20th fill of a coin brings it back to flat.
        ends = np.cumsum(delta)
        base = np.repeat(ends[19::20], 20)[: len(rows)]
        offset = np.concatenate((np.zeros(20, dtype=np.int64), base))[: len(rows)]
        position = ends - offset
        last = np.arange(19, len(rows), 20)
        before = np.concatenate(([0], position[:-1]))
        before[np.arange(0, len(rows), 20)] = 0
        delta[last] = np.where(before[last] == 0, delta[last], -before[last])
        size[rows], is_buy[rows] = np.abs(delta), delta > 0
        start[rows] = before
        closed[rows] = np.where(before * delta < 0, rng.integers(-10_000, 10_500, len(rows)), 0)
    frame = pl.DataFrame(
        {
            "place": np.arange(1, count + 1),
            "coin": pl.Series(coin).cast(pl.String),
            "time_ms": time_ms,
            "is_buy": is_buy,
            "price": price,
            "size": size,
            "start": start,
            "closed_pnl": closed,
            "fee": size,
            "fee_token": ["USDC"] * count,
            "tid": rng.integers(1, 1 << 50, count),
            "oid": np.arange(count) // 3 + 10**11,
            "crossed": rng.random(count) < 0.7,
            "liquidated": np.zeros(count, dtype=bool),
            "twap": np.zeros(count, dtype=bool),
            "spot": np.zeros(count, dtype=bool),
        }
    )
    hundredth = pl.lit("0.01").cast(MONEY)
    fills = frame.with_columns(
        (pl.col(name).cast(MONEY) * hundredth).alias(name) for name in ("price", "size", "start", "closed_pnl", "fee")
    )
    return History(name="made", fills=fills)


def timed(history: History, rounds: int) -> tuple[float, str]:
    """Best wall time in seconds, and the others: wall is what a user waits, CPU what it costs, whoever else uses the machine."""
    walls, costs = [], []
    for _ in range(rounds):
        wall, cost = time.perf_counter(), time.process_time()
        analyse(history)
        walls.append(time.perf_counter() - wall)
        costs.append(time.process_time() - cost)
    middle = rounds // 2
    wall, cost = sorted(walls), sorted(costs)
    said = f"wall {wall[0]:.3f} s best, {wall[middle]:.3f} median; CPU {cost[0]:.3f} best, {cost[middle]:.3f} median"
    return wall[middle], said


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fills", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="write bench/results and RESULTS.md")
    chosen = parser.parse_args()
    on, found, gates = conditions("analytics.py"), {}, []
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if chosen.file:
        begun = time.perf_counter()
        history = history_from_file(chosen.file)
        read = time.perf_counter() - begun
        analyse(history)
        middle, said = timed(history, max(chosen.rounds, 11))
        found["recorded"] = f"{history.fills.height:,} fills, read in {read * 1e3:.0f} ms; analysed: {said}"
        gates.append(Gate(f"{history.fills.height:,} fills analysed, median", middle * 1e3, 100, "ms"))
    if chosen.fills:
        history = made_history(chosen.fills)
        before = peak_mib()
        middle, said = timed(history, chosen.rounds)
        found["made"] = f"{chosen.fills:,} fills: {said}; {before:.0f} MiB before (table and its making)"
        gates.append(Gate(f"{chosen.fills:,} fills analysed on one core, median", middle, 3, "s"))
        gates.append(Gate("peak memory", peak_mib(), 1024, "MiB"))
    return finish("analytics", on, found, gates, keep=chosen.record)


if __name__ == "__main__":
    sys.exit(main())
