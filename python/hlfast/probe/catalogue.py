"""Every question, in the order in which they are asked."""

from __future__ import annotations

from typing import Final

from hlfast.probe import lookups, nonces, orders, trades
from hlfast.probe.question import Question

QUESTIONS: Final[tuple[Question, ...]] = (
    *lookups.QUESTIONS,
    *nonces.QUESTIONS,
    *orders.QUESTIONS,
    *trades.QUESTIONS,
)
