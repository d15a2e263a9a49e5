"""The recorded turns once more, on a venue of its own, and the first thing that it says differently."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from hlfast.sim.faults.link import Link
from hlfast.sim.sessions.rows import Row, read_session, spelled
from hlfast.sim.sessions.turns import Named, Turns
from hlfast.sim.timers import Handle

SETTLING_TURNS = 8  # of the loop, in which a request's coroutine gets from its future to its answer
SHOWN = 300
# An answer's row may stand behind rows of other clients' turns, and behind the end when the recorder was stopped.
LATE_ROWS = 100


class DifferenceError(Exception):
    """The replay said something else than the recording: where, what was recorded, what came."""


class Replay:
    """One recording, played as fast as it goes.

    Args:
        path: the recorded session.

    Raises:
        OSError: the file can't be read.
        SessionError: it is no recorded session.
    """

    def __init__(self, path: Path) -> None:
        self._head, self._rows = read_session(path)
        self._path = path
        self._turns = Turns(self._head.start_ms)
        self.counts: Counter[str] = Counter()
        self._timers: dict[str, Callable[[], None]] = {}
        self._requests: dict[int, asyncio.Task[tuple[int, bytes] | None]] = {}
        self._links: dict[int, Link] = {}
        self._wires: dict[int, _Heard] = {}
        self._answered_at: dict[int, int] = {}
        self._line = 1
        self._knock = 0
        self._server = self._head.server(self._turns.now_ms, self._turns.monotonic_s)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:  # noqa: ARG002 - rows say when
        """Keep a timer until its row comes."""
        name = self._turns.name_timer()
        self._timers[name] = callback
        return Named(lambda: void(self._timers.pop(name, None)))

    async def run(self) -> Counter[str]:
        """Play all rows; returns how many of each kind there were.

        Raises:
            DifferenceError: the first thing that is not as recorded.
            SessionError: a row that can't be read.
        """
        self._head.begin(self._server, self)
        for line, row in self._rows:
            self._line = line
            self.counts[row.kind] += 1
            try:
                await self._play(row)
            except DifferenceError as error:
                raise DifferenceError(f"{self._path}:{line}, venue time {row.t}: {error}") from None
        await self._end()
        return self.counts

    async def _end(self) -> None:
        for number, task in self._requests.items():
            if self._answered_at.get(number, self._line) < self._line - LATE_ROWS:
                raise DifferenceError(f"{self._path}: request {number} is answered, no answer was recorded")
            task.cancel()
        await asyncio.gather(*self._requests.values(), return_exceptions=True)

    async def _play(self, row: Row) -> None:
        if row.kind in _OUTPUTS:
            await self._compare(row)
            return
        for number, wire in self._wires.items():
            if wire.heard:
                raise DifferenceError(f"socket {number} is told more than was recorded: {shown(wire.heard[0])}")
        if row.kind == "timer":
            callback = self._timers.pop(row.name, None)
            if callback is None:
                raise DifferenceError(f"the venue set no timer {row.name}")
            with self._turns.turn(row.t):
                callback()
        else:
            with self._turns.turn(row.t):
                await self._input(row)
        await self._settle()

    async def _input(self, row: Row) -> None:
        if row.kind == "request":
            self._requests[row.id] = asyncio.create_task(self._ask(row))
            await asyncio.sleep(0)  # the task begins within the turn
        elif row.kind == "knock":
            refused = self._server.refusal(row.source)
            self._knock = refused.status if refused else 0
        elif row.kind == "open":
            wire = self._wires[row.id] = _Heard()
            self._links[row.id] = self._server.attach(wire, row.source)
        elif row.kind == "said":
            self._link(row).receive(row.text or "")
        elif row.kind == "left":
            self._link(row)
            self._wires.pop(row.id).is_over = True
            self._server.detach(self._links.pop(row.id))
        else:
            raise DifferenceError(f"{row.kind!r} is no kind of row")

    def _link(self, row: Row) -> Link:
        link = self._links.get(row.id)
        if link is None:
            raise DifferenceError(f"socket {row.id} is not open")
        return link

    async def _ask(self, row: Row) -> tuple[int, bytes] | None:
        try:
            reply = await self._server.request(row.source, row.method, row.path, row.payload())
        except ConnectionResetError:
            return None
        finally:
            self._answered_at[row.id] = self._line
        return reply.status, reply.body

    async def _settle(self) -> None:
        for _ in range(SETTLING_TURNS if self._requests else 0):
            await asyncio.sleep(0)

    async def _compare(self, row: Row) -> None:
        if row.kind in ("answer", "no_answer"):
            self._compare_answer(row)
        elif row.kind in ("refused", "admitted"):
            if self._knock != row.status:
                raise DifferenceError(f"a socket was {row.kind} ({row.status}), now the answer is {self._knock}")
        else:
            wire = self._wires.get(row.id)
            heard = wire.heard.popleft() if wire is not None and wire.heard else b"nothing"
            recorded = _CUT if row.kind == "cut" else row.payload()
            if heard != recorded:
                raise DifferenceError(f"socket {row.id} was told {shown(recorded)}, now {shown(heard)}")

    def _compare_answer(self, row: Row) -> None:
        task = self._requests.pop(row.id, None)
        self._answered_at.pop(row.id, None)
        if task is None:
            raise DifferenceError(f"request {row.id} was answered, but not asked")
        if not task.done():
            raise DifferenceError(f"request {row.id} was answered, now it still waits")
        answer = task.result()
        recorded = None if row.kind == "no_answer" else (row.status, row.payload())
        if answer != recorded:
            was, now = (f"{pair[0]} {shown(pair[1])}" if pair else "nothing" for pair in (recorded, answer))
            raise DifferenceError(f"request {row.id} was answered {was}, now {now}")


_CUT = b"(the socket is cut)"
_OUTPUTS = frozenset({"answer", "no_answer", "refused", "admitted", "told", "cut"})


class _Heard:
    """A wire that keeps what it is told until the recording's rows ask for it."""

    def __init__(self) -> None:
        self.heard: deque[bytes] = deque()
        self.is_over = False

    def is_closing(self) -> bool:
        """Tell whether the socket was cut or left."""
        return self.is_over

    def backlog(self) -> int:
        """Return nothing: this client takes all at once."""
        return 0

    def send(self, payload: bytes) -> None:
        """Keep one text frame."""
        self.heard.append(payload)

    def abort(self) -> None:
        """Keep that the socket was cut."""
        if not self.is_over:
            self.is_over = True
            self.heard.append(_CUT)


def shown(payload: bytes) -> str:
    """Return the beginning of a payload, for people."""
    text = next(iter(spelled(payload).values()))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def void(_value: object) -> None:
    """Take a value and return nothing."""


def summary(counts: Counter[str]) -> str:
    """Return the line of an equal replay."""
    return f"{counts['request'] + counts['said']} requests, {counts['told'] + counts['answer']} frames, equal"
