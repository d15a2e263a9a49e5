"""Judged traders of the store, and how they are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.cli.traders import percent, write_page
from hlfast.research.discovery import Judged
from hlfast.research.figures import Analysis
from hlfast.research.following import judged_of
from hlfast.research.traders_page import render_judged
from hlfast.store.database import opened
from hlfast.store.traders import find_traders, latest_figures

# Figures of one are up to 200 kB; nobody below the best of these is recommended.
MOST_COMPARED = 200


def kept_traders(database: str) -> list[Judged]:
    """Return the judgements of the store, best score first."""

    async def run() -> list[Judged]:
        async with opened(database) as engine, engine.connect() as connection:
            read = [judged_of(trader.judgement) for trader in await find_traders(connection)]
            return [one for one in read if one is not None]

    return asyncio.run(run())


async def read_figures(connection: AsyncConnection) -> dict[str, Analysis]:
    """Return the figures of the best judged traders; those of another version are left out."""
    found: dict[str, Analysis] = {}
    for trader in await find_traders(connection, limit=MOST_COMPARED):
        try:
            found[trader.address] = msgspec.convert(await latest_figures(connection, trader.address), Analysis)
        except msgspec.ValidationError:
            continue
    return found


async def kept_figures(database: str, address: str) -> Analysis | None:
    """Return the newest figures that the store keeps of an address; None if it has none that this version reads."""
    async with opened(database) as engine, engine.connect() as connection:
        try:
            return msgspec.convert(await latest_figures(connection, address), Analysis)
        except msgspec.ValidationError:
            return None


def show_judged(judged: Sequence[Judged]) -> None:
    """Print one row a judged trader and, below it, the first thing to know of him."""
    if not judged:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("trader", "grade", "score", "risk", "style", "role", "trips", "net USD", "kept", "drawdown"):
        table.add_column(name, justify="left" if name in _WORDS else "right", no_wrap=name != "trader", overflow="fold")
    for one in judged:
        table.add_row(
            one.address,
            *one.graded.cells,
            f"{one.trips:,}",
            f"{one.net_usd:z,.0f}",
            percent(one.kept.kept_share),
            percent(one.max_drawdown),
        )
    console = Console()
    Console(width=None if console.is_terminal else 140).print(table)
    for one in judged:
        quiet = "" if one.graded.active else "; did not trade for a week"
        typer.echo(f"{one.address[:8]}…{one.address[-4:]}  {one.graded.reasons[0]}{quiet}")


def write_judged(path: Path, judged: Sequence[Judged], said: Sequence[str] = ()) -> None:
    """Write judged traders as a page."""
    write_page(path, render_judged(judged, said))


_WORDS = ("trader", "grade", "risk", "style", "role")
