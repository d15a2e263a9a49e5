"""`hlfast earnings` and `hlfast tracking`: what copying earned, and how close it stayed, from the database."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.cli.line import refuse
from hlfast.cli.records import Database, parse_time
from hlfast.config.model import Follow
from hlfast.research.chain import DOLLARS
from hlfast.research.earnings import NOBODY, Earned, Payment, Trade, earned, summed
from hlfast.research.tracking import Executed, Receipt, Tracking, policy_ratio, seen_ratios, track
from hlfast.store.copying import Scope, last_prices, read_executions, read_funding, read_policies, read_receipts
from hlfast.store.database import DEFAULT_URL, opened

_COLUMNS = ("leader", "follower", "coin")
_CENT = Decimal("0.01")
Followers = Annotated[str | None, typer.Option(help="Name of a follower.")]
Coins = Annotated[str | None, typer.Option(help='Such as "BTC".')]
Until = Annotated[str | None, typer.Option(help='UTC, not included: "2026-11-26" or "2026-11-26 14:30".')]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the database holds of a scope."""

    receipts: tuple[Receipt, ...]
    trades: tuple[Trade, ...]
    payments: tuple[Payment, ...]
    marks: dict[str, Decimal]
    policies: dict[tuple[int | str, int | str], Follow]
    odd_fees: int  # executions whose fee is in a token without a price here


def earnings(
    database: Database = DEFAULT_URL,
    by: Annotated[str, typer.Option(help="Any of leader, follower, coin, with commas; empty: one row.")] = "leader",
    follower: Followers = None,
    coin: Coins = None,
    until: Until = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV.")] = False,
) -> None:
    """Tell what each leader, follower and coin earned: trades, fees and funding, shared among a position's leaders.

    Executions with their fees, and funding, come from the venue: [bold]hlfast project --accounts[/bold] reads them.
    What the engine did not order is the row "manual". What is still held is valued at the last price seen.
    """
    columns = tuple(part.strip() for part in by.split(",") if part.strip())
    if unknown := set(columns) - set(_COLUMNS):
        refuse(f'--by "{by}": {min(unknown)} is no column', "write any of leader, follower, coin")
    found = asyncio.run(_read(database, _scope(follower, coin, until)))
    if not found.trades:
        typer.echo("no executions of followers in the database\n  → hlfast project --accounts", err=True)
        return
    rows = summed(earned(found.receipts, found.trades, found.payments, found.marks), columns)
    if as_json:
        for row in rows:
            typer.echo(msgspec.json.encode(_cents(row)).decode())
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, fieldnames=list(Earned.__struct_fields__))
        writer.writeheader()
        writer.writerows(msgspec.structs.asdict(_cents(row)) for row in rows)
    else:
        _print(rows, columns)
    if found.odd_fees:
        typer.echo(
            f"{found.odd_fees:,} fees were paid in tokens whose price is not known here: counted as zero", err=True
        )


def tracking(
    database: Database = DEFAULT_URL,
    follower: Followers = None,
    coin: Coins = None,
    until: Until = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell how far followers were from what their leaders' moves asked for, for how long, and why.

    The gap between ideal and held exposure over time, in USD·hours, by cause; docs/what-if.md defines it.
    """
    scope = _scope(follower, coin, until)
    found = asyncio.run(_read(database, scope))
    if not found.receipts:
        typer.echo("no receipts fit; `hlfast project` brings the journal into the database", err=True)
        return
    tracked = tracked_of(found, scope)
    if as_json:
        typer.echo(msgspec.json.encode(tracked).decode())
        return
    _print_tracking(tracked)


def _scope(follower: str | None, coin: str | None, until: str | None) -> Scope:
    return Scope(follower=follower, coin=coin, until_ms=parse_time(until, "--until"))


async def _read(database: str, scope: Scope) -> Found:
    async with opened(database) as engine, engine.connect() as connection:
        return await read_found(connection, scope)


async def read_found(connection: AsyncConnection, scope: Scope) -> Found:
    """Read what a scope's copying is added up from."""
    executions = await read_executions(connection, scope)
    policies = await read_policies(connection)
    return Found(
        receipts=tuple(_receipt(row) for row in await read_receipts(connection, scope)),
        trades=tuple(_trade(row) for row in executions),
        payments=tuple(Payment(**row) for row in await read_funding(connection, scope)),
        marks=await last_prices(connection),
        policies={pair: msgspec.convert(policy, Follow) for pair, policy in policies.items()},
        odd_fees=sum(1 for row in executions if row["fee"] and not _is_dollars(row)),
    )


_RECEIPT_FIELDS = Receipt.__struct_fields__


def _receipt(row: Any) -> Receipt:
    return Receipt(**{name: row[name] for name in _RECEIPT_FIELDS})


def _is_dollars(row: Any) -> bool:
    return row["fee_token"] is None or row["fee_token"] in DOLLARS


def _trade(row: Any) -> Trade:
    asked = (row["leader"] or NOBODY) if row["ours"] else None
    return Trade(
        time_ms=row["time_ms"],
        follower=row["follower"],
        coin=row["coin"],
        size=row["size"] if row["side"] == "B" else -row["size"],
        price=row["price"],
        fee_usd=row["fee"] if _is_dollars(row) else Decimal(0),
        asked=asked,
    )


def tracked_of(found: Found, scope: Scope) -> Tracking:
    """Integrate the tracking error of a scope that has receipts.

    It is of the engine's own executions; where the venue was not asked for them, of what receipts say was filled.
    """
    seen = seen_ratios(found.receipts)

    def ratio_of(receipt: Receipt) -> Decimal | None:
        follow = found.policies.get((receipt.leader, receipt.follower))
        known = None if follow is None else policy_ratio(follow, receipt)
        return seen(receipt) if known is None else known

    own = [
        Executed(time_ms=one.time_ms, follower=one.follower, coin=one.coin, size=one.size)
        for one in found.trades
        if one.asked is not None
    ]
    executed: Iterable[Executed] = own or _filled(found.receipts)
    last_ms = max(receipt.settled_ms for receipt in found.receipts)
    end_ms = last_ms if scope.until_ms is None else scope.until_ms
    return track(found.receipts, executed, found.policies, ratio_of, end_ms)


def _filled(receipts: Sequence[Receipt]) -> list[Executed]:
    rows = [one for one in receipts if one.filled and one.ordered]
    return [
        Executed(
            time_ms=one.settled_ms,
            follower=one.follower,
            coin=one.coin,
            size=one.filled.copy_sign(one.ordered),
        )
        for one in sorted(rows, key=lambda one: (one.settled_ms, one.number))
    ]


def _cents(row: Earned) -> Earned:
    names = [name for name in Earned.__struct_fields__ if name.endswith("_usd")]
    return msgspec.structs.replace(row, **{name: getattr(row, name).quantize(Decimal("0.000001")) for name in names})


def _print(rows: Sequence[Earned], columns: Sequence[str]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    figures = ("net", "closed", "open", "fees", "funding", "volume")
    for name in figures:
        table.add_column(f"{name}, USD", justify="right", no_wrap=True)
    for row in rows:
        money = (getattr(row, f"{name}_usd") for name in figures)
        table.add_row(*(getattr(row, name) for name in columns), *(f"{value.quantize(_CENT):,}" for value in money))
    _wide(table)


def _print_tracking(tracked: Tracking) -> None:
    share = "n/a" if tracked.share is None else f"{tracked.share * 100:.2f} %"
    whole = f"{tracked.error_usd_hours.quantize(_CENT):,} of {tracked.ideal_usd_hours.quantize(_CENT):,} USD·h"
    typer.echo(f"tracking error {whole}: {share}")
    causes = [cause for cause, amount in tracked.causes.items() if amount]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("coin")
    for cause in causes:
        table.add_column(f"{cause}, USD·h", justify="right", no_wrap=True)
    for coin, mine in sorted(tracked.coins.items(), key=lambda pair: -sum(pair[1].values())):
        if any(mine.values()):
            table.add_row(coin, *(f"{mine[cause].quantize(_CENT):,}" for cause in causes))
    if causes:
        table.add_row("all", *(f"{tracked.causes[cause].quantize(_CENT):,}" for cause in causes))
        _wide(table)
    if tracked.unsized:
        typer.echo(f"{tracked.unsized:,} positions whose size the policy could not tell are not in the ideal", err=True)


def _wide(table: Table) -> None:
    console = Console()
    # A pipe has no width: nothing is cut there.
    Console(width=None if console.is_terminal else 200).print(table)
