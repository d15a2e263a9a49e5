"""A very small HTTP server for `/metrics`, `/latency` and `/health`.

It is not for the open internet: bind it to loopback or a private network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_MAX_HEAD: Final = 8_192
_MAX_CONNECTIONS: Final = 16
_HEAD_S: Final = 5.0
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_JSON: Final = "application/json"
_PATHS: Final = b"GET /metrics, GET /latency or GET /health\n"


def _answer(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


class Endpoint:
    """Serves GET `/metrics`, `/latency` and `/health`, one request a connection.

    Args:
        metrics: reads on the loop what only the loop may read, and gives the renderer of the exposition, which is
        called in a
            thread, so that the loop does not wait for it.
        health: gives the status as JSON; called on the loop.
        latency: gives the percentiles of each stage as JSON, finer than the buckets of `/metrics`; called in a thread.
    """

    def __init__(
        self, metrics: Callable[[], Callable[[], bytes]], health: Callable[[], bytes], latency: Callable[[], bytes]
    ) -> None:
        self._metrics = metrics
        self._health = health
        self._latency = latency
        self._server: asyncio.Server | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hlfast-metrics")
        self._open: set[asyncio.Task[None]] = set()
        self.url = ""

    async def start(self, host: str, port: int) -> str:
        """Listen and return the base URL.

        Raises:
            OSError: the address is taken or not ours.
        """
        self._server = await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD)
        bound = self._server.sockets[0].getsockname()
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.url = f"http://{shown}:{bound[1]}"
        return self.url

    async def close(self) -> None:
        """Stop listening and end every connection. Safe to call twice."""
        if self._server is not None:
            self._server.close()
            for task in list(self._open):
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= _MAX_CONNECTIONS:
            writer.close()
            return
        self._open.add(task)
        try:
            async with asyncio.timeout(_HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._respond(head))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a scraper that went away, or no scraper
        finally:
            self._open.discard(task)
            writer.close()

    async def _respond(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method != b"GET":
            return _answer("405 Method Not Allowed", _TEXT, _PATHS)
        if path == b"/metrics":
            body = await asyncio.get_running_loop().run_in_executor(self._thread, self._metrics())
            return _answer("200 OK", _TEXT, body)
        if path == b"/latency":
            return _answer(
                "200 OK", _JSON, await asyncio.get_running_loop().run_in_executor(self._thread, self._latency)
            )
        if path == b"/health":
            return _answer("200 OK", _JSON, self._health())
        return _answer("404 Not Found", _TEXT, _PATHS)
