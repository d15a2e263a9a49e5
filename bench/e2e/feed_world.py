"""Ten leaders at the simulator and one engine that copies them, each in a process of its own: what feeds.py drives."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from e2e import service
from e2e.identity import followers
from hlfast._core import read_journal
from hlfast.demo.processes import Child, ProcessError, Simulator

LEADERS = 10
SIZE = Decimal("0.01")
PRICES = {"BTC": Decimal(60_000), "ETH": Decimal(3_000)}
LOOK_S = 0.02
# What leads to no order is written with the next tick.
WRITTEN_S = 0.2
CHUNK = 20_000


@dataclass
class Leader:
    """One leader, and what the venue says of it."""

    address: str
    coin: str
    position: Decimal = Decimal(0)
    newest_ms: int = 0
    trades: int = 0
    tids: list[int] = field(default_factory=list, repr=False)


class World:
    """The processes, the leaders, and looks at what the engine knows."""

    def __init__(self, sim: Simulator, engine: Child, http: aiohttp.ClientSession, work: Path) -> None:
        self.sim, self.engine, self._http, self._work = sim, engine, http, work
        # The first trades the venue's busiest coin, whose quotes are the feeds' heartbeat.
        names = ["BTC", *["ETH"] * (LEADERS - 1)]
        self.leaders = [
            Leader(address, coin) for address, coin in zip(service.leader_addresses(LEADERS), names, strict=True)
        ]
        self.fills = 0
        self._log_place = 0

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, work: Path) -> World:
        """Start both; every leader is followed by one account at ratio 1."""
        accounts = followers(LEADERS)
        ops: list[dict[str, Any]] = [
            {"op": "fund", "address": address, "usdc": "1000000000"} for address in service.leader_addresses(LEADERS)
        ]
        for account in accounts:
            ops.append({"op": "fund", "address": account.account, "usdc": "1000000"})
            ops.append({"op": "approve_agent", "master": account.account, "agent": account.agent})
        ops += [{"op": "set_book", "coin": coin, "mid": str(price)} for coin, price in PRICES.items()]
        scenario = work / "scenario.json"
        scenario.write_text(json.dumps(ops), encoding="utf-8")
        arguments = ["hlfast.sim", "--port", "0", "--json", "--scenario", str(scenario)]
        sim = Simulator(await Child.start("simulator", *arguments, directory=work), http)
        options = service.Options(
            durability="durable", leaders=LEADERS, tape=True, user_connections=2, reconcile_ms=30_000
        )
        argv = service.command(sim.base_url, accounts, work, options)
        try:
            engine = await Child.start("engine", *argv[argv.index("-m") + 1 :], directory=work)
        except ProcessError:
            await sim.child.kill()
            raise
        return cls(sim, engine, http, work)

    async def close(self) -> int:
        """End both; the engine's exit code."""
        code = await self.engine.stop()
        await self.sim.child.kill()
        return code

    async def trade(self, leader: Leader, count: int) -> None:
        """Let a leader make `count` fills in one block, all one way; the next call goes the other way."""
        up = leader.trades % 2 == 0
        price = PRICES[leader.coin] + leader.trades % 2
        rows = []
        for _ in range(count):
            rows.append(
                {
                    "coin": leader.coin, "px": str(price), "sz": str(SIZE), "side": "B" if up else "A", "time": 0,
                    "startPosition": str(leader.position), "dir": "", "closedPnl": "0.0", "hash": "0x" + "0" * 64,
                    "oid": leader.trades, "crossed": True, "fee": "0.0", "tid": 1, "feeToken": "USDC",
                }
            )  # fmt: skip
            leader.position += SIZE if up else -SIZE
        leader.trades += 1
        self.fills += count
        made = (await self.sim.control("leader_fills", address=leader.address, rows=rows))["fills"]
        leader.newest_ms = max(leader.newest_ms, *(int(row["time"]) for row in made))
        leader.tids += [int(row["tid"]) for row in made]

    async def health(self) -> dict[str, Any]:
        """The engine's own view."""
        async with self._http.get(self.engine.ready["health_url"]) as answer:
            found: dict[str, Any] = json.loads(await answer.read())
            return found

    async def lacking(self) -> str:
        """What keeps the engine from knowing all that the leaders did; empty when it does and every connection is up and confirmed."""
        health = await self.health()
        shell = health["shell"]
        up = {name: shell[name] for name in ("user_feeds_up", "tape_feeds_up", "lanes_up")}
        bare = {name: shell[name] for name in ("leaders_without_user_feed", "leaders_uncovered") if shell[name]}
        if bare or set(up.values()) != {2}:
            return f"{up | bare}"
        behind = [
            f"{leader} is known as {seen}"
            for leader, seen in zip(self.leaders, health["core"]["leaders"], strict=True)
            if not self._is_known(leader, seen)
        ]
        return "; ".join(behind)

    @staticmethod
    def _is_known(leader: Leader, seen: dict[str, Any]) -> bool:
        held = Decimal(seen["positions"].get(leader.coin, "0"))
        return held == leader.position and seen["cursor_ms"] >= leader.newest_ms and not seen["dirty"]

    async def until_whole(self, seconds: float) -> float:
        """Wait until nothing is `lacking`; how long that took.

        Raises:
            ProcessError: it did not come to that.
        """
        return await self.until(self.lacking, seconds)

    async def until_receipts(self, seconds: float) -> float:
        """Wait until the engine has written as many receipts as there were fills."""

        async def lacking() -> str:
            receipts: int = (await self.health())["core"]["receipts"]
            return "" if receipts >= self.fills else f"{receipts} of {self.fills} receipts"

        return await self.until(lacking, seconds)

    async def until(self, lacking: Callable[[], Awaitable[str]], seconds: float) -> float:
        """Look every 20 ms until nothing is lacking."""
        began = time.monotonic()
        while lacks := await lacking():
            if time.monotonic() - began > seconds:
                raise ProcessError(f"not whole within {seconds:.0f} s: {lacks}\n{self.engine.tail()}")
            await asyncio.sleep(LOOK_S)
        return time.monotonic() - began

    def events(self) -> list[dict[str, Any]]:
        """What the engine logged since the last call."""
        with self.engine.log.open("rb") as log:
            log.seek(self._log_place)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._log_place += len(whole)
        return [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]

    async def receipts(self) -> tuple[int, int]:
        """Read the whole journal: fills without a receipt, and receipts beyond one a fill."""
        await asyncio.sleep(WRITTEN_S)
        owed = [set(leader.tids) for leader in self.leaders]
        beyond, after = 0, 0
        while True:
            records = read_journal(str(self._work / "journal"), after, CHUNK)
            for raw in records:
                record = json.loads(raw) if b'"kind":"receipt"' in raw[:64] else None
                if record is None:
                    continue
                if record["tid"] in owed[record["leader"]]:
                    owed[record["leader"]].remove(record["tid"])
                else:
                    beyond += 1
            if len(records) < CHUNK:
                break
            after = int(json.loads(records[-1])["sequence"])
        return sum(map(len, owed)), beyond
