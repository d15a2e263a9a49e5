"""`hlfast report`: what copying did, or who a trader is, on one page."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.cli.earnings import Found, read_found, tracked_of
from hlfast.cli.line import EXIT_WRONG
from hlfast.cli.records import Database, parse_time
from hlfast.cli.traders import show as show_trader
from hlfast.cli.traders import write_page
from hlfast.control.explain import slippage_of
from hlfast.research import copying_page, trader_page
from hlfast.research.copying_page import Copying, Cost
from hlfast.research.discovery import Judged
from hlfast.research.earnings import earned
from hlfast.research.figures import Analysis
from hlfast.research.following import judged_of
from hlfast.research.insights import insights
from hlfast.research.pages import money, percent
from hlfast.store.copying import Scope, latest_alerts, read_equity, read_quotes, read_receipts
from hlfast.store.database import DEFAULT_URL, opened
from hlfast.store.reads import leader_outcomes
from hlfast.store.traders import latest_figures, read_judgement

_PAGE = "hlfast-report.html"
_DAY_MS = 86_400_000
_MOST_ALERTS = 20
_COPIED = ("filled", "partly_filled")


def report(
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", help=f"The page; it loads nothing and runs nothing. Default: {_PAGE}, with --json none."
        ),
    ] = None,
    database: Database = DEFAULT_URL,
    trader: Annotated[str | None, typer.Option(help="Of this address, which hlfast discover judged, instead.")] = None,
    follower: Annotated[str | None, typer.Option(help="Name of a follower.")] = None,
    coin: Annotated[str | None, typer.Option(help='Such as "BTC".')] = None,
    until: Annotated[str | None, typer.Option(help='UTC, not included: "2026-11-26" or "2026-11-26 14:30".')] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object with everything that the page shows.")
    ] = False,
) -> None:
    """Tell what copying did, and write it as one page: profit and costs, receipts by reason, tracking error.

    By leader, follower and coin, from what [bold]hlfast project --accounts[/bold] brought into the database. With
    [bold]--trader[/bold]: one trader's equity, drawdown, habits and grade.
    """
    if trader is not None:
        _report_trader(database, trader, html, as_json=as_json)
        return
    scope = Scope(follower=follower, coin=coin, until_ms=parse_time(until, "--until"))
    found = asyncio.run(_copying(database, scope))
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        show(found)
    if html is not None or not as_json:
        write_page(html or Path(_PAGE), copying_page.render(found))


def _report_trader(database: str, trader: str, html: Path | None, *, as_json: bool) -> None:
    kept = asyncio.run(_kept(database, trader.lower()))
    if kept is None:
        typer.echo(f"{trader} was not judged yet\n  → hlfast discover, or hlfast trader {trader} --html", err=True)
        raise typer.Exit(EXIT_WRONG)
    one, judgement = kept
    if as_json:
        typer.echo(msgspec.json.encode({"figures": one, "judgement": judgement}).decode())
    else:
        show_trader(one)
    if html is not None or not as_json:
        write_page(html or Path(_PAGE), trader_page.render(one, None if judgement is None else judgement.graded))


async def _kept(database: str, address: str) -> tuple[Analysis, Judged | None] | None:
    async with opened(database) as engine, engine.connect() as connection:
        figures = await latest_figures(connection, address)
        judgement = judged_of(await read_judgement(connection, address))
    try:
        return msgspec.convert(figures, Analysis), judgement
    except msgspec.ValidationError:
        # None, or of another version: the next search makes it anew.
        return None


async def _copying(database: str, scope: Scope) -> Copying:
    async with opened(database) as engine, engine.connect() as connection:
        found = await read_found(connection, scope)
        rows = await read_receipts(connection, scope)
        outcomes = await leader_outcomes(connection, 0)
        times = [row["time_ms"] for row in rows]
        return Copying(
            since_ms=min(times, default=None),
            until_ms=max(times, default=None),
            receipts_by_day=Counter(at // _DAY_MS for at in times),
            outcomes=outcomes,
            # Sizes that changed hands between leaders alone would look like all there was.
            earned=earned(found.receipts, found.trades, found.payments, found.marks) if found.trades else (),
            costs=costs_of(rows, await read_quotes(connection)),
            equity=await _equity(connection, scope),
            tracking=tracked_of(found, scope) if found.receipts else None,
            insights=insights(outcomes),
            alerts=await latest_alerts(connection, _MOST_ALERTS),
            notes=_notes(found, rows),
        )


def show(found: Copying) -> None:
    """Print what fits a terminal."""
    total = sum(row.count for row in found.outcomes)
    copied = sum(row.count for row in found.outcomes if row.outcome in _COPIED)
    net, fees, funding = (
        sum((getattr(row, name) for row in found.earned), Decimal(0)) for name in ("net_usd", "fees_usd", "funding_usd")
    )
    profit = f"{money(net)} USD net, fees {money(fees)}, funding {money(funding)}" if found.earned else "not known"
    error = found.tracking
    tracking = "not known" if error is None else f"{percent(error.share)} of the exposure asked for"
    typer.echo(f"copied       {copied:,} of {total:,} decisions, {sum(found.receipts_by_day.values()):,} receipts")
    typer.echo(f"profit       {profit}")
    typer.echo(f"off          {tracking}")
    if total:
        console = Console()
        Console(width=None if console.is_terminal else 120).print(_by_leader(found))
    for name, texts in (("stands out", found.insights), ("note", found.notes)):
        for text in texts:
            typer.echo(f"{name:<12} {text}")


def _by_leader(found: Copying) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("leader", "decisions", "copied", "traded USD", "cost USD", "bps", "net USD"):
        table.add_column(name, justify="left" if name == "leader" else "right", overflow="fold")
    for leader in sorted({row.leader for row in found.outcomes}):
        counts = [(row.outcome in _COPIED, row.count) for row in found.outcomes if row.leader == leader]
        total = sum(count for _, count in counts)
        costs = [cost for cost in found.costs if cost.leader == leader]
        traded, lost = (
            sum((getattr(cost, name) for cost in costs), Decimal(0)) for name in ("traded_usd", "total_usd")
        )
        net = sum((row.net_usd for row in found.earned if row.leader == leader), Decimal(0))
        table.add_row(
            leader,
            f"{total:,}",
            percent(sum(count for is_copied, count in counts if is_copied) / total),
            money(traded),
            money(lost),
            f"{lost / traded * 10_000:z.1f}" if traded else "n/a",
            money(net) if found.earned else "n/a",
        )
    return table


async def _equity(connection: AsyncConnection, scope: Scope) -> dict[str, list[tuple[int, Any]]]:
    curves = await read_equity(connection)
    return {name: points for name, points in curves.items() if scope.follower in (None, name)}


def costs_of(
    rows: Sequence[sa.RowMapping], quotes: Mapping[tuple[str, str, int, int], Mapping[str, Any]]
) -> tuple[Cost, ...]:
    """Add up what executions cost against the leaders' prices.

    An order that several receipts share is counted once: each of them has an equal part of it.
    """
    filled = [row for row in rows if row["filled"] and row["leader_price"]]
    shared = Counter((row["journal"], row["follower"], row["nonce"], row["coin"]) for row in filled)
    sums: dict[tuple[str, str, str], list[Cost]] = defaultdict(list)
    for row in filled:
        quote = quotes.get((row["journal"], row["follower"], row["nonce"], row["coin_id"] or -1))
        found = slippage_of(dict(row), quote)
        if found is None:
            continue
        part = Decimal(1) / shared[row["journal"], row["follower"], row["nonce"], row["coin"]]
        key = (row["leader"], row["follower"], row["coin"])
        sums[key].append(
            Cost(
                leader=key[0],
                follower=key[1],
                coin=key[2],
                traded_usd=row["filled"] * row["average_price"] * part,
                total_usd=found.price_usd * part,
                delay_usd=_part(found.delay_usd, part),
                spread_usd=_part(found.spread_usd, part),
                impact_usd=_part(found.impact_usd, part),
            )
        )
    return tuple(_added(costs) for costs in sums.values())


def _part(value: Decimal | None, part: Decimal) -> Decimal | None:
    return None if value is None else value * part


def _added(costs: Sequence[Cost]) -> Cost:
    def total(name: str) -> Decimal | None:
        known = [value for cost in costs if (value := getattr(cost, name)) is not None]
        return sum(known, Decimal(0)) if known else None

    names = ("traded_usd", "total_usd", "delay_usd", "spread_usd", "impact_usd")
    return msgspec.structs.replace(costs[0], **{name: total(name) for name in names})


def _notes(found: Found, rows: Sequence[sa.RowMapping]) -> list[str]:
    said = []
    if not rows:
        said.append("no receipts are in the database: hlfast project writes them")
    if not found.trades:
        said.append("executions, fees and funding were not read yet: hlfast project --accounts reads them at the venue")
    if found.odd_fees:
        said.append(f"{found.odd_fees:,} fees in tokens whose price is not known here count as zero")
    if any(row["filled"] for row in rows) and not any(row["coin_id"] is not None for row in rows):
        said.append("these receipts are of a release that kept no quotes: their cost is not split")
    return said
