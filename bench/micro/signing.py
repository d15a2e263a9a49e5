"""Signing through Python beside the official SDK: `bench/micro/signing.py [--rounds 9] [--artefact FILE]`.

The rows are pytest-benchmark's (rows.py), interleaved; each row's figure is the median over the rounds, and every ratio is taken
between medians of the same run. The SDK runs in its own environment (`make oracle`), as installed and with coincurve, both also
accelerated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
PLAIN, COINCURVE = "official SDK", "official SDK, coincurve"
TARGETS = [
    # row, against, the peer's row, at least
    ("one order to bytes, presigned", PLAIN, "order to bytes", 1500),
    ("one order to bytes, presigned", COINCURVE, "order to bytes", 200),
    ("one of 100 orders of 100 followers", COINCURVE, "order to bytes", 500),
    ("Signer.sign_l1 on a dict", PLAIN, "sign_l1_action", 100),
    ("Signer.sign_l1 on a dict", COINCURVE, "sign_l1_action", 15),
    (f"{PLAIN}, accelerated: sign_l1_action", PLAIN, "sign_l1_action", 100),
    (f"{COINCURVE}, accelerated: sign_l1_action", COINCURVE, "sign_l1_action", 15),
]


def measure(turns: int, artefact: Path) -> dict[str, list[float]]:
    """Seconds of every row, turn after turn; what pytest-benchmark wrote is left in `artefact`."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(HERE / "rows.py")]
    command += ["--benchmark-only", "--benchmark-disable-gc", f"--benchmark-json={artefact}"]
    environment = {**os.environ, "BENCH_TURNS": str(turns)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pytest-benchmark failed:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")
    figures: dict[str, list[float]] = {}
    for row in json.loads(artefact.read_text(encoding="utf-8"))["benchmarks"]:
        what = row["extra_info"]
        if what["turn"]:  # the first one warms up
            figures.setdefault(what["row"], []).append(row["stats"]["median"] / what["things"])
    return figures


def result(figures: dict[str, list[float]]) -> dict[str, Any]:
    """Medians, spreads, ratios and gates."""
    middle = {name: median(values) for name, values in figures.items()}
    bare = middle["bare signature"]
    gates = []
    for row, peer, peer_row, least in TARGETS:
        ratio = middle[f"{peer}: {peer_row}"] / middle[row]
        what = f"{row}, times faster than {peer}"
        gates.append(
            {
                "what": what,
                "figure": ratio,
                "limit": least,
                "at_least": True,
                "unit": "times",
                "passed": ratio >= least,
                "note": "",
            }
        )
    head = ["row", "median µs", "best to worst µs", "signatures"]
    table = [
        [
            name,
            f"{1e6 * middle[name]:.2f}",
            f"{1e6 * min(values):.2f} to {1e6 * max(values):.2f}",
            f"{middle[name] / bare:.3f}",
        ]
        for name, values in figures.items()
    ]
    return {
        "rounds": len(next(iter(figures.values()))),
        "bare_signature_us": 1e6 * bare,
        "table": [head, *table],
        "gates": gates,
    }


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--artefact", type=Path, help="keep pytest-benchmark's JSON here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        figures = measure(arguments.rounds, arguments.artefact or Path(directory) / "rows.json")
    sys.stdout.write(json.dumps(result(figures), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
