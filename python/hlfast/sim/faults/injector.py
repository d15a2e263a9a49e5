"""Faults at work: those that wait, those that hold now, and what the server asks them on its way."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from hlfast.sim.faults import answers, frames, market
from hlfast.sim.faults.answers import AnswerFault, Door, Fate, Outage
from hlfast.sim.faults.frames import FrameFault, Passage, RefuseSockets, Way
from hlfast.sim.faults.kinds import Fault, Scene
from hlfast.sim.settings import change

if TYPE_CHECKING:
    from hlfast.sim.faults.link import Link
    from hlfast.sim.server import Server

AnyFault = frames.KINDS | answers.KINDS | market.KINDS
MAX_KNOWN = 10_000  # faults of one run that are listed; those that are over go first


class Faults:
    """Faults of one venue. Each draws from random numbers of its own, derived from the seed and its place.

    Args:
        seed: of all random numbers.
        schedule: faults that begin, each `after_ms`, once the venue's clock runs.
    """

    def __init__(self, seed: int = 0, schedule: Iterable[Fault] = ()) -> None:
        self._seed = seed
        self._schedule = list(schedule)
        self._unplanned: list[Scene] = []
        self._server: Server | None = None
        self._known: dict[int, Scene] = {}
        self.frames: list[tuple[FrameFault, Scene]] = []  # at work: every frame is shown to `passage`
        self._answers: list[tuple[AnswerFault, Scene]] = []
        self._overrides: dict[int, dict[str, Any]] = {}
        self._base: dict[str, Any] = {}
        self._numbers = 0
        self.struck: Counter[str] = Counter()

    def attach(self, server: Server) -> None:
        """Belong to a server; the schedule starts with `start`."""
        self._server = server

    def start(self) -> None:
        """Start the schedule: the venue's clock runs now."""
        for fault in self._schedule:
            self.add(fault)
        self._schedule = []
        unplanned, self._unplanned = self._unplanned, []
        for scene in unplanned:
            self._plan(scene)

    def add(self, fault: Fault) -> int:
        """Let a fault happen from now on (or `after_ms`); returns its number.

        A fault with times waits for the venue's clock to run.
        """
        if self._server is None:
            raise RuntimeError("these faults belong to no venue yet")
        self._numbers += 1
        scene = Scene(self._numbers, fault, self._server, random.Random(f"{self._seed}/{self._numbers}"))  # noqa: S311 - draws faults, hides nothing
        self._known[scene.number] = scene
        self._forget_oldest()
        if self._server.is_running or not (fault.after_ms or fault.for_ms):
            self._plan(scene)
        else:
            self._unplanned.append(scene)
        return scene.number

    def clear(self, number: int | None = None) -> int:
        """End one fault, or all of them; waiting ones never begin. Returns how many ended."""
        ended = 0
        for scene in list(self._known.values()):
            if number in (None, scene.number) and scene.state != "over":
                self._end(scene)
                ended += 1
        return ended

    def rows(self) -> list[dict[str, Any]]:
        """Return what the control door lists: each fault with its number, state and count."""
        return [
            {"number": scene.number, "state": scene.state, "count": scene.count, "fault": scene.fault}
            for scene in self._known.values()
        ]

    def _forget_oldest(self) -> None:
        if len(self._known) > MAX_KNOWN:
            over = (number for number, scene in self._known.items() if scene.state == "over")
            self._known.pop(next(over, next(iter(self._known))))

    def _plan(self, scene: Scene) -> None:
        scene.server.after(scene.fault.after_ms, lambda: self._begin(scene))

    def _begin(self, scene: Scene) -> None:
        if scene.state != "waiting":
            return
        fault, server = scene.fault, scene.server
        scene.state = "active"
        if fault.for_ms:
            scene.ends_ms = server.venue.now_ms() + fault.for_ms
            server.call_later(fault.for_ms / 1_000, lambda: self._end(scene))
        if isinstance(fault, FrameFault):
            self.frames.append((fault, scene))
        elif isinstance(fault, AnswerFault):
            self._answers.append((fault, scene))
        server.venue.event_log.add(b"fault", msgspec.json.encode((scene.number, "begin", fault)))
        fault.begin(scene)

    def _end(self, scene: Scene) -> None:
        if scene.state == "over":
            return
        was_active, scene.state = scene.state == "active", "over"
        self.frames = [pair for pair in self.frames if pair[1] is not scene]
        self._answers = [pair for pair in self._answers if pair[1] is not scene]
        scene.server.venue.event_log.add(b"fault", msgspec.json.encode((scene.number, "end", scene.count)))
        if was_active:
            scene.fault.end(scene)

    def passage(self, link: Link, way: Way, frame: bytes) -> Passage:
        """Let the active faults decide about one frame."""
        passage = Passage(frame)
        for fault, scene in self.frames:
            if scene.sockets is not None and link.number not in scene.sockets:
                continue
            if fault.concerns(link.address, way, frame) and scene.strikes(
                fault.share if scene.sockets is None else 1.0
            ):
                fault.strike(passage, scene)
        return passage

    def fate(self, source: str, door: Door) -> Fate | None:
        """Let the active faults decide about one request; None when none of them strikes."""
        if not self._answers:
            return None
        fate: Fate | None = None
        for fault, scene in self._answers:
            if fault.concerns(source, door) and scene.strikes(fault.share):
                fate = fate or Fate()
                fault.strike(fate, scene)
        return fate

    def refuses(self, source: str) -> bool:
        """Tell whether a new socket is refused."""
        for scene in self._known.values():
            fault = scene.fault
            if scene.state != "active" or not isinstance(fault, RefuseSockets | Outage):
                continue
            if isinstance(fault, Outage) and fault.sockets == "up":
                continue
            if fault.source in (None, source) and scene.strikes(fault.share):
                return True
        return False

    def override(self, scene: Scene, changes: dict[str, Any]) -> None:
        """Set switches until `restore`; of two faults the later one wins.

        Raises:
            ValueError: a switch that can't change.
        """
        settings = scene.server.settings
        for name in changes:
            self._base.setdefault(name, getattr(settings, name))
        self._overrides[scene.number] = changes
        change(settings, changes)

    def restore(self, scene: Scene) -> None:
        """Give switches back to what still claims them, or to how they stood before."""
        mine = self._overrides.pop(scene.number, {})
        changes = {name: self._base[name] for name in mine}
        claimed: set[str] = set()
        for others in self._overrides.values():
            changes |= {name: value for name, value in others.items() if name in mine}
            claimed |= others.keys()
        change(scene.server.settings, changes)
        for name in mine.keys() - claimed:
            del self._base[name]
