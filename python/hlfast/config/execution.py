"""Checks of how orders are sent: what an account borrows for them, and what they pay beside the venue's fee."""

from __future__ import annotations

from hlfast.config import values
from hlfast.config.model import Builder, Config, Follower
from hlfast.config.portions import check_native
from hlfast.config.problems import Problem, suggestion
from hlfast.config.values import Problems

# Venue rules (2026-08): a builder takes at most 0.1 % on perps; beyond 8 bps a bid gains next to nothing.
MOST_BUILDER_TENTHS_BPS = 100
MOST_PRIORITY_BPS = 8
MOST_LEVERAGE = 100  # more than any market has lent


def check_execution(problems: Problems, config: Config) -> None:
    """Check the builder, and every follower's part of it."""
    if config.builder is not None:
        _check_builder(problems, config.builder)
    for at, follower in enumerate(config.followers):
        _check_follower(problems, f"followers[{at}]", follower, config.builder)
        check_native(problems, f"followers[{at}]", follower, config.builder)


def _check_builder(problems: Problems, builder: Builder) -> None:
    values.address(problems, "builder.address", builder.address)
    values.whole(problems, "builder.fee_tenths_bps", builder.fee_tenths_bps, 1, MOST_BUILDER_TENTHS_BPS)


def _check_follower(problems: Problems, at: str, follower: Follower, builder: Builder | None) -> None:
    _check_leverage(problems, at, follower)
    fee = follower.builder_fee_tenths_bps
    if fee is not None:
        values.whole(problems, f"{at}.builder_fee_tenths_bps", fee, 0, MOST_BUILDER_TENTHS_BPS)
        if builder is None:
            fix = "write [builder] with address and fee_tenths_bps, or leave it out"
            problems.append(Problem(f"{at}.builder_fee_tenths_bps", "has no builder to go to", fix))
    if follower.max_priority_bps is not None:
        values.whole(problems, f"{at}.max_priority_bps", follower.max_priority_bps, 1, MOST_PRIORITY_BPS)


def _check_leverage(problems: Problems, at: str, follower: Follower) -> None:
    leverage = follower.leverage
    if isinstance(leverage, int):
        values.whole(problems, f"{at}.leverage", leverage, 1, MOST_LEVERAGE)
    elif leverage not in ("mirror", "leave"):
        fix = f"{suggestion(leverage, ['mirror', 'leave'])} or write a whole number of times"
        problems.append(Problem(f"{at}.leverage", f'cannot be "{leverage[:40]}"', fix))
    if follower.max_leverage is not None:
        values.whole(problems, f"{at}.max_leverage", follower.max_leverage, 1, MOST_LEVERAGE)
    if leverage == "leave":
        for field, given in (
            ("max_leverage", follower.max_leverage is not None),
            ("margin", follower.margin != "mirror"),
        ):
            if given:
                what = 'is set together with leverage, but leverage is "leave"'
                problems.append(Problem(f"{at}.{field}", what, "leave it out, or change leverage"))
    elif isinstance(leverage, int) and follower.max_leverage is not None and leverage > follower.max_leverage:
        problems.append(Problem(f"{at}.leverage", "is above max_leverage", "lower it, or raise max_leverage"))
