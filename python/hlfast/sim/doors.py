"""The venue's HTTP doors: bytes in, bytes out, whatever carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson

from hlfast.sim.actions import ParseError, parse_envelope
from hlfast.sim.control import ControlError
from hlfast.sim.faults.answers import CUT, LOST, Failure
from hlfast.sim.info import BadRequestError
from hlfast.sim.limits import action_weight, info_weight, row_weight
from hlfast.sim.verdicts import Answer

if TYPE_CHECKING:
    from hlfast.sim.server import Server

MISFIT = "Failed to deserialize the JSON body into the target type"
JSON = "application/json"
TEXT = "text/plain"
SILENCE_MS = 600_000  # after which even a lost answer's connection is cut: no request waits for ever


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = TEXT


def json_reply(answer: Any) -> Reply:
    """Encode an answer; rows of the record are structs."""
    return Reply(200, msgspec.json.encode(answer), JSON)


class Doors:
    """One method a door. Bad input is answered in plain text as the venue answers it, never raised."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._doors: dict[str, tuple[str, Callable[[str, bytes], Awaitable[Reply]]]] = {
            "/info": ("POST", self._info),
            "/exchange": ("POST", self._exchange),
            "/control": ("POST", self._control),
        }

    async def request(self, address: str, method: str, path: str, body: bytes) -> Reply:
        """Answer one request of a client address."""
        found = self._doors.get(path)
        if found is None:
            return Reply(404, b"404: Not Found")
        if found[0] != method:
            return Reply(405, b"405: Method Not Allowed")
        reply = await found[1](address, body)
        if path != "/control":
            self._server.venue.event_log.add(b"%d %b" % (reply.status, path.encode()), reply.body)
        return reply

    def too_many(self) -> Reply:
        """Count a refusal by the limits of the client's address and return its answer."""
        self._server.venue.record.counters["rate_limited"] += 1
        return Reply(429, self._server.settings.too_many_body.encode())

    async def _info(self, address: str, sent: bytes) -> Reply:
        limits, info = self._server.limits, self._server.info
        source = limits.source(address)
        try:
            body = orjson.loads(sent)
            kind = str(body.get("type")) if isinstance(body, dict) else ""
            if not limits.spend(source, info_weight(kind)):
                return self.too_many()
            answer = info.answer(body)
        except (orjson.JSONDecodeError, BadRequestError):
            return Reply(422, MISFIT.encode())
        limits.charge(source, row_weight(kind, answer))
        fate = self._server.faults.fate(address, "info")
        if fate is not None:
            await self._pause(fate.delay_ms)
            if fate.failure is not None:
                return await self._failed(fate.failure)
        return json_reply(answer)

    async def _exchange(self, address: str, sent: bytes) -> Reply:
        try:
            envelope = parse_envelope(sent)
        except ParseError as error:
            return Reply(422, f"{MISFIT}: {error}".encode(errors="replace"))
        limits = self._server.limits
        if not limits.spend(limits.source(address), action_weight(envelope.action.requests())):
            return self.too_many()
        answered: asyncio.Future[Answer | Failure] = asyncio.get_running_loop().create_future()

        def reply(answer: Answer | Failure) -> None:
            if not answered.done():
                answered.set_result(answer)

        self._server.submit(envelope, address, reply)
        outcome = await answered
        return await self._failed(outcome) if isinstance(outcome, Failure) else json_reply(outcome)

    async def _pause(self, delay_ms: int) -> None:
        if delay_ms:
            over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._server.after(delay_ms, lambda: None if over.done() else over.set_result(None))
            await over

    async def _failed(self, failure: Failure) -> Reply:
        """Give the client what it gets instead of an answer.

        Raises:
            ConnectionResetError: a cut connection, or silence that has lasted long enough.
        """
        if failure.status == LOST:
            await self._pause(SILENCE_MS)
        if failure.status in (LOST, CUT):
            raise ConnectionResetError("the answer's connection was cut")
        return Reply(failure.status, failure.body)

    async def _control(self, address: str, sent: bytes) -> Reply:
        if not address.startswith("127.") and address != "::1":
            return Reply(403, b"The control door opens on loopback only.")
        try:
            return json_reply(self._server.control.run(orjson.loads(sent)))
        except orjson.JSONDecodeError as error:
            return Reply(400, f"Not JSON: {error}".encode(errors="replace"))
        except ControlError as error:
            return Reply(400, str(error).encode(errors="replace"))
