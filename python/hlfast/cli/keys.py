"""`hlfast keys`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hlfast.cli.line import refuse
from hlfast.errors import KeyFileError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Agent keys: made and kept in files that only the engine reads.",
)


@app.callback()
def _root() -> None:
    pass


@app.command("new")
def new(
    directory: Annotated[
        Path, typer.Option("--directory", "-d", help="The credentials directory; made with mode 0700 if absent.")
    ] = Path("credentials"),
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many keys, one for each follower.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: directory, agents.")] = False,
) -> None:
    """Make agent keys in a credentials directory and print their addresses.

    Each key is made and written in native code, one file an agent (mode 0400, named by its address); it is never shown.
    Never reuse an agent that was removed or has expired: make a new one.
    """
    # Imported here: the help does not need the extension.
    from hlfast._core import create_credential

    try:
        agents = [create_credential(directory) for _ in range(count)]
    except KeyFileError as error:
        refuse(f"hlfast keys new: {error}", "name a directory you can write with --directory")
    if as_json:
        typer.echo(json.dumps({"directory": str(directory), "agents": agents}))
        return
    for agent in agents:
        typer.echo(agent)
    typer.echo(
        'Next: approve each address as an API wallet of its account, write agent = "0x…" under [[followers]],\n'
        f'set keys.credentials_directory = "{directory}", and run hlfast check.',
        err=True,
    )
