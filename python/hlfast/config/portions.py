"""Checks of `followers[].execution`: each style has its own fields, and no other style's."""

from __future__ import annotations

from hlfast.config import values
from hlfast.config.model import Execution
from hlfast.config.problems import Problem
from hlfast.config.values import Problems

# Field, least, most; the core checks the same ranges.
_SECONDS = ("seconds", 1, 86_400)
_SLIPPAGE = ("max_slippage_bps", 1, 4_000)
_NEEDED = {
    "immediate": (),
    "twap": (_SECONDS, ("slices", 2, 1_000)),
    "smart": (_SECONDS, ("depth_percent", 1, 100)),
}
_OPTIONAL = {
    "immediate": (_SLIPPAGE,),
    "twap": (("jitter_percent", 0, 90), _SLIPPAGE),
    "smart": (("passive_ms", 100, 60_000), ("improvement_bps", 1, 1_000), _SLIPPAGE),
}
_LEAST_INTERVAL_MS = 100


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
    known = {"style", *(field for field, _, _ in (*needed, *optional))}
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
