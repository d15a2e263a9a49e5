"""A venue in process, in virtual time, and one client of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import coincurve

from hlfast.sim import signatures
from hlfast.sim.actions import convert_envelope
from hlfast.sim.faults import Faults
from hlfast.sim.inprocess import InProcess, Socket
from hlfast.sim.settings import Settings
from hlfast.sim.virtual import VirtualLoop

KEY = coincurve.PrivateKey((7).to_bytes(32, "big"))
ADDRESS = signatures.address_of(KEY.public_key.format(compressed=False)[1:])
SOURCE = "127.0.0.1"


class Client:
    """A venue in process, and one client's frames of it."""

    def __init__(self, loop: VirtualLoop, faults: Faults | None = None, **switches: Any) -> None:
        self.loop = loop
        self.venue = InProcess(Settings(**switches), loop=loop, now_ms=loop.now_ms, faults=faults)
        self.frames: list[dict[str, Any]] = []
        self.closed: list[int] = []
        self._nonce = 0

    def connect(self, source: str = SOURCE) -> Socket:
        return self.venue.connect(source, self._on_frame, self.closed.append)

    def _on_frame(self, frame: bytes) -> None:
        try:
            self.frames.append(json.loads(frame))
        except ValueError:
            self.frames.append({"channel": "garbage", "data": frame})

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        status, answer = await self.venue.request(SOURCE, "POST", path, json.dumps(body).encode())
        return status, json.loads(answer) if status == 200 else answer.decode()

    def control(self, **request: Any) -> dict[str, Any]:
        return dict(self.venue.server.control.run(request))

    def fund(self, usdc: str = "1000000") -> None:
        self.control(op="fund", address=ADDRESS, usdc=usdc)

    def add(self, *faults: dict[str, Any]) -> list[int]:
        return list(self.control(op="add_faults", faults=list(faults))["numbers"])

    def fills(self) -> int:
        return len(self.venue.server.venue.record.fills)

    def of(self, channel: str) -> list[Any]:
        return [frame.get("data") for frame in self.frames if frame["channel"] == channel]

    def order(self, nonce: int | None = None, *, key: coincurve.PrivateKey = KEY, **outer: Any) -> dict[str, Any]:
        """Sign an order for 0.05 ETH that fills at once; `row` replaces parts of it, the rest parts of the body."""
        self._nonce = max(self.loop.now_ms(), self._nonce + 1)
        row = {"a": 1, "b": True, "p": "9000", "s": "0.05", "r": False, "t": {"limit": {"tif": "Ioc"}}}
        row |= outer.pop("row", {})
        body: dict[str, Any] = {"action": {"type": "order", "orders": [row], "grouping": "na"}}
        body |= {"nonce": self._nonce if nonce is None else nonce} | outer
        hashed = signatures.digest_of(
            convert_envelope(body | {"signature": {"r": "0x1", "s": "0x1", "v": 27}}), "testnet"
        )
        assert hashed is not None
        raw = key.sign_recoverable(hashed[1], hasher=None)
        return body | {"signature": {"r": "0x" + raw[:32].hex(), "s": "0x" + raw[32:64].hex(), "v": 27 + raw[64]}}


def run(talk: Callable[[Client], Coroutine[Any, Any, None]], faults: Faults | None = None, **switches: Any) -> Client:
    """Let a talk with a fresh venue happen."""
    loop = VirtualLoop()
    try:
        client = Client(loop, faults, **switches)
        loop.run_until_complete(asyncio.wait_for(talk(client), 86_400))
        loop.run_until_complete(client.venue.stop())
        return client
    finally:
        loop.close()


def subscribe(**subscription: Any) -> bytes:
    return json.dumps({"method": "subscribe", "subscription": subscription}).encode()


def post(post_id: int, kind: str, payload: Any) -> bytes:
    return json.dumps({"method": "post", "id": post_id, "request": {"type": kind, "payload": payload}}).encode()
