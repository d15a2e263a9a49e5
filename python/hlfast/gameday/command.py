"""The command line of `hlfast gameday`."""

from __future__ import annotations

import math
import os
import resource
import tempfile
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hlfast.gameday.campaign import campaign, repeats, shrink
from hlfast.gameday.drill import outage_drill
from hlfast.gameday.world import Options, Result

_SECONDS = 576.0
_MOST_LISTED = 20
_WHOSE = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def gameday(
    seed: Annotated[int, typer.Option(help="The first seed; a seed is one world, the same each time.", min=0)] = 1,
    seeds: Annotated[int, typer.Option(help="How many seeds, one after the other.", min=1)] = 1,
    hours: Annotated[float | None, typer.Option(help="Simulated time of all seeds together.", min=0.02)] = None,
    until: Annotated[
        float | None, typer.Option(help="End each seed's faults after so many simulated seconds.", min=60)
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; default: one a core.", min=1, max=64)] = None,
    within: Annotated[
        float | None,
        typer.Option(help="Begin no seed after so many seconds; fewer than asked for is a failure.", min=1),
    ] = None,
    drill: Annotated[
        bool, typer.Option("--drill", help="The outage drill: 37 minutes of errors, 60 % execute all the same.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run the real engine through simulated disasters and check what the venue and the journal saw.

    Virtual time, a simulated venue, and faults drawn from the seed: lost and wrong answers, late execution, cuts,
    silence, crashes with power loss, pauses, full disks, halts, empty books. Needs no network, no account, no key.
    Exit code 0 if nothing broke; 1 with the smallest fault list that was found for the first seed that failed.
    """
    if drill:
        raise typer.Exit(_drill(seed, as_json=as_json))
    each_s = hours * 3600 / seeds if hours is not None else _SECONDS
    options = Options(seed=seed, seconds=until if until is not None else max(90.0, each_s))
    began = time.monotonic()
    jobs = jobs or os.cpu_count() or 1
    results = _run(options, seeds, jobs, began + (within or math.inf), quiet=as_json)
    failed = [result for result in results if result.violations]
    summary = tally(results) | {"seeds_asked_for": seeds}
    again = repeats(results, options, jobs, 0.01 if seeds > 1 else 1.0)
    differing = [each for each, is_same in again.items() if not is_same]
    summary |= {"run_twice": len(again), "not_repeatable": differing}
    summary |= {"seconds": round(time.monotonic() - began, 1), "processor_seconds": round(processor_s(), 1)}
    least = _shrunk(replace(options, seed=failed[0].seed), quiet=as_json) if failed else None
    if as_json:
        report = summary | {"failed": [_row(result) for result in failed], "smallest": _row(least) if least else None}
        typer.echo(orjson.dumps(report).decode())
    else:
        _print(Console(), summary, failed, least)
    raise typer.Exit(1 if failed or differing or len(results) < seeds else 0)


def _run(options: Options, seeds: int, jobs: int, until_s: float, *, quiet: bool) -> list[Result]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("seeds", total=seeds)
        results = []
        wanted = range(options.seed, options.seed + seeds)
        for result in campaign(wanted, options, min(jobs, seeds), until_s):
            results.append(result)
            progress.advance(task)
        return results


def _shrunk(options: Options, *, quiet: bool) -> Result:
    console = Console(stderr=True, quiet=quiet)
    console.print(f"seed {options.seed} failed; looking for the smallest fault list …")
    return shrink(options, lambda text: console.print(f"  {text}"))


def tally(results: list[Result]) -> dict[str, Any]:
    """What seeds came to, in sum."""
    faults: Counter[str] = Counter(fault.kind for result in results for fault in result.struck)
    return {
        "seeds": len(results),
        "simulated_hours": round(sum(result.simulated_s for result in results) / 3600, 2),
        "faults": faults.total(),
        "faults_by_kind": dict(faults.most_common()),
        "orders": sum(result.orders for result in results),
        "executions": sum(result.executions for result in results),
        "receipts": sum(result.receipts for result in results),
        "engine_lives": sum(result.lives for result in results),
        "violations": sum(len(result.violations) for result in results),
        "failed_seeds": [result.seed for result in results if result.violations],
    }


def processor_s() -> float:
    """Processor time of this process and those it waited for, start-up and all."""
    return sum(each.ru_utime + each.ru_stime for each in map(resource.getrusage, _WHOSE))


def _row(result: Result) -> dict[str, Any]:
    return {
        "seed": result.seed,
        "violations": [asdict(violation) for violation in result.violations[:_MOST_LISTED]],
        "faults": [asdict(fault) for fault in result.struck[:_MOST_LISTED]],
        "kinds": result.kinds,
    }


def _print(console: Console, summary: dict[str, Any], failed: list[Result], least: Result | None) -> None:
    runs = max(1, summary["seeds"] + summary["run_twice"])
    console.print(
        f"{summary['seeds']} seeds, {summary['simulated_hours']} h simulated in {summary['seconds']} s:"
        f" {summary['faults']} faults, {summary['orders']} orders, {summary['executions']} executions,"
        f" {summary['receipts']} receipts, {summary['engine_lives']} lives of the engine;"
        f" {summary['processor_seconds'] / runs:.2f} s of processor time a run"
    )
    if summary["seeds"] < summary["seeds_asked_for"]:
        console.print(f"[red]time was up:[/red] {summary['seeds']} of {summary['seeds_asked_for']} seeds were run")
    if summary["not_repeatable"]:
        console.print(f"[red]not the same when run again:[/red] seeds {summary['not_repeatable']}")
    else:
        console.print(f"{summary['run_twice']} seeds run twice, each the same to the byte")
    if not failed:
        console.print("0 violations")
        return
    console.print(f"[red]{len(failed)} seeds failed:[/red] {[result.seed for result in failed]}")
    if least is not None:
        console.print(f"seed {least.seed}, smallest fault list found ({len(least.struck)}):")
        for fault in least.struck[:_MOST_LISTED]:
            console.print(f"  {fault.at_ms} {fault.kind} #{fault.number} {fault.what}", markup=False)
        for violation in least.violations[:_MOST_LISTED]:
            console.print(f"  {violation.invariant}: {violation.text}", markup=False)


def _drill(seed: int, *, as_json: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="hlfast-gameday-") as directory:
        found = outage_drill(seed, Path(directory))
    if as_json:
        typer.echo(orjson.dumps(asdict(found)).decode())
    else:
        closed = "not closed" if found.closed_s is None else f"closed {found.closed_s:.1f} s after its end"
        typer.echo(
            f"{found.errors} actions answered by errors, {found.executed} orders executed all the same;"
            f" drift {closed}; {len(found.violations)} violations"
        )
        for violation in found.violations[:_MOST_LISTED]:
            typer.echo(f"  {violation.invariant}: {violation.text}")
    return 1 if found.violations else 0
