"""The way between a simulated process and the venue: latency, order, and everything that goes wrong on it."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson
from picows import WSListener

from hlfast.gameday.faults import Faults
from hlfast.gameday.loop import HostLoop, Life
from hlfast.gameday.wire import Transport
from hlfast.sim.inprocess import InProcess, Socket

_POST: Final = b'{"method":"post"'
_ANSWER: Final = b'{"channel":"post"'
_FILLS: Final = b'{"channel":"userFills"'
_ID: Final = re.compile(rb'"id":(\d+)')
_IS_ACTION: Final = b'"type":"action"'
_STEP_S: Final = 1e-7  # keeps the order of what is due at one time
_LATEST_S: Final = 600.0
_LAG_MS: Final = 4_000
_TEXTS: Final = ("502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout", "500 Internal Server Error")


class Client(Protocol):
    """A process, as the network knows it."""

    life: Life
    source: str

    def hands_over(self) -> bool:
        """An action is about to leave; False when the process dies before it does."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one action. `delay_s` None: it never arrives. `error`: what is answered at once instead."""

    delay_s: float | None = 0.0
    error: str | None = None
    answer: str = "whole"  # whole, lost, garbled


def _late(dice: random.Random) -> float:
    """Seconds, mostly few, up to `_LATEST_S`."""
    return float(_LATEST_S ** dice.random() - 1)


_FATES: Final[dict[str, Callable[[random.Random], Fate]]] = {
    "request_lost": lambda _: Fate(None),
    "error_while_executing": lambda dice: Fate(_late(dice), dice.choice(_TEXTS)),
    "request_late": lambda dice: Fate(_late(dice)),
    "busy": lambda _: Fate(None, "429 Too Many Requests"),
    "server_error": lambda dice: Fate(None, dice.choice(_TEXTS)),
    "answer_lost": lambda _: Fate(answer="lost"),
    "answer_garbled": lambda _: Fate(answer="garbled"),
}


class Network:
    """Carries every byte of a run.

    Args:
        venue: the venue's doors.
        loop: the one loop.
        faults: what goes wrong.
        now_ms: venue time.
    """

    def __init__(self, venue: InProcess, loop: HostLoop, faults: Faults, now_ms: Callable[[], int]) -> None:
        self.venue = venue
        self.loop = loop
        self.faults = faults
        self.now_ms = now_ms
        self.context = copy_context()
        self.latency_s = 0.004
        self.outage_executes: float | None = None  # share of actions that execute although an error is answered
        self.links: dict[Link, None] = {}
        self.sent: list[tuple[int, bytes]] = []  # each action that left a process, with venue time
        self.frames = 0
        self._lost: dict[bytes, bool] = {}

    def at(self, when_s: float, work: Callable[..., Any], *arguments: Any) -> None:
        """Do something of the network's own at a time."""
        self.loop.call_at(when_s, work, *arguments, context=self.context)

    def strikes(self, kind: str, what: str = "") -> bool:
        """Whether a fault of this kind happens now."""
        return self.faults.strikes(kind, self.now_ms(), what)

    def loses(self, frame: bytes) -> bool:
        """Whether a leader's fills are lost: on every connection, as when the venue itself skips them."""
        if frame not in self._lost:
            self._lost[frame] = self.strikes("fills_lost")
        return self._lost[frame]

    @property
    def actions(self) -> int:
        """How many actions left."""
        return len(self.sent)

    def fate(self, payload: bytes) -> Fate:
        """Draw what becomes of an action that leaves now."""
        self.sent.append((self.now_ms(), payload))
        if self.outage_executes is not None:
            dice = self.faults.dice("outage")
            self.faults.note("outage_answer", self.now_ms())
            executes = dice.random() < self.outage_executes
            return Fate(dice.uniform(0, 30) if executes else None, dice.choice(_TEXTS))
        for kind, fate in _FATES.items():
            if self.strikes(kind):
                return fate(self.faults.dice(kind))
        return Fate()

    def dialler(self, client: Client) -> Callable[..., Any]:
        """`picows.ws_connect` for one process."""

        async def dial(factory: Callable[[], WSListener], _url: str, **_options: Any) -> tuple[Transport, None]:
            await asyncio.sleep(2 * self.latency_s)
            if self.strikes("dial_refused"):
                raise ConnectionRefusedError("the simulated network refuses")
            link = Link(self, client)
            link.transport = Transport(link, factory(), self.loop.create_future())
            link.open()
            link.transport.came_up()
            return link.transport, None

        return dial

    def cut(self, link: Link) -> None:
        """Reset a connection."""
        link.cut()

    def sever(self, life: Life) -> None:
        """A process is gone: its sockets are closed by its system; what it had written is on its way."""
        for link in [link for link in self.links if link.client.life is life]:
            link.abandon()


class Link:
    """One socket: two ways, each in order, unless a fault says otherwise."""

    def __init__(self, network: Network, client: Client) -> None:
        self.network = network
        self.client = client
        self.transport: Transport
        self.silent_until_s = 0.0
        self._socket: Socket | None = None
        self._out_s = 0.0
        self._in_s = 0.0
        self._fates: dict[bytes, str] = {}

    def open(self) -> None:
        """Connect to the venue.

        Raises:
            ConnectionRefusedError: the venue takes no further socket of this address.
        """
        self._socket = self.network.venue.connect(self.client.source, self._from_venue, self._venue_closed)
        self.network.links[self] = None

    def carry(self, payload: bytes) -> None:
        """Take a message of the client. Called in its context."""
        if payload.startswith(_POST) and _IS_ACTION in payload[:200]:
            if not self.client.hands_over():
                return
            self._carry_action(payload)
        else:
            self._send(payload, 0.0)

    def _carry_action(self, payload: bytes) -> None:
        fate = self.network.fate(payload)
        found = _ID.search(payload)
        post_id = found.group(1) if found else b"0"
        if fate.error is not None:
            answer = {
                "channel": "post",
                "data": {"id": int(post_id), "response": {"type": "error", "payload": fate.error}},
            }
            self._deliver(orjson.dumps(answer), 2 * self.network.latency_s)
        if fate.delay_s is not None:
            if fate.error is not None or fate.answer != "whole":
                self._fates[post_id] = "lost" if fate.error is not None else fate.answer
            self._send(payload, fate.delay_s)

    def _send(self, payload: bytes, delay_s: float) -> None:
        network = self.network
        when_s = network.loop.time() + network.latency_s
        if delay_s:
            # Held in a gateway: it arrives although the socket may be gone by then.
            network.at(when_s + delay_s, self._arrive_late, payload)
            return
        self._out_s = max(when_s, self._out_s + _STEP_S)
        network.at(self._out_s, self._arrive, payload)

    def _arrive(self, payload: bytes) -> None:
        if self._socket is not None:
            self._socket.send(payload)

    def _arrive_late(self, payload: bytes) -> None:
        if self._socket is not None:
            self._socket.send(payload)
            return
        body = orjson.dumps(orjson.loads(payload)["request"]["payload"])
        coroutine = self.network.venue.request("10.0.0.1", "POST", "/exchange", body)
        self.network.loop.create_task(coroutine, context=self.network.context)

    def _from_venue(self, payload: bytes) -> None:
        network = self.network
        network.frames += 1
        if not network.faults.active:
            self._deliver(payload, network.latency_s)
            return
        if payload.startswith(_ANSWER):
            self._answer(payload)
            return
        if payload.startswith(_FILLS) and b'"isSnapshot":true' not in payload and network.loses(payload):
            return
        now_ms = network.now_ms()
        if network.faults.strikes("frame_dropped", now_ms):
            return
        if network.faults.strikes("frame_garbled", now_ms):
            payload = garbled(payload, network.faults.dice("frame_garbled").random())
        if network.faults.strikes("frame_late", now_ms):
            late_s = network.faults.dice("frame_late").uniform(0.05, 2.0)
            network.at(network.loop.time() + late_s, self._deliver, payload, network.latency_s)
            return
        self._deliver(payload, network.latency_s)
        if network.faults.strikes("frame_doubled", now_ms):
            self._deliver(payload, network.latency_s)

    def _answer(self, payload: bytes) -> None:
        found = _ID.search(payload)
        fate = self._fates.pop(found.group(1), "whole") if found else "whole"
        if fate == "garbled":
            payload = wrong_statuses(payload, self.network.faults.dice("answer_garbled").random())
        if fate != "lost":
            self._deliver(payload, self.network.latency_s)

    def _deliver(self, payload: bytes, delay_s: float) -> None:
        loop = self.network.loop
        self._in_s = max(loop.time() + delay_s, self._in_s + _STEP_S)
        loop.call_at(self._in_s, self._arrived, payload, context=self.client.life.context)

    def _arrived(self, payload: bytes) -> None:
        if self.network.loop.time() >= self.silent_until_s:
            self.transport.arrived(payload)

    # ends

    def close(self) -> None:
        """The client closes."""
        self._shut()
        self.network.loop.call_soon(self.transport.went_down, context=self.client.life.context)

    def cut(self) -> None:
        """The network resets both ends."""
        self._shut()
        self.network.loop.call_soon(self.transport.went_down, context=self.client.life.context)

    def abandon(self) -> None:
        """The client is dead."""
        self.network.at(max(self._out_s, self.network.loop.time()) + _STEP_S, self._shut)

    def _shut(self) -> None:
        socket, self._socket = self._socket, None
        self.network.links.pop(self, None)
        if socket is not None:
            socket.close()

    def _venue_closed(self, _code: int) -> None:
        was_open, self._socket = self._socket is not None, None
        self.network.links.pop(self, None)
        if was_open:
            when_s = max(self.network.loop.time() + self.network.latency_s, self._in_s + _STEP_S)
            self.network.loop.call_at(when_s, self.transport.went_down, context=self.client.life.context)


class Road:
    """`hlfast.venue.http.Road` for one process."""

    def __init__(self, network: Network, client: Client) -> None:
        self._network = network
        self._client = client

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        """POST as `HttpRoad` does: (0, reason) when no whole answer came before the deadline."""
        network = self._network
        answered: asyncio.Future[tuple[int, bytes]] = network.loop.create_future()
        if path == "/exchange":
            if not self._client.hands_over():
                await asyncio.sleep(3600)
            self._act(body, answered)
        else:
            self._read(body, answered)
        try:
            async with asyncio.timeout((deadline_ms or 10_000) / 1000):
                return await answered
        except TimeoutError:
            return 0, b"TimeoutError"

    def _act(self, body: bytes, answered: asyncio.Future[tuple[int, bytes]]) -> None:
        network, fate = self._network, self._network.fate(body)
        now_s = network.loop.time()
        if fate.error is not None:
            status = int(fate.error[:3])
            network.at(now_s + 2 * network.latency_s, _settle, answered, (status, fate.error.encode()))
        if fate.delay_s is not None:
            lost = fate.error is not None or fate.answer == "lost"
            network.at(now_s + network.latency_s + fate.delay_s, self._go, "/exchange", body, answered, fate, lost)

    def _read(self, body: bytes, answered: asyncio.Future[tuple[int, bytes]]) -> None:
        network = self._network
        if network.strikes("read_lost"):
            return
        if network.strikes("read_error"):
            network.at(network.loop.time() + 2 * network.latency_s, _settle, answered, (502, b"<html>502</html>"))
            return
        late_s = network.faults.dice("read_late").uniform(0.1, 8.0) if network.strikes("read_late") else 0.0
        lags = b'"orderStatus"' in body and network.strikes("status_lags")
        fate = Fate(answer="lagging" if lags else "whole")
        network.at(network.loop.time() + network.latency_s, self._go, "/info", body, answered, fate, False, late_s)

    def _go(
        self,
        path: str,
        body: bytes,
        answered: asyncio.Future[tuple[int, bytes]],
        fate: Fate,
        lost: bool,
        late_s: float = 0.0,
    ) -> None:
        network = self._network

        async def go() -> None:
            status, answer = await network.venue.request(self._client.source, "POST", path, body)
            if fate.answer == "garbled":
                answer = wrong_statuses(answer, network.faults.dice("answer_garbled").random())
            if fate.answer == "lagging":
                answer = forgetful(answer, network.now_ms())
            if not lost:
                network.at(network.loop.time() + network.latency_s + late_s, _settle, answered, (status, answer))

        network.loop.create_task(go(), context=network.context)


def _settle(answered: asyncio.Future[tuple[int, bytes]], answer: tuple[int, bytes]) -> None:
    if not answered.done():
        answered.set_result(answer)


def garbled(payload: bytes, draw: float) -> bytes:
    """A frame that was cut or bent on its way."""
    place = int(draw * len(payload))
    if draw < 0.5:
        return payload[:place]
    return payload[:place] + b"\xff" + payload[place + 1 :]


def wrong_statuses(answer: bytes, draw: float) -> bytes:
    """An answer whose count of statuses is not that of the orders, or that is no answer at all."""
    try:
        parsed = orjson.loads(answer)
        node = parsed
        for key in ("data", "response", "payload", "response", "data"):
            node = node.get(key, node) if isinstance(node, dict) else node
        statuses = node["statuses"]
        # One too many, in front of the others: whoever reads on by place takes each for its neighbour.
        statuses.insert(0, {"error": "Order could not immediately match against any resting orders."})
        return orjson.dumps(parsed) if draw < 0.7 else b'{"status":"ok","resp'
    except (KeyError, TypeError, IndexError, AttributeError, orjson.JSONDecodeError):
        return answer


def forgetful(answer: bytes, now_ms: int) -> bytes:
    """`orderStatus` of a node that is some seconds behind."""
    try:
        order = orjson.loads(answer)["order"]["order"]
        placed_ms = int(order["timestamp"])
    except (KeyError, TypeError, orjson.JSONDecodeError):
        return answer
    return b'{"status":"unknownOid"}' if now_ms - placed_ms < _LAG_MS else answer
