"""Pieces of HTML pages that load nothing and run nothing: the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import Final

_HALF_CENT: Final = Decimal("0.005")
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
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:18px 0 22px}
.card{background:var(--card);border-radius:10px;padding:12px 14px}
.card b{display:block;font-size:21px;font-variant-numeric:tabular-nums}.card span{color:var(--soft);font-size:13px}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,500px),1fr));gap:26px 30px;margin-bottom:26px}
section{min-width:0}figure{margin:0}svg{width:100%;height:auto;display:block}
.good b,.good{color:var(--good)}.bad b,.bad{color:var(--bad)}
.grid line,line.grid{stroke:var(--rule)}line.zero{stroke:var(--soft)}line.mark{stroke:var(--mark);stroke-dasharray:4 3}
polyline.line{fill:none;stroke-width:1.8}polyline.mine{stroke:var(--mine)}polyline.ideal{stroke:var(--ideal)}polyline.down,polyline.fifth{stroke:var(--bad)}
polyline.third{stroke:var(--mark)}polyline.fourth{stroke:var(--good)}polyline.sixth{stroke:var(--text)}
circle.mine{fill:var(--mine)}circle.ideal{fill:var(--ideal)}
rect.whole{fill:var(--mine)}rect.good{fill:var(--good)}rect.bad{fill:var(--bad)}rect.cause{fill:var(--mine)}rect.empty{fill:var(--card)}
text{fill:var(--text);font-size:12.5px}text.tick{fill:var(--soft)}text.note{fill:var(--mark)}
text.end{text-anchor:end}text.mid{text-anchor:middle}
.legend{color:var(--soft);font-size:13px;margin:4px 0 0 66px}.legend span{margin-right:18px}
.legend i{display:inline-block;width:16px;height:3px;margin:0 6px 3px 0;border-radius:2px}
.legend i.mine{background:var(--mine)}.legend i.ideal{background:var(--ideal)}.legend i.third{background:var(--mark)}
.legend i.fourth{background:var(--good)}.legend i.fifth{background:var(--bad)}.legend i.sixth{background:var(--text)}
.box{border:1px solid var(--rule);border-radius:10px;padding:14px 16px;margin:0 0 24px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:6px 30px}
ul{margin:0;padding-left:18px}li{margin:0 0 4px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}
"""


def document(title: str, body: str) -> str:
    """A whole page around its body."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    whole = f"<head>{head}<style>{_STYLE}</style></head><body>{body}</body>"
    return f'<!doctype html><html lang="en">{whole}</html>\n'


def money(value: Decimal) -> str:
    """USD with the cents that matter."""
    text = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.2f}"
    return text.removeprefix("-") if text.strip("-0.") == "" else text


def tone(value: Decimal) -> str:
    """The kind of a card that shows a profit: nothing where `money` shows zero."""
    return "" if abs(value) < _HALF_CENT else "good" if value > 0 else "bad"


def percent(value: float | None) -> str:
    """A share in percent; a small one with two digits."""
    if value is None:
        return "n/a"
    if 0 < abs(value) < 0.000995:
        return f"{value * 100:.2g} %"
    # Adding zero makes a negative zero a plain one.
    return f"{round(value * 100, 1) + 0.0:.1f} %"


def section(title: str, content: str, kind: str = "") -> str:
    """A figure under a heading; nothing where there is no content."""
    if not content:
        return ""
    opened = f'<section class="{kind}">' if kind else "<section>"
    return f"{opened}<h2>{escape(title)}</h2><figure>{content}</figure></section>"


def cards(rows: Iterable[tuple[str, str, str]]) -> str:
    """Figures to be read first: what it is, its text, and "good", "bad" or nothing."""
    shown = (
        f'<div class="card {kind}"><b>{escape(text)}</b><span>{escape(name)}</span></div>' for name, text, kind in rows
    )
    return f'<div class="cards">{"".join(shown)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its first column stands left, the others right."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>'
