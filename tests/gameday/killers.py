"""The test of the tests: each planted defect must be found by the test that is named for it.

    python -m tests.gameday.killers [NAME …]

Needs `cargo`. Defects of the core and of the runtime stand in `rust/core/src/planted.rs`, those of the shell in
`tests/gameday/planted.py`; `killers.toml` names one test for each. The test programs that it names are built once with the
feature `planted`; each named test runs in a process of its own, with its defect and without. Exit code 1 if a defect lives, if
a test fails without its defect, or if a defect has no test.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.gameday.planted import SHELL

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("killers.toml")
RUST_FAILED = 101  # exit code of a test program whose tests failed
PYTEST_FAILED = 1
ENDLESS = -1
MOST_S = 120


@dataclass(frozen=True)
class Killer:
    """One defect and the test that finds it."""

    defect: str
    test: str  # core/engine::FILE::NAME, host/FILE::NAME, or a node id of pytest

    @property
    def program(self) -> str | None:
        """core/engine or host/FILE; None if pytest runs it."""
        return None if self.test.startswith("tests/") else self.test.partition("::")[0]


def core_defects() -> list[str]:
    """Names in the core's list."""
    source = (ROOT / "rust/core/src/planted.rs").read_text()
    return re.findall(r'^    (\w+): "', source, re.MULTILINE)


def table() -> list[Killer]:
    """The named killers, in the order of the file."""
    return [Killer(row["defect"], row["test"]) for row in tomllib.loads(TABLE.read_text())["killer"]]


def programs(wanted: set[str]) -> dict[str, Path]:
    """Build test programs as `make rust-test` does, these and no others; "package/target" → program."""
    command = ["cargo", "test", "--locked", "--no-run", "--message-format=json"]
    command += ["--workspace", "--features", "hlfast-py/planted"]
    for target in sorted({name.partition("/")[2] for name in wanted}):
        command += ["--test", target]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in built.stdout.splitlines()]
    tests = [row for row in rows if row.get("executable") and row.get("profile", {}).get("test")]
    # A package's folder in rust/ has its name.
    return {
        f"{Path(row['manifest_path']).parent.name}/{row['target']['name']}": Path(row["executable"]) for row in tests
    }


class Court:
    """Runs a killer with its defect and without."""

    def __init__(self, killers: list[Killer]) -> None:
        wanted = {killer.program for killer in killers if killer.program}
        self._programs = programs(wanted) if wanted else {}
        # Several defects have the same killer.
        self._sound = cache(lambda command: self._run(list(command), None))

    def judge(self, killer: Killer) -> str | None:
        """What is wrong; None if the test fails with the defect and passes without it."""
        if killer.program is None:
            command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "tests.gameday.planted", killer.test]
            failed = PYTEST_FAILED
        else:
            name = killer.test.partition("::")[2]
            command = [str(self._programs[killer.program]), "--exact", name]
            failed = RUST_FAILED
        sound, output = self._sound(tuple(command))
        if sound != 0 or "0 passed" in output:
            return f"{killer.test} does not pass without the defect:\n{output}"
        code, _ = self._run(command, killer.defect)
        if code != failed:
            return f"ALIVE: {killer.test} passes with it (exit code {code})"
        return None

    @staticmethod
    def _run(command: list[str], defect: str | None) -> tuple[int, str]:
        environment = {name: value for name, value in os.environ.items() if name != "HLFAST_PLANTED"}
        if defect is not None:
            environment["HLFAST_PLANTED"] = defect
        # A failure that properties keep would be tried first in the sound build, too.
        environment["PROPTEST_FAILURE_PERSISTENCE"] = "off"
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=MOST_S, check=False
            )
        except subprocess.TimeoutExpired:
            return ENDLESS, f"no end after {MOST_S} s"
        return done.returncode, (done.stdout + done.stderr)[-2_000:]


def judged(killers: list[Killer], jobs: int) -> Iterator[tuple[Killer, str | None]]:
    """Each killer with what is wrong with it."""
    court = Court(killers)
    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(killers, pool.map(court.judge, killers), strict=True)


def main() -> int:
    """Judge every defect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    known = [*core_defects(), *SHELL]
    wanted = options.names or known
    killers = [killer for killer in table() if killer.defect in wanted]
    began = time.monotonic()
    wrong = 0
    for killer, what in judged(killers, options.jobs):
        print(f"{killer.defect}: {what or 'killed by ' + killer.test}", flush=True)
        wrong += what is not None
    without = [name for name in wanted if name not in {killer.defect for killer in killers}]
    for name in without:
        print(f"{name}: no test is named for it")
    print(f"{len(killers) - wrong} of {len(wanted)} killed, {time.monotonic() - began:.0f} s")
    return 1 if wrong or without else 0


if __name__ == "__main__":
    sys.exit(main())
