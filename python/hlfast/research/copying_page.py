"""What copying did, as an HTML page with plots: profit, costs, receipts, equity, tracking error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

import msgspec

from hlfast.research import plots
from hlfast.research.earnings import Earned, summed
from hlfast.research.pages import cards, document, money, percent, section, table, tone
from hlfast.research.tracking import Tracking
from hlfast.store.reads import LeaderOutcome

_DAY_MS = 86_400_000
_MOST_BARS = 14
_MOST_ROWS = 200
_MOST_LINES = 6
_LINES = ("mine", "ideal", "third", "fourth", "fifth", "sixth")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What executions of one leader, follower and coin cost against the leader's prices, USD; positive costs.

    The parts are None where the quotes of the moment are not known.
    """

    leader: str
    follower: str
    coin: str
    traded_usd: Decimal
    total_usd: Decimal
    delay_usd: Decimal | None
    spread_usd: Decimal | None
    impact_usd: Decimal | None


class Copying(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the page shows."""

    since_ms: int | None
    until_ms: int | None
    receipts_by_day: Mapping[int, int]  # days since 1970
    outcomes: Sequence[LeaderOutcome]
    earned: Sequence[Earned]
    costs: Sequence[Cost]
    equity: Mapping[str, Sequence[tuple[int, Decimal]]]  # by follower
    tracking: Tracking | None
    insights: Sequence[str]
    alerts: Sequence[tuple[int, str, str]]  # Unix ms, level, text
    notes: Sequence[str]


def render(found: Copying) -> str:
    """Write the page."""
    body = [
        _header(found),
        _cards(found),
        section("What is to be known of this page", _list(found.notes), "box") if found.notes else "",
        '<div class="grid">',
        section("Profit by leader, USD", _profit(found.earned, "leader")),
        section("Profit by follower, USD", _profit(found.earned, "follower")),
        section("Profit by coin, USD", _profit(found.earned, "coin")),
        section("Equity of followers, USD", _equity(found.equity)),
        section("What became of the leaders' decisions, for each follow", _outcomes(found.outcomes)),
        section("Leaders' fills a day, times follows", _days(found.receipts_by_day)),
        section("Tracking error by cause", _tracking(found.tracking)),
        section("Cost against the leaders' prices", _costs(found.costs)),
        "</div>",
        section("By leader, follower and coin", _earned(found.earned), "box"),
        section("What stands out", _list(found.insights), "box") if found.insights else "",
        section("Latest alerts", _alerts(found.alerts), "box"),
    ]
    return document("What copying did", "".join(body))


def _header(found: Copying) -> str:
    if found.since_ms is None or found.until_ms is None:
        return '<h1>What copying did</h1><p class="soft">The database holds no receipts yet.</p>'
    first, last = (
        datetime.fromtimestamp(at / 1000, UTC).strftime("%d %b %Y %H:%M") for at in (found.since_ms, found.until_ms)
    )
    leaders = len({row.leader for row in found.outcomes})
    text = f"Leaders' fills from {first} to {last}, {leaders} leaders. All times are UTC."
    return f'<h1>What copying did</h1><p class="soft">{text}</p>'


def _cards(found: Copying) -> str:
    total = sum(row.count for row in found.outcomes)
    filled = sum(row.count for row in found.outcomes if row.outcome in ("filled", "partly_filled"))
    net = sum((row.net_usd for row in found.earned), Decimal(0))
    fees = sum((row.fees_usd for row in found.earned), Decimal(0))
    funding = sum((row.funding_usd for row in found.earned), Decimal(0))
    traded = sum((cost.traded_usd for cost in found.costs), Decimal(0))
    lost = sum((cost.total_usd for cost in found.costs), Decimal(0))
    rows = [
        ("net profit, USD", money(net), tone(net)),
        ("fees, USD", money(fees), ""),
        ("funding, USD", money(funding), ""),
    ]
    rows = rows if found.earned else [(name, "n/a", "") for name, _, _ in rows]
    rows += [
        ("decisions, for each follow", f"{total:,}", ""),
        ("of them filled", percent(filled / total) if total else "n/a", ""),
        ("bps from the leaders' prices", f"{lost / traded * 10_000:.1f}" if traded else "n/a", ""),
        ("tracking error", percent(found.tracking.share) if found.tracking else "n/a", ""),
    ]
    return cards(rows)


def _profit(rows: Sequence[Earned], by: str) -> str:
    found = sorted(summed(rows, (by,)), key=lambda row: -abs(row.net_usd))
    shown = sorted(found[:_MOST_BARS], key=lambda row: -row.net_usd)
    bars = [
        (str(getattr(row, by))[:14], float(row.net_usd), f"{money(row.net_usd)}, fees {money(row.fees_usd)}")
        for row in shown
    ]
    left = len(found) - len(shown)
    note = f'<p class="soft">and {left:,} with less</p>' if left else ""
    return plots.signed_bars(bars, title=f"Profit by {by}") + note


def _equity(curves: Mapping[str, Sequence[tuple[int, Decimal]]]) -> str:
    largest = sorted(curves.items(), key=lambda item: -item[1][-1][1] if item[1] else Decimal(0))[:_MOST_LINES]
    series = [
        (name, kind, [(float(at), float(usd)) for at, usd in points])
        for (name, points), kind in zip(largest, _LINES, strict=False)
        if len(points) > 1
    ]
    if not series:
        return ""
    left = len(curves) - len(series)
    note = f'<p class="soft">The largest {len(series)}; {left:,} are not shown.</p>' if left > 0 else ""
    return plots.lines(series, title="Equity", across=plots.day, time=True, from_zero=False) + note


def _outcomes(rows: Sequence[LeaderOutcome]) -> str:
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.outcome if row.reason == "none" else row.reason] += row.count
    total = sum(counts.values())
    shown = [
        (name.replace("_", " "), count / total, f"{count:,}, {percent(count / total)}")
        for name, count in counts.most_common(_MOST_BARS)
    ]
    return plots.bars(shown, title="Receipts by what became of them", labels=150) if shown else ""


def _days(counts: Mapping[int, int]) -> str:
    if not counts:
        return ""
    first, last = max(min(counts), max(counts) - 89), max(counts)
    rows = [(plots.day(float(day) * _DAY_MS), float(counts.get(day, 0))) for day in range(first, last + 1)]
    return plots.columns(rows, title="Receipts a day", labels=max(1, -(-len(rows) // 6)), counts=True)


def _tracking(tracking: Tracking | None) -> str:
    if tracking is None or not tracking.error_usd_hours:
        return ""
    whole = tracking.error_usd_hours
    rows = [
        (cause, float(amount / whole), f"{money(amount)} USD·h")
        for cause, amount in sorted(tracking.causes.items(), key=lambda item: -item[1])
        if amount
    ]
    note = f"{money(whole)} USD·h of {money(tracking.ideal_usd_hours)} asked for: {percent(tracking.share)}."
    return plots.bars(rows, title="Tracking error by cause") + f'<p class="soft">{note}</p>'


def _costs(costs: Sequence[Cost]) -> str:
    if not costs:
        return ""
    by: dict[str, list[Cost]] = {}
    for cost in costs:
        by.setdefault(cost.leader, []).append(cost)
    rows = []
    for leader, mine in sorted(by.items()):
        traded = sum((cost.traded_usd for cost in mine), Decimal(0))
        total = sum((cost.total_usd for cost in mine), Decimal(0))
        parts = [_sum(mine, name) for name in ("delay_usd", "spread_usd", "impact_usd")]
        bps = f"{total / traded * 10_000:.1f}" if traded else "n/a"
        # Orders whose quotes are not known have a cost, and no parts.
        rest = total - sum(parts, Decimal(0))
        rows.append((leader, money(traded), money(total), bps, *map(money, parts), money(rest)))
    return table(("leader", "traded", "cost", "bps", "delay", "spread", "impact", "not split"), rows)


def _sum(costs: Sequence[Cost], name: str) -> Decimal:
    return sum((value for cost in costs if (value := getattr(cost, name)) is not None), Decimal(0))


def _earned(rows: Sequence[Earned]) -> str:
    if not rows:
        return ""
    ordered = sorted(rows, key=lambda row: -abs(row.net_usd))
    shown = [
        (
            row.leader,
            row.follower,
            row.coin,
            money(row.volume_usd),
            money(row.closed_usd),
            money(row.open_usd),
            money(row.fees_usd),
            money(row.funding_usd),
            money(row.net_usd),
        )
        for row in ordered[:_MOST_ROWS]
    ]
    head = ("leader", "follower", "coin", "volume", "closed", "open", "fees", "funding", "net")
    left = len(ordered) - len(shown)
    note = f'<p class="soft">and {left:,} rows with less</p>' if left else ""
    return table(head, shown) + note


def _alerts(rows: Sequence[tuple[int, str, str]]) -> str:
    return _list(
        [
            f"{datetime.fromtimestamp(at / 1000, UTC).strftime('%d %b %H:%M:%S')} {level}: {text}"
            for at, level, text in rows
        ]
    )


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>" if items else ""
