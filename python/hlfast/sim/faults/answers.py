"""Faults of answers: lost, late, replaced by errors while the action executes, or executed much later."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from hlfast.sim.faults.kinds import Fault, Scene, Share, Span

Door = Literal["exchange", "info"]
ErrorStatus = Annotated[int, Meta(ge=400, le=599)]
LOST, CUT, GARBAGE = 0, -1, 200
GARBAGE_BODY = b"<html><head><title>Unexpected</title></head><body>try aga"


class Failure(NamedTuple):
    """What a client gets instead of an answer: an HTTP status, or LOST, CUT or GARBAGE."""

    status: int
    body: bytes = b""

    def text(self) -> str:
        """Return what a WebSocket post is told: status and phrase."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)


def error(status: int) -> Failure:
    """Return a failure with the body that the venue's edge sends."""
    return Failure(status, b"null" if status == HTTPStatus.TOO_MANY_REQUESTS else Failure(status).text().encode())


@dataclass(slots=True)
class Fate:
    """What becomes of one request: whether and when it happens, and what its client learns."""

    reaches: bool = True
    hold_ms: int = 0
    delay_ms: int = 0
    failure: Failure | None = None


class AnswerFault(Fault, frozen=True, kw_only=True):
    """A fault of requests and their answers, over HTTP and as WebSocket posts alike.

    Attributes:
        door: which requests: `exchange`, `info` or `both`.
        source: client address.
        share: how many of the requests concerned are struck.
    """

    door: Literal["exchange", "info", "both"] = "exchange"
    source: str | None = None
    share: Share = 1.0

    def concerns(self, source: str, door: Door) -> bool:
        """Tell whether a request is among those that the fault is about."""
        return self.door in (door, "both") and self.source in (None, source)

    def strike(self, fate: Fate, scene: Scene) -> None:
        """Decide about one request; each fault has a way of its own, the base lets everything pass."""


class LateInclusion(AnswerFault, frozen=True, kw_only=True, tag="late_inclusion"):
    """Actions wait before they reach the mempool; their answers come after their blocks, as ever."""

    delay_ms: Span = Span(1_000, 120_000)

    def strike(self, fate: Fate, scene: Scene) -> None:
        """Hold the action."""
        fate.hold_ms += self.delay_ms.draw(scene.rng)


class DelayAnswers(AnswerFault, frozen=True, kw_only=True, tag="delay_answers"):
    """What was asked happens in time; its answer comes late."""

    delay_ms: Span = Span(100, 10_000)

    def strike(self, fate: Fate, scene: Scene) -> None:
        """Hold the answer."""
        fate.delay_ms += self.delay_ms.draw(scene.rng)


class LoseAnswers(AnswerFault, frozen=True, kw_only=True, tag="lose_answers"):
    """No answer ever comes, or the connection is cut instead.

    Attributes:
        cut: the client's connection breaks, instead of silence.
        executes: how many of the struck actions happen nevertheless.
        late_ms: how long those wait before they do.
    """

    cut: bool = False
    executes: Share = 1.0
    late_ms: Span = Span(0, 0)

    def strike(self, fate: Fate, scene: Scene) -> None:
        """Keep the answer from its client."""
        _spoil(fate, scene, Failure(CUT if self.cut else LOST), self.executes, self.late_ms)


class ErrorAnswers(AnswerFault, frozen=True, kw_only=True, tag="error_answers"):
    """An error comes in the answer's place.

    Attributes:
        statuses: HTTP errors to draw from; 429 stands for the address limit.
        garbage: a 200 with half a page of HTML instead.
        executes: how many of the struck actions happen nevertheless.
        late_ms: how long those wait before they do.
    """

    statuses: Annotated[tuple[ErrorStatus, ...], Meta(min_length=1)] = (502,)
    garbage: bool = False
    executes: Share = 1.0
    late_ms: Span = Span(0, 0)

    def strike(self, fate: Fate, scene: Scene) -> None:
        """Put an error in the answer's place."""
        failure = Failure(GARBAGE, GARBAGE_BODY) if self.garbage else error(scene.rng.choice(self.statuses))
        _spoil(fate, scene, failure, self.executes, self.late_ms)


class Outage(AnswerFault, frozen=True, kw_only=True, tag="outage"):
    """The whole venue fails: every answer is an error, and most actions execute all the same, late.

    The defaults are those of 29 July 2025: 37 minutes of errors while orders entered the mempool.

    Attributes:
        executes: how many of the actions sent happen.
        late_ms: how long after they were sent.
        sockets: `cut`: open sockets end and new ones are refused; `up`: they stay, feeds go on, posts get errors.
    """

    for_ms: Annotated[int, Meta(ge=0)] = 37 * 60_000
    door: Literal["exchange", "info", "both"] = "both"
    statuses: Annotated[tuple[ErrorStatus, ...], Meta(min_length=1)] = (500, 502, 503, 504)
    executes: Share = 0.6
    late_ms: Span = Span(1_000, 600_000)
    sockets: Literal["cut", "up"] = "cut"

    def begin(self, scene: Scene) -> None:
        """Cut what is connected."""
        for link in scene.server.links() if self.sockets == "cut" else ():
            if self.source in (None, link.address):
                link.abort()

    def strike(self, fate: Fate, scene: Scene) -> None:
        """Put an error in the answer's place."""
        _spoil(fate, scene, error(scene.rng.choice(self.statuses)), self.executes, self.late_ms)


def _spoil(fate: Fate, scene: Scene, failure: Failure, executes: float, late_ms: Span) -> None:
    # Both numbers are always drawn: what one request draws must not depend on how it ended.
    happens, late = scene.rng.random() < executes, late_ms.draw(scene.rng)
    fate.failure = failure
    fate.reaches = fate.reaches and happens
    fate.hold_ms += late


KINDS = LateInclusion | DelayAnswers | LoseAnswers | ErrorAnswers | Outage
