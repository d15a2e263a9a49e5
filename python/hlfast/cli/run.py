"""`hlfast run`."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from hlfast.cli import companion_start
from hlfast.cli.line import refuse
from hlfast.cli.settings import DEFAULT_PATH, ConfigPath, load_or_exit

_INSTALL = (
    "pip install 'hlfast[analytics,store]' (and postgres), or switch off companion.project, discovery and fitness"
)


def run(
    config: ConfigPath = DEFAULT_PATH,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ready line as one JSON object.")] = False,
) -> None:
    """Copy: start the engine and keep it running until a signal.

    Reads the settings, opens the journal (and settles what a former run left without an answer), loads the agents'
    keys, connects, and prints one line when it is ready. SIGTERM or Ctrl-C: no new entries, up to 10 s for orders in
    flight, journal flushed, exit code 0. Run [bold]hlfast check[/bold] first: same file, no order sent.

    With companion.project, discovery or fitness switched on, a second process does these; it ends with the engine.
    """
    settings = load_or_exit(config)
    if companion_start.is_wanted(settings):
        missing = companion_start.missing_packages(settings)
        if missing:
            refuse(f"the settings ask for work beside the engine, which needs {', '.join(missing)}", _INSTALL)
        companion_start.start(settings)
    # Imported here: settings are refused without loading the engine.
    import_module("hlfast.app").launch(settings, json=as_json)
