"""`hlfast plan` and `reload`: what settings would do, shown before anything is applied."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from hlfast.cli.engine import AsJson, SocketPath, request_or_exit
from hlfast.cli.line import EXIT_CANNOT, EXIT_WRONG, refuse
from hlfast.cli.settings import DEFAULT_PATH, ConfigPath, load_or_exit
from hlfast.config.model import Config, for_core
from hlfast.control.plan import Plan, Planned, PlanRefusedError
from hlfast.control.plan import plan as rehearse
from hlfast.errors import HlfastError
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info
from hlfast.venue.limits import WeightBudget

_DEADLINE_MS = 10_000
Close = Annotated[bool, typer.Option("--close", help="Follows that are left out: close what they hold.")]
Keep = Annotated[bool, typer.Option("--keep", help="Follows that are left out: what they hold is yours.")]


def plan(
    config: ConfigPath = DEFAULT_PATH,
    close: Close = False,
    keep: Keep = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: due, by_settings, said.")] = False,
) -> None:
    """Show every order that these settings would send now, per follower, with the reason. Nothing is sent.

    The real core decides, from the end of the journal if there is one, with the venue's accounts as they are now. No
    key is needed and nothing is written, so it may be run beside an engine. Prices are the limits of orders without
    quotes: the engine's own are nearer. [bold]hlfast reload[/bold] applies what this shows.
    """
    settings = load_or_exit(config)
    found = _planned(settings, _parting(close=close, keep=keep))
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    _print(found)


def reload(  # one parameter an option of the command line
    config: ConfigPath = DEFAULT_PATH,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.")] = False,
    close: Close = False,
    keep: Keep = False,
    socket: SocketPath = None,
    as_json: AsJson = False,
) -> None:
    """Bring the running engine to what the settings file says now: show the differences and the orders, then apply.

    Follows that the file leaves out end: what they hold goes as the leader reduces it, or by [bold]--close[/bold] at
    once, or stays yours by [bold]--keep[/bold]. A change of a number alone sends no order, but where positions
    are rebalanced. Settings of the process (connections, keys, metrics) take effect at the next start, and are named.
    Without a terminal, [bold]--yes[/bold] applies and its absence only shows.
    """
    settings = load_or_exit(config)
    parting = _parting(close=close, keep=keep)
    answer = request_or_exit(config, socket, {"do": "settings"}, as_json=False)
    changes = _differences(answer["settings"], settings)
    if not changes:
        typer.echo("the engine runs with these settings already" if not as_json else '{"ok":true,"changed":false}')
        return
    found = _planned(settings, parting)
    if not as_json:
        for line in changes:
            typer.echo(line)
        _print(found)
    if not yes and not (sys.stdin.isatty() and typer.confirm("apply this?", err=True)):
        refuse("nothing was applied", "repeat with --yes")
    request = {
        "do": "configure",
        "config": msgspec.Raw(for_core(settings)),
        "revision": answer["revision"],
        "parting": parting,
        "from_file": True,
    }
    applied = request_or_exit(config, socket, request, as_json=as_json)
    if not as_json:
        for line in applied["said"]:
            typer.echo(line)


def _parting(*, close: bool, keep: bool) -> str:
    if close and keep:
        refuse("--close and --keep contradict each other", "keep one of them")
    return "close" if close else "keep" if keep else "reduce"


def _planned(settings: Config, parting: str) -> Plan:
    directory = Path(settings.journal.directory)
    try:
        return asyncio.run(_rehearse(settings, parting, directory if directory.is_dir() else None))
    except PlanRefusedError as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(EXIT_WRONG) from None
    except HlfastError as error:
        typer.echo(f"no plan can be made: {error}", err=True)
        raise typer.Exit(EXIT_CANNOT) from None


async def _rehearse(settings: Config, parting: str, directory: Path | None) -> Plan:
    limiter = WeightBudget() if settings.venue.limits == "venue" else None
    async with HttpRoad(settings.venue.base_url) as road:
        info = Info(road, limiter=limiter)
        now_ms = (await info.exchange_status()).time

        async def read(body: dict[str, Any]) -> tuple[int, bytes]:
            return await info.raw(body, deadline_ms=_DEADLINE_MS)

        return await rehearse(settings, read, now_ms, directory=directory, parting=parting)


def _print(found: Plan) -> None:
    for line in found.said:
        typer.echo(line)
    if not found.is_ready:
        typer.echo("not every account could be read: this plan is not whole", err=True)
    if found.due:
        typer.echo("already due, whatever the settings:")
        _table(found.due)
    if found.by_settings:
        typer.echo("by these settings:")
        _table(found.by_settings)
    if not found.due and not found.by_settings:
        typer.echo("no orders")


def _table(orders: Iterable[Planned]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("follower", "coin", "side", "size", "limit", "", "reason"):
        table.add_column(column, justify="right" if column in {"size", "limit"} else "left", overflow="fold")
    for order in orders:
        kind = "stop" if order.kind == "stop" else "reduces" if order.reduce_only else "opens"
        size = f"{order.size.normalize():f}"
        limit = "TWAP" if order.limit is None else f"{order.limit.normalize():f}"
        table.add_row(order.follower, order.coin, order.side, size, limit, kind, order.reason)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _differences(live: dict[str, Any], settings: Config) -> list[str]:
    """One line for each setting that differs: `- before`, `+ after`."""
    wanted = msgspec.json.decode(for_core(settings))
    before, after = (sorted(_flat("", value)) for value in (live, wanted))
    lines = difflib.unified_diff(before, after, lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"}]


def _flat(path: str, value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for row in value:
            yield from _flat(f"{path}[{_name_of(row)}]", row)
    elif value is not None:
        yield f"{path} = {msgspec.json.encode(value).decode()}"


def _name_of(row: dict[str, Any]) -> str:
    return str(row["name"]) if "name" in row else f"{row.get('leader')} to {row.get('follower')}"
