"""Measure everything: `bench/run.py` for the record, `bench/run.py --short` for CI.

The full form writes bench/results/*.json and renders bench/RESULTS.md; the short form writes nothing (but with `--record`) and fails on the limits of
bench/budget.toml. Each part can be run alone with `--only`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import machine
import report
from e2e import copiers, gates, sink_process, tick_to_trade, under_load
from micro import instructions, native

HERE = Path(__file__).resolve().parent
Advance = Callable[[str], None]
# CI's form: enough copiers to see that the order of things still holds.
SHORT_COPIERS = {gates.ECHO_SPIN, gates.NAIVE, gates.LEAN_SPIN, gates.BEST, gates.DURABLE}


@dataclass(frozen=True, slots=True)
class Form:
    """How long and how wide to measure."""

    short: bool
    rounds: int
    fan_out_rounds: int

    @property
    def share(self) -> float:
        """Part of each round's events that is sent."""
        return 0.2 if self.short else 1.0

    def copiers(self) -> list[copiers.Copier]:
        """Who takes part in tick-to-trade."""
        everyone = [*copiers.peers(), *copiers.products()]
        return [copier for copier in everyone if not self.short or copier.name in SHORT_COPIERS]


@dataclass(frozen=True, slots=True)
class Part:
    """One section of the results."""

    name: str
    steps: int
    run: Callable[[Path, Advance], dict[str, Any]]


def parts(form: Form) -> list[Part]:
    """Everything that is measured, in order."""
    taking_part = form.copiers()

    def tick(followers: int, rounds: int) -> Part:
        def run(work: Path, advance: Advance) -> dict[str, Any]:
            table = tick_to_trade.run(taking_part, followers, rounds, form.share, work, advance)
            return {**table, "gates": [gate.result() for gate in gates.of_tick_to_trade(table)]}

        driven = sum(followers in copier.drives for copier in taking_part)
        return Part(f"tick_to_trade_{followers}", rounds * driven, run)

    def before_send(work: Path, advance: Advance) -> dict[str, Any]:
        # Every event also in the short form: a p99 needs them.
        modes = [copier for copier in copiers.products() if copier.name in {gates.BEST, gates.DURABLE}]
        table = tick_to_trade.run(modes, 100, form.fan_out_rounds, 1.0, work, advance)
        return {**table, "gates": [gate.result() for gate in gates.of_journal_before_send(table)]}

    def scripted(name: str, script: str, *arguments: str) -> Part:
        """A bench that is a program of its own and writes one JSON object."""

        def run(_work: Path, advance: Advance) -> dict[str, Any]:
            advance(f"{name}: {script}")
            argv = [sys.executable, str(HERE / script), *arguments]
            done = subprocess.run(argv, stdout=subprocess.PIPE, env=copiers.environment(), check=False)
            found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"gates": []}
            return found | {"faults": [f"{script} ended with code {done.returncode}"] if done.returncode else []}

        return Part(name, 1, run)

    # pytest-benchmark's own JSON is kept beside the build: it is large, and rows and gates are recorded from it.
    signing = ("--rounds", "3" if form.short else "9", "--artefact", str(sink_process.TARGET / "signing.json"))
    few = 1 if form.short else 3
    scrape_rounds = 2 if form.short else form.rounds
    core = [] if form.short else [Part("core", form.rounds, lambda _, advance: native.run(form.rounds, 0.3, advance))]
    return [
        *core,
        scripted("signing", "micro/signing.py", *signing),
        scripted("instructions", "micro/instructions.py"),
        tick(1, form.rounds),
        tick(100, form.fan_out_rounds),
        tick(1_000, form.fan_out_rounds),
        Part("journal_before_send", 2 * form.fan_out_rounds, before_send),
        Part(
            "throughput",
            2 * few,
            lambda work, advance: under_load.throughput(few, 2.0 if form.short else 5.0, work, advance),
        ),
        Part(
            "scraping",
            2 * scrape_rounds,
            lambda work, advance: under_load.scraping(scrape_rounds, form.share, work, advance),
        ),
        Part("footprint", few, lambda work, advance: under_load.footprint(few, work, advance)),
        scripted("feeds", "e2e/feeds.py", "--json", "--quiet", *(["--short"] if form.short else [])),
        scripted("restart", "e2e/restart.py", "--json", "--quiet", "--rounds", "3" if form.short else "30"),
    ]


def faulty(result: dict[str, Any]) -> list[str]:
    """Why rows of a part are no results: an order that never came, a machine too slow for the rate."""
    rows = [f"{row['copier']}: {row['fault']}" for row in result.get("rows", []) if row["fault"]]
    return [*result.get("faults", []), *rows]


def over_budget(results: dict[str, dict[str, Any]]) -> list[str]:
    """The generous wall limits of budget.toml that were missed, and orders of ours that never came.

    A row that a busy machine saturated, or a peer's fault, is no result and is held to no limit.
    """
    limits = tomllib.loads((HERE / "budget.toml").read_text(encoding="utf-8"))["wall"]
    missed = []
    for name, result in results.items():
        missed += [f"{name}: {fault}" for fault in result.get("faults", [])]
        for row in result.get("rows", []):
            fault = row["fault"] or ""
            if not row["copier"].startswith("hlfast") or fault.startswith("saturated"):
                continue
            if fault:
                missed.append(f"{name}, {row['copier']}: {fault}")
            elif row["last_in_signatures"] > limits[f"{name}_last_signatures"]:
                missed.append(f"{name}, {row['copier']}: last order after {row['last_in_signatures']:.1f} signatures")
        for gate in result.get("gates", []):
            limit = limits.get(gate["what"])
            if limit is not None and (gate["figure"] < limit if gate["at_least"] else gate["figure"] > limit):
                missed.append(f"{gate['what']}: {gate['figure']:.4g} {gate['unit']}, limit {limit}")
    return missed


def measure(chosen: list[Part], console: Console) -> dict[str, dict[str, Any]]:
    """Run the parts one after another under a progress bar. Journals lie beside the build, on a disk."""
    sink_process.build()
    work = Path(tempfile.mkdtemp(prefix="run-", dir=sink_process.TARGET))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    results = {}
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("starting", total=sum(part.steps for part in chosen))
            for part in chosen:

                def advance(what: str) -> None:
                    progress.update(task, description=what, advance=1)

                on = machine.conditions(work, "bench/run.py")
                results[part.name] = part.run(work / part.name, advance) | on
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return results


def main() -> int:
    """Parse, measure, print; exit code 1 when a limit of budget.toml is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few minutes, for CI; writes no results")
    parser.add_argument("--rounds", type=int, help="interleaved rounds (default 7; short form 2)")
    parser.add_argument(
        "--record", action="store_true", help="write bench/results and RESULTS.md in the short form too"
    )
    parser.add_argument("--only", nargs="+", metavar="PART", help="these parts alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--build", action="store_true", help="compile what the short form runs, and measure nothing")
    arguments = parser.parse_args()
    if arguments.build:
        sink_process.build()
        instructions.build()
        return 0
    usual, fan_out = (2, 1) if arguments.short else (7, 7)
    form = Form(short=arguments.short, rounds=arguments.rounds or usual, fan_out_rounds=arguments.rounds or fan_out)
    known = parts(form)
    if unknown := set(arguments.only or ()) - {part.name for part in known}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(part.name for part in known)}")
    chosen = [part for part in known if not arguments.only or part.name in arguments.only]

    console = Console(stderr=True)
    if os.getloadavg()[0] > 1.0:
        console.print("[yellow]This machine is busy: figures will be noise, only ratios may be read.[/]")
    results = measure(chosen, console)
    if again := [part for part in chosen if faulty(results[part.name])]:
        console.print(f"measured again, since a fault is no result: {', '.join(part.name for part in again)}")
        results |= measure(again, console)
    if arguments.record or not arguments.short:
        report.record(results)
    if arguments.json:
        print(json.dumps(results))
    else:
        print(report.tables(results))
    for name, result in results.items():
        for fault in faulty(result):
            console.print(f"[yellow]no result[/] {name}, {fault}")
    missed = over_budget(results)
    for line in missed:
        console.print(f"[red]over budget[/] {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
