"""The real engine, the real simulated venue: a stop outlives its engine and is reconciled by the next one."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hlfast.gameday import world as gameday
from hlfast.gameday.cast import Cast, draw_cast
from hlfast.gameday.world import Options, World

BPS = 1_000


def insured(*args: Any) -> Cast:
    cast = draw_cast(*args)
    cast.followers = tuple(
        msgspec.structs.replace(follower, disaster_stop_bps=BPS, max_order_usd=None, max_position_usd=None)
        for follower in cast.followers
    )
    return cast


class Disaster(World):
    """Instead of faults: the engine dies with positions open, and the market falls through their stops."""

    def held(self) -> dict[str, Decimal]:
        rows = self.control(op="ledger", since=2**50)["positions"]
        account = self.cast.followers[0].account
        held = {coin: Decimal(row["szi"]) for coin, row in rows.get(account, {}).items()}
        return {coin: size for coin, size in held.items() if size}

    def own(self) -> dict[str, dict[str, Any]]:
        positions = self.host.status()["followers"][0]["positions"] if self.host else {}
        return {coin: lot for coin, lot in positions.items() if Decimal(lot["own"])}

    async def _chaos(self) -> None:
        self.stop_leaders()
        for bot in self.bots:
            bot.act("flat")
        await asyncio.sleep(5)
        for bot in self.bots:
            bot.act("open")
        await asyncio.sleep(12)
        self.before, self.insured = self.held(), self.own()
        assert self.host is not None
        self.host.kill()
        for coin, lot in self.insured.items():
            beyond = Decimal("0.97") if Decimal(lot["own"]) > 0 else Decimal("1.03")
            self.control(op="set_book", coin=coin, mid=f"{Decimal(lot['stops'][0]) * beyond:.5f}")
        await asyncio.sleep(5)
        self.dead = self.held()
        self.start_host()
        await asyncio.sleep(60)
        self.after, self.believed = self.held(), self.own()


@pytest.fixture
def disaster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disaster:
    monkeypatch.setattr(gameday, "draw_cast", insured)
    return Disaster(Options(seed=3, seconds=200, only=frozenset(), leaders=1, followers=2), tmp_path)


def test_stop_closes_for_a_dead_engine_and_the_next_one_does_not_open_again(disaster: Disaster) -> None:
    result = disaster.run()
    assert disaster.before
    assert {coin: len(lot["stops"]) for coin, lot in disaster.insured.items()} == dict.fromkeys(disaster.before, 1)
    assert disaster.dead == {}, "the venue closed what no engine was there for"
    assert (disaster.after, disaster.believed) == ({}, {}), "and nobody opened it again"
    alerts = [row["code"] for row in disaster.last_evidence.objects("alert") if row["follower"] == 0]
    assert alerts.count("disaster_stop_filled") == len(disaster.before)
    assert "disaster_stop_refused" not in alerts
    # The checker of copying knows no stops: to it they are late orders that leave the leader's position.
    assert {violation.invariant for violation in result.violations} <= {"I1", "I2", "I11"}
