"""`hlfast strategies`: what each strategy earned, from the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from hlfast.cli.earnings import Until, read_found
from hlfast.cli.records import Database, parse_time
from hlfast.config.model import Strategy
from hlfast.research.earnings import earned
from hlfast.research.strategies import PartEarned, Performance, performance
from hlfast.store.copying import Scope, read_strategies
from hlfast.store.database import DEFAULT_URL, opened

_CENT = Decimal("0.01")
_FIGURES = ("net", "closed", "open", "fees", "funding", "volume")


def strategies(
    database: Database = DEFAULT_URL,
    until: Until = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a strategy.")] = False,
) -> None:
    """Tell what each strategy earned with trades, fees and funding, and its leaders' parts of that.

    Executions and funding come from the venue: [bold]hlfast project --accounts[/bold] reads them.
    """
    found = asyncio.run(_read(database, Scope(until_ms=parse_time(until, "--until"))))
    if not found:
        typer.echo("no strategy in the database; `hlfast project` brings those of the settings", err=True)
        return
    if as_json:
        for one in found:
            typer.echo(msgspec.json.encode(one).decode())
        return
    _print(found)


async def _read(database: str, scope: Scope) -> list[Performance]:
    async with opened(database) as engine, engine.connect() as connection:
        known = [msgspec.convert(settings, Strategy) for settings in await read_strategies(connection)]
        found = await read_found(connection, scope)
    rows = earned(found.receipts, found.trades, found.payments, found.marks)
    return [performance(strategy, rows) for strategy in known]


def _print(found: Sequence[Performance]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("strategy", "leader", "allocation"):
        table.add_column(name, overflow="fold")
    for name in _FIGURES:
        table.add_column(f"{name}, USD", justify="right", no_wrap=True)
    for one in found:
        table.add_row(f"{one.name} ({one.kind}, {one.follower})", "all", "", *_money(one), style="bold")
        for part in one.parts:
            table.add_row("", part.leader, f"{part.allocation:f}", *_money(part))
    console = Console()
    # A pipe has no width: nothing is cut there.
    Console(width=None if console.is_terminal else 200).print(table)


def _money(row: Performance | PartEarned) -> list[str]:
    return [f"{getattr(row, f'{name}_usd').quantize(_CENT):,}" for name in _FIGURES]
