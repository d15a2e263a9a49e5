"""The second road: one HTTP request per action, when no post lane is up or an outcome must be settled another way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

# The venue's own bound for posts in flight is 100; HTTP is the spare road, and 32 sockets to one host are plenty for
# it.
CONCURRENCY: Final = 32
MAX_WAITING: Final = 4_096


class HttpLane:
    """Sends bodies to /exchange and takes the answers back.

    Args:
        number: its lane number, which no source has.
        post: sends one body; answers (status, body) within its own deadline, status 0 when no answer came.
        answer: takes (post id, status, body) back to the core. Status 0: the outcome is unknown.
    """

    def __init__(
        self,
        number: int,
        post: Callable[[bytes], Awaitable[tuple[int, bytes]]],
        answer: Callable[[int, int, bytes], None],
        *,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self.number = number
        self._post = post
        self._answer = answer
        self._concurrency = concurrency
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """Requests waiting or on their way."""
        return len(self._waiting) + len(self._running)

    def write(self, post_id: int, body: bytes) -> bool:
        """Send a body as soon as a slot is free; False when too many wait already and it was not taken."""
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append((post_id, body))
        self._begin()
        return True

    async def close(self) -> None:
        """Abandon everything. Outcomes not yet known are settled by the next start."""
        self._waiting.clear()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _begin(self) -> None:
        while self._waiting and len(self._running) < self._concurrency:
            task = asyncio.get_running_loop().create_task(self._send(*self._waiting.popleft()))
            self._running.add(task)
            task.add_done_callback(self._ended)

    async def _send(self, post_id: int, body: bytes) -> None:
        status, answer = await self._post(body)
        self._answer(post_id, status, answer)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "an HTTP post failed", "exception": error}
                )
            self._begin()
