"""The installed engine holds no kill switch, and the harness knows every place of the build that does."""

from __future__ import annotations

import re
from pathlib import Path

import hlfast

ROOT = Path(__file__).parents[2]


def test_the_extension_that_is_installed_contains_no_failpoint() -> None:
    extension = (Path(hlfast.__file__).parent / "_core.abi3.so").read_bytes()
    assert b"journal" in extension
    assert b"FAILPOINT" not in extension
    assert b"ack_recorded" not in extension


def test_the_harness_names_every_place() -> None:
    source = (ROOT / "rust/host/src/failpoint.rs").read_text(encoding="utf-8")
    listed = source[source.index("PLACES: [&str") : source.index("];")]
    places = set(re.findall(r'^    "(\w+)",', listed, re.MULTILINE))
    harness = (ROOT / "bench/e2e/failpoints.py").read_text(encoding="utf-8")
    assert places == set(re.findall(r'^    "(\w+)": \d+,$', harness, re.MULTILINE))
    assert len(places) == 18
    rust = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rust/host/src").rglob("*.rs"))
    assert places == set(re.findall(r'failpoint::reach\("(\w+)"\)', rust))
