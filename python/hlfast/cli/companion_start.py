"""Starts the companion of `hlfast run`. Loads nothing of what the companion needs."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile

import msgspec

from hlfast.config.model import Config


def is_wanted(config: Config) -> bool:
    """Whether the settings ask for anything beside the engine."""
    return config.companion.project or config.discovery.enabled or config.fitness.enabled


def missing_packages(config: Config) -> list[str]:
    """Return the packages that the companion would need and that are not installed."""
    needed = ["sqlalchemy", "alembic", "polars", "numpy"]
    needed.append("asyncpg" if config.store.url.startswith("postgres") else "aiosqlite")
    return [name for name in needed if importlib.util.find_spec(name) is None]


def start(config: Config) -> None:
    """Start it. It ends when this process does, by a pipe whose other end stays open here, through `exec` too."""
    lifeline, held = os.pipe()
    os.set_inheritable(held, True)
    with tempfile.TemporaryFile() as settings:
        settings.write(msgspec.json.encode(config))
        settings.seek(0)
        # Its lines go where the engine's events go: standard output belongs to the ready line.
        subprocess.Popen(
            [sys.executable, "-m", "hlfast.cli.companion", str(lifeline)],
            stdin=settings,
            stdout=2,
            pass_fds=[lifeline],
        )
    os.close(lifeline)
