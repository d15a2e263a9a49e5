"""Faults of the frames on a socket: lost, late, twice, out of order, damaged, cut, or silently held back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from hlfast.sim.faults.kinds import Address, Fault, Millis, Scene, Share, Span

if TYPE_CHECKING:
    from hlfast.sim.faults.link import Link

Way = Literal["in", "out"]


@dataclass(slots=True)
class Passage:
    """One frame on its way between carrier and connection, and what has been decided about it."""

    frame: bytes
    is_lost: bool = False
    is_cut: bool = False
    is_overtaken: bool = False
    delay_ms: int = 0
    again_ms: list[int] = field(default_factory=list)


class FrameFault(Fault, frozen=True, kw_only=True):
    """A fault of frames, narrowed down by what is set.

    Attributes:
        way: `out` from the venue to the client, `in` from the client to the venue.
        source: client address of the socket.
        channel: of a frame sent out, its channel (`userFills`, `post`, `pong` …); of one coming in, its method or the
            type of its subscription.
        user: address that the frame names.
        share: how many of the frames concerned are struck.
    """

    way: Literal["in", "out", "both"] = "out"
    source: str | None = None
    channel: str | None = None
    user: Address | None = None
    share: Share = 1.0

    def concerns(self, source: str, way: Way, frame: bytes) -> bool:
        """Tell whether a frame is among those that the fault is about."""
        if self.way not in (way, "both") or (self.source is not None and self.source != source):
            return False
        if self.channel is not None:
            named = b'"' + self.channel.encode() + b'"'
            if not (frame.startswith(b'{"channel":' + named) if way == "out" else named in frame):
                return False
        return self.user is None or self.user.lower().encode() in frame.lower()

    def strike(self, passage: Passage, scene: Scene, /) -> None:
        """Decide about one frame; each fault has a way of its own, the base lets everything pass."""


class DropFrames(FrameFault, frozen=True, kw_only=True, tag="drop_frames"):
    """Frames vanish."""

    def strike(self, passage: Passage, _scene: Scene, /) -> None:
        """Lose the frame."""
        passage.is_lost = True


class DelayFrames(FrameFault, frozen=True, kw_only=True, tag="delay_frames"):
    """Frames are late; those behind them wait, as in any TCP stream."""

    delay_ms: Span = Span(100, 1_000)

    def strike(self, passage: Passage, scene: Scene, /) -> None:
        """Hold the frame and all that follow it."""
        passage.delay_ms += self.delay_ms.draw(scene.rng)


class ReorderFrames(FrameFault, frozen=True, kw_only=True, tag="reorder_frames"):
    """Frames are overtaken by those sent up to `delay_ms` later."""

    delay_ms: Span = Span(1, 2_000)

    def strike(self, passage: Passage, scene: Scene, /) -> None:
        """Hold this frame alone."""
        passage.is_overtaken = True
        passage.delay_ms += self.delay_ms.draw(scene.rng)


class DuplicateFrames(FrameFault, frozen=True, kw_only=True, tag="duplicate_frames"):
    """Frames come again, `apart_ms` after the first time."""

    copies: int = 1
    apart_ms: Span = Span(0, 0)

    def __post_init__(self) -> None:
        if not 1 <= self.copies <= 100:
            raise ValueError(f"copies must be from 1 to 100, not {self.copies}")

    def strike(self, passage: Passage, scene: Scene, /) -> None:
        """Send the frame again."""
        passage.again_ms.extend(self.apart_ms.draw(scene.rng) for _ in range(self.copies))


class GarbleFrames(FrameFault, frozen=True, kw_only=True, tag="garble_frames"):
    """Frames end too early, in the middle of their JSON."""

    def strike(self, passage: Passage, scene: Scene, /) -> None:
        """Cut the frame's tail off."""
        passage.frame = passage.frame[: scene.rng.randrange(max(1, len(passage.frame)))]


class SocketFault(FrameFault, frozen=True, kw_only=True):
    """A fault of sockets that are open when it begins.

    Attributes:
        carries: only sockets with a subscription of this type.
        most: at most so many of them, oldest first; 0: all.
    """

    carries: str | None = None
    most: Annotated[int, msgspec.Meta(ge=0)] = 0

    def concerned(self, scene: Scene) -> list[Link]:
        """Return the sockets to draw from."""
        links = [
            link
            for link in scene.server.links()
            if self.source in (None, link.address) and (not self.carries or link.connection.carries(self.carries))
        ]
        return links[: self.most] if self.most else links


class CutSockets(SocketFault, frozen=True, kw_only=True, tag="cut_sockets"):
    """Sockets end without a close frame: at the fault's beginning, or each time a frame is struck.

    With `at: "frame"` the struck frame is lost with its socket.
    """

    at: Literal["once", "frame"] = "once"

    def begin(self, scene: Scene) -> None:
        """Cut the sockets that are open now."""
        for link in self.concerned(scene) if self.at == "once" else ():
            if scene.strikes(self.share):
                link.abort()

    def concerns(self, source: str, way: Way, frame: bytes) -> bool:
        """Tell whether a frame ends its socket."""
        return self.at == "frame" and FrameFault.concerns(self, source, way, frame)

    def strike(self, passage: Passage, _scene: Scene, /) -> None:
        """End the frame's socket."""
        passage.is_cut = True


class Stall(SocketFault, frozen=True, kw_only=True, tag="stall"):
    """Sockets stay open but frames of the way (or of one channel, or one user) don't come through.

    Attributes:
        sockets: `existing`: those open when the fault begins, `share` of them, so that a new connection heals;
            `all`: new ones too.
        then: what becomes of the frames when the fault ends: `lose` or `deliver`.
    """

    sockets: Literal["existing", "all"] = "existing"
    then: Literal["lose", "deliver"] = "lose"

    def begin(self, scene: Scene) -> None:
        """Choose the sockets that stall."""
        if self.sockets == "existing":
            links = self.concerned(scene)
            scene.sockets = {link.number for link in links if self.share >= 1.0 or scene.rng.random() < self.share}

    def end(self, scene: Scene) -> None:
        """Let what was held back through."""
        for link in scene.server.links() if self.then == "deliver" else ():
            if scene.sockets is None or link.number in scene.sockets:
                link.release()

    def strike(self, passage: Passage, scene: Scene, /) -> None:
        """Hold the frame back until the fault ends, or for ever."""
        if self.then == "lose":
            passage.is_lost = True
        else:
            passage.delay_ms = max(passage.delay_ms, scene.left_ms())


class RefuseSockets(Fault, frozen=True, kw_only=True, tag="refuse_sockets"):
    """New sockets are refused (HTTP 503)."""

    source: str | None = None
    share: Share = 1.0


KINDS = DropFrames | DelayFrames | ReorderFrames | DuplicateFrames | GarbleFrames | CutSockets | Stall | RefuseSockets
__all__ = ["KINDS", "FrameFault", "Millis", "Passage", "RefuseSockets", "Stall", "Way"]
