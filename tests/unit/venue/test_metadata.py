"""Names, ids, lots and ticks, after the venue's rules."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hlfast.venue.info import Info
from hlfast.venue.metadata import Asset, Assets, UnknownCoinError

from .fake_road import FakeRoad

VECTORS = Path(__file__).parents[2] / "vectors" / "protocol"


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())["response"]


async def load(*dexs: str) -> Assets:
    answers = [vector("meta"), vector("perpDexs"), *(vector("meta_hip3") for _ in dexs), vector("spotMeta")]
    return await Assets.load(Info(FakeRoad(*(answers if dexs else [answers[0], answers[-1]]))), dexs)


@pytest.mark.asyncio
async def test_ids_of_every_class() -> None:
    assets = await load("xyz")
    assert (assets["BTC"].id, assets["ETH"].id) == (0, 1)
    assert assets["xyz:GLDX"].id == 110_001
    assert assets["@107"].id == 10_107
    assert assets["HYPE/USDC"] is assets["@107"]
    assert assets["PURR/USDC"].id == 10_000
    assert assets["#11"].id == 100_000_011
    assert assets.by_id(110_001) is assets["xyz:GLDX"]
    assert assets["xyz:GLDX"].isolated_only
    assert assets["OLDX"].is_delisted
    assert "BTC" in assets
    assert "NOPE" not in assets
    assert len(assets) == len(assets.coins())


@pytest.mark.asyncio
async def test_unknown_names_are_refused_with_the_nearest() -> None:
    assets = await load()
    with pytest.raises(UnknownCoinError, match=r"no asset is called 'btc'; did you mean 'BTC'\?"):
        assets["btc"]
    with pytest.raises(UnknownCoinError, match="kPEPE"):
        assets["KPEPE"]
    for name in ("#12", "#", "#1x", "@99999", ""):
        with pytest.raises(UnknownCoinError):
            assets[name]
    with pytest.raises(UnknownCoinError, match=r"no dex 'xyy'; did you mean 'xyz'\?"):
        await load("xyy")


# (decimals of the size, price, legal): the table of the protocol notes
TICKS = [
    (5, "97123.5", False),
    (5, "97123", True),
    (5, "123456", True),
    (5, "9712.3", True),
    (4, "3200.55", False),
    (4, "3200.5", True),
    (0, "0.012345", True),
    (0, "0.0123456", False),
    (1, "0.01234", True),
    (1, "0.012345", False),
]


@pytest.mark.parametrize(("decimals", "price", "legal"), TICKS)
def test_ticks(decimals: int, price: str, legal: bool) -> None:
    asset = Asset(id=0, coin="X", sz_decimals=decimals)
    down, up = asset.round_price(price, up=False), asset.round_price(price, up=True)
    assert (down == Decimal(price) == up) is legal
    assert down <= Decimal(price) <= up
    assert asset.round_price(down, up=True) == down
    if legal:
        asset.require_order(1, price)
    else:
        with pytest.raises(ValueError, match="off its tick"):
            asset.require_order(1, price)


def test_sizes_are_whole_lots_and_positive() -> None:
    asset = Asset(id=0, coin="X", sz_decimals=2)
    assert asset.round_size("1.239") == Decimal("1.23")
    asset.require_order("1.23", 5)
    for size in ("1.234", "0", "-1"):
        with pytest.raises(ValueError, match="X: "):
            asset.require_order(size, 5)
    with pytest.raises(ValueError, match="no price"):
        asset.round_price(0, up=True)
