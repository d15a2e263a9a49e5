"""Reads the settings for a command and says in plain lines what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlfast.cli.line import EXIT_CANNOT
from hlfast.config.load import SettingsRefusedError, load
from hlfast.config.model import Config

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", help="The settings file (TOML); docs/configuration.md lists every setting.")
]
DEFAULT_PATH = Path("hlfast.toml")


def load_or_exit(path: Path) -> Config:
    """Load the settings; on trouble print one line each and end with `EXIT_CANNOT`."""
    try:
        return load(path)
    except SettingsRefusedError as error:
        count = len(error.problems)
        typer.echo(f"{path}: {count} setting{'s are' if count > 1 else ' is'} wrong", err=True)
        for problem in error.problems:
            typer.echo(f"  {problem.line()}", err=True)
        raise typer.Exit(EXIT_CANNOT) from None
