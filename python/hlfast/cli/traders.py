"""`hlfast traders`: who they are by their fills."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hlfast.cli.line import EXIT_WRONG, refuse
from hlfast.research.analysis import Beside, analyse
from hlfast.research.figures import Analysis
from hlfast.research.files import ADDRESS, FileRefusedError, history_from_file
from hlfast.research.from_venue import fetch_blocking
from hlfast.research.history import Issue
from hlfast.research.trader_page import render
from hlfast.research.traders_page import render_compared, short

_DATABASE = "sqlite:///hlfast.db"
_MAINNET = "https://api.hyperliquid.xyz"
WHAT_TO_NAME = "name an address (0x and 40 digits), or a file of fill rows: JSON, JSON lines, .gz"
_BLOCKS = "▁▂▃▄▅▆▇█"
_BARS = 60

Capital = Annotated[
    str | None, typer.Option(help="USD before the first fill, for returns of files; default: the largest exposure.")
]
Venue = Annotated[str, typer.Option(help="Base URL for addresses.")]
Plot = Annotated[Path | None, typer.Option(help="Write a PNG of one trader's equity and drawdown.")]
Html = Annotated[Path | None, typer.Option(help="Write a page of one trader with plots; it loads nothing.")]


def traders(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Addresses, or files of fill rows (JSON, JSON lines, .gz).")
    ] = None,
    capital: Capital = None,
    venue: Venue = _MAINNET,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a trader, with every figure.")] = False,
    plot: Plot = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with plots: one trader whole, several compared, or those found.")
    ] = None,
    database: Annotated[
        str, typer.Option("--database", "-d", envvar="HLFAST_STORE__URL", help="Of those that were found.")
    ] = _DATABASE,
) -> None:
    """Analyse traders by their public fills: profit, trades, risk, habits, and what is missing in the record.

    Several are compared in one table; one is shown whole. Formulas: docs/analytics.md. A trader with more than 10,000
    fills is cut by the venue, and the output says so. Without names it lists those that [bold]hlfast discover[/bold]
    judged, best first.
    """
    if not targets:
        _list_found(database, html, as_json=as_json)
        return
    analyses = _read_all(targets, Beside(capital=parse_capital(capital, "--capital")), venue)
    if as_json:
        for one in analyses:
            typer.echo(msgspec.json.encode(one).decode())
    elif len(analyses) == 1:
        show(analyses[0])
    elif analyses:
        compare(analyses)
    _write_several(analyses, plot, html)
    if len(analyses) < len(targets):
        raise typer.Exit(EXIT_WRONG)


def _read_all(targets: list[str], beside: Beside, venue: str) -> list[Analysis]:
    analyses = []
    for target in targets:
        try:
            analyses.append(_analyse(target, beside, venue))
        except FileRefusedError as error:
            typer.echo(f"{error}\n  → {WHAT_TO_NAME}", err=True)
    return analyses


def _write_several(analyses: list[Analysis], plot: Path | None, html: Path | None) -> None:
    if len(analyses) == 1:
        _write_out(analyses[0], plot, html)
        return
    if plot is not None:
        refuse("--plot is of one trader, and several were named", "name one, or --html for a page that compares them")
    if html is not None and analyses:
        write_page(html, render_compared(analyses))


def trader(
    target: Annotated[str, typer.Argument(metavar="ADDRESS|FILE", help="An address, or a file of fill rows.")],
    capital: Capital = None,
    venue: Venue = _MAINNET,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with every figure.")] = False,
    plot: Plot = None,
    html: Html = None,
    kept: Annotated[
        bool, typer.Option("--kept", help="Show what hlfast discover kept of the address, and ask the venue nothing.")
    ] = False,
    database: Annotated[
        str, typer.Option("--database", "-d", envvar="HLFAST_STORE__URL", help="Of what was kept.")
    ] = _DATABASE,
) -> None:
    """Show one trader: profit, returns, risk, round trips, habits, and what is missing in the record.

    An address is read from the venue (public data; up to three minutes within its limits), a file as it is. Formulas:
    docs/analytics.md. [bold]hlfast traders[/bold] compares several, [bold]hlfast what-if[/bold] tells what a follower
    would have kept.
    """
    beside = Beside(capital=parse_capital(capital, "--capital"))
    if kept:
        one = _kept(database, target.lower())
    else:
        try:
            one = _analyse(target, beside, venue)
        except FileRefusedError as error:
            typer.echo(f"{error}\n  → {WHAT_TO_NAME}", err=True)
            raise typer.Exit(EXIT_WRONG) from None
    if as_json:
        typer.echo(msgspec.json.encode(one).decode())
    else:
        show(one)
    _write_out(one, plot, html)


def _kept(database: str, address: str) -> Analysis:
    # The store is an extra of its own; files and addresses do without it.
    from hlfast.cli.found import kept_figures

    found = asyncio.run(kept_figures(database, address))
    if found is None:
        typer.echo(f"{address} was not judged yet\n  → hlfast discover, or leave out --kept", err=True)
        raise typer.Exit(EXIT_WRONG)
    return found


def _list_found(database: str, html: Path | None, *, as_json: bool) -> None:
    # The store is an extra of its own; files and addresses do without it.
    from hlfast.cli.found import kept_traders, show_judged, write_judged

    kept = kept_traders(database)
    if as_json:
        for one in kept:
            typer.echo(msgspec.json.encode(one).decode())
    elif kept:
        show_judged(kept)
    else:
        typer.echo("nobody was judged yet; hlfast discover finds traders")
    if html is not None:
        write_judged(html, kept)


def parse_capital(text: str | None, option: str) -> Decimal | None:
    """Read an amount of USD above zero; a command's option that is none ends it."""
    if text is None:
        return None
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0:
        refuse(f'{option} is "{text}"', "write USD above zero, such as 25000")
    return value


def _analyse(target: str, beside: Beside, venue: str) -> Analysis:
    if ADDRESS.fullmatch(target):
        history, found = fetch_blocking(target.lower(), venue)
        if not history.fills.height:
            raise FileRefusedError(f"{target}: the venue knows no fills of it (an agent's address has none)")
        return analyse(history, found)
    return analyse(history_from_file(Path(target)), beside)


def compare(analyses: list[Analysis]) -> None:
    """Print one row a trader."""
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    for name in ("trader", "days", "trips", "won", "net USD", "factor", "drawdown", "Sharpe", "maker"):
        table.add_column(name, justify="left" if name == "trader" else "right", no_wrap=True)
    for one in analyses:
        table.add_row(
            short(one.name),
            f"{one.days:,.1f}",
            f"{one.trades.closed:,}",
            percent(one.trades.win_rate),
            f"{one.money.net_usd:z,.0f}",
            ratio(one.trades.profit_factor),
            percent(one.risk.max_drawdown),
            ratio(one.risk.sharpe),
            percent(one.maker_share),
        )
    Console().print(table)
    noted = sorted({issue.kind for one in analyses for issue in one.issues})
    typer.echo(f"notes on the records: {', '.join(noted) or 'none'}; hlfast trader NAME shows one trader's")


def show(one: Analysis) -> None:
    """Print everything about one trader that fits a terminal."""
    first, last = (datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d") for at in (one.first_ms, one.last_ms))
    record = f"{one.fills:,} fills, {one.orders:,} orders, {first} to {last}, {one.active_days} active days"
    notes = [f"{_count(issue)}{issue.text}{_examples(issue)}" for issue in one.issues]
    rows = (*_money_rows(one), *_habit_rows(one), *(("note", note) for note in notes))
    console = Console()
    if not console.is_terminal:
        # A pipe has no width: lines stay whole there.
        lines = (f"  {name:<12} {text}" for name, text in rows)
        typer.echo("\n".join((f"{one.name}: {record}", *lines)))
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in rows:
        is_note = name == "note"
        grid.add_row(Text(f"  {name:<11}", style="yellow" if is_note else "bold"), Text(text, "dim" if is_note else ""))
    console.print(Text(one.name, style="bold"), Text(record, style="dim"))
    console.print(grid)


def _count(issue: Issue) -> str:
    return f"{issue.count:,} {issue.kind}: " if issue.count > 1 else ""


def _examples(issue: Issue) -> str:
    return f" ({'; '.join(issue.examples[:2])})" if issue.examples else ""


def _money_rows(one: Analysis) -> list[tuple[str, str]]:
    trades, money, risk = one.trades, one.money, one.risk
    funding = f"{money.funding_usd:z,.2f}" if money.funding_known else "not known"
    parts = f"closed {money.closed_pnl_usd:z,.2f}, fees {money.fees_usd:z,.2f}, funding {funding}"
    pair = f"win {usd(trades.average_win_usd)}, loss {usd(trades.average_loss_usd)}"
    streaks = f"streaks {trades.longest_winning_streak} won, {trades.longest_losing_streak} lost"
    tail = f"VaR {percent(risk.value_at_risk)}, shortfall {percent(risk.expected_shortfall)}"
    basis = f"on {one.capital_usd:,.0f} USD ({one.equity_basis})"
    trips = f"{trades.closed:,} closed ({percent(trades.win_rate)} won), {trades.open} open, {trades.partial} partial"
    return [
        ("profit", f"{money.net_usd:z,.2f} USD net: {parts}"),
        ("equity", _bars([float(value) for _, value, _ in one.equity])),
        ("returns", f"{percent(risk.total_return)} {basis}, drawdown {percent(risk.max_drawdown)}"),
        ("risk", f"Sharpe {ratio(risk.sharpe)}, Sortino {ratio(risk.sortino)}, {tail}"),
        ("volume", f"{money.volume_usd:,.0f} USD, {percent(one.maker_share)} maker, {percent(one.twap_share)} TWAP"),
        ("round trips", trips),
        ("per trip", f"{pair}, profit factor {ratio(trades.profit_factor)}"),
        ("extremes", f"{usd(trades.largest_win_usd)} to {usd(trades.largest_loss_usd)}, {streaks}"),
    ]


def _habit_rows(one: Analysis) -> list[tuple[str, str]]:
    hold, held = one.holding, one.exposure
    exposure = f"{held.mean_gross_usd:,.0f} USD mean, {percent(held.long_share)} long"
    leverage = f"leverage {ratio(held.mean_leverage)} mean, {ratio(held.largest_leverage)} at most"
    sizes = f"{one.sizes.median_order_usd:,.0f} USD median order, {one.sizes.ninetieth_order_usd:,.0f} the ninth of ten"
    return [
        ("held", f"{span(hold.median_ms)} median, {span(hold.tenth_ms)} to {span(hold.ninetieth_ms)} for eight in ten"),
        ("exposure", f"{percent(held.in_market)} of the time, {exposure}, {leverage}"),
        ("sizes", sizes),
        ("hours, UTC", f"0 {_bars([bucket.trades for bucket in one.hours])} 23, trips closed"),
        ("weekdays", f"Mon {_bars([bucket.trades for bucket in one.weekdays])} Sun"),
        ("coins", ", ".join(f"{coin.coin} {percent(coin.share)} ({coin.net_usd:+z,.0f})" for coin in one.coins[:6])),
        ("markets", ", ".join(f"{kind.label} {kind.net_usd:+z,.0f}" for kind in one.markets if kind.trades) or "none"),
    ]


def _bars(values: Sequence[float]) -> str:
    """A curve of at most `_BARS` characters, from its least value to its largest."""
    if not values:
        return "n/a"
    step = max(1, -(-len(values) // _BARS))
    shown = list(values[step - 1 :: step])
    if (len(values) - step) % step:
        shown.append(values[-1])
    low, high = min(shown), max(shown)
    wide = (high - low) or 1.0
    return "".join(_BLOCKS[round((value - low) / wide * (len(_BLOCKS) - 1))] for value in shown)


def percent(value: float | None) -> str:
    """A fraction in percent."""
    return "n/a" if value is None else f"{value * 100:z.1f} %"


def ratio(value: float | None) -> str:
    """A ratio with two places."""
    return "n/a" if value is None else f"{value:z,.2f}"


def usd(value: Decimal | None) -> str:
    """Whole cents."""
    return "n/a" if value is None else f"{value:z,.2f}"


def span(value_ms: int | None) -> str:
    """A length of time in its largest unit."""
    if value_ms is None:
        return "n/a"
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if value_ms >= size:
            return f"{value_ms / size:.1f} {unit}"
    return f"{value_ms} ms"


def _write_out(one: Analysis, plot: Path | None, html: Path | None) -> None:
    if plot is not None:
        _plot(one, plot)
    if html is not None:
        write_page(html, render(one))


def write_page(path: Path, text: str) -> None:
    """Write a page, or say why it can't be written and end."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        refuse(f"{path}: {error}", "name a file in a directory that exists")
    typer.echo(f"page: {path}", err=True)


def _plot(one: Analysis, path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        refuse("a plot needs matplotlib", "pip install 'hlfast[analytics]'")
    figure = Figure(figsize=(9, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    times = [datetime.fromtimestamp(at / 1000, UTC) for at, _, _ in one.equity]
    above.plot(times, [float(value) for _, value, _ in one.equity], color="#1f6feb", linewidth=1.2)
    above.set_ylabel("equity, USD")
    above.set_title(f"{one.name} ({one.equity_basis} capital)", fontsize=9)
    below.fill_between(times, [fall * 100 for _, _, fall in one.equity], color="#cf222e", alpha=0.4)
    below.set_ylabel("drawdown, %")
    try:
        figure.savefig(path, dpi=130, format="png")
    except OSError as error:
        refuse(f"{path}: {error}", "name a file in a directory that exists")
    typer.echo(f"plot: {path}", err=True)
