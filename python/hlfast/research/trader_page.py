"""One trader's figures as an HTML page with plots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

from hlfast.research import plots
from hlfast.research.figures import Analysis, Bucket
from hlfast.research.grade import Graded
from hlfast.research.history import Issue
from hlfast.research.pages import cards, document, money, percent, section, table, tone

_DAY_MS = 86_400_000
_MOST_COINS = 14
_SHOWN_PLACES = 12
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Edges of the histogram of round trips, ms, and what is written below each bar.
_HOLDING = (
    (0, "< 1 s"),
    (1_000, "1 s"),
    (10_000, "10 s"),
    (60_000, "1 min"),
    (600_000, "10 min"),
    (3_600_000, "1 h"),
    (6 * 3_600_000, "6 h"),
    (_DAY_MS, "1 d"),
    (3 * _DAY_MS, "3 d"),
    (7 * _DAY_MS, "1 w"),
    (30 * _DAY_MS, "1 mo"),
)


def render(one: Analysis, graded: Graded | None = None) -> str:
    """Write the page; with his grade if there is one."""
    body = [
        _header(one, graded),
        _cards(one),
        '<div class="grid">',
        section(f"Equity, USD ({one.equity_basis} capital)", _equity(one)),
        section("Drawdown, without deposits and withdrawals", _drawdown(one)),
        section("Realised profit a day, USD", _daily(one)),
        section("Profit by month, USD", _buckets(one.months[-18:], "Profit by month")),
        section("Profit by hour (UTC) and weekday of closing, USD", _heat(one)),
        section("How long positions were held", _holding(one)),
        section("Profit by coin, USD", _coins(one)),
        section("Profit by kind of market, USD", _buckets(one.markets, "Profit by kind of market")),
        "</div>",
        section("Figures", _figures(one), "box"),
        _judgement(graded),
        _notes(one),
    ]
    return document(f"Trader {one.name}", "".join(body))


def _header(one: Analysis, graded: Graded | None) -> str:
    first, last = (datetime.fromtimestamp(at / 1000, UTC).strftime("%d %b %Y") for at in (one.first_ms, one.last_ms))
    record = f"{one.fills:,} fills in {one.orders:,} orders, {first} to {last}, {one.active_days:,} active days"
    said = f"Grade {graded.grade}, {graded.risk} risk, {graded.style}, {graded.role}. " if graded else ""
    return f'<h1>{escape(one.name)}</h1><p class="soft">{said}{record}. All times are UTC.</p>'


def _cards(one: Analysis) -> str:
    trades, risk = one.trades, one.risk
    return cards(
        [
            ("net profit, USD", money(one.money.net_usd), tone(one.money.net_usd)),
            (f"of {trades.closed:,} round trips won", percent(trades.win_rate), ""),
            ("profit factor", _ratio(trades.profit_factor), ""),
            ("Sharpe ratio", _ratio(risk.sharpe), ""),
            ("largest drawdown", percent(risk.max_drawdown), ""),
            ("volume, USD", plots.number(float(one.money.volume_usd)), ""),
            ("of the volume rested", percent(one.maker_share), ""),
        ]
    )


def _ratio(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,.2f}"


def _equity(one: Analysis) -> str:
    points = [(float(at), float(usd)) for at, usd, _ in one.equity]
    return plots.lines([("equity", "mine", points)], title="Equity", across=plots.day, time=True, from_zero=False)


def _drawdown(one: Analysis) -> str:
    points = [(float(at), fall * 100) for at, _, fall in one.equity]
    chart = [("drawdown", "down", points)]
    return plots.lines(chart, title="Drawdown", across=plots.day, up=_percent_tick, time=True)


def _percent_tick(value: float) -> str:
    return f"{value:g} %"


def _daily(one: Analysis) -> str:
    rows = [(float(day) * _DAY_MS, float(usd)) for day, usd in one.daily[-180:]]
    return plots.columns(
        [(plots.day(at), value) for at, value in rows], title="Realised profit a day", labels=_spread(len(rows))
    )


def _spread(count: int) -> int:
    """Every how manyth column is labelled: about six of them."""
    return max(1, -(-count // 6))


def _buckets(rows: Sequence[Bucket], title: str) -> str:
    shown = [(row.label, float(row.net_usd)) for row in rows]
    if not any(value for _, value in shown):
        return ""
    return plots.columns(shown, title=title, labels=max(1, -(-len(shown) // 9)))


def _heat(one: Analysis) -> str:
    if not any(any(row) for row in one.heat):
        return ""
    values = [[float(usd) for usd in row] for row in one.heat]
    hours = [f"{hour:02}" for hour in range(24)]
    return plots.heat(values, _WEEKDAYS, hours, title="Profit by hour and weekday")


def _holding(one: Analysis) -> str:
    if not one.holding_times_ms:
        return ""
    edges = [edge for edge, _ in _HOLDING]
    counts = [0] * len(edges)
    for held in one.holding_times_ms:
        counts[max(place for place, edge in enumerate(edges) if held >= edge)] += 1
    rows = [(label, float(count)) for (_, label), count in zip(_HOLDING, counts, strict=True)]
    first = next(place for place, (_, count) in enumerate(rows) if count)
    last = max(place for place, (_, count) in enumerate(rows) if count)
    return plots.columns(rows[max(0, first - 1) : last + 2], title="Round trips by length", labels=1, counts=True)


def _coins(one: Analysis) -> str:
    shown = sorted(one.coins, key=lambda coin: -abs(coin.net_usd))[:_MOST_COINS]
    rows = [
        (coin.coin, float(coin.net_usd), f"{money(coin.net_usd)}, {percent(coin.share)} of volume")
        for coin in sorted(shown, key=lambda coin: -coin.net_usd)
    ]
    left = len(one.coins) - len(shown)
    note = f'<p class="soft">and {left:,} coins with less</p>' if left else ""
    return plots.signed_bars(rows, title="Profit by coin") + note


def _figures(one: Analysis) -> str:
    trades, cash, hold, risk, sizes = one.trades, one.money, one.holding, one.risk, one.sizes

    def usd(value: Decimal | None) -> str:
        return "n/a" if value is None else money(value)

    rows = [
        ("closed profit, before fees", usd(cash.closed_pnl_usd), "fees", usd(cash.fees_usd)),
        ("funding", usd(cash.funding_usd) if cash.funding_known else "not known", "net", usd(cash.net_usd)),
        ("average win", usd(trades.average_win_usd), "average loss", usd(trades.average_loss_usd)),
        ("largest win", usd(trades.largest_win_usd), "largest loss", usd(trades.largest_loss_usd)),
        ("longest winning streak", f"{trades.longest_winning_streak}", "losing", f"{trades.longest_losing_streak}"),
        ("median held", _span(hold.median_ms), "eight in ten", f"{_span(hold.tenth_ms)} to {_span(hold.ninetieth_ms)}"),
        ("winners held", _span(hold.winners_median_ms), "losers held", _span(hold.losers_median_ms)),
        ("median order", usd(sizes.median_order_usd), "largest position", usd(sizes.largest_peak_usd)),
        ("annual return", percent(risk.annual_return), "volatility", percent(risk.annual_volatility)),
        ("Sortino ratio", _ratio(risk.sortino), "Calmar ratio", _ratio(risk.calmar)),
        ("value at risk, a step", percent(risk.value_at_risk), "shortfall", percent(risk.expected_shortfall)),
        ("time in the market", percent(one.exposure.in_market), "opened long", percent(one.exposure.long_share)),
        ("mean leverage", _ratio(one.exposure.mean_leverage), "largest", _ratio(one.exposure.largest_leverage)),
        ("liquidated positions", f"{trades.liquidations}", "flips", f"{trades.flips:,}"),
    ]
    return table(("", "", "", ""), rows)


def _span(value_ms: int | None) -> str:
    if value_ms is None:
        return "n/a"
    for unit, size in (("d", _DAY_MS), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if value_ms >= size:
            return f"{value_ms / size:.1f} {unit}"
    return f"{value_ms} ms"


def _judgement(graded: Graded | None) -> str:
    if graded is None:
        return ""
    points = ", ".join(f"{name} {value:g}" for name, value in graded.points.items())
    items = [f"{graded.score:g} points: {points}", *graded.reasons]
    return section(f"Why grade {graded.grade}", _list(items), "box")


def _note(issue: Issue) -> str:
    text = f"{issue.count:,} {issue.kind}: {issue.text}" if issue.count > 1 else issue.text
    shown = issue.examples[:_SHOWN_PLACES]
    if not shown:
        return text
    left = issue.count - len(shown)
    return f"{text} ({'; '.join(shown)}{f'; and {left:,} more' if left > 0 else ''})"


def _notes(one: Analysis) -> str:
    items = [_note(issue) for issue in one.issues]
    return section("What is to be known of this record", _list(items), "box") if items else ""


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
