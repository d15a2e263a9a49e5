"""The result as one HTML page: nothing is loaded, nothing runs, and the same result gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Final

from hlfast.research.whatif import plots
from hlfast.research.whatif.result import Result

_STYLE: Final = """
:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--soft:#5b6570;--rule:#d9dee4;--card:#f5f7f9;--mine:#1f6feb;
--ideal:#8a94a0;--good:#1a7f4b;--bad:#c4432b;--mark:#9a6b00}
@media (prefers-color-scheme:dark){:root{--back:#14181d;--text:#e7ebef;--soft:#9aa5b1;--rule:#2f3740;--card:#1c2229;
--mine:#6aa5ff;--ideal:#7d8894;--good:#4cc38a;--bad:#f07a63;--mark:#e0b252}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:24px 20px 60px;background:var(--back);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:23px;margin:0 0 2px;overflow-wrap:anywhere}h2{font-size:16px;margin:0 0 8px}
p{margin:0 0 10px}.soft{color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin:18px 0 22px}
.card{background:var(--card);border-radius:10px;padding:12px 14px}
.card b{display:block;font-size:21px;font-variant-numeric:tabular-nums}.card span{color:var(--soft);font-size:13px}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,500px),1fr));gap:26px 30px;margin-bottom:26px}
section{min-width:0}figure{margin:0}svg{width:100%;height:auto;display:block}
.good b,.good{color:var(--good)}.bad b,.bad{color:var(--bad)}
.grid line,line.grid{stroke:var(--rule)}line.zero{stroke:var(--soft)}line.mark{stroke:var(--mark);stroke-dasharray:4 3}
polyline.line{fill:none;stroke-width:1.8}polyline.mine{stroke:var(--mine)}polyline.ideal{stroke:var(--ideal)}
circle.mine{fill:var(--mine)}circle.ideal{fill:var(--ideal)}
rect.whole{fill:var(--mine)}rect.good{fill:var(--good)}rect.bad{fill:var(--bad)}rect.cause{fill:var(--mine)}
text{fill:var(--text);font-size:12.5px}text.tick{fill:var(--soft)}text.note{fill:var(--mark)}
text.end{text-anchor:end}text.mid{text-anchor:middle}
.legend{color:var(--soft);font-size:13px;margin:4px 0 0 66px}.legend span{margin-right:18px}
.legend i{display:inline-block;width:16px;height:3px;margin:0 6px 3px 0;border-radius:2px}
.legend i.mine{background:var(--mine)}.legend i.ideal{background:var(--ideal)}
.box{border:1px solid var(--rule);border-radius:10px;padding:14px 16px;margin:0 0 24px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:6px 30px}
ul{margin:0;padding-left:18px}li{margin:0 0 4px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}
"""


def render(result: Result) -> str:
    """Write the page."""
    body = [
        _header(result),
        _cards(result),
        _basis(result),
        '<div class="grid">',
        _section("From the leader's edge to what is left, USD", _waterfall(result)),
        _section("Profit over the record, USD", _profit(result)),
        _section("What is kept of the edge, by latency", _latency(result)),
        _section("Share of the volume copied, by the follower's equity", _equity(result)),
        _section("Tracking error by cause", _causes(result)),
        _section("What became of the leader's fills", _endings(result)),
        "</div>",
        _section("Coins", _coins(result), "box"),
        _notes(result),
    ]
    title = escape(f"What if: {result.name}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    whole = f"<head>{head}<style>{_STYLE}</style></head><body>{''.join(body)}</body>"
    return f'<!doctype html><html lang="en">{whole}</html>\n'


def money(value: Decimal) -> str:
    """USD with the cents that matter."""
    text = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.2f}"
    return text.removeprefix("-") if text.strip("-0.") == "" else text


def policy_of(result: Result) -> str:
    """The policy's settings in one line."""
    shown = ((name, ", ".join(value) if isinstance(value, tuple) else value) for name, value in result.policy.items())
    return ", ".join(f"{name} {value}" for name, value in shown)


def percent(value: float | None) -> str:
    """A share in percent."""
    return "n/a" if value is None else f"{value * 100:.1f} %"


def _section(title: str, content: str, kind: str = "") -> str:
    if not content:
        return ""
    opened = f'<section class="{kind}">' if kind else "<section>"
    return f"{opened}<h2>{escape(title)}</h2><figure>{content}</figure></section>"


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
        ("net profit, USD", money(result.money.net_usd), "good" if result.money.net_usd > 0 else "bad"),
        ("of the leader's edge kept", percent(result.money.kept_share), ""),
        ("of the volume copied", percent(result.copied.share), ""),
        ("tracking error, of the exposure", percent(result.error.share), ""),
        ("largest drawdown", percent(result.max_drawdown), ""),
    ]
    if least is not None:
        text = "none reaches it" if least.equity_usd is None else money(least.equity_usd)
        rows.append((f"least USD to copy {least.wanted * 100:g} % of the volume", text, ""))
    cards = (
        f'<div class="card {kind}"><b>{escape(text)}</b><span>{escape(name)}</span></div>' for name, text, kind in rows
    )
    return f'<div class="cards">{"".join(cards)}</div>'


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


def _latency(result: Result) -> str:
    points = [
        (float(one.latency_ms), (one.kept_share or 0.0) * 100) for one in result.latencies if one.kept_share is not None
    ]
    if not points:
        points = [(float(one.latency_ms), float(one.net_usd)) for one in result.latencies]
        up = plots.number
    else:
        up = _percent_tick
    # Zero has no logarithm: it stands at the left end.
    shown = [(max(at, 50.0), value) for at, value in points]
    marks = [(max(float(result.latency_ms), 50.0), f"this page: {result.latency_ms:,} ms")]
    text = "The age limit is lifted here: the curve shows what the price does, straight between known ones."
    note = f'<p class="soft">{text}</p>'
    chart = plots.lines(
        [("kept", "mine", shown)],
        title="Kept share by latency",
        across=_milliseconds,
        up=up,
        log=True,
        dots=True,
        marks=marks,
    )
    return chart + note if chart else ""


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


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>'


def _endings(result: Result) -> str:
    total = sum(result.copied.endings.values())
    rows = [
        (name.removesuffix(": none"), f"{count:,}", percent(count / total))
        for name, count in list(result.copied.endings.items())[:9]
    ]
    return _table(("receipt", "fills", "share"), rows)


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
    return _table(head, rows)


def _notes(result: Result) -> str:
    if not result.issues:
        return ""
    items = "".join(
        f"<li>{escape(f'{one.count:,} {one.kind}: ' if one.count > 1 else '')}{escape(one.text)}</li>"
        for one in result.issues
    )
    return f'<section class="box"><h2>About the record</h2><ul>{items}</ul></section>'
