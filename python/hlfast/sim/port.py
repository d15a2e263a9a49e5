"""The venue on a TCP port: HTTP and WebSocket carried to the doors and back, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Generic, Protocol, TypeVar

from aiohttp import WSMsgType, web

from hlfast.sim.connection import MAX_FRAME, Wire
from hlfast.sim.doors import Reply
from hlfast.sim.page.static import LOCAL_ONLY, headers, is_local, page
from hlfast.sim.settings import Settings
from hlfast.sim.timers import Timers

MAX_BODY = 64 * 1024 * 1024  # scenarios and recorded fills come through the control door


def text_frame(payload: bytes) -> bytes:
    """Return an unmasked WebSocket text frame, as servers send them."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class TcpWire:
    """Writes frames straight to the transport, so that a block's frames leave within the block's callback."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def is_closing(self) -> bool:
        """Tell whether the socket is gone or going."""
        return self._transport.is_closing()

    def backlog(self) -> int:
        """Return the bytes that the client hasn't taken yet."""
        return self._transport.get_write_buffer_size()

    def send(self, payload: bytes) -> None:
        """Write one text frame."""
        self._transport.write(text_frame(payload))

    def abort(self) -> None:
        """Drop the socket without a close frame: the client sees code 1006."""
        self._transport.abort()


class Socket(Protocol):
    """The venue's side of a socket."""

    def receive(self, text: str) -> None:
        """Take one message of the client."""


S = TypeVar("S", bound=Socket)


class Front(Protocol[S]):
    """What a port carries to and fro: a server, or one whose turns are recorded."""

    @property
    def settings(self) -> Settings:
        """Every switch."""

    def run(self, loop: Timers) -> None:
        """Start the venue's clock; it starts once."""

    def stop(self) -> None:
        """Close every socket and stop the clock."""

    async def request(self, source: str, method: str, path: str, body: bytes) -> Reply:
        """Answer one HTTP request of a client address."""

    def refusal(self, source: str, /) -> Reply | None:
        """Count a new socket of a client address; returns the HTTP answer when it may not open one."""

    def attach(self, wire: Wire, source: str, /) -> S:
        """Take a new socket of a client address, after `refusal` let it pass."""

    def detach(self, socket: S, /) -> None:
        """Forget a socket that has gone."""


class Port(Generic[S]):
    """A venue's doors on one TCP port."""

    def __init__(self, server: Front[S]) -> None:
        self._server = server
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen and start the venue's clock; returns the port, which the system picks when 0 is asked for.

        Raises:
            OSError: the address can't be bound.
            ValueError: the venue checks no signatures; nobody outside its process may meet such a one.
        """
        if not self._server.settings.verify:
            raise ValueError(
                "verify = false is for venues in the client's own process: a port always checks signatures"
            )
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_get("/", self._on_page)
        app.router.add_get("/ws", self._on_ws)
        app.router.add_route("*", "/{path:.*}", self._on_request)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=1024)
        await site.start()
        self._server.run(asyncio.get_running_loop())
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close every socket, stop the venue's clock and listen no more."""
        self._server.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _on_page(self, request: web.Request) -> web.Response:
        if not is_for_us(request):
            return web.Response(status=403, text=LOCAL_ONLY)
        return web.Response(body=page().html, content_type="text/html", charset="utf-8", headers=headers(request.host))

    async def _on_request(self, request: web.Request) -> web.Response:
        if request.path == "/control" and not is_for_us(request):
            return web.Response(status=403, text=LOCAL_ONLY)
        body = await request.read()
        try:
            reply = await self._server.request(source_of(request), request.method, request.path, body)
        except ConnectionResetError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)  # nobody hears it
        return response(reply)

    async def _on_ws(self, request: web.Request) -> web.StreamResponse:
        address = source_of(request)
        if request.transport is None:
            return web.Response(status=400)  # gone already
        refusal = self._server.refusal(address)
        if refusal is not None:
            return response(refusal)
        # The venue offers no compression, so none is negotiated here.
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_FRAME)
        link = self._server.attach(TcpWire(request.transport), address)
        try:
            await socket.prepare(request)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    link.receive(message.data)
                elif message.type is WSMsgType.ERROR:
                    break
        finally:
            self._server.detach(link)
        return socket


def is_for_us(request: web.Request) -> bool:
    """Tell whether a request may have what only this machine may: the page and the control door."""
    return is_local(source_of(request), request.headers.get("Host"), request.headers.get("Origin"))


def source_of(request: web.Request) -> str:
    """Return the client's address, which its limits belong to."""
    return request.remote or "unknown"


def response(reply: Reply) -> web.Response:
    """Spell a door's answer for aiohttp."""
    return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)
