"""Fuzz everything that reads bytes from outside: `make fuzz`, or `rust/fuzz/run.py --runs 100000000`.

libFuzzer on stable Rust. Inputs start from the recorded shapes of the protocol; what a run finds stays in the corpus
beside the build. Exit code 1 when a target crashed or hung; the input is kept and named.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parents[1] / "tests" / "vectors" / "protocol"
# Shares of the executions: a history is a hundred times the work of a number.
TARGETS = {"frames": 0.42, "numbers": 0.42, "answers": 0.14, "journals": 0.019, "histories": 0.001}
HANG_S = 10


def messages(value: Any) -> list[Any]:
    """Every message inside a fixture: what stands under `message`, `request`, `response`, and whole fixtures."""
    if isinstance(value, dict):
        inner = [value[key] for key in ("message", "request", "response", "body") if key in value]
        return inner + [found for part in value.values() for found in messages(part)]
    return [found for part in value for found in messages(part)] if isinstance(value, list) else []


def seed(corpus: Path, target: str) -> None:
    """Write the first inputs of a target, once."""
    corpus.mkdir(parents=True, exist_ok=True)
    if target not in ("frames", "answers") or any(corpus.iterdir()):
        return
    for path in sorted(VECTORS.glob("*.json")):
        fixture = json.loads(path.read_text(encoding="utf-8"))
        for number, message in enumerate([*messages(fixture), fixture]):
            body = json.dumps(message, separators=(",", ":")).encode()
            for kind in range(9) if target == "answers" else [None]:
                name = f"{path.stem}-{number}" + ("" if kind is None else f"-{kind}")
                (corpus / name).write_bytes(body if kind is None else bytes([kind]) + body)


def fuzz(binary: Path, runs: int, work: Path) -> dict[str, Any]:
    """Run one target for so many executions; its last words on a crash."""
    corpus = work / "corpus" / binary.name
    seed(corpus, binary.name)
    argv = [str(binary), str(corpus), f"-runs={runs}", f"-timeout={HANG_S}", "-print_final_stats=1", "-max_len=4096"]
    done = subprocess.run([*argv, f"-artifact_prefix={work}/"], capture_output=True, text=True, check=False)
    executed = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    found = {"target": binary.name, "executions": int(executed[1]) if executed else 0, "crashed": done.returncode != 0}
    return found if not done.returncode else found | {"last_words": done.stderr[-3_000:]}


def main() -> int:
    """Build, run every target, print a line each or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000_000, help="executions in all (default 10,000,000)")
    parser.add_argument("--only", choices=sorted(TARGETS), nargs="+", default=list(TARGETS), help="these targets alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=HERE, check=True)
    host = re.search(
        r"host: (\S+)", subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    )
    binaries = HERE / "target" / (host[1] if host else "") / "release"
    work = HERE / "target"
    os.environ.setdefault("RUST_BACKTRACE", "0")
    results = []
    for target in arguments.only:
        runs = max(1, int(arguments.runs * TARGETS[target]))
        if not arguments.json:
            print(f"{target}: {runs:,} executions …", file=sys.stderr, flush=True)
        result = fuzz(binaries / target, runs, work)
        results.append(result)
        if result["crashed"]:
            print(result["last_words"], file=sys.stderr)
    total = sum(result["executions"] for result in results)
    crashes = sum(result["crashed"] for result in results)
    if arguments.json:
        print(json.dumps({"executions": total, "crashes": crashes, "targets": results}))
    else:
        print(f"{total:,} executions, {crashes} crashes or hangs")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
