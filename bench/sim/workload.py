"""A random day at the venue: accounts that trade, read, subscribe and reconnect while faults from the same seed happen.

All of it in process and in virtual time; signatures are checked unless told otherwise.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from hlfast.sim.faults import Faults
from hlfast.sim.faults.schedule import draw_faults
from hlfast.sim.inprocess import InProcess, Socket
from hlfast.sim.settings import Settings
from hlfast.sim.virtual import VirtualLoop

COINS = (("BTC", 0), ("ETH", 1), ("SOL", 5))
CHANNELS = ("userFills", "orderUpdates", "userEvents", "clearinghouseState", "openOrders")


def address_of(number: int) -> str:
    """Return the address of an account of the workload."""
    return f"0x{number:040x}"


class Trader:
    """One account with its own random numbers: sends actions and reads over HTTP or as posts, and reconnects."""

    def __init__(self, day: Day, number: int) -> None:
        self._day = day
        self._rng = random.Random(f"trader {day.seed} {number}")
        self._source = f"127.0.0.{number % 4 + 1}"
        self._nonce = 0
        self._posts = 0
        self._oids: list[int] = []
        self._socket: Socket | None = None
        self.address = address_of(number)

    async def live(self, until_s: float) -> None:
        """Do something every now and then."""
        loop = asyncio.get_running_loop()
        while loop.time() < until_s:
            if self._socket is None:
                self._connect()
            try:
                await asyncio.wait_for(self._step(), 5)
            except (TimeoutError, ConnectionResetError):
                self._day.seen["unanswered"] += 1
            await asyncio.sleep(self._rng.random() * 2)

    def _connect(self) -> None:
        try:
            self._socket = self._day.venue.connect(self._source, self._on_frame, self._on_close)
        except ConnectionRefusedError:
            self._day.seen["refused"] += 1
            return
        for kind in CHANNELS:
            self._send({"method": "subscribe", "subscription": {"type": kind, "user": self.address}})
        coin, _ = self._rng.choice(COINS)
        self._send({"method": "subscribe", "subscription": {"type": "bbo", "coin": coin}})

    def _send(self, message: dict[str, Any]) -> None:
        if self._socket is not None:
            self._socket.send(json.dumps(message).encode())

    def _on_frame(self, _frame: bytes) -> None:
        self._day.seen["frames"] += 1

    def _on_close(self, _code: int) -> None:
        self._day.seen["closed"] += 1
        self._socket = None

    async def _step(self) -> None:
        dice = self._rng.random()
        if dice < 0.2:
            await self._request("/info", {"type": self._rng.choice(("clearinghouseState", "openOrders", "userFills"))})
            return
        body = self._signed(self._action())
        if dice < 0.6:
            await self._request("/exchange", body)
            return
        self._posts += 1
        self._send({"method": "post", "id": self._posts, "request": {"type": "action", "payload": body}})

    async def _request(self, path: str, body: dict[str, Any]) -> None:
        if path == "/info":
            body |= {"user": self.address}
        status, answer = await self._day.venue.request(self._source, "POST", path, json.dumps(body).encode())
        self._day.seen[f"status {status}"] += 1
        if status == 200 and b'"resting"' in answer:
            for item in json.loads(answer)["response"]["data"]["statuses"]:
                if "resting" in item:
                    self._oids.append(item["resting"]["oid"])

    def _action(self) -> dict[str, Any]:
        rng = self._rng
        if self._oids and rng.random() < 0.3:
            oid = self._oids.pop(rng.randrange(len(self._oids)))
            return {"type": "cancel", "cancels": [{"a": rng.choice(COINS)[1], "o": oid}]}
        return {"type": "order", "orders": [self._order() for _ in range(rng.randint(1, 3))], "grouping": "na"}

    def _order(self) -> dict[str, Any]:
        rng = self._rng
        coin, asset_id = rng.choice(COINS)
        is_buy = rng.random() < 0.5
        mid = self._day.mids[coin]
        price = round(mid * (1 + rng.choice((-0.02, -0.001, 0.001, 0.02))))
        size = {"BTC": 0.001, "ETH": 0.02, "SOL": 1}[coin] * rng.randint(1, 9)
        tif = rng.choice(("Ioc", "Ioc", "Gtc", "Alo"))
        order = {"a": asset_id, "b": is_buy, "p": str(price), "s": f"{size:.3f}".rstrip("0").rstrip(".")}
        return order | {"r": rng.random() < 0.1, "t": {"limit": {"tif": tif}}, "c": f"0x{rng.getrandbits(128):032x}"}

    def _signed(self, action: dict[str, Any]) -> dict[str, Any]:
        self._nonce = max(self._nonce + 1, self._day.loop.now_ms())
        body: dict[str, Any] = {"action": action, "nonce": self._nonce}
        if self._rng.random() < 0.5:
            body["expiresAfter"] = self._nonce + 10_000
        return body | {"signature": {"r": self.address, "s": "0x1", "v": 27}}


class Day:
    """One run: made from its seed alone."""

    def __init__(self, seed: int, seconds: int, traders: int = 8, **switches: Any) -> None:
        self.seed = seed
        self.loop = VirtualLoop()
        self.seen: Counter[str] = Counter()
        self._seconds = seconds
        self._rng = random.Random(f"day {seed}")
        settings = Settings(
            **({"verify": False, "block_ms": 70, "limits": self._rng.choice(("off", "venue"))} | switches)
        )
        faults = Faults(seed, draw_faults(seed, seconds * 800, [coin for coin, _ in COINS]))
        self.venue = InProcess(settings, loop=self.loop, now_ms=self.loop.now_ms, faults=faults)
        self.mids = {coin: self.venue.server.venue.universe.by_coin[coin].mid / 10**8 for coin, _ in COINS}
        self._traders = [Trader(self, number) for number in range(1, traders + 1)]

    def run(self) -> str:
        """Live through the day; returns the hash of all that the venue did."""
        try:
            self.loop.run_until_complete(self._live())
            return self.venue.server.venue.event_log.hexdigest()
        finally:
            self.loop.close()

    async def _live(self) -> None:
        control: Callable[[Any], Any] = self.venue.server.control.run
        for trader in self._traders:
            control({"op": "fund", "address": trader.address, "usdc": "100000"})
        lives = [asyncio.create_task(trader.live(self._seconds)) for trader in self._traders]
        while not all(life.done() for life in lives):
            await asyncio.sleep(self._rng.random() * 4)
            coin, _ = self._rng.choice(COINS)
            self.mids[coin] *= 1 + self._rng.gauss(0, 0.003)
            control({"op": "set_book", "coin": coin, "mid": f"{self.mids[coin]:.6f}"})
        await asyncio.gather(*lives)
        await self.venue.stop()
