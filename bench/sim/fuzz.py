"""Hostile clients by the million, in process: no crash, no 5xx, nothing of one account on another's socket or hands.

Honest accounts trade beside the hostile ones. Checked throughout: no exception leaves a door or a loop callback, statuses
stay below 500, refusals are plain text, a frame that names a user (or, by its oid, an account) reaches only sockets that
subscribed to it, and a bystander's nonces, agents, positions and money are as they were. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
import traceback
from collections import Counter
from typing import Any

import coincurve
import orjson

from hlfast.sim import signatures
from hlfast.sim.actions import ParseError, parse_envelope
from hlfast.sim.channels import _READERS as CHANNEL_READERS
from hlfast.sim.inprocess import InProcess, Socket
from hlfast.sim.numbers import SCALE
from hlfast.sim.settings import Settings
from hlfast.sim.virtual import VirtualLoop

try:
    from bench.sim.hostile import ACCOUNTS, Hostile, encoded
except ImportError:  # run as a script
    from hostile import ACCOUNTS, Hostile, encoded

DOORS = ("info", "exchange", "socket", "control")
LIFE = 5_000  # executions of one venue; the next has other switches
BURST = 40  # executions between two turns of the loop
USER_FREE = (
    "trades",
    "l2Book",
    "bbo",
    "allMids",
    "candle",
    "activeAssetCtx",
    "activeSpotAssetCtx",
    "outcomeMetaUpdates",
)


class FoundError(AssertionError):
    """The venue did what it must not; the text says with what."""


class Ear:
    """One socket, and what it may hear."""

    def __init__(self, arena: Arena, source: str) -> None:
        self._arena = arena
        self.users: set[str] = set()
        self.posts: set[int] = set()
        self.is_open = True
        self.socket: Socket = arena.venue.connect(source, self._on_frame, self._on_close)

    def _on_close(self, _code: int) -> None:
        self.is_open = False

    def _on_frame(self, frame: bytes) -> None:
        self._arena.frames += 1
        try:
            told = orjson.loads(frame)
        except orjson.JSONDecodeError:
            if self._arena.has_faults():
                return  # a fault may end a frame in the middle
            raise
        channel, data = told["channel"], told.get("data")
        if channel == "subscriptionResponse":
            user = data["subscription"].get("user")
            if user is not None:
                # A user stays until the last of its channels is given up; hearing late is no leak worth a false alarm.
                self.users.add(user)
        elif channel == "post":
            if data["id"] not in self.posts:
                raise FoundError(f"the answer of post {data['id']} reached another socket")
        elif channel in ("orderUpdates", "user"):
            self._check_owners(channel, data)
        elif isinstance(data, dict) and "user" in data and data["user"] not in self.users:
            raise FoundError(f"{channel} of {data['user']} reached a socket of {sorted(self.users)}")

    def _check_owners(self, channel: str, data: Any) -> None:
        oids = [row["order"]["oid"] for row in data] if channel == "orderUpdates" else []
        if channel == "user":
            oids = [row["oid"] for kind in ("fills", "nonUserCancel") for row in data.get(kind, ())]
        for oid in oids:
            owner = self._arena.owner_of(oid)
            if owner is not None and owner not in self.users:
                raise FoundError(f"{channel} of {owner} (oid {oid}) reached a socket of {sorted(self.users)}")


class Wallet:
    """A key of a hostile or honest account."""

    def __init__(self, number: int) -> None:
        self._key = coincurve.PrivateKey(number.to_bytes(32, "big"))
        self.address = signatures.address_of(self._key.public_key.format(compressed=False)[1:])

    def sign(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body signed for what it is; as it stands when it is nothing that can be signed."""
        body["signature"] = {"r": "0x1", "s": "0x1", "v": 27}
        try:
            hashed = signatures.digest_of(parse_envelope(encoded(body)), "testnet")
        except (ParseError, OverflowError, ValueError):
            return body
        if hashed is not None:
            raw = self._key.sign_recoverable(hashed[1], hasher=None)
            body["signature"] = {"r": "0x" + raw[:32].hex(), "s": "0x" + raw[32:64].hex(), "v": 27 + raw[64]}
        return body


class Arena:
    """One venue with its hostile and honest clients."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"fuzz {seed}")
        rng = self.rng
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(self._on_trouble)
        settings = Settings(
            block_ms=rng.choice((0, 70)),
            limits=rng.choice(("off", "off", "off", "venue")),
            reply_first=rng.random() < 0.5,
            agents_move_funds=rng.random() < 0.5,
            repeated_cloid=rng.choice(("accept", "refuse", "refuse_resting")),
        )
        self.venue = InProcess(settings, loop=self.loop, now_ms=self.loop.now_ms)
        self.frames = 0
        self.statuses: Counter[int] = Counter()
        self._troubles: list[str] = []
        self._owners: dict[int, str] = {}
        self._nonce = self.loop.now_ms()
        self._wallets = [Wallet(1_000 + number) for number in range(4)]
        self._honest = [Wallet(2_000 + number) for number in range(2)]
        self._ears = [Ear(self, f"127.0.1.{number}") for number in range(1, 5)]
        self.hostile = Hostile(rng, sorted(self.venue.server.info.types), sorted(CHANNEL_READERS))
        self._prepare()

    def _prepare(self) -> None:
        control = self.venue.server.control.run
        for wallet in [*self._wallets, *self._honest]:
            control({"op": "fund", "address": wallet.address, "usdc": "100000"})
        for address in ACCOUNTS:
            control({"op": "fund", "address": address, "usdc": "5000"})
        control({"op": "set_position", "address": ACCOUNTS[0], "coin": "ETH", "size": "1", "entry_px": "2000"})
        control({"op": "approve_agent", "master": ACCOUNTS[0], "agent": "0x" + "7" * 40, "name": "kept"})
        self._friends = []
        for number, wallet in enumerate(self._honest):
            ear = Ear(self, f"127.0.2.{number + 1}")
            for kind in ("userFills", "orderUpdates", "userEvents", "clearinghouseState"):
                subscription = {"type": kind, "user": wallet.address}
                ear.socket.send(orjson.dumps({"method": "subscribe", "subscription": subscription}))
            self._friends.append((wallet, ear))
        self._turn()
        self._bystander = self._private(ACCOUNTS[0])

    def _private(self, address: str) -> tuple[Any, ...]:
        """Return what only an account's own signature may lessen or change."""
        account = self.venue.server.venue.accounts[address]
        positions = {asset_id: held.size for asset_id, held in account.positions.items()}
        return positions, dict(account.agents), account.requests_used, list(account.orders), dict(account.builder_fees)

    def has_faults(self) -> bool:
        """Tell whether the fuzzed operator's door has let faults happen."""
        return bool(self.venue.server.faults.struck)

    def owner_of(self, oid: int) -> str | None:
        """Return the account that an order belongs to."""
        owner = self._owners.get(oid)
        if owner is None:
            for address, account in self.venue.server.venue.accounts.items():
                if oid in account.by_oid:
                    owner = self._owners[oid] = address
                    break
        return owner

    def _on_trouble(self, _loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        where = traceback.extract_tb(error.__traceback__)[-1] if isinstance(error, BaseException) else None
        self._troubles.append(f"{context.get('message')}: {error!r} at {where}")

    def _turn(self) -> None:
        """Let the loop run until blocks, frames and answers are through."""
        self.loop.run_until_complete(asyncio.sleep(0.2))
        if self._troubles:
            raise FoundError("; ".join(self._troubles[:3]))

    def burst(self, door: str, count: int) -> None:
        """Send `count` hostile inputs to one door, then look around."""
        make = {"info": self._info, "exchange": self._exchange, "socket": self._frame, "control": self._control}[door]
        tasks = []
        for _ in range(count):
            sent = make()
            if sent is not None:
                path, body = sent
                tasks.append(self.loop.create_task(self._ask(path, body)))
        if door != "control":
            self._trade_honestly()
        self._turn()
        for task in tasks:
            if not task.done():
                raise FoundError("a request without an answer")
            task.result()
        if door != "control":
            self._check()

    async def _ask(self, path: str, body: bytes) -> None:
        source = f"127.0.0.{self.rng.randrange(1, 5)}" if path != "/control" else "127.0.0.1"
        try:
            status, answer = await self.venue.request(source, "POST", path, body)
        except Exception as error:
            raise FoundError(f"{path} raised {error!r} on {body[:400]!r}") from error
        self.statuses[status] += 1
        if status >= 500:
            raise FoundError(f"{path} answered {status} to {body[:400]!r}")
        if status == 200:
            json.loads(answer)
        elif b"Traceback" in answer:
            raise FoundError(f"{path} answered with a traceback to {body[:400]!r}")

    def _spell(self, body: Any, *, mutated: float = 0.3) -> bytes:
        text = encoded(body)
        return self.hostile.mutated(text) if self.rng.random() < mutated else text

    def _info(self) -> tuple[str, bytes]:
        return "/info", self._spell(self.hostile.info())

    def _signed(self) -> dict[str, Any]:
        rng = self.rng
        self._nonce += 1
        body: dict[str, Any] = {"action": self.hostile.action(), "nonce": self._nonce}
        if rng.random() < 0.06:
            body["vaultAddress"] = rng.choice(ACCOUNTS)
        if rng.random() < 0.1:
            body["expiresAfter"] = rng.choice((0, self._nonce + 60_000, 2**63, "soon"))
        if rng.random() < 0.75:
            for field in ("nonce", "time"):
                if isinstance(body["action"], dict) and field in body["action"]:
                    body["action"][field] = self._nonce
            return rng.choice(self._wallets).sign(body)
        signature = {"r": hex(rng.getrandbits(256)), "s": hex(rng.getrandbits(255)), "v": rng.choice((27, 28, 0, 5))}
        return body | {"signature": rng.choice((signature, signature, self.hostile.anything()))}

    def _exchange(self) -> tuple[str, bytes]:
        return "/exchange", self._spell(self._signed(), mutated=0.15)

    def _frame(self) -> None:
        rng = self.rng
        index = rng.randrange(len(self._ears))
        ear = self._ears[index]
        if not ear.is_open:
            try:
                ear = self._ears[index] = Ear(self, f"127.0.1.{rng.randrange(1, 255)}")
            except ConnectionRefusedError:
                return
        dice, post_id = rng.random(), rng.randrange(2**40)
        if dice < 0.5:
            method = "subscribe" if rng.random() < 0.6 else "unsubscribe"
            message: Any = {"method": method, "subscription": self.hostile.subscription()}
        elif dice < 0.7:
            message = {"method": "post", "id": post_id, "request": {"type": "info", "payload": self.hostile.info()}}
        elif dice < 0.95:
            message = {"method": "post", "id": post_id, "request": {"type": "action", "payload": self._signed()}}
        else:
            message = self.hostile.anything()
        text = encoded(message)
        if rng.random() < 0.3:
            text = self.hostile.mutated(text)
        ear.posts.add(post_id)
        try:
            sent = orjson.loads(text)
            if isinstance(sent, dict) and isinstance(sent.get("id"), int):
                ear.posts.add(sent["id"])
        except orjson.JSONDecodeError:
            pass
        ear.socket.send(text)

    def _control(self) -> tuple[str, bytes]:
        rng = self.rng
        fields: dict[str, Any] = {
            "address": rng.choice(ACCOUNTS),
            "master": rng.choice(ACCOUNTS),
            "agent": f"0x{rng.getrandbits(160):040x}",
            "leader": rng.choice(ACCOUNTS),
            "usdc": rng.choice(("1", "1000", "0", "-1", "x")),
            "coin": rng.choice(("ETH", "BTC", "@107", "nope")),
            "mid": rng.choice(("2000", "1999.5", "0", "1e9")),
            "size": rng.choice(("1", "-1", "0", "999999999")),
            "entry_px": rng.choice(("2000", "0")),
            "number": rng.randrange(50),
            "since": rng.randrange(1_000),
            "depth_usd": rng.choice((0, 1_000, 10**9, -1)),
            "faults": [self.hostile.fault() for _ in range(rng.randrange(3))],
            "seed": rng.randrange(100),
            "horizon_ms": rng.choice((0, 1_000, 60_000)),
            "rows": [{"coin": "ETH", "px": "2000", "sz": "1", "side": "B"}] * rng.randrange(3),
        }
        ops = list(self.venue.server.control.ops)
        body = {"op": rng.choice(ops)} | {name: value for name, value in fields.items() if rng.random() < 0.6}
        if body["op"] == "config":
            body = {
                "op": "config",
                rng.choice(("halted", "levels", "spread_bps", "max_users", "x")): self.hostile.anything(),
            }
        return "/control", self._spell(self.hostile.bent(body))

    def _trade_honestly(self) -> None:
        for wallet, ear in self._friends:
            self._nonce += 1
            is_buy = self.rng.random() < 0.5
            order = {"a": 1, "b": is_buy, "p": "9000" if is_buy else "1000", "s": "0.01", "r": False}
            action = {"type": "order", "orders": [order | {"t": {"limit": {"tif": "Ioc"}}}], "grouping": "na"}
            body = wallet.sign({"action": action, "nonce": self._nonce})
            ear.posts.add(self._nonce)
            post = {"method": "post", "id": self._nonce, "request": {"type": "action", "payload": body}}
            ear.socket.send(orjson.dumps(post))

    def _check(self) -> None:
        if self._private(ACCOUNTS[0]) != self._bystander:
            raise FoundError(f"the bystander changed: {self._private(ACCOUNTS[0])} was {self._bystander}")
        cash = self.venue.server.venue.accounts[ACCOUNTS[0]].raw[""]
        if cash < (5_000 - 2_000) * SCALE - SCALE:
            raise FoundError(f"the bystander lost money: {cash}")

    def close(self) -> None:
        """End the venue, and what a found fault left running."""
        self.loop.run_until_complete(self._end())
        self.loop.close()

    async def _end(self) -> None:
        running = asyncio.all_tasks(self.loop) - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, self.venue.stop(), return_exceptions=True)


def fuzz(first_seed: int, executions: int) -> dict[str, Any]:
    """Run so many hostile executions over all doors; returns what was seen.

    Raises:
        FoundError: with the seed of the venue that misbehaved.
    """
    statuses: Counter[int] = Counter()
    by_door: Counter[str] = Counter()
    frames, seed = 0, first_seed
    while by_door.total() < executions:
        arena = Arena(seed)
        # The control door belongs to the operator, who may change anything: it gets venues of its own.
        doors = ("control",) if seed % 8 == 0 else DOORS[:3]
        try:
            for _ in range(0, min(LIFE, executions - by_door.total()), BURST):
                door = arena.rng.choice(doors)
                arena.burst(door, BURST)
                by_door[door] += BURST
        except Exception as error:
            raise FoundError(f"seed {seed}: {error}") from error
        finally:
            arena.close()
        statuses += arena.statuses
        frames += arena.frames
        seed += 1
    return {
        "executions": by_door.total(),
        "by_door": dict(by_door),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "frames_checked": frames,
        "first_seed": first_seed,
        "last_seed": seed - 1,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    started = time.perf_counter()
    seen = fuzz(arguments.seed, arguments.executions)
    print(json.dumps(seen | {"seconds": round(time.perf_counter() - started, 1)}))


if __name__ == "__main__":
    main()
