"""Answers of `/exchange`, and the shape of what produces them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

# What is said of an action that happened: `{"type": …, "data": …}`.
Response = dict[str, Any]
# An action's handler takes (action, origin, block); None stands for the plain `default` response.
Handlers = dict[type[Any], Callable[..., Response | None]]
DEFAULT: Response = {"type": "default"}


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a client reads. The response is encoded once, for its frame, the ledger and the event log."""

    status: Literal["ok", "err"]
    response: msgspec.Raw


def statuses(kind: str, items: list[Any]) -> Response:
    """Return the response that holds one item an order or cancel, in request order."""
    return {"type": kind, "data": {"statuses": items}}
