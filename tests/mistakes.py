"""Puts each mistake of `mistakes.toml` into the tree and runs the test that is named for it: it must fail, and pass without.

    python -m tests.mistakes [PART OF A NAME …]

Needs `cargo` and a tree without changes of its own in the files concerned; each file is put back. Exit code 1 when a test
passes with its mistake in, or fails without.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name("mistakes.toml")
MOST_S = 900


@dataclass(frozen=True)
class Mistake:
    """One mistake, its test, and the change that makes it."""

    what: str
    test: str
    file: str
    old: str
    new: str

    @property
    def command(self) -> list[str]:
        """What runs the test."""
        if self.test.startswith("tests/"):
            pytest = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", "--timeout=60"]
            return [*pytest, self.test]
        (package, _, program), (_, _, name) = self.place.partition("/"), self.test.partition("::")
        where = ["--lib"] if program == f"hlfast_{package}" else ["--test", program]
        return ["cargo", "test", "--quiet", "--locked", "--package", f"hlfast-{package}", *where, "--", "--exact", name]

    @property
    def place(self) -> str:
        """The file of the test, or its program."""
        return self.test.partition("::")[0]


def table() -> list[Mistake]:
    """All of them, in the order of the file."""
    return [Mistake(**row) for row in tomllib.loads(TABLE.read_text())["mistake"]]


@contextmanager
def made(mistake: Mistake) -> Iterator[None]:
    """Make it, for the time of the block."""
    file = ROOT / mistake.file
    sound = file.read_text()
    if sound.count(mistake.old) != 1:
        raise ValueError(f"{mistake.file} has {mistake.old!r} {sound.count(mistake.old)} times")
    try:
        file.write_text(sound.replace(mistake.old, mistake.new))
        yield
    finally:
        file.write_text(sound)


def judge(mistake: Mistake) -> str | None:
    """What is wrong; None if the test fails with the mistake and passes without it."""
    with made(mistake):
        code, output = _run(mistake)
    if "error: could not compile" in output or "error during collection" in output:
        return f"the mistake can't be made:\n{output[-3_000:]}"
    if code == 0:
        return f"ALIVE: {mistake.test} passes with it"
    code, output = _run(mistake)
    if code != 0 or "0 passed" in output:
        return f"{mistake.test} does not pass without it:\n{output[-3_000:]}"
    return None


def _run(mistake: Mistake) -> tuple[int, str]:
    done = subprocess.run(
        mistake.command,
        cwd=ROOT,
        env=os.environ | {"PROPTEST_FAILURE_PERSISTENCE": "off"},
        capture_output=True,
        text=True,
        timeout=MOST_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Judge those that are asked for, or all."""
    wanted = sys.argv[1:]
    chosen = [one for one in table() if not wanted or any(part in one.what for part in wanted)]
    wrong = 0
    for mistake in chosen:
        why = judge(mistake)
        print(f"{mistake.what}: {why or 'found by ' + mistake.test}", flush=True)
        wrong += why is not None
    print(f"{len(chosen) - wrong} of {len(chosen)} found")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
