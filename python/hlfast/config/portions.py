"""Checks of `followers[].execution`: each style has its own fields, and no other style's."""

from __future__ import annotations

from decimal import Decimal

from hlfast.config import values
from hlfast.config.model import Builder, Execution, Follow, Follower
from hlfast.config.problems import Problem
from hlfast.config.values import Problems

# Field, least, most; the core checks the same ranges.
_SECONDS = ("seconds", 1, 86_400)
_SLIPPAGE = ("max_slippage_bps", 1, 4_000)
_NEEDED = {
    "immediate": (),
    "twap": (_SECONDS, ("slices", 2, 1_000)),
    "native_twap": (("seconds", 300, 86_400),),
    "smart": (_SECONDS, ("depth_percent", 1, 100)),
}
_OPTIONAL = {
    "immediate": (_SLIPPAGE,),
    "twap": (("jitter_percent", 0, 90), _SLIPPAGE),
    "native_twap": (),
    "smart": (("passive_ms", 100, 60_000), ("improvement_bps", 1, 1_000), _SLIPPAGE),
}
_LEAST_INTERVAL_MS = 100
# Venue rule: 100 dollars at least by the mark; half a dollar more as that moves.
_LEAST_NATIVE_USD = Decimal("100.5")


def check_portions(problems: Problems, setting: str, execution: Execution) -> None:
    """Check how one account opens."""
    style = execution.style
    needed, optional = _NEEDED[style], _OPTIONAL[style]
    for field, least, most in (*needed, *optional):
        value = getattr(execution, field)
        if value is not None:
            values.whole(problems, f"{setting}.{field}", value, least, most)
        elif (field, least, most) in needed:
            what = f'is missing: style "{style}" needs it'
            problems.append(Problem(f"{setting}.{field}", what, f"write {least} to {most}"))
    if style == "native_twap" and execution.seconds and execution.seconds % 60:
        what = f"{execution.seconds} is no whole minute: the venue's TWAP counts minutes"
        problems.append(Problem(f"{setting}.seconds", what, "write a multiple of 60"))
    if style != "native_twap" and execution.randomize is not None:
        what = f'belongs to style "native_twap", but the style is "{style}"'
        problems.append(Problem(f"{setting}.randomize", what, "leave it out, or change the style"))
    known = {"style", "randomize", *(field for field, _, _ in (*needed, *optional))}
    for field in execution.__struct_fields__:
        if field not in known and getattr(execution, field) is not None:
            owners = " and ".join(
                f'"{one}"' for one in _NEEDED if any(f == field for f, _, _ in _NEEDED[one] + _OPTIONAL[one])
            )
            what = f'belongs to style {owners}, but the style is "{style}"'
            problems.append(Problem(f"{setting}.{field}", what, "leave it out, or change the style"))
    if execution.improvement_bps is not None and execution.passive_ms is None:
        what = "needs passive_ms: only an order that rests can be better than the leader's price"
        problems.append(Problem(f"{setting}.improvement_bps", what, "set passive_ms, or leave it out"))
    if execution.slices and execution.seconds and execution.seconds * 1000 // execution.slices < _LEAST_INTERVAL_MS:
        what = f"come more often than every {_LEAST_INTERVAL_MS} ms"
        problems.append(Problem(f"{setting}.slices", what, "take fewer, or raise seconds"))


def is_native(follower: Follower) -> bool:
    """Whether the venue's own TWAP opens for an account."""
    return follower.execution is not None and follower.execution.style == "native_twap"


def check_native(problems: Problems, setting: str, follower: Follower, builder: Builder | None) -> None:
    """Check what an account that opens by the venue's TWAP can't have: its action has no place for it."""
    if not is_native(follower):
        return
    other = "leave it out, or change execution.style"
    fee = follower.builder_fee_tenths_bps
    if builder is not None and fee != 0:
        problems.append(
            Problem(
                f"{setting}.builder_fee_tenths_bps", "can't be paid by the venue's TWAP", "write 0, or change the style"
            )
        )
    if follower.max_priority_bps is not None:
        problems.append(Problem(f"{setting}.max_priority_bps", "can't be bid by the venue's TWAP", other))
    order = values.usd([], "", follower.max_order_usd)
    if order is not None and order < _LEAST_NATIVE_USD:
        what = f"is below {_LEAST_NATIVE_USD}, the venue's least TWAP and half a dollar: nothing would be opened"
        problems.append(Problem(f"{setting}.max_order_usd", what, "raise it, or change execution.style"))


def check_native_follow(problems: Problems, setting: str, follow: Follow, follower: Follower | None) -> None:
    """Check what a follow of such an account can't have."""
    if follower is None or not is_native(follower):
        return
    if follow.markets != "perps":
        what = "has spot, but its account opens by native_twap, which is for perpetuals here"
        problems.append(Problem(f"{setting}.markets", what, "leave it out, or change the account's execution.style"))
    if follow.round_up_max_usd is not None:
        what = "raises to an order's minimum, but its account opens by native_twap of 100 dollars"
        problems.append(Problem(f"{setting}.round_up_max_usd", what, "leave it out"))
