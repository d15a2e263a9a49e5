"""`hlfast project`, `receipts` and `explain`: what was copied, from the database."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import sys
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from hlfast.cli.line import EXIT_WRONG, refuse
from hlfast.cli.settings import DEFAULT_PATH, ConfigPath, load_or_exit
from hlfast.cli.stopping import stopping
from hlfast.config.model import Config
from hlfast.control.accounts import AccountReader, Reading
from hlfast.control.explain import Explanation, Slippage
from hlfast.control.explain import explain as explained
from hlfast.control.projector import Projector
from hlfast.engine.limits import ACCOUNTS_WEIGHT, BESIDE_BURST
from hlfast.store.database import DEFAULT_URL, opened
from hlfast.store.portions import portions_of
from hlfast.store.reads import Filter, belongings, find_receipt, find_receipts, incomplete
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info
from hlfast.venue.limits import WeightBudget

Database = Annotated[
    str,
    typer.Option(
        "--database", "-d", envvar="HLFAST_STORE__URL", help="sqlite:///file.db or postgresql://user@host/name."
    ),
]
_FORMATS = "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"
_ALIGNED = ("ordered", "filled")


def project(
    config: ConfigPath = DEFAULT_PATH,
    database: Annotated[str | None, typer.Option("--database", "-d", help="Default: the settings' store.url.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Keep on until a signal.")] = False,
    accounts: Annotated[
        bool,
        typer.Option("--accounts", help="Read equity and funding at the venue too; --follow does every accounts_s."),
    ] = False,
) -> None:
    """Write the journal into a database, exactly once. Run it beside [bold]hlfast run[/bold]; the engine won't notice.

    It may be killed and started again at any time. [bold]receipts[/bold] and [bold]explain[/bold] read what it wrote.
    """
    settings = load_or_exit(config)
    if database is not None:
        settings = msgspec.structs.replace(settings, store=msgspec.structs.replace(settings.store, url=database))
    asyncio.run(_project(settings, follow=follow, accounts=accounts))


async def _project(settings: Config, *, follow: bool, accounts: bool) -> None:
    async with opened(settings.store.url) as engine, reading(settings, engine) as reader:
        projector = Projector(engine, Path(settings.journal.directory), settings)
        if follow:
            async with stopping() as stop:
                tasks = [projector.follow(stop, _complain)]
                if settings.store.accounts_s:
                    tasks.append(reader.follow(settings.store.accounts_s, stop, _complain))
                await asyncio.gather(*tasks)
        progress = await projector.catch_up()
        typer.echo(
            f"{progress.receipts:,} receipts written; the database stands at journal record {progress.sequence:,}"
        )
        dropped = await projector.forget_old()
        if any(dropped.values()):
            what = ", ".join(f"{count:,} of {name}" for name, count in dropped.items() if count)
            typer.echo(f"forgotten, older than {settings.store.keep_days} days (months, or rows in SQLite): {what}")
        if accounts and not follow:
            _tell_reading(await reader.read())


@contextlib.asynccontextmanager
async def reading(settings: Config, engine: AsyncEngine) -> AsyncIterator[AccountReader]:
    """Open what reading accounts needs of the venue, within its share of the budget."""
    limiter = WeightBudget(ACCOUNTS_WEIGHT, burst=BESIDE_BURST) if settings.venue.limits == "venue" else None
    async with HttpRoad(settings.venue.base_url, connections=2) as road:
        yield AccountReader(Info(road, limiter=limiter), engine, settings, lambda: time.time_ns() // 1_000_000)


def _tell_reading(reading: Reading) -> None:
    brought = f"{reading.equity:,} equity points, {reading.funding:,} funding payments, {reading.fills:,} fills"
    typer.echo(f"{brought} of {reading.accounts} accounts")
    for account, why in reading.failed:
        _complain(f"{account} was not read: {why}")
    if reading.failed:
        raise typer.Exit(EXIT_WRONG)


def _complain(line: str) -> None:
    typer.echo(line, err=True)


def receipts(  # noqa: PLR0913, PLR0917 # one parameter an option of the command line
    database: Database = DEFAULT_URL,
    leader: Annotated[str | None, typer.Option(help="Name of a leader.")] = None,
    follower: Annotated[str | None, typer.Option(help="Name of a follower.")] = None,
    coin: Annotated[str | None, typer.Option(help='Such as "BTC".')] = None,
    outcome: Annotated[
        str | None, typer.Option(help="filled, partly_filled, carried, skipped, blocked, expired …")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Such as cap or price_beyond_band; docs/receipts.md lists them.")
    ] = None,
    since: Annotated[str | None, typer.Option(help='UTC: "2026-11-26" or "2026-11-26 14:30".')] = None,
    until: Annotated[str | None, typer.Option(help="UTC, not included.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000_000, help="Latest receipts shown.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with every column.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Prove that every leader fill has one receipt a follow.")
    ] = False,
    parquet: Annotated[Path | None, typer.Option(help="Write this Parquet file (needs the analytics extra).")] = None,
) -> None:
    """List receipts, newest first: one for each leader fill and follow, with what became of it.

    Filters combine. [bold]hlfast explain NUMBER[/bold] tells one of them in words.
    """
    which = Filter(
        leader=leader,
        follower=follower,
        coin=coin,
        outcome=outcome,
        reason=reason,
        since_ms=parse_time(since, "--since"),
        until_ms=parse_time(until, "--until"),
    )
    if check:
        _check(database)
        return
    rows = asyncio.run(_find(database, which, limit))
    if as_json:
        for row in rows:
            typer.echo(msgspec.json.encode(row).decode())
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
    elif parquet is not None:
        _write_parquet(rows, parquet)
    else:
        _print(rows, limit)


def _check(database: str) -> None:
    async def run() -> tuple[int, int, list[dict[str, Any]]]:
        async with opened(database) as engine, engine.connect() as connection:
            return await incomplete(connection)

    events, total, wrong = asyncio.run(run())
    typer.echo(f"{events:,} leader fills, {total:,} receipts")
    for row in wrong:
        fill = f"{row['leader']} {row['coin']} {row['time_ms']} tid {row['tid']}"
        typer.echo(f"  {fill}: {row['had']} receipts for {row['due'] or 0} follows", err=True)
    if wrong:
        raise typer.Exit(EXIT_WRONG)
    typer.echo("complete: one receipt for each fill and follow")


async def _find(database: str, which: Filter, limit: int) -> list[dict[str, Any]]:
    async with opened(database) as engine, engine.connect() as connection:
        return await find_receipts(connection, which, limit)


def parse_time(text: str | None, option: str) -> int | None:
    """Read a UTC time of an option as Unix ms; None stays None, anything else ends the command."""
    for form in _FORMATS if text else ():
        try:
            return int(datetime.strptime(str(text), form).replace(tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            continue
    return None if text is None else refuse(f'{option} is "{text}"', 'write UTC as "2026-11-26" or "2026-11-26 14:30"')


def _write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    try:
        import polars as pl
    except ImportError:
        refuse("Parquet needs polars", "pip install 'hlfast[analytics]'")
    try:
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    except OSError as error:
        refuse(f"{path}: {error}", "name a file in a directory that exists")
    typer.echo(f"{len(rows):,} receipts in {path}")


def _print(rows: Sequence[dict[str, Any]], limit: int) -> None:
    if not rows:
        typer.echo("no receipts fit; `hlfast project` brings the journal into the database")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("number", "time, UTC", "leader to follower", "coin", "ordered", "filled", "what became of it"):
        table.add_column(
            name, justify="right" if name in _ALIGNED else "left", no_wrap=name in _ALIGNED, overflow="fold"
        )
    for row in rows:
        table.add_row(
            str(row["number"]),
            datetime.fromtimestamp(row["time_ms"] / 1000, UTC).strftime("%m-%d %H:%M:%S"),
            f"{row['leader']} to {row['follower']}",
            row["coin"],
            _short(row["ordered"]),
            _short(row["filled"]),
            row["outcome"] if row["reason"] == "none" else f"{row['outcome']}: {row['reason']}",
        )
    console = Console()
    # A pipe has no width: nothing is cut there.
    Console(width=None if console.is_terminal else 200).print(table)
    if len(rows) == limit:
        typer.echo(f"the latest {limit}; --limit shows more")


def _short(value: Decimal) -> str:
    return f"{value.normalize():f}"[:14] if value else "·"


def explain(
    number: Annotated[int, typer.Argument(min=0, help="A receipt's number, from hlfast receipts.")],
    database: Database = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell in words why a leader's fill was copied as it was, or was not: fill, decision, order, answer, cost."""
    found = asyncio.run(_explain(database, number))
    if found is None:
        typer.echo(
            f"no receipt {number} in {database.rpartition('@')[2]}\n  → hlfast project, then hlfast receipts", err=True
        )
        raise typer.Exit(EXIT_WRONG)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    show_explanation(found)


def show_explanation(found: Explanation) -> None:
    """Print a receipt in words: what, when since the leader's fill, and the numbers."""
    first = next((step.at_ms for step in found.steps if step.at_ms is not None), 0)
    rows = [(step.what, "" if step.at_ms is None else f"+{step.at_ms - first:,} ms", step.text) for step in found.steps]
    rows += [(what, "", text) for what, text in _cost_rows(found.slippage)]
    typer.echo(f"receipt {found.number}: {found.verdict}")
    console = Console()
    if not console.is_terminal:
        # A pipe has no width: lines stay whole there.
        typer.echo("\n".join(f"  {what:<11}{at:>11}  {text}" for what, at, text in rows))
        return
    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "left"):
        grid.add_column(justify=justify, no_wrap=justify == "right", overflow="fold")
    for what, at, text in rows:
        grid.add_row(Text(f"  {what}", style="bold"), Text(at, style="dim"), Text(text))
    console.print(grid)


def _cost_rows(cost: Slippage | None) -> list[tuple[str, str]]:
    if cost is None:
        return []
    parts = ""
    if cost.delay_usd is not None:
        parts = f": delay {cost.delay_usd:f}, spread {cost.spread_usd:f}, impact {cost.impact_usd:f}"
    rows = [("cost", f"{cost.price_usd:f} USD against the leader's price ({cost.bps} bps){parts}")]
    if cost.rounding_usd > 0:
        rows.append(("not sent", f"{cost.rounding_usd:f} USD of what was due: rounding, caps, minimum"))
    elif cost.rounding_usd:
        rows.append(("beyond", f"{-cost.rounding_usd:f} USD more than this fill was due: what earlier ones had left"))
    return rows


async def _explain(database: str, number: int) -> Explanation | None:
    async with opened(database) as engine, engine.connect() as connection:
        receipt = await find_receipt(connection, number)
        if receipt is None:
            return None
        belonging = await belongings(connection, receipt)
        return explained(receipt, belonging | {"portions": await portions_of(connection, receipt)})
