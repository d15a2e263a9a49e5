"""The typed client and the simulated exchange, which checks every signature itself, agree on everything said between them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from hlfast.errors import VenueError
from hlfast.signing import Signer
from hlfast.venue.actions import OrderRequest
from hlfast.venue.exchange import Exchange
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info
from hlfast.venue.metadata import Assets
from hlfast.venue.outcomes import Done, Filled, Refused, Resting
from hlfast.venue.stream import Streams

pytestmark = pytest.mark.asyncio
MASTER = Signer.from_key("0x" + "21" * 32)
AGENT = Signer.from_key("0x" + "22" * 32)
CLOID = "0x" + "5c" * 16


@asynccontextmanager
async def simulator() -> AsyncIterator[tuple[str, str]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hlfast.sim", "--port", "0", "--json", "--block-ms", "5"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        yield ready["base_url"], ready["ws_url"]
    finally:
        process.terminate()
        await process.wait()


async def control(base_url: str, **op: Any) -> Any:
    async with aiohttp.ClientSession() as session, session.post(base_url + "/control", json=op) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_a_day_of_an_account() -> None:
    async with simulator() as (base_url, _), HttpRoad(base_url) as road:
        await control(base_url, op="fund", address=MASTER.address, usdc="100000")
        info = Info(road)
        assets = await Assets.load(info)
        owner = Exchange(road, MASTER, network="testnet", assets=assets)
        await owner.approve_agent(AGENT.address, "copy")
        agents = await info.extra_agents(MASTER.address)
        assert [(agent.address, agent.name) for agent in agents] == [(AGENT.address, "copy")]
        role = await info.user_role(AGENT.address)
        assert role.role == "agent"
        assert role.data is not None
        assert role.data.user == MASTER.address

        trader = Exchange(road, AGENT, network="testnet", assets=assets)
        await trader.update_leverage("ETH", 5)
        eth = assets["ETH"]
        mid = (await info.all_mids())["ETH"]
        high = eth.round_price(mid * Decimal("1.01"), up=True)
        low = eth.round_price(mid * Decimal("0.9"), up=False)
        size = eth.round_size(Decimal(1000) / mid)
        bought = await trader.order(
            OrderRequest(coin="ETH", is_buy=True, size=size, price=high, tif="Ioc", cloid=CLOID)
        )
        assert isinstance(bought, Filled)
        assert bought.total_sz == size
        status = await info.order_status(MASTER.address, CLOID)
        assert status.order is not None
        assert status.order.status == "filled"
        state = await info.clearinghouse_state(MASTER.address)
        assert [(one.position.coin, one.position.szi) for one in state.asset_positions] == [("ETH", size)]
        assert state.asset_positions[0].position.leverage.value == 5
        fills = await info.user_fills(MASTER.address)
        assert sum(fill.sz for fill in fills) == size
        assert [fill async for fill in info.fills_since(MASTER.address, 0)] == sorted(fills, key=lambda fill: fill.time)

        resting, refused = await trader.orders(
            [
                OrderRequest(coin="ETH", is_buy=True, size=size, price=low),
                OrderRequest(coin="ETH", is_buy=True, size=size, price=low, reduce_only=True),
            ]
        )
        assert isinstance(resting, Resting)
        assert isinstance(refused, Refused)
        assert [order.oid for order in await info.open_orders(MASTER.address)] == [resting.oid]
        moved = await trader.modify(resting.oid, OrderRequest(coin="ETH", is_buy=True, size=size * 2, price=low))
        assert isinstance(moved, Resting)
        assert await trader.cancel("ETH", moved.oid) == Done()
        assert isinstance(await trader.cancel("ETH", moved.oid), Refused)

        with pytest.raises(VenueError):
            await Exchange(road, AGENT, network="mainnet", assets=assets).update_leverage("ETH", 3)
        ledger = await control(base_url, op="ledger")
        assert ledger["counters"]["duplicate_nonces"] == 0


async def test_reads_of_the_simulator_have_the_known_shapes() -> None:
    async with simulator() as (base_url, _), HttpRoad(base_url) as road:
        await control(base_url, op="fund", address=MASTER.address, usdc="1000")
        info, user = Info(road), MASTER.address
        assert (await info.exchange_status()).time > 1_600_000_000_000
        assert len((await info.meta_and_contexts())[1]) == len((await info.meta()).universe)
        assert (await info.perp_dexs())[0] is None
        assert (await info.spot_meta()).tokens
        book = await info.l2_book("BTC")
        assert book is not None
        assert book.levels[0][0].px < book.levels[1][0].px
        assert await info.l2_book("NOPE") is None
        assert await info.recent_trades("BTC") == ()
        for read in (
            info.spot_state(user),
            info.frontend_open_orders(user),
            info.historical_orders(user),
            info.user_rate_limit(user),
            info.user_fees(user),
            info.portfolio(user),
            info.sub_accounts(user),
            info.active_asset_data(user, "BTC"),
        ):
            await read


async def test_feeds_and_posts_over_one_socket() -> None:
    async with simulator() as (base_url, ws_url), HttpRoad(base_url) as road, Streams(ws_url) as streams:
        await control(base_url, op="fund", address=MASTER.address, usdc="100000")
        assets = await Assets.load(Info(road))
        await streams.wait_up()
        mid = (await Info(streams).all_mids())["ETH"]
        feeds = streams.trades("ETH"), streams.user_fills(MASTER.address), streams.order_updates(MASTER.address)
        trades, fills, updates = feeds
        assert (await anext(fills)).is_snapshot
        eth = assets["ETH"]
        size = eth.round_size(Decimal(500) / mid)
        trader = Exchange(streams, MASTER, network="testnet", assets=assets)
        price = eth.round_price(mid * Decimal("1.01"), up=True)
        bought = await trader.order(OrderRequest(coin="ETH", is_buy=True, size=size, price=price, tif="Ioc"))
        assert isinstance(bought, Filled)
        live = await anext(fills)
        assert live.user == MASTER.address
        assert sum(fill.sz for fill in live.fills) == size
        assert any(MASTER.address in (trade.users or ()) for trade in await anext(trades))
        assert {update.order.oid for update in await anext(updates)} == {bought.oid}
