"""The command line of `hlfast demo`."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer
import uvloop
from rich.console import Console
from rich.live import Live

from hlfast.demo.board import Progress, render
from hlfast.demo.judge import judge
from hlfast.demo.processes import ProcessError
from hlfast.demo.recordings import Recording, RecordingError, load, packaged
from hlfast.demo.report import print_notes, print_report, report
from hlfast.demo.session import Options, Run, Session

EXIT_MISMATCH = 1
EXIT_BAD_INPUT = 2
# A shorter run has no time left between starting two processes and letting the last orders settle.
LEAST_SECONDS = 15.0


def demo(
    fills: Annotated[
        list[Path] | None,
        typer.Option(
            help="Files of the API's fill rows (JSON or JSONL, also .gz), one leader each; default: packaged ones."
        ),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Times faster than recorded; default: spread evenly over the time.", min=0.001)
    ] = None,
    followers: Annotated[int, typer.Option(help="Followers, with different policies.", min=1, max=1000)] = 25,
    seconds: Annotated[float, typer.Option(help="The whole run ends within this time.", min=LEAST_SECONDS)] = 30.0,
    durability: Annotated[
        Literal["durable", "relaxed"], typer.Option(help="durable: each decision is on disk before its orders leave.")
    ] = "durable",
    limits: Annotated[
        Literal["venue", "off"],
        typer.Option(help="venue: the simulator enforces one address's limits, the engine keeps them."),
    ] = "off",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the live table.")] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Run in this new directory and keep it: settings, keys, journal, logs.")
    ] = None,
) -> None:
    """Copy recorded traders into followers on the simulated exchange, and judge the result.

    Starts the simulated exchange and the engine, each in its own process, replays real traders' recorded fills as
    leaders, and ends by itself with a verdict: exit code 0 if every follower holds what its policy says, 1 with the
    differences if not. Needs no network, no account and no key.
    """
    console = Console(stderr=as_json)
    try:
        recordings = [load(path) for path in fills] if fills else packaged()
        names = _named_apart(recordings)
        options = Options(tuple(names), followers, seconds, speed, durability, limits)
        print_notes(console, options.recordings)
        run = _run(options, console, keep, live=not as_json)
    except (RecordingError, ProcessError, FileExistsError) as why:
        console.print(f"hlfast demo: {why}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_BAD_INPUT) from why
    summary = report(options, run, judge(run.evidence))
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        print_report(console, run, summary)
    if summary["verdict"] != "ok":
        raise typer.Exit(EXIT_MISMATCH)


def _named_apart(recordings: list[Recording]) -> list[Recording]:
    """Refuse one leader given twice."""
    seen: set[str] = set()
    for recording in recordings:
        for identity in (recording.name, recording.address):
            if identity in seen:
                raise RecordingError(f"{identity} is given twice; give each file once")
            seen.add(identity)
    return recordings


def _run(options: Options, console: Console, keep: Path | None, *, live: bool) -> Run:
    if keep is None:
        directory = Path(tempfile.mkdtemp(prefix="hlfast-demo-"))
    else:
        keep.mkdir(parents=True)
        directory = keep
    try:
        screen = Live(console=console, refresh_per_second=8, transient=True) if live and console.is_terminal else None

        def show(progress: Progress) -> None:
            if screen is not None:
                screen.update(render(progress))

        with screen or nullcontext(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(Session(options, directory, show).run())
    finally:
        if keep is None:
            shutil.rmtree(directory, ignore_errors=True)
