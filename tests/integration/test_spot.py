"""The real engine, the real simulated venue: a spot leader copied by a spot follower, in and out."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hlfast.config.model import Follow
from hlfast.gameday import world as gameday
from hlfast.gameday.cast import Cast, draw_cast
from hlfast.gameday.world import Options, World

HYPE = "@107"
AFTER_FEE = Decimal("0.9993")


def spot_cast(*args: Any) -> Cast:
    cast = draw_cast(*args)
    universe = args[1]
    cast.coins, cast.holdings = (HYPE,), {}
    hype = universe.by_coin[HYPE]
    cast.lots, cast.assets, cast.mids = {HYPE: hype.lot}, {hype.asset_id: HYPE}, {HYPE: Decimal(hype.mid) / 10**8}
    cast.followers = tuple(
        msgspec.structs.replace(follower, disaster_stop_bps=300, max_order_usd=None, max_position_usd=None)
        for follower in cast.followers
    )
    leader, follower = cast.leaders[0].name, cast.followers[0].name
    cast.follows = (Follow(leader=leader, follower=follower, mode="ratio", ratio="0.1", markets="spot"),)
    return cast


class Tokens(World):
    """A leader who buys twice, sends some away, sells a half and then all; the venue takes a fee of each buy."""

    def _prepare(self) -> Any:
        follower = self.cast.followers[0].account
        for address in (self.cast.leaders[0].address, follower):
            self.control(op="fund", address=address, usdc="1000000", spot=True)
        return super()._prepare()

    def tokens(self) -> Decimal:
        rows = self.control(op="ledger", since=2**50)["positions"]
        return Decimal(rows[self.cast.followers[0].account].get(HYPE, {"szi": "0"})["szi"])

    def own(self) -> Decimal:
        assert self.host is not None
        return Decimal(self.host.status()["followers"][0]["positions"][HYPE]["own"])

    async def trade(self, side: str, start: str, *sizes: str) -> Decimal:
        """Let the leader trade in so many fills of one order; what the follower holds of it soon."""
        rows, held = [], Decimal(start)
        for size in sizes:
            rows.append(
                {"coin": HYPE, "px": "21", "sz": size, "side": side, "startPosition": f"{held:f}", "oid": start}
            )
            held += Decimal(size) * AFTER_FEE if side == "B" else -Decimal(size)
        self.control(op="leader_fills", address=self.cast.leaders[0].address, rows=rows)
        await asyncio.sleep(3)
        return self.tokens()

    async def _chaos(self) -> None:
        self.stop_leaders()
        self.held = [
            await self.trade("B", "0", "600", "400"),
            await self.trade("B", "999.3", "500"),
        ]
        # Regular reads see what the fee took, of both.
        await asyncio.sleep(65)
        self.read = self.own()
        self.held += [
            await self.trade("A", "1498.95", "700", "49.475"),
            await self.trade("A", "749.475", "749.475"),
        ]

    async def _epilogue(self) -> None:
        pass


def test_spot_leader_is_copied_in_and_out_and_nothing_is_sold_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gameday, "draw_cast", spot_cast)
    world = Tokens(Options(seed=3, seconds=200, only=frozenset(), leaders=1, followers=1), tmp_path)
    result = world.run()
    bought, more, half, rest = world.held
    # His second row begins below where the first ended, by its fee: so much he did not gain.
    assert (bought, more) == (Decimal("99.95") * AFTER_FEE, Decimal("149.95") * AFTER_FEE)
    assert world.read == more, "what the fee took is known, and not bought again"
    assert abs(half - more / 2) <= Decimal("0.06"), "half of the fee, and a lot"
    assert rest < Decimal("0.02"), "less than a lot can't be sold"
    receipts = world.last_evidence.objects("receipt")
    outcomes = [row["outcome"] for row in receipts]
    assert sorted(outcomes) == ["filled"] * 4 + ["merged_into"] * 2
    assert result.executions >= 4
    # The checker knows no fees in tokens: to it the dust is a position left open, without a stop, and not what fills come to.
    assert {violation.invariant for violation in result.violations} <= {"I13", "I16", "D4"}
