"""The Criterion benches of the Rust crates, in interleaved rounds, judged in bare signatures: `bench/micro/native.py`.

Each round runs every bench once for a short while; a row is the median of the rounds' own medians.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# A target directory of its own: Criterion's results of a developer's runs stay out of the table.
TARGET = ROOT / "target" / "bench"
CRITERION = TARGET / "criterion"
BARE = "sign/bare libsecp256k1 recoverable signature"
REFERENCE_SIGNATURE_NS = 38_000.0


@dataclass(frozen=True, slots=True)
class Target:
    """A bench beside its limit in bare signatures, per `count` things done in one iteration."""

    row: str
    what: str
    limit: float
    count: int = 1
    note: str = ""


TARGETS = (
    Target("sign/one order, presigned, signed and encoded", "sign + encode one order, presigned", 1 / 18),
    Target("sign/pool empty: hedged", "sign with an empty pool", 1.1),
    Target("sign/sixteen presignatures made", "one presignature made", 1.4, 16),
    # The whole step, which ends with the digest of the action; what of it signing counts too stands under LESS.
    Target(
        "decide/one fill, one follower",
        "one-fill frame parsed and decided",
        2_000 / REFERENCE_SIGNATURE_NS,
        note="2 µs",
    ),
    Target("metrics/histogram update", "one metric update", 20 / REFERENCE_SIGNATURE_NS, note="20 ns"),
    Target("metrics/render", "a scrape rendered", 2e6 / REFERENCE_SIGNATURE_NS, note="2 ms"),
)

# A bench of which a part is a bench of its own: what the row of signing counts too.
LESS = (
    (
        "decide/one fill, one follower",
        "decide/one order named, encoded, hashed",
        "the same without its order's name, bytes and hash",
        2_000 / REFERENCE_SIGNATURE_NS,
    ),
)

# A bench beside another one of the same round, and how many times as long it may take.
PAIRS = (
    (
        "decide/one fill, 1,000 followers, all filters and caps",
        "decide/one fill, 1,000 followers",
        "1,000 followers with all filters and caps on, over none",
        1.25,
    ),
)


def bench(*arguments: str) -> None:
    """Run `cargo bench` quietly; its output is shown when it fails."""
    command = [
        "cargo",
        "bench",
        "--quiet",
        "--locked",
        "-p",
        "hlfast-core",
        "-p",
        "hlfast-host",
        "--benches",
        *arguments,
    ]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"cargo bench failed:\n{done.stdout}\n{done.stderr}")


def medians_ns() -> dict[str, float]:
    """What Criterion wrote last: group/bench and its median."""
    found = {}
    for estimates in CRITERION.glob("**/new/estimates.json"):
        name = json.loads((estimates.parent / "benchmark.json").read_text(encoding="utf-8"))["full_id"]
        found[name] = float(json.loads(estimates.read_text(encoding="utf-8"))["median"]["point_estimate"])
    return found


def run(rounds: int, seconds: float, advance: Callable[[str], None]) -> dict[str, Any]:
    """All rows and gates."""
    samples: dict[str, list[float]] = {}
    for number in range(rounds):
        advance(f"Criterion, round {number + 1}")
        bench("--", "--noplot", "--warm-up-time", "0.1", "--measurement-time", str(seconds), "--sample-size", "20")
        for name, value in medians_ns().items():
            samples.setdefault(name, []).append(value)
    bare = median(samples[BARE])
    rows = [
        [name, shown(median(values)), f"{shown(min(values))} to {shown(max(values))}", f"{median(values) / bare:.3g}"]
        for name, values in sorted(samples.items())
    ]
    gates = [gate(target, median(samples[target.row]) / bare) for target in TARGETS if target.row in samples]
    gates += [
        less_gate(what, [samples[name] for name in (row, part, BARE)], limit)
        for row, part, what, limit in LESS
        if row in samples and part in samples
    ]
    gates += [
        pair_gate(what, [one / other for one, other in zip(samples[row], samples[beside], strict=True)], limit)
        for row, beside, what, limit in PAIRS
        if row in samples and beside in samples
    ]
    return {
        "rounds": rounds,
        "bare_signature_us": bare / 1e3,
        "table": [["bench", "median", "best to worst", "signatures"], *rows],
        "gates": gates,
    }


def gate(target: Target, signatures: float) -> dict[str, Any]:
    """One target judged."""
    figure = signatures / target.count
    return {
        "what": target.what,
        "figure": figure,
        "limit": target.limit,
        "unit": "bare signatures",
        "at_least": False,
        "passed": figure <= target.limit,
        "note": f"stands for {target.note}" if target.note else "",
    }


def less_gate(what: str, samples: list[list[float]], limit: float) -> dict[str, Any]:
    """A bench without a part of it, in bare signatures of the same round."""
    rounds = [(whole - part) / bare for whole, part, bare in zip(*samples, strict=True)]
    found = gate(Target("", what, limit), median(rounds))
    note = f"{min(rounds):.3g} to {max(rounds):.3g} over the rounds; the row of signing counts that part too"
    return found | {"note": note}


def pair_gate(what: str, ratios: list[float], limit: float) -> dict[str, Any]:
    """Two benches of each round judged against each other: what slowed a round down slowed both."""
    figure = median(ratios)
    return {
        "what": what,
        "figure": figure,
        "limit": limit,
        "unit": "times",
        "at_least": False,
        "passed": figure <= limit,
        "note": f"{min(ratios):.3g} to {max(ratios):.3g} over the rounds",
    }


def shown(nanoseconds: float) -> str:
    """With a unit that fits."""
    for unit, size in (("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"
