"""`hlfast check`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hlfast.cli.finding import Finding, ok, wrong
from hlfast.cli.findings import examine
from hlfast.cli.line import EXIT_WRONG
from hlfast.cli.settings import DEFAULT_PATH, ConfigPath
from hlfast.config.load import SettingsRefusedError, load
from hlfast.config.model import Config
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info
from hlfast.venue.limits import WeightBudget

_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "wrong": typer.colors.RED}
_ABOUT_WIDTH = 18


def check(
    config: ConfigPath = DEFAULT_PATH,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: ok, findings.")] = False,
) -> None:
    """Check settings, keys, agents, clock and limits; one line each, with what to do. Sends no order.

    Asks the venue about every leader and follower: which addresses are agents, whether agents are approved and until
    when, what money and how many requests are left, whether listed coins exist. With [bold]limits = "venue"[/bold] it
    keeps the venue's budget, so a thousand followers take a while. Exit code 0: nothing is wrong (warnings may be);
    1: something is.
    """
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        if not as_json:
            _print(finding)

    settings = _settings(config, tell)
    if settings is not None:
        asyncio.run(_examine(settings, tell))
    count = sum(finding.level == "wrong" for finding in findings)
    if as_json:
        body = {"ok": count == 0, "findings": findings}
        typer.echo(msgspec.json.encode(body).decode())
    else:
        warnings = sum(finding.level == "warning" for finding in findings)
        typer.echo(f"{count} wrong, {warnings} warnings, {len(findings) - count - warnings} ok")
    if count:
        raise typer.Exit(EXIT_WRONG)


def _settings(path: Path, tell: Callable[[Finding], None]) -> Config | None:
    try:
        settings = load(path)
    except SettingsRefusedError as error:
        for problem in error.problems:
            tell(wrong(problem.setting, problem.what, problem.fix))
        return None
    counts = f"{len(settings.leaders)} leaders, {len(settings.followers)} followers, {len(settings.follows)} follows"
    tell(ok("settings", f"{path}: {counts}, {settings.network}"))
    return settings


async def _examine(settings: Config, tell: Callable[[Finding], None]) -> None:
    limiter = WeightBudget() if settings.venue.limits == "venue" else None
    async with HttpRoad(settings.venue.base_url) as road:
        await examine(settings, Info(road, limiter=limiter), tell)


def _print(finding: Finding) -> None:
    word = typer.style(f"{finding.level:<8}", fg=_COLOURS[finding.level], bold=finding.level != "ok")
    fix = f" → {finding.fix}" if finding.fix else ""
    typer.echo(f"{word} {finding.about:<{_ABOUT_WIDTH}} {finding.text}{fix}", color=sys.stdout.isatty() or None)
