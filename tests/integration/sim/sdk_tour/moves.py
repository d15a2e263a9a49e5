"""Steps that move money."""

from __future__ import annotations

from hyperliquid.utils import signing
from tour import DEFAULT, IOC, OTHER, Tour, key, step

VALIDATOR = "0x" + "5c" * 20
HYPE = 10**8


@step("Exchange.usd_class_transfer", "spot_user_state: 25 more")
def usd_class_transfer(tour: Tour) -> None:
    before = tour.spot("USDC")
    assert tour.exchange.usd_class_transfer(25.0, False) == DEFAULT
    assert tour.spot("USDC") == before + 25


@step("Exchange.usd_transfer", "user_state of the recipient: 12.5 more")
def usd_transfer(tour: Tour) -> None:
    before = tour.withdrawable(OTHER)
    assert tour.exchange.usd_transfer(12.5, OTHER) == DEFAULT
    assert tour.withdrawable(OTHER) == before + 12.5


@step("Exchange.spot_transfer", "spot_user_state of the recipient")
def spot_transfer(tour: Tour) -> None:
    assert tour.exchange.spot_transfer(5, OTHER, "USDC") == DEFAULT
    assert tour.spot("USDC", OTHER) == 5


@step("Exchange.send_asset", "user_state of the recipient on xyz")
def send_asset(tour: Tour) -> None:
    assert tour.exchange.send_asset(OTHER, "", "xyz", "USDC", 3.0) == DEFAULT
    assert tour.withdrawable(OTHER, "xyz") == 3


@step("Exchange.withdraw_from_bridge", "user_non_funding_ledger_updates: withdraw")
def withdraw_from_bridge(tour: Tour) -> None:
    assert tour.exchange.withdraw_from_bridge(20, OTHER) == DEFAULT
    delta = tour.info.user_non_funding_ledger_updates(tour.user, 0)[-1]["delta"]
    assert (delta["type"], delta["usdc"]) == ("withdraw", "20.0")


@step("Exchange.create_sub_account", "query_sub_accounts shows it")
def create_sub_account(tour: Tour) -> None:
    address = tour.exchange.create_sub_account("desk")["response"]["data"]
    assert address in [row["subAccountUser"] for row in tour.info.query_sub_accounts(tour.user)]


def sub_account(tour: Tour) -> str:
    """Return the sub-account that was made before."""
    return str(tour.info.query_sub_accounts(tour.user)[0]["subAccountUser"])


@step("Exchange.sub_account_transfer", "user_state of the sub-account")
def sub_account_transfer(tour: Tour) -> None:
    assert tour.exchange.sub_account_transfer(sub_account(tour), True, 500_000_000) == DEFAULT
    assert tour.withdrawable(sub_account(tour)) == 500


@step("Exchange.sub_account_spot_transfer", "spot_user_state of the sub-account")
def sub_account_spot_transfer(tour: Tour) -> None:
    assert tour.exchange.sub_account_spot_transfer(sub_account(tour), True, "USDC", 1.0) == DEFAULT
    assert tour.spot("USDC", sub_account(tour)) == 1


@step("Exchange.vault_usd_transfer", "user_vault_equities: in and out")
def vault_usd_transfer(tour: Tour) -> None:
    vault = {"type": "createVault", "name": "Basket", "description": "A basket of things."}
    opened = tour.send(key(0x12), vault | {"initialUsd": 1_000_000_000, "nonce": 1})
    address = opened["response"]["data"]
    assert tour.exchange.vault_usd_transfer(address, True, 100_000_000) == DEFAULT
    assert [row["equity"] for row in tour.info.user_vault_equities(tour.user)] == ["100.0"]
    assert tour.exchange.vault_usd_transfer(address, False, 40_000_000) == DEFAULT
    assert [row["equity"] for row in tour.info.user_vault_equities(tour.user)] == ["60.0"]


def stake(tour: Tour, wei: int) -> None:
    """Move HYPE into staking, which the SDK has no method for; its own signing does."""
    action = {"type": "cDeposit", "wei": wei, "nonce": signing.get_timestamp_ms()}
    fields = (("hyperliquidChain", "string"), ("wei", "uint64"), ("nonce", "uint64"))
    types = [{"name": name, "type": kind} for name, kind in fields]
    primary = "HyperliquidTransaction:CDeposit"
    signature = signing.sign_user_signed_action(tour.wallet, action, types, primary, False)
    body = {"action": action, "nonce": action["nonce"], "signature": signature}
    assert tour.info.post("/exchange", body) == DEFAULT


@step("Exchange.token_delegate", "user_staking_delegations and _summary: there and back")
def token_delegate(tour: Tour) -> None:
    tour.item(tour.exchange.order("HYPE/USDC", True, 40, 30, IOC))
    stake(tour, 30 * HYPE)
    assert tour.exchange.token_delegate(VALIDATOR, 20 * HYPE, False) == DEFAULT
    assert [row["amount"] for row in tour.info.user_staking_delegations(tour.user)] == ["20.0"]
    assert tour.exchange.token_delegate(VALIDATOR, 5 * HYPE, True) == DEFAULT
    summary = tour.info.user_staking_summary(tour.user)
    assert (summary["delegated"], summary["undelegated"]) == ("15.0", "15.0")


@step("Exchange.gossip_priority_bid", "post gossipPriorityAuctionStatus: the slot's holder")
def gossip_priority_bid(tour: Tour) -> None:
    assert tour.exchange.gossip_priority_bid(1, "10.0.0.1", 10 * HYPE) == DEFAULT
    assert tour.info.post("/info", {"type": "gossipPriorityAuctionStatus"})[0] == [None, "10.0.0.1"]
