"""`hlfast run`."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from hlfast.cli.settings import DEFAULT_PATH, ConfigPath, load_or_exit


def run(
    config: ConfigPath = DEFAULT_PATH,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ready line as one JSON object.")] = False,
) -> None:
    """Copy: start the engine and keep it running until a signal.

    Reads the settings, opens the journal (and settles what a former run left without an answer), loads the agents'
    keys, connects, and prints one line when it is ready. SIGTERM or Ctrl-C: no new entries, up to 10 s for orders in
    flight, journal flushed, exit code 0. Run [bold]hlfast check[/bold] first: same file, no order sent.
    """
    settings = load_or_exit(config)
    # Imported here: settings are refused without loading the engine.
    import_module("hlfast.app").launch(settings, json=as_json)
