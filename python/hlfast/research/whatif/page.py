"""The result as one HTML page: nothing is loaded, nothing runs, and the same result gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from hlfast.research import plots
from hlfast.research.pages import cards, document, money, percent, section, table, tone
from hlfast.research.whatif.result import Result


def render(result: Result) -> str:
    """Write the page."""
    body = [
        _header(result),
        _cards(result),
        _basis(result),
        '<div class="grid">',
        section("From the leader's edge to what is left, USD", _waterfall(result)),
        section("Profit over the record, USD", _profit(result)),
        _by_latency(result),
        section("Share of the volume copied, by the follower's equity", _equity(result)),
        section("Tracking error by cause", _causes(result)),
        section("What became of the leader's fills", _endings(result)),
        "</div>",
        section("Coins", _coins(result), "box"),
        _notes(result),
    ]
    return document(f"What if: {result.name}", "".join(body))


def policy_of(result: Result) -> str:
    """The policy's settings in one line."""
    shown = ((name, ", ".join(value) if isinstance(value, tuple) else value) for name, value in result.policy.items())
    return ", ".join(f"{name} {value}" for name, value in shown)


def _header(result: Result) -> str:
    first, last = (
        datetime.fromtimestamp(at / 1000, UTC).strftime("%d %b %Y") for at in (result.first_ms, result.last_ms)
    )
    policy = policy_of(result)
    return (
        f"<h1>What if {escape(result.name)} had been copied</h1>"
        f'<p class="soft">{result.fills:,} fills, {first} to {last}, with {money(result.equity_usd)} USD. '
        f"Policy: {escape(policy)}. The decisions are the engine's own; the venue is a model.</p>"
    )


def _cards(result: Result) -> str:
    least = result.least
    rows = [
        ("net profit, USD", money(result.money.net_usd), tone(result.money.net_usd)),
        ("of the leader's edge kept", percent(result.money.kept_share), ""),
        ("of the volume copied", percent(result.copied.share), ""),
        ("tracking error, of the exposure", percent(result.error.share), ""),
        ("largest drawdown", percent(result.max_drawdown), ""),
    ]
    if least is not None:
        text = "none reaches it" if least.equity_usd is None else money(least.equity_usd)
        rows.append((f"least USD to copy {least.wanted * 100:g} % of the volume", text, ""))
    return cards(rows)


def _basis(result: Result) -> str:
    def listed(title: str, rows: Iterable[str]) -> str:
        items = "".join(f"<li>{escape(row)}</li>" for row in rows)
        return f"<div><h2>{title}</h2><ul>{items}</ul></div>"

    both = listed("Measured", result.measured) + listed("Assumed", result.assumed)
    return f'<section class="box two">{both}</section>'


def _waterfall(result: Result) -> str:
    found = result.money
    steps = [
        ("edge", found.edge_usd),
        ("not copied", -found.missed_usd),
        ("drift", -found.drift_usd),
        ("spread", -found.spread_usd),
        ("impact", -found.impact_usd),
        ("fees", -found.fees_usd),
        ("funding", found.funding_usd),
    ]
    values = [(label, float(value)) for label, value in steps]
    return plots.waterfall(values, "net", title="From the leader's edge to the follower's net profit")


def _profit(result: Result) -> str:
    mine = [(float(at), float(net)) for at, net, _ in result.curve]
    ideal = [(float(at), float(edge)) for at, _, edge in result.curve]
    series: Sequence[plots.Series] = (("ideal copy, free of charge", "ideal", ideal), ("follower, net", "mine", mine))
    return plots.lines(series, title="Profit over the record", across=plots.day, time=True)


def _by_latency(result: Result) -> str:
    """The share of the edge that is kept; where there is no edge to keep, the profit itself."""
    has_edge = any(one.kept_share is not None for one in result.latencies)
    title = "What is kept of the edge, by latency" if has_edge else "Net profit by latency, USD"
    # Zero has no logarithm: it stands at the left end.
    points = [
        (max(float(one.latency_ms), 50.0), (one.kept_share or 0.0) * 100 if has_edge else float(one.net_usd))
        for one in result.latencies
    ]
    chart = plots.lines(
        [("kept" if has_edge else "net", "mine", points)],
        title=title,
        across=_milliseconds,
        up=_percent_tick if has_edge else plots.number,
        log=True,
        dots=True,
        marks=[(max(float(result.latency_ms), 50.0), f"this page: {result.latency_ms:,} ms")],
    )
    if not chart:
        return ""
    text = "The age limit is lifted here: the curve shows what the price does, straight between known ones."
    if any(issue.kind == "minute_times" for issue in result.issues):
        text += " Times are whole minutes: below 60 s this record says nothing."
    return section(title, f'{chart}<p class="soft">{text}</p>')


def _milliseconds(value: float) -> str:
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"


def _percent_tick(value: float) -> str:
    return f"{value:g} %"


def _equity(result: Result) -> str:
    if result.least is None:
        return ""
    points = [(float(one.equity_usd), (one.copied_share or 0.0) * 100) for one in result.least.tried]
    least = result.least.equity_usd
    marks = [] if least is None else [(float(least), f"{result.least.wanted * 100:g} % from {money(least)} USD")]
    return plots.lines(
        [("copied", "mine", points)], title="Copied share by equity", up=_percent_tick, log=True, dots=True, marks=marks
    )


def _causes(result: Result) -> str:
    rows = [
        (one.cause, one.share, f"{money(one.usd_hours)} USD·h, {percent(one.share)}")
        for one in result.error.causes
        if one.usd_hours
    ]
    if not rows:
        return '<p class="soft">None: the follower held what the ideal copy held.</p>'
    whole = f"{money(result.error.usd_hours)} USD·h of {money(result.error.ideal_usd_hours)} asked for"
    return (
        plots.bars(rows, title="Tracking error by cause")
        + f'<p class="soft">{whole}: {percent(result.error.share)}.</p>'
    )


def _endings(result: Result) -> str:
    total = sum(result.copied.endings.values())
    rows = [
        (name.removesuffix(": none"), f"{count:,}", percent(count / total))
        for name, count in list(result.copied.endings.items())[:9]
    ]
    return table(("receipt", "fills", "share"), rows)


def _coins(result: Result) -> str:
    rows = [
        (
            one.coin,
            money(one.volume_usd),
            money(one.edge_usd),
            money(one.net_usd),
            money(one.fees_usd),
            money(one.funding_usd),
            f"{one.half_spread_bps:.2f}",
            money(one.depth_usd),
            "measured" if one.measured else "assumed",
        )
        for one in result.coins
    ]
    head = ("coin", "volume", "edge", "net", "fees", "funding", "half spread, bps", "depth in 10 bps, USD", "book")
    return table(head, rows)


def _notes(result: Result) -> str:
    if not result.issues:
        return ""
    items = "".join(
        f"<li>{escape(f'{one.count:,} {one.kind}: ' if one.count > 1 else '')}{escape(one.text)}</li>"
        for one in result.issues
    )
    return f'<section class="box"><h2>About the record</h2><ul>{items}</ul></section>'
