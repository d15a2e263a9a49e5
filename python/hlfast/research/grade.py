"""Grade, risk level and style of a trader; docs/discovery.md gives the formula."""

from __future__ import annotations

from typing import Literal

from hlfast.research.copyable import Copyable
from hlfast.research.figures import Analysis, Figures

Grade = Literal["A", "B", "C", "D", "F"]
RISKS = ("low", "medium", "high")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# Below these nothing is known, whatever the figures: the grade is F, and the reason says so.
FEWEST_TRIPS = 20
FEWEST_DAYS = 14
# A follower who keeps nothing has copied a loss, however steadily the trader earns: below D, that is F.
_MOST_WITHOUT_KEEPING = 34.0
_GRADES: tuple[tuple[float, Grade], ...] = ((80, "A"), (65, "B"), (50, "C"), (35, "D"))


class Graded(Figures, frozen=True):
    """A judgement with its parts. Points add up to `score` (0 to 100) unless a rule bounds it."""

    grade: Grade
    score: float
    points: dict[str, float]
    risk: Literal["low", "medium", "high"]
    style: Literal["scalper", "day", "swing", "position", "unknown"]
    role: Literal["maker", "taker", "mixed", "unknown"]
    bot_like: bool
    active: bool
    reasons: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Grade, score, risk, style and role, as tables show them."""
        style = self.style + (", bot" if self.bot_like else "")
        return self.grade, f"{self.score:.0f}", self.risk, style, self.role


def grade(one: Analysis, kept: Copyable, now_ms: int) -> Graded:
    """Judge a trader: first what a follower would have kept, then how steadily it was made."""
    points = {
        "kept": 35 * _between(kept.kept_share, 0.0, 0.8),
        "profit factor": 20 * _between(one.trades.profit_factor, 1.0, 2.5),
        "steadiness": 20 * _between(one.risk.sortino, 0.0, 4.0),
        "drawdown": 15 * (1 - _between(-(one.risk.max_drawdown or 0.0), 0.05, 0.5)),
        "record": 10 * _between(float(one.trades.closed), FEWEST_TRIPS, 200),
    }
    reasons = _reasons(one, kept)
    known = one.trades.closed >= FEWEST_TRIPS and one.days >= FEWEST_DAYS
    score = sum(points.values()) if known else 0.0
    if kept.kept_usd <= 0:
        score = min(score, _MOST_WITHOUT_KEEPING)
    if not known:
        trips = f"{one.trades.closed} round trips in {one.days:.0f} days"
        reasons = (f"{trips}: fewer than {FEWEST_TRIPS} trips or {FEWEST_DAYS} days tell nothing", *reasons)
    return Graded(
        grade=next((letter for least, letter in _GRADES if score >= least), "F"),
        score=round(score, 1),
        points={name: round(value, 1) for name, value in points.items()},
        risk=risk_level(one),
        style=style(one),
        role=role(one),
        bot_like=bot_like(one),
        active=now_ms - one.last_ms <= 7 * DAY_MS,
        reasons=reasons,
    )


def _between(value: float | None, low: float, high: float) -> float:
    """0 at `low` and below or where nothing is known, 1 at `high` and above, linear in between."""
    return 0.0 if value is None else min(1.0, max(0.0, (value - low) / (high - low)))


def risk_level(one: Analysis) -> Literal["low", "medium", "high"]:
    """High: drawdown above 30 %, leverage above 10 or a liquidation; low: below 10 % and 3."""
    fall, leverage = -(one.risk.max_drawdown or 0.0), one.exposure.largest_leverage or 0.0
    if fall > 0.3 or leverage > 10 or one.trades.liquidations:
        return "high"
    return "low" if fall < 0.1 and leverage < 3 else "medium"


def style(one: Analysis) -> Literal["scalper", "day", "swing", "position", "unknown"]:
    """By the median round trip: below 30 minutes, a day, two weeks, or longer."""
    median = one.holding.median_ms
    if median is None:
        return "unknown"
    if median < HOUR_MS // 2:
        return "scalper"
    return "day" if median < DAY_MS else "swing" if median < 14 * DAY_MS else "position"


def role(one: Analysis) -> Literal["maker", "taker", "mixed", "unknown"]:
    """Maker above 70 % of value resting, taker below 30 %."""
    share = one.maker_share
    if share is None:
        return "unknown"
    return "maker" if share > 0.7 else "taker" if share < 0.3 else "mixed"


def bot_like(one: Analysis) -> bool:
    """More than 100 orders an active day, and trips ending in at least 20 hours of the day."""
    hours = sum(1 for hour in one.hours if hour.trades)
    return one.orders > 100 * max(1, one.active_days) and hours >= 20


def _reasons(one: Analysis, kept: Copyable) -> tuple[str, ...]:
    said = []
    if kept.kept_share is not None:
        said.append(f"a follower would have kept {kept.kept_usd:,} of {kept.gross_usd:,} USD ({kept.kept_share:.0%})")
    else:
        said.append(f"nothing to keep: profit at the follower's size is {kept.gross_usd:,} USD")
    if kept.not_copied > 0.2:
        said.append(f"{kept.not_copied:.0%} of the value is left out at the follower's size: most is below 10 USD")
    if one.maker_share is not None and one.maker_share > 0.7:
        said.append(f"{one.maker_share:.0%} rested in the book: a follower takes what this trader makes")
    if one.trades.liquidations:
        said.append(f"liquidated in {one.trades.liquidations} positions")
    if one.cut:
        said.append("the venue cut the record at about 10,000 fills")
    return tuple(said)
