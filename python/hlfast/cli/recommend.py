"""`hlfast recommend`: whom to copy, with how much, and why."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from hlfast.cli.found import read_figures
from hlfast.cli.line import EXIT_WRONG, refuse
from hlfast.cli.records import Database
from hlfast.cli.traders import parse_capital, percent
from hlfast.research.insights import insights
from hlfast.research.recommend import Profile, Recommendation, Recommended
from hlfast.research.recommend import recommend as chosen_for
from hlfast.store import traders as stored
from hlfast.store.database import DEFAULT_URL, opened
from hlfast.store.reads import leader_outcomes

_STYLES = ("scalper", "day", "swing", "position")
_MONTH_MS = 30 * 86_400_000


def recommend(  # noqa: PLR0913, PLR0917 # one parameter an option of the command line
    database: Database = DEFAULT_URL,
    profile: Annotated[str, typer.Option(help="A name; what was viewed and accepted is kept by it.")] = "default",
    risk: Annotated[str, typer.Option(help="low, medium or high: above it a trader loses points.")] = "medium",
    style: Annotated[str | None, typer.Option(help="Such as swing,day; default: any.")] = None,
    capital: Annotated[str, typer.Option(help="USD to spread.")] = "10000",
    traders: Annotated[int, typer.Option(min=1, max=50, help="At most so many.")] = 5,
    most: Annotated[int, typer.Option(min=1, max=100, help="Percent of the money for one of them, at most.")] = 40,
    accept: Annotated[str | None, typer.Option(help="Note that you took this address, and end.")] = None,
    withdraw: Annotated[str | None, typer.Option(help="Note that you no longer take it, and end.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Choose among the traders that [bold]hlfast discover[/bold] judged, for your risk, style and money.

    What a follower of your size would have kept comes first, then how well he fits; money is spread by how much and how
    alike they move. docs/discovery.md has the formulas. This follows nobody.
    """
    if accept or withdraw:
        _mark(database, profile, (accept or withdraw or "").lower(), accepted=accept is not None)
        return
    wanted = _profile(risk, style, capital, traders, most)
    found, standing, said = asyncio.run(_recommend(database, profile, wanted))
    if as_json:
        rows = [
            {**stored.builtins_of(one), "viewed_ms": row.viewed_ms, "accepted_ms": row.accepted_ms}
            for one, row in zip(found.chosen, standing, strict=True)
        ]
        body = {"profile": profile, "chosen": rows, "insights": found.insights, "leaders": said}
        typer.echo(msgspec.json.encode(body).decode())
        return
    _show(found, standing)
    for text in said:
        typer.echo(f"leader   {text}")


def _profile(risk: str, style: str | None, capital: str, traders: int, most: int) -> Profile:
    if risk not in ("low", "medium", "high"):
        refuse(f'--risk is "{risk}"', "write low, medium or high")
    styles = tuple(part.strip() for part in (style or "").split(",") if part.strip())
    for one in styles:
        if one not in _STYLES:
            refuse(f'--style has "{one}"', f"known are {', '.join(_STYLES)}")
    known: Literal["low", "medium", "high"] = risk  # type: ignore[assignment] # looked at above
    return Profile(
        risk=known,
        styles=styles,
        capital_usd=parse_capital(capital, "--capital") or Decimal(0),
        most_traders=traders,
        most_share=most / 100,
    )


async def _recommend(
    database: str, name: str, profile: Profile
) -> tuple[Recommended, list[stored.Recommended], tuple[str, ...]]:
    now_ms = time.time_ns() // 1_000_000
    async with opened(database) as engine, engine.begin() as connection:
        found = chosen_for(await read_figures(connection), profile, now_ms)
        rows = [_row(one, name, now_ms) for one in found.chosen]
        standing = await stored.save_recommendations(connection, rows)
        await stored.mark_viewed(connection, standing, now_ms)
        said = await _leaders(connection, now_ms)
    return found, standing, said


async def _leaders(connection: AsyncConnection, now_ms: int) -> tuple[str, ...]:
    return insights(await leader_outcomes(connection, now_ms - _MONTH_MS))


def _row(one: Recommendation, name: str, now_ms: int) -> stored.Recommended:
    details: dict[str, Any] = {
        "grade": one.grade,
        "compatibility": one.compatibility.total,
        "amount_usd": str(one.amount_usd),
        "warnings": list(one.warnings),
    }
    return stored.Recommended(
        profile=name,
        address=one.address,
        made_ms=now_ms,
        score=one.score,
        share=one.share,
        reasons=list(one.reasons),
        details=details,
    )


def _mark(database: str, profile: str, address: str, *, accepted: bool) -> None:
    async def run() -> bool:
        now_ms = time.time_ns() // 1_000_000 if accepted else None
        async with opened(database) as engine, engine.begin() as connection:
            return await stored.mark_accepted(connection, profile, address, now_ms)

    if not asyncio.run(run()):
        typer.echo(f"{address} was never recommended to {profile}\n  → hlfast recommend shows who is", err=True)
        raise typer.Exit(EXIT_WRONG)
    typer.echo(f"{address} is {'accepted' if accepted else 'no longer accepted'} by {profile}")


def _show(found: Recommended, standing: list[stored.Recommended]) -> None:
    if found.chosen:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("trader", "grade", "score", "fits", "share", "USD", "would have kept", "state"):
            table.add_column(name, justify="left" if name in ("trader", "grade", "state") else "right", no_wrap=True)
        for one, row in zip(found.chosen, standing, strict=True):
            kept = f"{one.kept.kept_usd:,.0f} ({percent(one.kept.kept_share)})" if one.share else "·"
            table.add_row(
                one.address,
                one.grade,
                f"{one.score:.0f}",
                percent(one.compatibility.total),
                percent(one.share),
                f"{one.amount_usd:,.0f}",
                kept,
                _state(row),
            )
        console = Console()
        Console(width=None if console.is_terminal else 160).print(table)
    for one in found.chosen:
        typer.echo(f"{one.address}")
        for text in one.reasons:
            typer.echo(f"  because  {text}")
        for text in one.warnings:
            typer.echo(f"  but      {text}")
    for text in found.insights:
        typer.echo(f"insight  {text}")


def _state(row: stored.Recommended) -> str:
    if row.accepted_ms is not None:
        return f"accepted {datetime.fromtimestamp(row.accepted_ms / 1000, UTC):%Y-%m-%d}"
    return "seen" if row.viewed_ms is not None else "new"
