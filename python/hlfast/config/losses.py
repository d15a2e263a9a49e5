"""Checks of what limits losses and crowds: latches of accounts and follows, most followers of a leader."""

from __future__ import annotations

from collections import Counter

from hlfast.config import values
from hlfast.config.model import Follow, Follower, Leader
from hlfast.config.problems import Problem
from hlfast.config.values import Problems

_MOST_FOLLOWERS = 1_000_000


def check_losses(problems: Problems, at: str, row: Follower | Follow) -> None:
    """Check the limits of one account or follow."""
    limits = [row.max_daily_loss_usd, row.max_drawdown_usd]
    values.usd(problems, f"{at}.max_daily_loss_usd", row.max_daily_loss_usd)
    values.usd(problems, f"{at}.max_drawdown_usd", row.max_drawdown_usd)
    if isinstance(row, Follower):
        limits.append(None if row.max_drawdown_bps is None else str(row.max_drawdown_bps))
        if row.max_drawdown_bps is not None:
            values.whole(problems, f"{at}.max_drawdown_bps", row.max_drawdown_bps, 1, 10_000)
    if row.on_trip is not None and limits.count(None) == len(limits):
        what = "is only for a limit of losses, and there is none"
        problems.append(Problem(f"{at}.on_trip", what, "set max_daily_loss_usd or max_drawdown_usd, or leave it out"))


def check_crowds(problems: Problems, leaders: tuple[Leader, ...], follows: tuple[Follow, ...]) -> None:
    """Check that no leader has more follows than it may have."""
    counts = Counter(follow.leader for follow in follows)
    for at, leader in enumerate(leaders):
        setting, most = f"leaders[{at}].max_followers", leader.max_followers
        if most is None:
            continue
        values.whole(problems, setting, most, 1, _MOST_FOLLOWERS)
        if most > 0 and counts[leader.name] > most:
            what = f"is {most}, and {counts[leader.name]} follow it"
            problems.append(Problem(setting, what, "leave some of [[follows]] out, or raise it"))
