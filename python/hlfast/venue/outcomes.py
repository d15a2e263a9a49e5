"""What the venue said to an action, item by item. Silence and nonsense are *unknown*, never "failed"."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from hlfast.errors import HttpStatusError, NoAnswerError, RateLimitedError, VenueError
from hlfast.venue.http import NO_ANSWER
from hlfast.venue.shapes import Answer


class Resting(Answer, frozen=True, kw_only=True):
    """On the book. Its further fate arrives as fills and order updates."""

    oid: int
    cloid: str | None = None


class Filled(Answer, frozen=True, kw_only=True):
    """Matched at once. An IOC order may be filled in part: compare `total_sz` with what was asked."""

    oid: int
    total_sz: Decimal
    avg_px: Decimal
    cloid: str | None = None


class Refused(Answer, frozen=True, kw_only=True):
    """Not taken, in the venue's words. Match by prefix: live texts may carry a suffix such as " asset=3"."""

    text: str


class Waiting(Answer, frozen=True, kw_only=True):
    """Taken, and waits: "waitingForTrigger", or "waitingForFill" of its parent."""

    what: str


class Done(Answer, frozen=True, kw_only=True):
    """A cancel that succeeded."""


class Unknown(Answer, frozen=True, kw_only=True):
    """The venue's answer does not tell what became of this item: ask `order_status` before sending anything again."""

    reason: str


OrderOutcome = Resting | Filled | Refused | Waiting | Unknown
CancelOutcome = Done | Refused | Unknown
_WAITING: Final = frozenset({"waitingForFill", "waitingForTrigger"})


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A well-formed answer of /exchange: `ok` says only that the action as a whole was taken."""

    ok: bool
    kind: str  # "order", "cancel", "default" …; empty for a refusal
    data: Any
    text: str  # the refusal


def read_reply(what: str, status: int, answer: bytes) -> Reply:
    """Read an answer of /exchange.

    Raises:
        NoAnswerError: nothing, a server error, or nothing readable came: the action may have been executed.
        RateLimitedError, HttpStatusError: the request was turned away before it was read.
    """
    if status == NO_ANSWER or status >= 500:
        text = answer[:200].decode("utf-8", "replace")
        raise NoAnswerError(f"{what}: outcome unknown (HTTP {status}: {text}); look it up before sending again")
    if status != 200:
        text = answer.decode("utf-8", "replace")
        raise RateLimitedError(status, text) if status == 429 else HttpStatusError(status, text)
    try:
        body = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NoAnswerError(f"{what}: outcome unknown (the answer is no JSON)") from None
    match body:
        case {"status": "err", "response": str(refusal)}:
            return Reply(ok=False, kind="", data=None, text=refusal)
        case {"status": "ok", "response": {"type": str(kind), **rest}}:
            return Reply(ok=True, kind=kind, data=rest.get("data"), text="")
    raise NoAnswerError(f"{what}: outcome unknown (the answer has an unknown shape)")


def require_ok(what: str, reply: Reply) -> None:
    """Refuse a refusal.

    Raises:
        VenueError: the venue's text.
    """
    if not reply.ok:
        raise VenueError(f"{what}: {reply.text}")


def order_outcomes(reply: Reply, count: int) -> tuple[OrderOutcome, ...]:
    """Fold an answer into one outcome an order.

    What fails before matching is answered once for the whole batch; that one error is every order's.
    """
    return tuple(_order(status) for status in _statuses(reply, count))


def cancel_outcomes(reply: Reply, count: int) -> tuple[CancelOutcome, ...]:
    """Fold an answer into one outcome a cancel."""
    return tuple(_cancel(status) for status in _statuses(reply, count))


def _statuses(reply: Reply, count: int) -> list[Any]:
    if not reply.ok:
        return [{"error": reply.text}] * count
    statuses = reply.data.get("statuses") if isinstance(reply.data, dict) else None
    if not isinstance(statuses, list):
        return [None] * count
    if len(statuses) == 1 < count and isinstance(statuses[0], dict) and "error" in statuses[0]:
        return statuses * count
    # Another number of statuses than orders cannot be matched to them: none of them may be believed.
    return statuses if len(statuses) == count else [None] * count


def _order(status: Any) -> OrderOutcome:
    try:
        match status:
            case {"resting": dict(resting)}:
                return msgspec.convert(resting, Resting)
            case {"filled": dict(filled)}:
                return msgspec.convert(filled, Filled, strict=False)
            case {"error": str(text)}:
                return Refused(text=text)
            case str(word) if word in _WAITING:
                return Waiting(what=word)
    except msgspec.ValidationError as error:
        return Unknown(reason=f"an unreadable status: {error}")
    return Unknown(reason="no status for this order, or one of an unknown kind")


def _cancel(status: Any) -> CancelOutcome:
    match status:
        case "success":
            return Done()
        case {"error": str(text)}:
            return Refused(text=text)
    return Unknown(reason="no status for this cancel, or one of an unknown kind")
