"""One line of what `hlfast check` found."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "wrong"]


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One line of the result."""

    level: Level
    about: str
    text: str
    fix: str = ""


def ok(about: str, text: str) -> Finding:
    """Make a finding that needs nothing."""
    return Finding("ok", about, text)


def wrong(about: str, text: str, fix: str) -> Finding:
    """Make a finding that must be mended before running."""
    return Finding("wrong", about, text, fix)


def warning(about: str, text: str, fix: str) -> Finding:
    """Make a finding that does not stop anything yet."""
    return Finding("warning", about, text, fix)
