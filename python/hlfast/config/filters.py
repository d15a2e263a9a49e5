"""Checks of what gates an edge's increases: hours, delay, leader, market."""

from __future__ import annotations

import re

from hlfast.config import values
from hlfast.config.model import Follow
from hlfast.config.problems import Problem
from hlfast.config.values import Problems
from hlfast.config.zones import is_zone

_WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_MAX_DELAY_MS = 3_600_000
MOST_PERCENT = 1_000  # of what the best price offers; beyond it the number bounds nothing


def check_filters(problems: Problems, setting: str, follow: Follow) -> None:
    """Check the gates of one edge, each by itself and beside what it needs."""
    _check_hours(problems, setting, follow)
    _check_quality(problems, setting, follow)
    least = values.usd(problems, f"{setting}.min_value_usd", follow.min_value_usd)
    most = values.usd(problems, f"{setting}.max_value_usd", follow.max_value_usd)
    if least is not None and most is not None and least > most:
        what = "is more than max_value_usd, so no entry would pass"
        problems.append(Problem(f"{setting}.min_value_usd", what, "swap the two"))
    if follow.delay_ms is not None:
        values.whole(problems, f"{setting}.delay_ms", follow.delay_ms, 1, _MAX_DELAY_MS)
    if follow.min_listed_days is not None:
        values.whole(problems, f"{setting}.min_listed_days", follow.min_listed_days, 1, 365)
    values.factor(problems, f"{setting}.max_leader_leverage", follow.max_leader_leverage)
    values.usd(problems, f"{setting}.min_day_volume_usd", follow.min_day_volume_usd)
    values.usd(problems, f"{setting}.min_open_interest_usd", follow.min_open_interest_usd)
    values.usd(problems, f"{setting}.min_depth_usd", follow.min_depth_usd)
    if follow.max_depth_percent is not None:
        values.whole(problems, f"{setting}.max_depth_percent", follow.max_depth_percent, 1, MOST_PERCENT)


def _check_hours(problems: Problems, setting: str, follow: Follow) -> None:
    if follow.hours_zone is not None and follow.hours is None:
        problems.append(Problem(f"{setting}.hours_zone", "belongs to hours, which is not set", "leave it out"))
    elif follow.hours_zone is not None and not is_zone(follow.hours_zone):
        what = f'"{follow.hours_zone[:40]}" is no zone of the tz database'
        problems.append(
            Problem(f"{setting}.hours_zone", what, 'write it as in "Europe/Berlin", or leave it out for UTC')
        )
    if follow.hours is None:
        return
    if not follow.hours:
        what = "is an empty list, so nothing would ever be entered"
        problems.append(Problem(f"{setting}.hours", what, "leave it out for all day, or name windows"))
    windows = [(f"{setting}.hours[{at}]", window) for at, window in enumerate(follow.hours)]
    for where, window in windows:
        start, _, end = window.partition("-")
        if not _WINDOW.fullmatch(window):
            fix = 'write "HH:MM-HH:MM", as in "22:00-06:00"; the end may be 24:00'
            problems.append(Problem(where, f"{window[:40]!r} is no window of hours", fix))
        elif start == end or window == "00:00-24:00":
            problems.append(Problem(where, f'"{window}" is all day or never', "leave hours out for all day"))
    values.no_repeats(problems, windows, "is the same window", "leave it out")


def _check_quality(problems: Problems, setting: str, follow: Follow) -> None:
    asked = follow.only_profitable or follow.max_leader_drawdown_bps is not None
    if asked and follow.quality_window is None:
        what = "is missing: only_profitable and max_leader_drawdown_bps judge the leader over it"
        problems.append(Problem(f"{setting}.quality_window", what, 'set it to "day", "week", "month" or "all"'))
    elif follow.quality_window is not None and not asked:
        fix = "set only_profitable or max_leader_drawdown_bps, or leave it out"
        problems.append(Problem(f"{setting}.quality_window", "judges nothing", fix))
    if follow.max_leader_drawdown_bps is not None:
        values.whole(problems, f"{setting}.max_leader_drawdown_bps", follow.max_leader_drawdown_bps, 1, 10_000)
