"""`hlfast discover`: find traders worth copying, judge them, keep them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from hlfast.cli.following import plan_and_follow
from hlfast.cli.found import show_judged, write_judged
from hlfast.cli.line import EXIT_WRONG, refuse
from hlfast.cli.settings import load_or_exit
from hlfast.cli.stopping import stopping
from hlfast.config.beside import check_beside
from hlfast.config.model import Config, Discovery, Journal, Store, Venue
from hlfast.config.problems import Problem
from hlfast.engine.limits import BESIDE_BURST
from hlfast.errors import HlfastError
from hlfast.research.discovery import Search, Searched
from hlfast.research.following import FollowPlan
from hlfast.store.database import opened
from hlfast.store.traders import builtins_of
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info
from hlfast.venue.limits import WeightBudget

_MAINNET = "https://api.hyperliquid.xyz"


def discover(  # noqa: PLR0913, PLR0917 # one parameter an option of the command line
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help=r"Settings file; its \[discovery] gives what no option does.")
    ] = None,
    venue: Annotated[str | None, typer.Option(help=f"Base URL; default {_MAINNET}, or the settings'.")] = None,
    database: Annotated[str | None, typer.Option("--database", "-d", help="Where results go.")] = None,
    tape: Annotated[int | None, typer.Option(help="Seconds to listen to the public trades; 0: not.")] = None,
    coins: Annotated[str | None, typer.Option(help="On the tape, such as BTC,ETH; default: the fifty busiest.")] = None,
    leaderboard: Annotated[str | None, typer.Option(help='"venue", "off", a file or a URL.')] = None,
    most: Annotated[int | None, typer.Option(help="Traders analysed in one search.")] = None,
    capital: Annotated[str | None, typer.Option(help="USD of the follower they are judged for.")] = None,
    older: Annotated[int | None, typer.Option(help="Make results anew that are older than these hours.")] = None,
    every: Annotated[int | None, typer.Option(help="Search again every so many minutes, until a signal.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a search.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the latest search as a page; it loads nothing.")] = None,
) -> None:
    """Find traders on the public tape and the leaderboard, analyse them, grade them A to F, and keep the results.

    Reads public data only, within a share of the venue's weight (discovery.weight_per_minute); one trader takes up to
    three minutes of it. docs/discovery.md has the formula. [bold]hlfast traders[/bold] lists what is kept.
    """
    given: dict[str, Any] = {"tape_s": tape, "leaderboard": leaderboard, "most": most, "capital_usd": capital}
    given |= {"coins": None if coins is None else tuple(coin.strip() for coin in coins.split(",") if coin.strip())}
    given |= {"refresh_s": None if older is None else older * 3600, "every_s": None if every is None else every * 60}
    settings = _settings(config, venue, database, {name: value for name, value in given.items() if value is not None})
    asyncio.run(_discover(settings, html, repeat=every is not None, as_json=as_json))


def _settings(path: Path | None, venue: str | None, database: str | None, given: dict[str, Any]) -> Config:
    """The settings of the file, or none but the defaults, with the options over them."""
    base = _WITHOUT_FILE if path is None else load_or_exit(path)
    config = msgspec.structs.replace(
        base,
        venue=base.venue if venue is None else Venue(base_url=venue, limits=base.venue.limits),
        store=base.store if database is None else Store(url=database),
        discovery=msgspec.structs.replace(base.discovery, **given),
    )
    problems: list[Problem] = []
    check_beside(problems, config)
    if problems:
        refuse(problems[0].line(), "hlfast discover --help lists the options")
    return config


_WITHOUT_FILE = Config(
    network="mainnet",
    venue=Venue(base_url=_MAINNET),
    journal=Journal(directory="journal"),
    leaders=(),
    followers=(),
    follows=(),
    discovery=Discovery(),
)


async def _discover(config: Config, html: Path | None, *, repeat: bool, as_json: bool) -> None:
    async with opened(config.store.url) as engine, searching(config, engine, _tell) as search, stopping() as stop:
        async for found, plan in search_until(search, config, engine, stop):
            if isinstance(found, HlfastError):
                typer.echo(f"the search ended early; what was judged is kept: {found}", err=True)
                if not repeat:
                    raise typer.Exit(EXIT_WRONG)
                continue
            if as_json:
                typer.echo(msgspec.json.encode({**builtins_of(found), "auto_follow": builtins_of(plan)}).decode())
            else:
                show_searched(found)
                if plan is not None:
                    _show_plan(plan)
            if html is not None:
                await asyncio.to_thread(write_judged, html, found.judged, told(found))
            if not repeat:
                if _heard_nothing(found):
                    typer.echo(
                        "no source could be used\n  → the notes say why; --tape and --leaderboard name them", err=True
                    )
                    raise typer.Exit(EXIT_WRONG)
                return


def _heard_nothing(found: Searched) -> bool:
    """Whether nobody was looked at because no source could be used, and not because nobody was worth it."""
    tape = found.heard is not None and found.heard.connected
    return bool(found.notes) and not tape and not found.leaderboard_rows and not found.judged and not found.dismissed


def _tell(line: str) -> None:
    typer.echo(line, err=True)


@contextlib.asynccontextmanager
async def searching(config: Config, engine: AsyncEngine, tell: Callable[[str], None]) -> AsyncIterator[Search]:
    """Open what a search needs of the venue, within its share of the budget."""
    weight = config.discovery.weight_per_minute
    limiter = WeightBudget(weight, burst=BESIDE_BURST) if config.venue.limits == "venue" else None
    async with HttpRoad(config.venue.base_url, connections=2) as road:
        yield Search(
            Info(road, limiter=limiter),
            engine,
            config.discovery,
            base_url=config.venue.base_url,
            ws_url=config.venue.stream_url,
            clock_ms=_now_ms,
            tell=tell,
        )


async def search_until(
    search: Search, config: Config, engine: AsyncEngine, stop: asyncio.Event
) -> AsyncIterator[tuple[Searched | HlfastError, FollowPlan | None]]:
    """Search at once and then every `discovery.every_s`, until `stop`; each time the caps' follows are begun."""
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        begun = loop.time()
        try:
            found: Searched | HlfastError = await search.run()
        except HlfastError as error:
            found = error
        planned = config.discovery.auto_follow.enabled and not isinstance(found, HlfastError)
        yield found, await plan_and_follow(config, engine) if planned else None
        pause = max(0.0, config.discovery.every_s - (loop.time() - begun))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def show_searched(found: Searched) -> None:
    """Print what a search found."""
    for line in told(found):
        typer.echo(line)
    show_judged(found.judged)


def told(found: Searched) -> list[str]:
    """Say how a search went, a line for each thing."""
    lines = []
    if found.heard is not None:
        heard = found.heard
        bad = f", {heard.bad_frames + heard.bad_rows} unusable" if heard.bad_frames + heard.bad_rows else ""
        lines.append(f"tape         {heard.trades:,} trades of about {heard.addresses:,} addresses{bad}")
    if found.leaderboard_rows or found.leaderboard_bad:
        bad = f", {found.leaderboard_bad:,} unusable" if found.leaderboard_bad else ""
        lines.append(f"leaderboard  {found.leaderboard_rows:,} traders{bad}")
    counts = f"{len(found.judged)} judged, {len(found.dismissed)} dismissed at a glance, {len(found.failed)} failed"
    lines.append(f"looked at    {counts}; {found.fresh} known and not old")
    lines += [f"note         {note}" for note in found.notes]
    return lines + [f"failed       {address}: {why}" for address, why in found.failed]


def _show_plan(plan: FollowPlan) -> None:
    for one in plan.follows:
        follow = one.follow
        begun = "follows" if one.refused is None else "would follow"
        sized = f"{follow.notional_usd} USD a position, at most {follow.max_position_usd}"
        typer.echo(f"auto-follow  {follow.follower} {begun} {one.address} as {follow.leader}, {sized}: {one.why}")
        if one.refused is not None:
            typer.echo(f"auto-follow  not begun: {one.refused}")
    if not plan.follows:
        first = f"; {plan.passed_over[0][0]} {plan.passed_over[0][1]}" if plan.passed_over else ""
        typer.echo(f"auto-follow  nobody within the caps ({len(plan.passed_over)} passed over{first})")
