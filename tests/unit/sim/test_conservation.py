"""Random days at the venue: money and positions are conserved whatever clients do."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hlfast.sim.book import round_price
from hlfast.sim.numbers import SCALE, trimmed, wire
from sim.desk import Desk, Wallet

COINS = ("BTC", "ETH", "kPEPE", "xyz:SP500", "@107", "PURR/USDC")


def random_row(desk: Desk, dice: random.Random) -> dict[str, Any]:
    coin = dice.choice(COINS)
    asset = desk.venue.universe.by_coin[coin]
    mark = desk.venue.mark(asset)
    price = round_price(asset, mark * dice.randint(9_900, 10_100) // 10_000, up=dice.random() < 0.5)
    size = max(asset.lot, dice.randint(5, 400) * SCALE * SCALE // mark // asset.lot * asset.lot)
    return desk.row(
        coin,
        dice.choice("AB"),
        trimmed(price),
        trimmed(size),
        tif=dice.choice(("Ioc", "Ioc", "Gtc", "Alo")),
        reduce_only=dice.random() < 0.2 and not asset.is_spot,
    )


def step(desk: Desk, wallets: list[Wallet], dice: random.Random) -> None:
    wallet = dice.choice(wallets)
    what = dice.random()
    if what < 0.7:
        desk.orders(wallet, *(random_row(desk, dice) for _ in range(dice.randint(1, 3))))
    elif what < 0.8:
        account = desk.venue.accounts[wallet.address]
        cancels = [{"a": order.asset.asset_id, "o": order.oid} for order in list(account.orders.values())[:3]]
        desk.act(wallet, {"type": "cancel", "cancels": cancels})
    elif what < 0.85:
        leverage = {"type": "updateLeverage", "asset": desk.asset("ETH"), "isCross": dice.random() < 0.5, "leverage": 7}
        desk.act(wallet, leverage)
    elif what < 0.9:
        action = {"amount": "5", "toPerp": dice.random() < 0.5, "nonce": desk.nonce + 1}
        signed = {"type": "usdClassTransfer", "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
        desk.act(wallet, signed | action)
    else:
        coin = dice.choice(COINS)
        asset = desk.venue.universe.by_coin[coin]
        desk.control(op="set_book", coin=coin, mid=wire(desk.venue.mark(asset) * dice.randint(9_950, 10_050) // 10_000))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost(seed: int) -> None:
    dice = random.Random(seed)
    desk = Desk()
    wallets = [desk.wallet(number) for number in range(1, 6)]
    for wallet in wallets:
        desk.control(op="fund", address=wallet.address, usdc="2000", spot=True)
    venue = desk.venue
    before = venue.total(0)
    for _ in range(250):
        desk.now_ms += 1
        step(desk, wallets, dice)
        assert venue.total(0) == before
    for asset_id in venue.universe.by_id:
        everybody = [*venue.accounts.values(), venue.maker]
        sizes = [account.positions[asset_id].size for account in everybody if asset_id in account.positions]
        assert sum(sizes) == 0
    assert venue.total(150) == venue.total(1) == 0, "tokens bought are tokens that the maker sold"
    record = desk.control(op="ledger")
    assert record["counters"]["unknown_signers"] == 0
    assert len(record["fills"]) > 100


def test_ledger_answers_what_a_checker_asks() -> None:
    desk = Desk()
    master = desk.wallet(1)
    agent = desk.agent_of(master, 2)
    cloid = "0x" + "5" * 32
    answer = desk.orders(agent, desk.row("ETH", "B", "2500", "0.1", c=cloid), desk.row("ETH", "B", "2500", "0.0001"))
    oid = answer["response"]["data"]["statuses"][0]["filled"]["oid"]
    record = desk.control(op="ledger")
    (action,) = record["actions"]
    assert (action.kind, action.signer, action.user) == ("order", agent.address, master.address)
    assert (action.nonce, action.ok, action.cloids, action.orders) == (desk.nonce, True, (cloid,), 2)
    assert action.digest.startswith("0x")
    assert len(action.digest) == 66
    (fill,) = record["fills"]
    assert (fill.user, fill.oid, fill.cloid, fill.signer, fill.nonce) == (
        master.address,
        oid,
        cloid,
        agent.address,
        desk.nonce,
    )
    assert record["positions"][master.address]["ETH"]["szi"] == "0.1"
    assert record["counters"]["rejected_orders"] == 1
    later = desk.control(op="ledger", since=record["next"])
    assert (later["actions"], later["fills"]) == ([], [])
    assert later["next"] == record["next"]
