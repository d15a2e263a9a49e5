"""A question, what hlfast takes for its answer, and what became of asking it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec

from hlfast.probe.desk import Desk, Said

Verdict = Literal["as assumed", "differs", "not asked"]
# What several questions come to when the venue answers otherwise.
NEW_TEXT: Final = (
    "no setting: a text that is not known is taken for an unknown outcome and fenced (alert unknown_text), which is "
    "safe and slow. Add it to rust/core/src/order/text.rs"
)
UNSOUND: Final = "no setting helps, and money would be at risk: run nothing but a testnet until the engine is mended"


class Learned(msgspec.Struct, frozen=True):
    """What asking brought: `agrees` with the assumption or not, and the venue's words as they came."""

    agrees: bool
    said: tuple[str, ...]


class Question(msgspec.Struct, frozen=True):
    """One thing that hlfast takes for granted.

    Attributes:
        name: how it is called on the command line and in docs/testnet.md.
        asks: what is sent, in words.
        assumes: the answer that hlfast takes for granted.
        otherwise: what to change when the venue answers otherwise, and whether hlfast is safe until then.
        ask: puts it.
        actions: signed actions that it sends at most, besides cleaning up.
        trades: it needs executions.
    """

    name: str
    asks: str
    assumes: str
    otherwise: str
    ask: Callable[[Desk], Awaitable[Learned]]
    actions: int
    trades: bool = False


class Finding(msgspec.Struct, frozen=True):
    """One line of the result."""

    question: str
    verdict: Verdict
    asked: str
    answers: tuple[str, ...]  # the venue's words, or why it was not asked
    assumed: str
    change: str = ""


def learned(agrees: bool, *said: Said | str) -> Learned:
    """Note what the venue said."""
    return Learned(agrees, tuple(one if isinstance(one, str) else one.verbatim for one in said))
