"""Checks of how orders are sent: what they pay beside the venue's fee."""

from __future__ import annotations

from hlfast.config import values
from hlfast.config.model import Builder, Config, Follower
from hlfast.config.problems import Problem
from hlfast.config.values import Problems

# Venue rules (2026-08): a builder takes at most 0.1 % on perps; beyond 8 bps a bid gains next to nothing.
MOST_BUILDER_TENTHS_BPS = 100
MOST_PRIORITY_BPS = 8


def check_execution(problems: Problems, config: Config) -> None:
    """Check the builder, and every follower's part of it."""
    if config.builder is not None:
        _check_builder(problems, config.builder)
    for at, follower in enumerate(config.followers):
        _check_follower(problems, f"followers[{at}]", follower, config.builder)


def _check_builder(problems: Problems, builder: Builder) -> None:
    values.address(problems, "builder.address", builder.address)
    values.whole(problems, "builder.fee_tenths_bps", builder.fee_tenths_bps, 1, MOST_BUILDER_TENTHS_BPS)


def _check_follower(problems: Problems, at: str, follower: Follower, builder: Builder | None) -> None:
    fee = follower.builder_fee_tenths_bps
    if fee is not None:
        values.whole(problems, f"{at}.builder_fee_tenths_bps", fee, 0, MOST_BUILDER_TENTHS_BPS)
        if builder is None:
            fix = "write [builder] with address and fee_tenths_bps, or leave it out"
            problems.append(Problem(f"{at}.builder_fee_tenths_bps", "has no builder to go to", fix))
    if follower.max_priority_bps is not None:
        values.whole(problems, f"{at}.max_priority_bps", follower.max_priority_bps, 1, MOST_PRIORITY_BPS)
