"""A probe and the simulated venue in one process and in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from hlfast.probe.catalogue import QUESTIONS
from hlfast.probe.desk import Clock, Desk, Lane
from hlfast.probe.question import Finding
from hlfast.probe.session import Conclusion, ask_all
from hlfast.probe.subject import Subject, examine
from hlfast.signing import Signer
from hlfast.sim.faults import Faults
from hlfast.sim.inprocess import InProcess, Socket
from hlfast.sim.record import FillRow
from hlfast.sim.settings import Settings
from hlfast.sim.virtual import VirtualLoop
from hlfast.venue.info import Info

AGENT = Signer.from_key("0x" + "5b" * 32)
ACCOUNT = "0x" + "c4" * 20
SOURCE = "127.0.0.1"


class HttpLane:
    """A request of its own for each post. `reword` may change what is answered."""

    def __init__(self, venue: InProcess, on_post: Callable[[bytes], None]) -> None:
        self._venue = venue
        self._on_post = on_post
        self.reword: Callable[[bytes], bytes] = lambda answer: answer

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        if path == "/exchange":
            self._on_post(body)
        try:
            async with asyncio.timeout((deadline_ms or 10_000) / 1_000):
                status, answer = await self._venue.request(SOURCE, "POST", path, body)
                return status, self.reword(answer)
        except (TimeoutError, ConnectionResetError) as error:
            return 0, repr(error).encode()


class WsLane:
    """Posts over one socket. `reword` may change what is answered."""

    def __init__(self, venue: InProcess, on_post: Callable[[bytes], None]) -> None:
        self._venue = venue
        self._on_post = on_post
        self.reword: Callable[[bytes], bytes] = lambda answer: answer
        self._number = 0
        self._waiting: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._socket: Socket | None = None

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        assert path == "/exchange"
        self._on_post(body)
        self._number = number = self._number + 1
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        request = {"method": "post", "id": number, "request": {"type": "action", "payload": json.loads(body)}}
        if self._socket is None:  # at first, and after the venue closed it for idleness
            self._socket = self._venue.connect(SOURCE, self._on_frame, self._on_close)
        self._socket.send(json.dumps(request).encode())
        try:
            async with asyncio.timeout((deadline_ms or 10_000) / 1_000):
                status, said = await answer
                return status, self.reword(said)
        except TimeoutError:
            return 0, b"no answer before the deadline"

    def _on_close(self, _code: int) -> None:
        self._socket = None

    def _on_frame(self, frame: bytes) -> None:
        said = json.loads(frame)
        if said["channel"] != "post":
            return
        waiting, response = self._waiting.pop(said["data"]["id"]), said["data"]["response"]
        if waiting.done():
            return
        if response["type"] == "error":
            waiting.set_result((int(response["payload"][:3]), response["payload"].encode()))
        else:
            waiting.set_result((200, json.dumps(response["payload"], separators=(",", ":")).encode()))


class World:
    """One venue with a funded account, its approved agent, and the desk of a probe."""

    def __init__(self, loop: VirtualLoop, faults: Faults | None, switches: dict[str, Any]) -> None:
        self.loop = loop
        self.venue = InProcess(Settings(**switches), loop=loop, now_ms=loop.now_ms, faults=faults)
        self.roads: dict[Lane, Any] = {
            "ws": WsLane(self.venue, self._posted),
            "http": HttpLane(self.venue, self._posted),
        }
        self.info = Info(self.roads["http"])
        self.posts: list[bytes] = []
        self.on_post: Callable[[], None] = lambda: None
        self.findings: list[Finding] = []
        self.stop = asyncio.Event()

    def _posted(self, body: bytes) -> None:
        self.posts.append(body)
        self.on_post()

    def control(self, op: str, **fields: Any) -> dict[str, Any]:
        return dict(self.venue.server.control.run({"op": op, **fields}))

    def fund(self, usdc: str = "1000") -> None:
        self.control("fund", address=ACCOUNT, usdc=usdc)

    def approve(self) -> None:
        self.control("approve_agent", master=ACCOUNT, agent=AGENT.address, name="probe")

    async def examine(self, coin: str = "ETH") -> Subject:
        return await examine(self.info, AGENT.address, coin)

    async def desk(self, coin: str = "ETH") -> Desk:
        self.fund()
        self.approve()
        clock = Clock(self.loop.now_ms)
        await clock.compare(self.info)
        return Desk(await self.examine(coin), AGENT, roads=self.roads, info=self.info, clock=clock)

    async def ask(self, *names: str) -> Conclusion:
        """Ask these questions, or all."""
        questions = [question for question in QUESTIONS if not names or question.name in names]
        assert not names or {question.name for question in questions} == set(names)
        return await ask_all(await self.desk(), questions, self.findings.append, self.stop)

    def verdicts(self) -> dict[str, str]:
        return {finding.question: finding.verdict for finding in self.findings}

    def answers(self, name: str) -> str:
        return " ".join(next(finding.answers for finding in self.findings if finding.question == name))

    def is_clean(self) -> bool:
        """By the venue's own books: nothing rests, nothing is held."""
        return not self.rests() and float(self.held()) == 0

    def rests(self) -> int:
        """Orders of the account, from the venue's own books."""
        return len(self.venue.server.venue.accounts[ACCOUNT].orders)

    def held(self) -> str:
        return str(self.control("ledger")["positions"].get(ACCOUNT, {}).get("ETH", {}).get("szi", "0"))

    def fills(self) -> list[FillRow]:
        return [row for row in self.venue.server.venue.record.fills if row.user == ACCOUNT]


def in_world(
    talk: Callable[[World], Coroutine[Any, Any, None]], faults: Faults | None = None, **switches: Any
) -> World:
    """Let a talk with a fresh venue happen; a day of virtual time at most."""
    loop = VirtualLoop()
    try:
        world: list[World] = []

        async def whole() -> None:
            world.append(World(loop, faults, switches))
            await asyncio.wait_for(talk(world[0]), 86_400)
            await world[0].venue.stop()

        loop.run_until_complete(whole())
        return world[0]
    finally:
        loop.close()
