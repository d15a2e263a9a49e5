"""`hlfast journal`: check a journal, repair a damaged one, move old segments out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hlfast.cli.line import EXIT_WRONG, refuse
from hlfast.errors import JournalError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="The journal: checked, repaired, moved out.",
)
Directory = Annotated[Path, typer.Argument(help="journal.directory", exists=True, file_okay=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("verify")
def verify(directory: Directory, as_json: AsJson = False) -> None:
    """Check every record, its link to the one before, and that it would be decided equally again.

    Reads beside a running engine. Note the link elsewhere: it stands for every record before it. Exit code 1 at the
    first difference, with its file and offset.
    """
    # Imported here: the help does not need the extension.
    from hlfast._core import verify_journal

    try:
        found = verify_journal(str(directory))
    except JournalError as error:
        if as_json:
            typer.echo(json.dumps({"verdict": "differs", "difference": str(error)}))
        else:
            typer.echo(f"differs: {error}")
        raise typer.Exit(EXIT_WRONG) from None
    if as_json:
        typer.echo(json.dumps({"verdict": "ok", **found}))
        return
    typer.echo(
        f"records   {found['records']:,} in {found['segments']} segments, {found['first']:,} to {found['last']:,}"
    )
    typer.echo(f"link      {found['link'] or 'none: every record is of format version 1'}")
    typer.echo(f"replay    {found['replayed']:,} records decided again, all equal")
    if found["torn"]:
        typer.echo(f"end       {found['torn']} (being written now, or cut by a crash: the next start removes it)")


@app.command("repair")
def repair(
    directory: Directory,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only say what would be dropped.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cut a damaged journal behind its last good record, keeping the damaged files beside it.

    A copy of the file is always the better way: use this only without one. What is dropped is not forgotten by the
    venue: the next start reads positions and orders there. Projections that had read further must be built anew.
    Exit code 1 while damage remains.
    """
    from hlfast._core import repair_journal

    try:
        found = repair_journal(str(directory), yes)
    except JournalError as error:
        refuse(f"hlfast journal repair: {error}", "stop the engine first; see docs/journal.md")
    if as_json:
        typer.echo(json.dumps({"damaged": found is not None, "repaired": found is not None and yes, **(found or {})}))
    elif found is None:
        typer.echo("nothing to repair: every record is whole (hlfast journal verify also decides them again)")
    else:
        typer.echo(f"{found['file']}: record {found['sequence']} at byte {found['offset']} is damaged: {found['what']}")
        verb = "dropped" if yes else "would drop"
        typer.echo(f"{verb}: it and everything after it, {found['readable_dropped']} readable records among them")
        typer.echo(f"the damaged files {'are' if yes else 'would be'} kept in {found['kept_in']}")
        if not yes:
            wait = f" in {found['wait_s']} s, when no dropped order can execute any more" if found["wait_s"] else ""
            typer.echo(f"nothing was changed; repeat with --yes{wait}")
    if found is not None and not yes:
        raise typer.Exit(EXIT_WRONG)


@app.command("archive")
def archive(
    directory: Directory,
    to: Annotated[Path, typer.Option("--to", help="Where the segments go; made if absent.")],
    read: Annotated[
        int,
        typer.Option("--read", min=1, help="The record up to which every projection has read: the smallest of all."),
    ],
    as_json: AsJson = False,
) -> None:
    """Move segments out that lie behind two snapshots and that every projection has read.

    Works beside a running engine. A reader that asks for a record that was moved is refused by name instead of missing
    receipts; with the segments put back everything reads as before.
    """
    from hlfast._core import archive_journal

    try:
        moved = archive_journal(str(directory), str(to), read)
    except JournalError as error:
        refuse(f"hlfast journal archive: {error}", "name a directory you can write with --to; see docs/journal.md")
    if as_json:
        typer.echo(json.dumps({"moved": moved}))
        return
    for path in moved:
        typer.echo(path)
    typer.echo(f"{len(moved)} segments moved" if moved else "nothing to move", err=True)
