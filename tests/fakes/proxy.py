"""A TCP proxy between two processes that does to the bytes what bad networks and middle boxes do."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Self
from urllib.parse import urlsplit

Weather = Literal["fair", "cut", "stall", "delay", "truncate", "corrupt"]

_CHUNK = 65_536
# Of the chunks that pass in bad weather. A chunk is what one read brings: about a frame, or a part of a large answer.
_STRUCK = {"fair": 0.0, "cut": 0.15, "stall": 1.0, "delay": 0.6, "truncate": 0.15, "corrupt": 0.2}
# As each of these ends a connection sooner or later, and the venue lets an address open thirty a minute.
_MOST = {"cut": 2, "truncate": 2, "corrupt": 2}
_DELAY_S = (0.02, 0.4)


def torn(chunk: bytes, rng: random.Random) -> bytes:
    """The chunk without its end, as long as it was or shorter by all."""
    return chunk[: rng.randrange(len(chunk))]


def holed(chunk: bytes, rng: random.Random) -> bytes:
    """The chunk without some bytes in its middle; what follows in the stream goes on."""
    first, last = sorted(rng.randrange(len(chunk) + 1) for _ in range(2))
    return chunk[:first] + chunk[last:]


def flipped(chunk: bytes, rng: random.Random) -> bytes:
    """The chunk with the top bits of up to three bytes flipped.

    Masked or not, such a byte of a text is no UTF-8. A flip that leaves another valid text is what TLS is there for: over a
    plain socket, nothing could tell it from the truth.
    """
    changed = bytearray(chunk)
    for _ in range(rng.randint(1, 3)):
        changed[rng.randrange(len(changed))] ^= 0x80
    return bytes(changed)


class Proxy:
    """Listens on loopback, on a loop and thread of its own, and carries each connection to `target`.

    Attributes:
        struck: how often each fault struck.
    """

    def __init__(self, target: str, seed: int) -> None:
        self._port = urlsplit(target).port
        self._rng = random.Random(seed)
        self._weather: Weather = "fair"
        self._left = 0.0
        self.struck: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self.base_url: str

    @property
    def weather(self) -> Weather:
        """What happens to the bytes; any thread may change it."""
        return self._weather

    @weather.setter
    def weather(self, now: Weather) -> None:
        self._weather, self._left = now, _MOST.get(now, math.inf)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_error) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._connect(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._stalled()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ways = [
            asyncio.ensure_future(self._pass(reader, far_writer)),
            asyncio.ensure_future(self._pass(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            # A half that ended well has said so; whatever else is on its way is lost, as with any reset.
            far_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            weather, rng = self.weather, self._rng
            if self._left and rng.random() < _STRUCK[weather]:
                self._left -= 1
                self.struck[weather] += 1
                if weather == "cut":
                    writer.write(torn(chunk, rng))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(writer.drain(), 0.05)
                    return
                chunk = await self._spoil(weather, chunk)
            writer.write(chunk)
            await writer.drain()

    async def _stalled(self) -> None:
        while self.weather == "stall":  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.02)

    async def _spoil(self, weather: Weather, chunk: bytes) -> bytes:
        if weather == "delay":
            await asyncio.sleep(self._rng.uniform(*_DELAY_S))
        await self._stalled()
        spoilers: dict[str, Callable[[bytes, random.Random], bytes]] = {"truncate": holed, "corrupt": flipped}
        return spoilers[weather](chunk, self._rng) if weather in spoilers else chunk
