"""The client's end of a simulated WebSocket: what the engine's connection uses of picows, and nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from picows import WSListener, WSMsgType

if TYPE_CHECKING:
    from hlfast.gameday.network import Link


class Frame:
    """A whole text message of the venue."""

    __slots__ = ("_payload",)
    msg_type = WSMsgType.TEXT
    fin = True

    def __init__(self, payload: bytes) -> None:
        self._payload = payload

    def get_payload_as_bytes(self) -> bytes:
        """Copy, as picows does."""
        return self._payload


class Transport:
    """Stands in for picows' `WSTransport`, and for the transport under it."""

    close_handshake = None

    def __init__(self, link: Link, listener: WSListener, gone: asyncio.Future[None]) -> None:
        self._link = link
        self._listener: Any = listener
        self._gone = gone
        self.is_open = True

    @property
    def underlying_transport(self) -> Transport:
        """Where ready frames go."""
        return self

    def send(self, _kind: WSMsgType, payload: bytes) -> None:
        """Send one text message."""
        if self.is_open:
            self._link.carry(bytes(payload))

    def write(self, data: bytes) -> None:
        """Send ready frames: header, mask and all."""
        for payload in unmask(data):
            if self.is_open:
                self._link.carry(payload)

    def disconnect(self, graceful: bool = True) -> None:  # noqa: ARG002 - picows' signature
        """Close; the listener hears of it in a turn of its own, as from a socket."""
        if self.is_open:
            self._link.close()

    async def wait_disconnected(self) -> None:
        """Wait for the end."""
        await asyncio.shield(self._gone)

    # called by the link, in the host's context

    def came_up(self) -> None:
        """The handshake is done."""
        self._listener.on_ws_connected(self)

    def arrived(self, payload: bytes) -> None:
        """One message of the venue."""
        if self.is_open:
            self._listener.on_ws_frame(self, Frame(payload))

    def went_down(self) -> None:
        """The socket is gone."""
        if self.is_open:
            self.is_open = False
            self._listener.on_ws_disconnected(self)
            if not self._gone.done():
                self._gone.set_result(None)


def unmask(data: bytes) -> Iterator[bytes]:
    """The messages in a run of masked text frames, each whole (RFC 6455, 5.2).

    Raises:
        ValueError: something else than whole masked text frames.
    """
    at = 0
    while at < len(data):
        if data[at] != 0x81 or not data[at + 1] & 0x80:
            raise ValueError(f"byte {at}: not a masked text frame of one piece")
        size = data[at + 1] & 0x7F
        at += 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[at : at + width], "big")
            at += width
        mask, body = data[at : at + 4], data[at + 4 : at + 4 + size]
        if len(body) < size:
            raise ValueError(f"byte {at}: the frame is cut short")
        pad = (mask * (size // 4 + 1))[:size]
        yield (int.from_bytes(body, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")
        at += 4 + size
