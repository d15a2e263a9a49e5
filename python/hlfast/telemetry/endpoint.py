"""A very small HTTP server for `/metrics`, `/latency` and `/health`.

It is not for the open internet: bind it to loopback or a private network.

Everything happens on the loop, in one callback a request. A thread would not spare the loop the work: it needs the
interpreter's lock for each of its steps, and whoever wants it back waits (bench/tried_and_lost.md has the figures).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

_MAX_HEAD: Final = 8_192
_MAX_CONNECTIONS: Final = 16
# For the request, and for taking the answer.
_LIFE_S: Final = 5.0
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_JSON: Final = "application/json"
_PATHS: Final = b"GET /metrics, GET /latency or GET /health\n"


def _answer(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


class Endpoint:
    """Serves GET `/metrics`, `/latency` and `/health`, one request a connection.

    Args:
        metrics: gives the exposition.
        health: gives the status as JSON.
        latency: gives the percentiles of each stage as JSON, finer than the buckets of `/metrics`.

    All three are called on the loop.
    """

    def __init__(self, metrics: Callable[[], bytes], health: Callable[[], bytes], latency: Callable[[], bytes]) -> None:
        self._pages: dict[bytes, tuple[str, Callable[[], bytes]]] = {
            b"/metrics": (_TEXT, metrics),
            b"/latency": (_JSON, latency),
            b"/health": (_JSON, health),
        }
        self._server: asyncio.Server | None = None
        self.connections: set[_Connection] = set()
        self.url = ""

    async def start(self, host: str, port: int) -> str:
        """Listen and return the base URL.

        Raises:
            OSError: the address is taken or not ours.
        """
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), host, port)
        bound = self._server.sockets[0].getsockname()
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.url = f"http://{shown}:{bound[1]}"
        return self.url

    async def close(self) -> None:
        """Stop listening and end every connection. Safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for connection in list(self.connections):
            connection.end()
        await server.wait_closed()

    def respond(self, head: bytes) -> bytes:
        """Answer one request, given its head."""
        method, _, rest = head.partition(b" ")
        if method != b"GET":
            return _answer("405 Method Not Allowed", _TEXT, _PATHS)
        page = self._pages.get(rest.partition(b" ")[0].partition(b"?")[0])
        if page is None:
            return _answer("404 Not Found", _TEXT, _PATHS)
        kind, make = page
        return _answer("200 OK", kind, make())


class _Connection(asyncio.Protocol):
    """One request: its head, bounded in length and time, and its answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._head = b""
        self._answered = False
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        if len(self._endpoint.connections) >= _MAX_CONNECTIONS:
            self._transport.abort()
            return
        self._endpoint.connections.add(self)
        self._end = asyncio.get_running_loop().call_later(_LIFE_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._answered or self._transport is None:
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._answered = True
            self._transport.write(self._endpoint.respond(self._head))
            self._transport.close()
        elif len(self._head) > _MAX_HEAD:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a scraper that went away, or no scraper
        self._endpoint.connections.discard(self)
        if self._end is not None:
            self._end.cancel()

    def end(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()
