"""Several traders on one HTML page: compared by their figures, or as a search judged them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from itertools import accumulate
from typing import TYPE_CHECKING

from hlfast.research import plots
from hlfast.research.figures import Analysis
from hlfast.research.pages import document, money, percent, section, table

if TYPE_CHECKING:
    # It needs the store, an extra of its own; files are compared without it.
    from hlfast.research.discovery import Judged

_MOST_BARS = 20
_LINES = ("mine", "ideal", "third", "fourth", "fifth", "sixth")
_COMPARED = ("trader", "days", "trips", "won", "net USD", "profit factor", "Sharpe", "drawdown", "leverage", "maker")
_JUDGED = ("trader", "grade", "score", "risk", "style", "role", "trips", "days", "net USD", "kept", "drawdown")


def short(name: str) -> str:
    """An address by its ends, any other name as it is."""
    return name if len(name) < 20 else f"{name[:8]}…{name[-4:]}"


def _label(name: str) -> str:
    """What has room beside a bar."""
    return name[:13] if len(name) < 20 else f"{name[:6]}…{name[-4:]}"


def render_compared(analyses: Sequence[Analysis]) -> str:
    """Write the page of analysed traders, in the order given."""
    head = f'<h1>{len(analyses)} traders</h1><p class="soft">By their fills. All times are UTC.</p>'
    bars = [
        (_label(one.name), float(one.money.net_usd), f"{money(one.money.net_usd)} of {one.trades.closed:,} trips")
        for one in sorted(analyses, key=lambda one: -one.money.net_usd)[:_MOST_BARS]
    ]
    notes = [f"{short(one.name)}: {', '.join(issue.kind for issue in one.issues)}" for one in analyses if one.issues]
    body = [
        head,
        section("Figures", table(_COMPARED, map(_compared, analyses)), "box"),
        '<div class="grid">',
        section("Net profit, USD", plots.signed_bars(bars, title="Net profit by trader")),
        section("Realised profit over capital, by days since the first", _returns(analyses)),
        "</div>",
        section("What is to be known of these records", _list(notes), "box"),
    ]
    return document(f"{len(analyses)} traders", "".join(body))


def _compared(one: Analysis) -> tuple[str, ...]:
    return (
        short(one.name),
        f"{one.days:,.1f}",
        f"{one.trades.closed:,}",
        percent(one.trades.win_rate),
        money(one.money.net_usd),
        _ratio(one.trades.profit_factor),
        _ratio(one.risk.sharpe),
        percent(one.risk.max_drawdown),
        _ratio(one.exposure.mean_leverage),
        percent(one.maker_share),
    )


def _returns(analyses: Sequence[Analysis]) -> str:
    """Realised profit added up over capital: transfers are in neither, as they are in a curve of equity."""
    drawn = [one for one in analyses if len(one.daily) > 1 and one.capital_usd > 0]
    series = [(short(one.name), kind, _profits(one)) for one, kind in zip(drawn, _LINES, strict=False)]
    left = len(analyses) - len(series)
    note = f'<p class="soft">{left:,} more without a line</p>' if left and series else ""
    return plots.lines(series, title="Realised profit over capital", up=percent) + note


def _profits(one: Analysis) -> list[tuple[float, float]]:
    """(days since the first, profit until then as a share of the capital)."""
    first = one.daily[0][0]
    sums = accumulate(usd for _, usd in one.daily)
    return [(float(day - first), float(usd / one.capital_usd)) for (day, _), usd in zip(one.daily, sums, strict=True)]


def render_judged(judged: Sequence[Judged], said: Sequence[str] = ()) -> str:
    """Write the page of judged traders, best score first; `said` tells how they were found."""
    ordered = sorted(judged, key=lambda one: (-one.graded.score, one.address))
    size = f"for a follower of {money(ordered[0].follower_usd)} USD" if ordered else "nobody was judged yet"
    scores = [
        (_label(one.address), one.graded.score / 100, f"{one.graded.grade}, {one.graded.score:.0f} points")
        for one in ordered[:_MOST_BARS]
    ]
    kept = [
        (_label(one.address), float(one.kept.kept_usd), f"{money(one.kept.kept_usd)} of {money(one.kept.gross_usd)}")
        for one in ordered[:_MOST_BARS]
    ]
    reasons = [f"{short(one.address)}: {'; '.join(one.graded.reasons)}" for one in ordered]
    body = [
        f'<h1>Whom to copy</h1><p class="soft">{len(ordered):,} traders judged, {size}.</p>',
        '<div class="grid">',
        section("Score, of 100", plots.bars(scores, title="Score by trader", labels=120) if scores else ""),
        section("Kept of the profit at the follower's size, USD", plots.signed_bars(kept, title="Kept by trader")),
        "</div>",
        section("Judgements", table(_JUDGED, map(_judged, ordered)), "box") if ordered else "",
        section("Why", _list(reasons), "box"),
        section("How they were found", _list(said), "box"),
    ]
    return document("Whom to copy", "".join(body))


def _judged(one: Judged) -> tuple[str, ...]:
    return (
        one.address,
        *one.graded.cells,
        f"{one.trips:,}",
        f"{one.days:,.0f}",
        money(Decimal(one.net_usd)),
        percent(one.kept.kept_share),
        percent(one.max_drawdown),
    )


def _ratio(value: float | None) -> str:
    return "n/a" if value is None else f"{value:z,.2f}"


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>" if items else ""
