"""Plots as SVG text: no library, no script, no network; colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 12, 30
_WIDEST_COLUMN = 90.0

Point = tuple[float, float]
Series = tuple[str, str, Sequence[Point]]  # label, class, points


def number(value: float) -> str:
    """A figure for an axis: short, with a sign only when it is below zero."""
    size = abs(value)
    for scale, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= scale:
            return f"{value / scale:.4g}{unit}"
    return f"{value:.3g}"


_HOUR = 3_600_000.0
_SPANS: Final = (
    *(hours * _HOUR for hours in (1, 2, 6, 12)),
    *(days * 24 * _HOUR for days in (1, 2, 7, 14, 30, 90, 365)),
)


def day(value: float) -> str:
    """A time in ms as its day, with the hour where it is not midnight."""
    return datetime.fromtimestamp(value / 1000, UTC).strftime("%d %b %H:%M" if value % (24 * _HOUR) else "%d %b")


def days(low: float, high: float) -> list[float]:
    """Whole hours or days between two times, six or fewer."""
    step = next((span for span in _SPANS if (high - low) / span <= 6), _SPANS[-1])
    return [at * step for at in range(math.ceil(low / step), math.floor(high / step) + 1)]


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers between two ends."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step)
    return [round(at * step, 12) for at in range(first, math.floor(high / step) + 1)]


def lines(  # noqa: PLR0913 - how a plot looks, each by its name
    series: Sequence[Series],
    *,
    title: str,
    across: Callable[[float], str] = number,
    up: Callable[[float], str] = number,
    log: bool = False,
    time: bool = False,
    dots: bool = False,
    from_zero: bool = True,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Lines over one axis: `log` spaces it by the logarithm, `time` marks hours or days, `marks` are named places."""
    every = [point for _, _, points in series for point in points]
    if not every:
        return ""
    to_x, x_ticks = _axis([x for x, _ in every], _LEFT, WIDTH - _RIGHT, log=log)
    if time:
        x_ticks = days(min(x for x, _ in every), max(x for x, _ in every))
    values = [y for _, y in every]
    low, high = (min(*values, 0.0), max(*values, 0.0)) if from_zero else (min(values), max(values))
    spare = (high - low) * 0.06 or 1.0
    low = low - spare if low < 0 or not from_zero else 0.0
    high = high + spare if high > 0 or not low or not from_zero else 0.0

    def to_y(value: float) -> float:
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    parts = [_head(title)]
    for tick in ticks(low, high):
        y = to_y(tick)
        kind = "zero" if tick == 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick end" x="{_LEFT - 6}" y="{y + 4:.1f}">{escape(up(tick))}</text>')
    parts += [
        f'<text class="tick {"end" if to_x(tick) > WIDTH - _RIGHT - 24 else "mid"}" x="{to_x(tick):.1f}" '
        f'y="{HEIGHT - 10}">{escape(across(tick))}</text>'
        for tick in x_ticks
    ]
    for at, label in marks:
        x = to_x(at)
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
        side, shift = ("end", -5) if x > WIDTH / 2 else ("", 5)
        parts.append(f'<text class="note {side}" x="{x + shift:.1f}" y="{HEIGHT - _BOTTOM - 7}">{escape(label)}</text>')
    for label, kind, points in series:
        path = " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in points)
        parts.append(f'<polyline class="line {kind}" points="{path}"><title>{escape(label)}</title></polyline>')
        if dots:
            for x, y in points:
                tip = f"{label}: {across(x)}, {up(y)}"
                parts.append(
                    f'<circle class="dot {kind}" cx="{to_x(x):.1f}" cy="{to_y(y):.1f}" r="3.2">'
                    f"<title>{escape(tip)}</title></circle>"
                )
    return "".join(parts) + "</svg>" + _legend(series)


def _axis(
    values: Sequence[float], start: float, end: float, *, log: bool
) -> tuple[Callable[[float], float], list[float]]:
    low, high = min(values), max(values)
    if log:
        low, high = math.log10(max(low, 1e-9)), math.log10(max(high, 1e-9))
    span = (high - low) or 1.0

    def to_x(value: float) -> float:
        place = math.log10(max(value, 1e-9)) if log else value
        return start + (place - low) / span * (end - start)

    if log:
        factors = (1, 2, 5) if high - low < 2.5 else (1,)
        every = (10.0**power * factor for power in range(math.floor(low), math.ceil(high)) for factor in factors)
        return to_x, [at for at in (*every, 10.0 ** math.ceil(high)) if low - 1e-9 <= math.log10(at) <= high + 1e-9]
    return to_x, ticks(low, high, 6)


def waterfall(steps: Sequence[tuple[str, float]], total: str, *, title: str) -> str:
    """From the first value over signed steps to their sum."""
    heights, level = [], 0.0
    for at, (_, value) in enumerate(steps):
        heights.append((0.0, value) if at == 0 else (level, level + value))
        level += value
    bars = [(label, start, end) for (label, _), (start, end) in zip(steps, heights, strict=True)]
    bars.append((total, 0.0, level))
    edges = [edge for _, *both in bars for edge in both]
    low, high = min(edges), max(edges)
    spare = (high - low) * 0.1 or 1.0
    low, high = (low - spare if low < 0 else 0.0), high + spare
    slot = (WIDTH - _LEFT - _RIGHT) / len(bars)

    def to_y(value: float) -> float:
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    parts = [_head(title)]
    for tick in ticks(low, high, 4):
        y = to_y(tick)
        kind = "zero" if tick == 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick end" x="{_LEFT - 6}" y="{y + 4:.1f}">{number(tick)}</text>')
    for at, (label, start, end) in enumerate(bars):
        x, y = _LEFT + at * slot + slot * 0.14, min(to_y(start), to_y(end))
        tall = max(1.0, abs(to_y(start) - to_y(end)))
        kind = "whole" if at in (0, len(bars) - 1) else "good" if end >= start else "bad"
        value = end if at in (0, len(bars) - 1) else end - start
        middle = x + slot * 0.36
        parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{slot * 0.72:.1f}" height="{tall:.1f}"/>')
        parts.append(f'<text class="value mid" x="{middle:.1f}" y="{y - 4:.1f}">{number(value)}</text>')
        parts.append(f'<text class="tick mid" x="{middle:.1f}" y="{HEIGHT - 10}">{escape(label)}</text>')
    return "".join(parts) + "</svg>"


def bars(rows: Sequence[tuple[str, float, str]], *, title: str, labels: int = 100) -> str:
    """Horizontal bars: label, length from 0 to 1, text behind it; `labels` is the room for the labels."""
    tall = 26 * len(rows) + 8
    parts = [_head(title, tall)]
    widest = max((length for _, length, _ in rows), default=0.0) or 1.0
    for at, (label, length, text) in enumerate(rows):
        y = 6 + at * 26
        wide = length / widest * (WIDTH - labels - 230)
        parts.append(f'<text class="label end" x="{labels - 8}" y="{y + 14}">{escape(label)}</text>')
        parts.append(f'<rect class="cause" x="{labels}" y="{y}" width="{wide:.1f}" height="18"/>')
        parts.append(f'<text class="value" x="{labels + 8 + wide:.1f}" y="{y + 14}">{escape(text)}</text>')
    return "".join(parts) + "</svg>"


def columns(rows: Sequence[tuple[str, float]], *, title: str, labels: int = 1, counts: bool = False) -> str:
    """Upright columns from zero, every `labels`-th one named; `counts` are neither good nor bad."""
    if not rows:
        return ""
    low, high = min(0.0, *(value for _, value in rows)), max(0.0, *(value for _, value in rows))
    spare = (high - low) * 0.06 or 1.0
    low, high = (low - spare if low < 0 else 0.0), (high + spare if high > 0 or not low else 0.0)
    slot = (WIDTH - _LEFT - _RIGHT) / len(rows)
    wide = min(slot * 0.8, _WIDEST_COLUMN)

    def to_y(value: float) -> float:
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    parts = [_head(title), *_rules(low, high, to_y)]
    for at, (label, value) in enumerate(rows):
        middle, y = _LEFT + (at + 0.5) * slot, min(to_y(value), to_y(0.0))
        kind = "whole" if counts else "good" if value >= 0 else "bad"
        tall = abs(to_y(value) - to_y(0.0))
        tip = escape(f"{label}: {value:,.6g}" if counts else f"{label}: {value:,.2f}")
        parts.append(
            f'<rect class="{kind}" x="{middle - wide / 2:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}">'
            f"<title>{tip}</title></rect>"
        )
        if at % labels == 0:
            parts.append(_below(middle, label))
    return "".join(parts) + "</svg>"


def _below(x: float, label: str) -> str:
    """A name under the axis, inside the picture at its right end."""
    side, x = ("end", WIDTH - 2.0) if x > WIDTH - 24 else ("mid", x)
    return f'<text class="tick {side}" x="{x:.1f}" y="{HEIGHT - 10}">{escape(label)}</text>'


def _rules(low: float, high: float, to_y: Callable[[float], float]) -> list[str]:
    """Lines across at round numbers, with the numbers."""
    parts = []
    for tick in ticks(low, high, 4):
        y = to_y(tick)
        kind = "zero" if tick == 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick end" x="{_LEFT - 6}" y="{y + 4:.1f}">{number(tick)}</text>')
    return parts


def signed_bars(rows: Sequence[tuple[str, float, str]], *, title: str) -> str:
    """Horizontal bars to both sides of zero: label, value, text behind it."""
    if not rows:
        return ""
    tall = 26 * len(rows) + 8
    widest = max(abs(value) for _, value, _ in rows) or 1.0
    least, most = min(0.0, *(value for _, value, _ in rows)), max(0.0, *(value for _, value, _ in rows))
    # The texts stand behind the bars on the right, so that is where the room is.
    room = WIDTH - 92 - 8 - 250
    scale = room / ((most - least) or widest)
    zero = 100 - least * scale
    parts = [_head(title, tall), f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{tall}"/>']
    for at, (label, value, text) in enumerate(rows):
        y, wide = 6 + at * 26, abs(value) * scale
        x, kind = (zero, "good") if value >= 0 else (zero - wide, "bad")
        behind = max(zero, x + wide) + 8
        parts.append(f'<text class="label end" x="92" y="{y + 14}">{escape(label)}</text>')
        parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{wide:.1f}" height="18"/>')
        parts.append(f'<text class="value" x="{behind:.1f}" y="{y + 14}">{escape(text)}</text>')
    return "".join(parts) + "</svg>"


def heat(values: Sequence[Sequence[float]], down: Sequence[str], across: Sequence[str], *, title: str) -> str:
    """A field of cells, the stronger coloured the further from zero; each tells its value when pointed at."""
    tall_cell, left, top = 26, 44, 22
    wide_cell = (WIDTH - left - 4) / len(across)
    largest = max((abs(value) for row in values for value in row), default=0.0) or 1.0
    parts = [_head(title, top + tall_cell * len(down) + 4)]
    for column, name in enumerate(across):
        place = f'x="{left + (column + 0.5) * wide_cell:.1f}" y="14"'
        parts.append(f'<text class="tick mid" {place}>{escape(name)}</text>')
    for row, name in enumerate(down):
        y = top + row * tall_cell
        parts.append(f'<text class="tick end" x="{left - 8}" y="{y + 17}">{escape(name)}</text>')
        for column, value in enumerate(values[row]):
            # By the root: the many small cells stay visible beside the few large ones.
            strength = (abs(value) / largest) ** 0.5
            kind = "empty" if not value else "good" if value > 0 else "bad"
            shade = "" if not value else f' fill-opacity="{0.12 + 0.88 * strength:.2f}"'
            size = f'width="{wide_cell - 2:.1f}" height="{tall_cell - 2}"'
            place = f'x="{left + column * wide_cell + 1:.1f}" y="{y + 1}" {size}'
            tip = escape(f"{name} {across[column]}: {value:,.2f}")
            parts.append(f'<rect class="{kind}" {place}{shade}><title>{tip}</title></rect>')
    return "".join(parts) + "</svg>"


def _head(title: str, tall: int = HEIGHT) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {tall}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'


def _legend(series: Sequence[Series]) -> str:
    if len(series) < 2:
        return ""
    keys = "".join(f'<span><i class="{kind}"></i>{escape(label)}</span>' for label, kind, _ in series)
    return f'<p class="legend">{keys}</p>'
