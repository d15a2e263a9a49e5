"""Reads that the core asks for, done with bounded concurrency, and never on the hot path."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

# Eight reads in flight keep a start with 2,000 accounts short on a 200 ms round trip; more would only meet the venue's
# weight limit.
CONCURRENCY: Final = 8
# 1,000 leaders and 1,000 followers ask for two states each at start; what is beyond is answered "no answer", and asked
# again.
MAX_WAITING: Final = 8_192

Fetch = Callable[[dict[str, Any]], Awaitable[tuple[int, bytes]]]


class Ask(msgspec.Struct, frozen=True, gc=False):
    """One item of `take_requests`. The core has taken the weight of a read from its budget already."""

    token: int = 0
    weight: int = 0
    request: dict[str, Any] | None = None
    subscribe: dict[str, Any] | None = None
    reconnect: int = 0  # a source's number
    leader: int = 0


class AskExecutor:
    """Executes the core's asks.

    Args:
        fetch: posts a body to /info; answers (status, verbatim body) within its own deadline, status 0 when no answer
        came. answer: takes (token, status, body) back to the core.
        subscribe: takes a subscription that the core wants.
        reconnect: takes (source, leader) of a feed that kept back what others brought of the leader.
        concurrency: reads in flight at once.
    """

    def __init__(
        self,
        fetch: Fetch,
        answer: Callable[[int, int, bytes], None],
        subscribe: Callable[[dict[str, Any]], None],
        reconnect: Callable[[int, int], None],
        *,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._fetch = fetch
        self._answer = answer
        self._subscribe = subscribe
        self._reconnect = reconnect
        self._concurrency = concurrency
        self._waiting: deque[Ask] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._decode = msgspec.json.Decoder(Ask).decode
        self.unanswered = 0

    @property
    def waiting(self) -> int:
        """Reads not begun."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Reads on their way."""
        return len(self._running)

    def take(self, requests: list[bytes]) -> None:
        """Queue what the core asks for, and begin what may begin. Called on each tick."""
        for raw in requests:
            ask = self._decode(raw)
            if ask.subscribe is not None:
                self._subscribe(ask.subscribe)
            elif ask.reconnect:
                self._reconnect(ask.reconnect, ask.leader)
            elif len(self._waiting) < MAX_WAITING:
                self._waiting.append(ask)
            else:
                self._give(ask, 0, b"")
        if self._waiting:
            self._begin()

    async def close(self) -> None:
        """Abandon everything."""
        self._waiting.clear()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._running) < self._concurrency:
            task = loop.create_task(self._read(self._waiting.popleft()))
            self._running.add(task)
            task.add_done_callback(self._ended)

    async def _read(self, ask: Ask) -> None:
        self._give(ask, *await self._fetch(ask.request or {}))

    def _give(self, ask: Ask, status: int, body: bytes) -> None:
        self.unanswered += status == 0
        self._answer(ask.token, status, body)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            # `fetch` answers errors as status 0, so an exception here is a defect and must not pass unseen.
            error = task.exception()
            if error is not None:
                asyncio.get_running_loop().call_exception_handler({"message": "a read failed", "exception": error})
            self._begin()
