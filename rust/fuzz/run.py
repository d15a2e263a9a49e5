"""Fuzz everything that reads bytes from outside: `make fuzz`, or `rust/fuzz/run.py --runs 100000000`.

    rust/fuzz/run.py --seconds 60      a minute of all targets, from the committed corpus
    rust/fuzz/run.py --keep            make the committed corpus anew from all that was found here

libFuzzer on stable Rust. Inputs start from the recorded shapes of the protocol and from `corpus`, which holds, for each
target, inputs that together reach all the code that any found so far reaches; what a run finds stays in the corpus
beside the build. Exit code 1 when a target crashed or hung; the input is kept and named.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parents[1] / "tests" / "vectors" / "protocol"
# Shares of the executions: a history is a hundred times the work of a number.
TARGETS = {"frames": 0.42, "numbers": 0.42, "answers": 0.14, "journals": 0.019, "histories": 0.001}
# Shares of a time: histories are steps of the whole core.
SPANS = {"frames": 0.2, "numbers": 0.05, "answers": 0.25, "journals": 0.1, "histories": 0.4}
KEPT = HERE / "corpus"
MOST_KEPT = 300_000
HANG_S = 10
LONGEST = 4096


def messages(value: Any) -> list[Any]:
    """Every message inside a fixture: what stands under `message`, `request`, `response`, and whole fixtures."""
    if isinstance(value, dict):
        inner = [value[key] for key in ("message", "request", "response", "body") if key in value]
        return inner + [found for part in value.values() for found in messages(part)]
    return [found for part in value for found in messages(part)] if isinstance(value, list) else []


def seed(corpus: Path, target: str) -> None:
    """Write the first inputs of a target: those that were kept, and those of the protocol once."""
    corpus.mkdir(parents=True, exist_ok=True)
    for line in kept(target).read_text(encoding="ascii").splitlines():
        held = json.loads(line).encode("latin-1")
        # libFuzzer's own way to name inputs.
        (corpus / hashlib.sha1(held, usedforsecurity=False).hexdigest()).write_bytes(held)
    if target not in ("frames", "answers") or any(corpus.iterdir()):
        return
    for path in sorted(VECTORS.glob("*.json")):
        fixture = json.loads(path.read_text(encoding="utf-8"))
        for number, message in enumerate([*messages(fixture), fixture]):
            body = json.dumps(message, separators=(",", ":")).encode()
            for kind in range(9) if target == "answers" else [None]:
                name = f"{path.stem}-{number}" + ("" if kind is None else f"-{kind}")
                (corpus / name).write_bytes(body if kind is None else bytes([kind]) + body)


def kept(target: str) -> Path:
    """The committed corpus of a target: a JSON string a line, each character a byte."""
    return KEPT / f"{target}.jsonl"


def keep(binary: Path, work: Path) -> int:
    """Write the inputs of a target that reach all that its corpus reaches, and none besides; returns their bytes."""
    corpus = work / "corpus" / binary.name
    seed(corpus, binary.name)
    with tempfile.TemporaryDirectory() as least:
        argv = [str(binary), "-merge=1", "-use_counters=0", f"-max_len={LONGEST}", least, str(corpus)]
        subprocess.run(argv, capture_output=True, check=True)
        inputs = sorted((path.read_bytes() for path in Path(least).iterdir()), key=lambda held: (len(held), held))
    lines = [json.dumps(held.decode("latin-1")) + "\n" for held in inputs]
    kept(binary.name).write_text("".join(lines), encoding="ascii")
    return sum(map(len, lines))


def fuzz(binary: Path, bound: str, work: Path) -> dict[str, Any]:
    """Run one target up to a bound of libFuzzer's; its last words on a crash."""
    corpus = work / "corpus" / binary.name
    seed(corpus, binary.name)
    argv = [str(binary), str(corpus), bound, f"-timeout={HANG_S}", "-print_final_stats=1", f"-max_len={LONGEST}"]
    done = subprocess.run([*argv, f"-artifact_prefix={work}/"], capture_output=True, text=True, check=False)
    executed = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    found = {"target": binary.name, "executions": int(executed[1]) if executed else 0, "crashed": done.returncode != 0}
    return found if not done.returncode else found | {"last_words": done.stderr[-3_000:]}


def build(profile: str) -> Path:
    """Compile all targets; the directory that they are in."""
    subprocess.run(["cargo", "build", "--profile", profile, "--locked", "--quiet"], cwd=HERE, check=True)
    version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    host = re.search(r"host: (\S+)", version)
    return HERE / "target" / (host[1] if host else "") / profile


def main() -> int:
    """Build, run every target, print a line each or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    bounds = parser.add_mutually_exclusive_group()
    bounds.add_argument("--runs", type=int, default=10_000_000, help="executions in all (default 10,000,000)")
    bounds.add_argument("--seconds", type=int, help="time in all, the build not counted, instead of executions")
    bounds.add_argument("--keep", action="store_true", help="write the committed corpus and run nothing")
    parser.add_argument("--only", choices=sorted(TARGETS), nargs="+", default=list(TARGETS), help="these targets alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    binaries = build("short" if arguments.seconds else "release")
    work = HERE / "target"
    os.environ.setdefault("RUST_BACKTRACE", "0")
    if arguments.keep:
        size = sum(keep(binaries / target, work) for target in arguments.only)
        print(f"{size:,} bytes kept, at most {MOST_KEPT:,}")
        return 1 if size > MOST_KEPT else 0
    return report(arguments, binaries, work)


def report(arguments: argparse.Namespace, binaries: Path, work: Path) -> int:
    """Run every target and say what came of it; 1 when one crashed."""
    results = []
    for target in arguments.only:
        bound = f"-runs={max(1, int(arguments.runs * TARGETS[target]))}"
        if arguments.seconds:
            bound = f"-max_total_time={max(1, round(arguments.seconds * SPANS[target]))}"
        if not arguments.json:
            print(f"{target}: {bound} …", file=sys.stderr, flush=True)
        result = fuzz(binaries / target, bound, work)
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
