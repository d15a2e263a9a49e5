"""Answers of `/exchange`, and the shape of what produces them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Answer = dict[str, Any]
# An action's handler takes (action, origin, block); None stands for the plain `default` answer.
Handlers = dict[type[Any], Callable[..., Answer | None]]
DEFAULT: Answer = {"status": "ok", "response": {"type": "default"}}


def statuses(kind: str, items: list[Any]) -> Answer:
    """Return the answer that holds one item an order or cancel, in request order."""
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": items}}}
