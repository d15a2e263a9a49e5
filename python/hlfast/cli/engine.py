"""How a command reaches the running engine, and what it says when that does not work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hlfast.cli.line import EXIT_CANNOT, EXIT_WRONG, refuse
from hlfast.cli.settings import load_or_exit
from hlfast.config.model import control_path
from hlfast.control.client import EngineAwayError, RequestRefusedError, ask

SocketPath = Annotated[
    Path | None, typer.Option("--socket", help="The engine's control socket; by default the settings tell.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the engine's answer as one JSON object.")]


def request_or_exit(config: Path, socket: Path | None, request: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Ask the engine; print its answer if JSON is wanted; end with a line that says what to do if it refuses."""
    path = socket or control_path(load_or_exit(config))
    try:
        answer = ask(path, request)
    except RequestRefusedError as error:
        if as_json:
            typer.echo(json.dumps({"ok": False, "refused": error.what, "fix": error.fix}))
        else:
            typer.echo(f"refused: {error.what}\n  → {error.fix}", err=True)
        raise typer.Exit(EXIT_WRONG) from None
    except EngineAwayError as error:
        if as_json:
            typer.echo(json.dumps({"ok": False, "refused": str(error), "fix": "hlfast run"}))
            raise typer.Exit(EXIT_CANNOT) from None
        refuse(str(error), f"start it with hlfast run -c {config}, or name its settings with -c or its --socket")
    if as_json:
        typer.echo(json.dumps(answer))
    return answer
