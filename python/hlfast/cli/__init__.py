"""The command line. `main` is what `hlfast` on the shell calls."""

from __future__ import annotations

from hlfast.cli.line import main

__all__ = ["main"]
