"""A build of the engine that kills itself at a named place, for kill9.py. It lies under target/ and is never installed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target"
PACKAGE = ROOT / "python" / "hlfast"

# place → how often it may be passed before it kills: hot places are passed many times a second. One life after the other takes
# the next place, so those that need a certain end before them stand behind it: a torn end before its cut, orders without
# answers before a fence. What each is: rust/host/src/failpoint.rs.
PLACES = {
    "decided": 12,
    "mid_record": 12,
    "tail_cut": 1,
    "written": 12,
    "before_sync": 20,
    "after_sync": 20,
    "after_sign": 12,
    "before_send": 12,
    "before_fence": 1,
    "after_send": 12,
    "replayed": 40,
    "after_ack": 12,
    "ack_recorded": 12,
    "start_recorded": 1,
    "segment_named": 1,
    "segment_begun": 1,
    "snapshot_half": 1,
    "snapshot_named": 1,
}


def build() -> Path:
    """Build the extension with its failpoints; return a directory to put first on the path.

    The core and the crates of others are those that `make rust-test` tested, with no defect switched on: quick to build, fast
    enough to copy. Cargo takes the features that tests ask for, and so the same crates, only when something of that kind is
    built too: an example.
    """
    command = ["cargo", "build", "--quiet", "--locked", "--workspace", "--lib", "--example", "one_fill"]
    features = ["--features", "hlfast-py/planted,hlfast-py/failpoints"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    subprocess.run([*command, *features], cwd=ROOT, env=environment, check=True)
    overlay = TARGET / "failpoints" / "python"
    shutil.rmtree(overlay, ignore_errors=True)
    (overlay / "hlfast").mkdir(parents=True)
    for entry in PACKAGE.iterdir():
        if entry.suffix != ".so" and entry.name != "__pycache__":
            (overlay / "hlfast" / entry.name).symlink_to(entry)
    shutil.copy(TARGET / "debug" / "libhlfast_py.so", overlay / "hlfast" / "_core.abi3.so")
    return overlay


def setting(place: str, chance: random.Random) -> str:
    """What FAILPOINT is for one life."""
    return f"{place}:{chance.randint(1, PLACES[place])}"


if __name__ == "__main__":
    build()
