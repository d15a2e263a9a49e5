"""The REST road: one session, one connector, verbatim bytes, and status 0 where nothing came back."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp

# A full page of fills is about 0.7 MB, the largest answer known; this bounds what one answer may take.
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
NO_ANSWER: Final = 0
_HEADERS: Final = {"Content-Type": "application/json"}


class Road(Protocol):
    """A way to the venue's /info and /exchange: HTTP, or posts over a WebSocket (`stream.Streams`)."""

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        """Send a body and return (status, answer); (0, reason) when no answer came: what happened is *unknown*."""


class HttpRoad:
    """POSTs to one base URL over kept-open connections.

    Args:
        base_url: `https://host` without a path at its end.
        connections: sockets kept at most; further requests wait for one.
        deadline_ms: time for one request, connecting included, unless a call names its own.

    One event loop. Opens its first socket at the first request; `close` (or `async with`) ends it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connections: int = 16,
        deadline_ms: int = 10_000,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._connections = connections
        self._deadline_ms = deadline_ms
        self._ssl = ssl_context
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        """POST `body` and return (status, answer) as they came, whatever the status.

        Returns:
            (0, reason) when no whole answer came before the deadline. Whether the venue got the request is *unknown*.
        """
        session = self._session or self._open()
        timeout = aiohttp.ClientTimeout(total=(deadline_ms or self._deadline_ms) / 1000)
        try:
            async with session.post(
                self.base_url + path, data=body, headers=_HEADERS, timeout=timeout, allow_redirects=False
            ) as answer:
                return answer.status, await _read_bounded(answer.content)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return NO_ANSWER, f"{type(error).__name__}: {error}".encode()

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._connections,
            keepalive_timeout=60,
            ttl_dns_cache=300,
            ssl=self._ssl if self._ssl is not None else True,
        )
        # Cookies and proxies from the environment have no place between us and the venue.
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self._session

    async def close(self) -> None:
        """Close the sockets. The next `post` would open new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            # aiohttp closes TLS transports one loop turn later.
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _read_bounded(content: aiohttp.StreamReader) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in content.iter_any():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            message = f"an answer of more than {MAX_ANSWER_BYTES} bytes"
            raise ValueError(message)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
