"""`hlfast check`."""

from __future__ import annotations

from hlfast.cli.settings import DEFAULT_PATH, ConfigPath, load_or_exit


def check(config: ConfigPath = DEFAULT_PATH) -> None:
    """Check the settings."""
    load_or_exit(config)
