"""Where a probe does not begin: mainnet, accounts without money or with positions, agents that may not act."""

from __future__ import annotations

import pytest
from tests.fakes.probe import ACCOUNT, AGENT, World, in_world

from hlfast.probe.subject import RefusedError, require_testnet


@pytest.mark.parametrize(
    "url",
    [
        "https://api.hyperliquid.xyz",
        "https://API.Hyperliquid.XYZ/",
        "https://api.hyperliquid.xyz.",
        "https://hyperliquid.xyz:443/path",
        "http://api.hyperliquid.xyz",
        "https://user@api.hyperliquid.xyz",
        "wss://api.hyperliquid.xyz/ws",
    ],
)
def test_mainnet_is_refused_by_name(url: str) -> None:
    with pytest.raises(RefusedError, match="mainnet"):
        require_testnet(url)


@pytest.mark.parametrize("url", ["http://api.hyperliquid-testnet.xyz", "api.hyperliquid-testnet.xyz", "ftp://x", ""])
def test_what_is_no_safe_url_is_refused(url: str) -> None:
    with pytest.raises(RefusedError, match="--url"):
        require_testnet(url)


@pytest.mark.parametrize(
    "url", ["https://api.hyperliquid-testnet.xyz", "http://127.0.0.1:3001", "https://venue.example"]
)
def test_the_testnet_and_simulators_pass(url: str) -> None:
    require_testnet(url)


def refusal(prepare, **switches) -> RefusedError:
    caught: list[RefusedError] = []

    async def talk(world: World) -> None:
        await prepare(world)
        with pytest.raises(RefusedError) as error:
            await world.examine()
        caught.append(error.value)
        assert not world.posts

    in_world(talk, **switches)
    return caught[0]


def test_an_account_without_money_is_refused() -> None:
    async def prepare(world: World) -> None:
        world.fund("12")
        world.approve()

    error = refusal(prepare)
    assert "12.00 USD" in error.what
    assert "deposit" in error.fix


def test_an_agent_that_nobody_approved_is_refused() -> None:
    async def prepare(world: World) -> None:
        world.fund()

    error = refusal(prepare)
    assert f"{AGENT.address} is not approved" in error.what
    assert "approve" in error.fix


def test_an_accounts_own_key_is_refused() -> None:
    async def prepare(world: World) -> None:
        world.control("fund", address=AGENT.address, usdc="1000")

    error = refusal(prepare)
    assert "account of its own" in error.what


def test_an_account_that_holds_the_coin_is_refused() -> None:
    async def prepare(world: World) -> None:
        world.fund()
        world.approve()
        world.control("set_position", address=ACCOUNT, coin="ETH", size="0.01", entry_px="2000")

    error = refusal(prepare)
    assert "holds 0.01 ETH" in error.what
    assert "--coin" in error.fix


def test_an_account_with_orders_of_its_own_on_the_coin_is_refused() -> None:
    async def prepare(world: World) -> None:
        desk = await world.desk()
        desk.allow(1)
        await desk.send(desk.order(cloid="0x" + "77" * 16))
        world.posts.clear()

    error = refusal(prepare)
    assert "1 orders of its own on ETH" in error.what


def test_orders_that_an_earlier_probe_left_on_another_coin_are_named() -> None:
    async def prepare(world: World) -> None:
        desk = await world.desk("BTC")
        desk.allow(1)
        await desk.send(desk.order())
        world.posts.clear()

    error = refusal(prepare)
    assert "earlier probe left orders on BTC" in error.what
    assert "--coin BTC" in error.fix


def test_an_address_without_requests_is_refused() -> None:
    async def prepare(world: World) -> None:
        world.fund()
        world.approve()
        world.venue.server.venue.accounts[ACCOUNT].requests_used = 9_900

    assert "100 requests left" in refusal(prepare).what


def test_a_venue_of_the_other_network_ends_it_with_the_first_no_op() -> None:
    async def talk(world: World) -> None:
        with pytest.raises(RefusedError, match="Mainnet and testnet require different signature"):
            await world.ask("resend")
        assert len(world.posts) == 1

    in_world(talk, network="mainnet")
