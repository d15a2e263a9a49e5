"""The floor of the transport: the same stack (picows, uvloop), a frame comes in, fixed bytes of an order's size go out.

Nothing is parsed, decided or signed. A fan-out leaves as whole masked frames in few large writes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json

import picows
import uvloop

# The size of one signed order with cloid and expiry inside a post.
ORDER_BYTES = 440
# Larger writes than this gain nothing and delay the first byte.
WRITE_BYTES = 16_384


def masked_frame() -> bytes:
    """One whole client frame with an all-zero mask; its payload looks like a post to the sink."""
    payload = b'{"method":"post","filler":"%b"}' % (b"x" * (ORDER_BYTES - 30))
    return bytes([0x81, 0x80 | 126]) + len(payload).to_bytes(2, "big") + bytes(4) + payload


class Echo(picows.WSListener):
    """Answers each live frame of the leader with one fixed frame a follower."""

    def __init__(self, leader: str, followers: int) -> None:
        """Build every write ahead: the first order alone, the rest in large pieces."""
        self.leader = leader
        frame = masked_frame()
        per_write = WRITE_BYTES // len(frame)
        self.writes = [frame]
        left = followers - 1
        while left > 0:
            self.writes.append(frame * min(per_write, left))
            left -= per_write
        self.ready = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Subscribe to the leader."""
        wanted = {"method": "subscribe", "subscription": {"type": "userFills", "user": self.leader}}
        transport.send(picows.WSMsgType.TEXT, json.dumps(wanted).encode())
        self.write = transport.underlying_transport.write

    def on_ws_frame(self, _transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Tell a live frame by its first bytes, as cheaply as that can be done."""
        start = bytes(frame.get_payload_as_memoryview()[:48])
        if not start.startswith(b'{"channel":"userFills"'):
            return
        if b"isSnapshot" in start:
            if not self.ready.done():
                self.ready.set_result(None)
            return
        write = self.write
        for piece in self.writes:
            write(piece)


async def run(ws_url: str, leader: str, followers: int, *, spin: bool) -> None:
    """Connect, say so, and echo until the connection ends."""
    transport, echo = await picows.ws_connect(lambda: Echo(leader, followers), ws_url)
    await echo.ready
    loop = asyncio.get_running_loop()

    def turn() -> None:
        loop.call_soon(turn)

    if spin:
        turn()
    gc.collect()
    gc.freeze()
    print(json.dumps({"ready": True}), flush=True)
    await transport.wait_disconnected()


def main() -> None:
    """Parse the arguments and run on uvloop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ws-url", required=True)
    parser.add_argument("--leader", required=True)
    parser.add_argument("--followers", type=int, required=True)
    parser.add_argument("--spin", action="store_true")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(arguments.ws_url, arguments.leader, arguments.followers, spin=arguments.spin))


if __name__ == "__main__":
    main()
