"""A WebSocket server on loopback that records what it is told and says what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server


class Peer(WSListener):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.server.peers.append(self)
        self.server.wake()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.server.closes.append(frame.get_close_code().value)
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        else:
            payload = frame.get_payload_as_bytes()
            self.server.texts.append(payload)
            if self.server.answer_pings and payload == b'{"method":"ping"}':
                self.say(b'{"channel":"pong"}')
        self.server.wake()

    def say(self, payload: bytes, *, fin: bool = True, kind: WSMsgType = WSMsgType.TEXT) -> None:
        self.transport.send(kind, payload, fin=fin)


class Server:
    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.texts: list[bytes] = []
        self.closes: list[int] = []
        self.answer_pings = True
        self.url = ""
        self._changed = asyncio.Event()

    def wake(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; whoever changes something calls `wake`."""
        async with asyncio.timeout(5):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def methods(self, name: str) -> list[dict[str, object]]:
        said = [orjson.loads(text) for text in self.texts]
        return [message["subscription"] for message in said if message["method"] == name]


@asynccontextmanager
async def running() -> AsyncIterator[Server]:
    server = Server()

    def accept(_request: WSUpgradeRequest) -> WSListener:
        return Peer(server)

    listening = await ws_create_server(accept, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"ws://127.0.0.1:{port}/ws"
    try:
        yield server
    finally:
        listening.close()
        for peer in server.peers:
            peer.transport.disconnect(graceful=False)
        await listening.wait_closed()
        await asyncio.sleep(0)
