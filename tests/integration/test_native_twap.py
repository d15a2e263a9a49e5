"""The real engine, the real simulated venue: openings as the venue's own TWAP, in, replaced, through a restart, and out."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hlfast.config.model import Execution, Follow
from hlfast.gameday import world as gameday
from hlfast.gameday.cast import Cast, draw_cast
from hlfast.gameday.world import Options, World

COIN = "SOL"
LOT = Decimal("0.01")


def native_cast(*args: Any) -> Cast:
    cast = draw_cast(*args)
    universe = args[1]
    sol = universe.by_coin[COIN]
    cast.coins, cast.holdings = (COIN,), {}
    cast.lots, cast.assets, cast.mids = {COIN: sol.lot}, {sol.asset_id: COIN}, {COIN: Decimal(sol.mid) / 10**8}
    execution = Execution(style="native_twap", seconds=300)
    cast.followers = tuple(
        msgspec.structs.replace(
            follower, execution=execution, disaster_stop_bps=300, max_order_usd=None, max_position_usd=None
        )
        for follower in cast.followers
    )
    leader, follower = cast.leaders[0].name, cast.followers[0].name
    cast.follows = (Follow(leader=leader, follower=follower, mode="ratio", ratio="0.5"),)
    return cast


class Natives(World):
    """A leader who opens, adds while that is bought, and leaves while what he added is."""

    def szi(self) -> Decimal:
        rows = self.control(op="ledger", since=2**50)["positions"]
        return Decimal(rows[self.cast.followers[0].account].get(COIN, {"szi": "0"})["szi"])

    def lot(self) -> dict[str, Any]:
        assert self.host is not None
        found: dict[str, Any] = self.host.status()["followers"][0]["positions"][COIN]
        return found

    def own(self) -> Decimal:
        return Decimal(self.lot()["own"])

    def trade(self, side: str, start: str, size: str) -> None:
        price = self.cast.mids[COIN]
        row = {
            "coin": COIN,
            "px": f"{price:f}",
            "sz": size,
            "side": side,
            "startPosition": start,
            "oid": int(self.now_ms()),
        }
        self.control(op="leader_fills", address=self.cast.leaders[0].address, rows=[row])

    async def _chaos(self) -> None:
        self.stop_leaders()
        self.trade("B", "0", "40")
        await asyncio.sleep(100)
        self.part = self.own(), self.szi(), self.lot()["twap"]
        assert self.host is not None
        self.kill_host(self.host, None)
        await asyncio.sleep(60)
        self.after_restart = self.own(), self.szi()
        await asyncio.sleep(160)
        self.whole = self.own(), self.szi()
        self.trade("B", "40", "40")
        await asyncio.sleep(65)
        self.trade("B", "80", "20")
        await asyncio.sleep(10)
        self.replaced = self.lot()["twap"], self.own()
        await asyncio.sleep(65)
        self.before_exit = self.szi()
        self.trade("A", "100", "100")
        await asyncio.sleep(8)
        self.left = self.szi()
        await asyncio.sleep(60)
        self.later = self.szi()

    async def _epilogue(self) -> None:
        pass


def test_openings_are_the_venues_twap_and_exits_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gameday, "draw_cast", native_cast)
    world = Natives(Options(seed=3, seconds=700, only=frozenset(), leaders=1, followers=1), tmp_path)
    result = world.run()
    own, szi, twap = world.part
    assert own == szi, "slices are the engine's as they come"
    assert 0 < szi < 20
    assert Decimal(twap["size"]) == 20
    assert Decimal(twap["executed"]) == own
    own, szi = world.after_restart
    assert own == szi > world.part[1], "the venue went on, and the next process knows"
    assert world.whole == (20, 20)
    twap, own = world.replaced
    missing = 50 - (own - Decimal(twap["executed"]))
    assert Decimal(twap["size"]) == missing < 30, "one TWAP of all that is missing took the other's place"
    assert own < world.before_exit < 50
    assert (world.left, world.later) == (0, 0)
    receipts = world.last_evidence.objects("receipt")
    assert sorted((row["outcome"], row["reason"]) for row in receipts) == [
        ("filled", "none"),
        ("filled", "none"),
        ("partly_filled", "superseded"),
        ("partly_filled", "superseded"),
    ]
    assert result.violations == []
    slices = list(world.last_evidence.objects("twap_slice"))
    bought = [row for row in world.last_evidence.ledger["fills"] if row.get("twap_id")]
    assert sum(Decimal(row["size"]) for row in slices) == sum(Decimal(row["sz"]) for row in bought)
    executed = {(row["twap_id"], row["time"], Decimal(row["px"])) for row in bought}
    listed = [row for row in slices if row["time_ms"] is not None]
    assert {(row["twap_id"], row["time_ms"], Decimal(row["price"])) for row in listed} <= executed
    assert len(listed) > 2 * (len(slices) - len(listed)), "the last of a TWAP is told as a sum"
    assert all(Decimal(row["bid"]) < Decimal(row["ask"]) for row in listed if row["bid"] is not None)
