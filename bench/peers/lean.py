"""A lean copier in plain Python: picows, uvloop, msgspec, coincurve, cached EIP-712 constants, WebSocket posts.

Everything a careful author would do without native code of their own: typed decoding, msgpack by msgspec, Keccak straight
through the C functions of pycryptodome, one signature a follower, all frames of an event through one transport.
`--spin` keeps the loop from sleeping.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path

import coincurve
import msgspec
import picows
import uvloop
from Crypto.Hash.keccak import _raw_keccak_lib as raw
from Crypto.Util._raw_api import VoidPointer, create_string_buffer, get_raw_buffer

DOMAIN = bytes.fromhex("d79297fcdf2ffcd4ae223d01edaa2ba214ff8f401d7c9300d995d17c82aa4040")
AGENT_TYPE = bytes.fromhex("26f05c2f7239b6983075e58321292d77b3aa173d19b27257ac96ab362570f508")
SOURCE_TESTNET = bytes.fromhex("b5553de315e0edf504d9150af82dafa5c4667fa618ed0a6f19c69b41166c5510")
ASSETS = {"BTC": 0, "ETH": 1, "SOL": 2}
SIZE_DECIMALS = (5, 4, 2)
SLIPPAGE = 0.003


class Fill(msgspec.Struct, gc=False):
    """The fields of a userFills row that copying needs."""

    coin: str
    px: str
    sz: str
    side: str
    dir: str


class Fills(msgspec.Struct, gc=False):
    """The data of a userFills frame."""

    fills: list[Fill]
    isSnapshot: bool = False  # noqa: N815 -- the venue's key


class Message(msgspec.Struct, gc=False):
    """A frame of the venue whose data is decoded only when it matters."""

    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


def make_keccak() -> Callable[[bytes], bytes]:
    """Bind one reusable C state; `keccak_256` of the wrapper classes costs ten times as much."""
    pointer = VoidPointer()
    raw.keccak_init(pointer.address_of(), 64, 24)
    state = pointer.get()
    out = create_string_buffer(32)
    reset, absorb, digest = raw.keccak_reset, raw.keccak_absorb, raw.keccak_digest

    def keccak(data: bytes) -> bytes:
        reset(state)
        absorb(state, data, len(data))
        digest(state, out, 32, 1)
        return get_raw_buffer(out)

    keccak.keep = pointer  # type: ignore[attr-defined] -- the state lives as long as the function
    return keccak


class Copier(picows.WSListener):
    """Feed and order lane on one connection."""

    def __init__(self, leader: str, keys: list[bytes]) -> None:
        """Keep a signer a follower."""
        self.leader = leader
        self.signers = [coincurve.PrivateKey(key) for key in keys]
        self.message = msgspec.json.Decoder(Message).decode
        self.fills = msgspec.json.Decoder(Fills).decode
        self.pack = msgspec.msgpack.Encoder().encode
        self.text = msgspec.json.Encoder().encode
        self.keccak = make_keccak()
        self.post_id = 0
        self.nonce = 0
        self.ready = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Subscribe to the leader."""
        self.transport = transport
        wanted = {"method": "subscribe", "subscription": {"type": "userFills", "user": self.leader}}
        transport.send(picows.WSMsgType.TEXT, self.text(wanted))

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Copy the fills of a live frame."""
        if frame.msg_type != picows.WSMsgType.TEXT:
            return
        message = self.message(frame.get_payload_as_memoryview())
        if message.channel != "userFills":
            return
        data = self.fills(message.data)
        if data.isSnapshot:
            if not self.ready.done():
                self.ready.set_result(None)
            return
        for fill in data.fills:
            self.copy(transport, fill)

    def copy(self, transport: picows.WSTransport, fill: Fill) -> None:
        """Sign and send one order a follower."""
        asset, is_buy = ASSETS[fill.coin], fill.side == "B"
        price = float(fill.px) * (1 + SLIPPAGE if is_buy else 1 - SLIPPAGE)
        limit = f"{round(float(f'{price:.5g}'), 6 - SIZE_DECIMALS[asset]):.6f}".rstrip("0").rstrip(".")
        order = {"a": asset, "b": is_buy, "p": limit, "s": fill.sz, "r": fill.dir.startswith("Close")}
        order["t"] = {"limit": {"tif": "Ioc"}}
        action = {"type": "order", "orders": [order], "grouping": "na"}
        packed, text = self.pack(action), self.text(action)
        keccak, send, post_id = self.keccak, transport.send, self.post_id
        for signer in self.signers:
            self.nonce = nonce = max(self.nonce + 1, time.time_ns() // 1_000_000)
            connection = keccak(packed + nonce.to_bytes(8, "big") + b"\x00")
            digest = keccak(b"\x19\x01" + DOMAIN + keccak(AGENT_TYPE + SOURCE_TESTNET + connection))
            mark = signer.sign_recoverable(digest, hasher=None)
            post_id += 1
            send(
                picows.WSMsgType.TEXT,
                b'{"method":"post","id":%d,"request":{"type":"action","payload":{"action":%b,"nonce":%d,"signature":'
                b'{"r":"0x%b","s":"0x%b","v":%d},"vaultAddress":null,"expiresAfter":null}}}'
                % (
                    post_id,
                    text,
                    nonce,
                    mark[:32].hex().lstrip("0").encode(),
                    mark[32:64].hex().lstrip("0").encode(),
                    27 + mark[64],
                ),
            )
        self.post_id = post_id


async def run(ws_url: str, leader: str, keys: list[bytes], *, spin: bool) -> None:
    """Connect, say so, and copy until the connection ends."""
    transport, copier = await picows.ws_connect(lambda: Copier(leader, keys), ws_url)
    await copier.ready
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
    parser.add_argument("--keys", required=True, help="file with one hexadecimal agent key a line")
    parser.add_argument("--spin", action="store_true")
    arguments = parser.parse_args()
    with Path(arguments.keys).open(encoding="ascii") as lines:
        keys = [bytes.fromhex(line.strip().removeprefix("0x")) for line in lines]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(arguments.ws_url, arguments.leader, keys, spin=arguments.spin))


if __name__ == "__main__":
    main()
