"""A venue without sockets for unit tests: accounts with keys, an injected clock, answers at once."""

from __future__ import annotations

from typing import Any

import coincurve
import msgspec

from hlfast.sim import signatures
from hlfast.sim.actions import convert_envelope
from hlfast.sim.channels import read_subscription
from hlfast.sim.server import Server
from hlfast.sim.settings import Settings

START_MS = 1_790_000_000_000


class Wallet:
    """A deterministic test key."""

    def __init__(self, number: int) -> None:
        self.key = coincurve.PrivateKey(number.to_bytes(32, "big"))
        self.address = signatures.address_of(self.key.public_key.format(compressed=False)[1:])

    def sign(self, digest: bytes) -> dict[str, Any]:
        packed = self.key.sign_recoverable(digest, hasher=None)
        return {"r": hex(int.from_bytes(packed[:32])), "s": hex(int.from_bytes(packed[32:64])), "v": 27 + packed[64]}


class Listener:
    """Receives frames as a connection would."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    def send(self, payload: bytes) -> None:
        self.frames.append(msgspec.json.decode(payload))

    def of(self, channel: str) -> list[Any]:
        return [frame["data"] for frame in self.frames if frame["channel"] == channel]


class Desk:
    """One venue with a clock that only moves when told to."""

    def __init__(self, **switches: Any) -> None:
        self.now_ms = START_MS
        self.server = Server(Settings(**({"block_ms": 0} | switches)), lambda: self.now_ms)
        self.nonce = START_MS

    @property
    def venue(self) -> Any:
        return self.server.venue

    def wallet(self, number: int = 1, usdc: str | None = "10000") -> Wallet:
        wallet = Wallet(number)
        if usdc is not None:
            self.control(op="fund", address=wallet.address, usdc=usdc)
        return wallet

    def agent_of(self, master: Wallet, number: int) -> Wallet:
        agent = Wallet(number)
        self.control(op="approve_agent", master=master.address, agent=agent.address, name="copy")
        return agent

    def control(self, **request: Any) -> dict[str, Any]:
        return dict(self.server.control.run(request))

    def info(self, kind: str, **fields: Any) -> Any:
        return msgspec.json.decode(msgspec.json.encode(self.server.info.answer({"type": kind} | fields)))

    def body(self, wallet: Wallet, action: dict[str, Any], **outer: Any) -> dict[str, Any]:
        """Sign an action as a client does; `outer` replaces parts of the body before (`nonce`…) signing."""
        network = outer.pop("network", self.server.settings.network)
        self.nonce += 1
        body: dict[str, Any] = {
            "action": action,
            "nonce": self.nonce,
            "signature": {"r": "0x1", "s": "0x1", "v": 27},
        } | outer
        hashed = signatures.digest_of(convert_envelope(body), network)
        assert hashed is not None
        return body | {"signature": wallet.sign(hashed[1])}

    def post(self, body: dict[str, Any], source: str = "127.0.0.1") -> Any:
        answers: list[Any] = []
        self.server.submit(convert_envelope(body), source, answers.append)
        assert len(answers) == 1, "with block_ms=0 the answer comes at once"
        return msgspec.json.decode(msgspec.json.encode(answers[0]))

    def act(self, wallet: Wallet, action: dict[str, Any], **outer: Any) -> Any:
        return self.post(self.body(wallet, action, **outer))

    def asset(self, coin: str) -> int:
        return int(self.venue.universe.by_coin[coin].asset_id)

    def row(self, coin: str, side: str, price: str, size: str, tif: str = "Ioc", **extra: Any) -> dict[str, Any]:
        row: dict[str, Any] = {
            "a": self.asset(coin),
            "b": side == "B",
            "p": price,
            "s": size,
            "r": extra.pop("reduce_only", False),
            "t": extra.pop("t", {"limit": {"tif": tif}}),
        }
        return row | extra

    def orders(self, wallet: Wallet, *rows: dict[str, Any], grouping: Any = "na", **outer: Any) -> Any:
        return self.act(wallet, {"type": "order", "orders": list(rows), "grouping": grouping}, **outer)

    def order(self, wallet: Wallet, *args: Any, **kwargs: Any) -> Any:
        """Place one order and return its item."""
        answer = self.orders(wallet, self.row(*args, **kwargs))
        assert answer["status"] == "ok", answer
        return answer["response"]["data"]["statuses"][0]

    def listen(self, kind: str, **fields: Any) -> Listener:
        listener = Listener()
        self.server.hub.join(listener, read_subscription({"type": kind} | fields, self.venue))
        return listener

    def position(self, wallet: Wallet | str, coin: str) -> str:
        address = wallet if isinstance(wallet, str) else wallet.address
        dex = coin.partition(":")[0] if ":" in coin else ""
        for row in self.info("clearinghouseState", user=address, dex=dex)["assetPositions"]:
            if row["position"]["coin"] == coin:
                return str(row["position"]["szi"])
        return "0.0"
