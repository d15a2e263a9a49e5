"""Steps that change who may act for an account, and how."""

from __future__ import annotations

import time
from typing import Any

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.utils import signing
from tour import BUILDER, DEFAULT, IOC, Tour, key, step

BOARD = key(0x13)
SIGNERS = sorted((key(0x14), key(0x15)), key=lambda wallet: str(wallet.address.lower()))
DEX_MODE, MODE = "query_user_dex_abstraction_state", "query_user_abstraction_state"


@step("Exchange.approve_agent", "extra_agents; its order moves the master's user_state")
def approve_agent(tour: Tour) -> None:
    answer, tour.agent_key = tour.exchange.approve_agent("copy1")
    assert answer == DEFAULT
    address = eth_account.Account.from_key(tour.agent_key).address.lower()
    assert {"name": "copy1", "address": address}.items() <= tour.info.extra_agents(tour.user)[0].items()
    before = float(tour.position("ETH")["szi"])
    assert "filled" in tour.item(tour.agent().order("ETH", False, 0.1, 1_000, IOC))
    assert float(tour.position("ETH")["szi"]) == round(before - 0.1, 8)


@step("Exchange.approve_builder_fee", "post maxBuilderFee: 50")
def approve_builder_fee(tour: Tour) -> None:
    assert tour.exchange.approve_builder_fee(BUILDER, "0.05%") == DEFAULT
    assert tour.info.post("/info", {"type": "maxBuilderFee", "user": tour.user, "builder": BUILDER}) == 50


@step("Exchange.set_referrer", "query_referral_state: the code")
def set_referrer(tour: Tour) -> None:
    assert tour.exchange.set_referrer("CODE") == DEFAULT
    assert tour.info.query_referral_state(tour.user)["referredBy"]["code"] == "CODE"


@step("Exchange.use_big_blocks", "user_rate_limit: one more request (no request of `/info` shows more)")
def use_big_blocks(tour: Tour) -> None:
    before = tour.info.user_rate_limit(tour.user)["nRequestsUsed"]
    assert tour.exchange.use_big_blocks(True) == DEFAULT
    assert tour.info.user_rate_limit(tour.user)["nRequestsUsed"] == before + 1


@step("Exchange.user_dex_abstraction", f"{DEX_MODE}: false")
def user_dex_abstraction(tour: Tour) -> None:
    assert tour.exchange.user_dex_abstraction(tour.user, False) == DEFAULT
    assert tour.info.query_user_dex_abstraction_state(tour.user) is False


@step("Exchange.agent_enable_dex_abstraction", f"{DEX_MODE}: true")
def agent_enable_dex_abstraction(tour: Tour) -> None:
    assert tour.agent().agent_enable_dex_abstraction() == DEFAULT
    assert tour.info.query_user_dex_abstraction_state(tour.user) is True


def spot_dollars(tour: Tour) -> float:
    rows = tour.info.spot_user_state(tour.user)["balances"]
    return float(next(row["total"] for row in rows if row["coin"] == "USDC"))


@step("Exchange.user_set_abstraction", f"{MODE}: unifiedAccount")
def user_set_abstraction(tour: Tour) -> None:
    tour.notes["spot"] = spot_dollars(tour)
    assert tour.exchange.user_set_abstraction(tour.user, "unifiedAccount") == DEFAULT
    assert spot_dollars(tour) > tour.notes["spot"]
    assert tour.info.query_user_abstraction_state(tour.user) == "unifiedAccount"


@step("Exchange.agent_set_abstraction", f"{MODE}: disabled")
def agent_set_abstraction(tour: Tour) -> None:
    assert tour.agent().agent_set_abstraction("i") == DEFAULT
    assert tour.info.query_user_abstraction_state(tour.user) == "disabled"
    # What perps can do without stayed in spot; later steps trade with it.
    back = round(spot_dollars(tour) - tour.notes["spot"] - 0.000001, 6)
    assert tour.exchange.usd_class_transfer(back, True) == DEFAULT


@step("Exchange.convert_to_multi_sig_user", "query_user_to_multi_sig_signers")
def convert_to_multi_sig_user(tour: Tour) -> None:
    owner = Exchange(BOARD, tour.base_url)
    users = [wallet.address.lower() for wallet in SIGNERS]
    assert owner.convert_to_multi_sig_user(users, 2) == DEFAULT
    shown = {"authorizedUsers": users, "threshold": 2}
    assert tour.info.query_user_to_multi_sig_signers(BOARD.address) == shown
    assert owner.noop(int(time.time() * 1000)) == {"status": "err", "response": "Multi-sig required"}


def by_signers(tour: Tour, inner: dict[str, Any], sign: Any) -> Any:
    """Send an inner action that each signer signed; the first of them sends it."""
    nonce = inner.get("nonce") or signing.get_timestamp_ms()
    outer = Exchange(SIGNERS[0], tour.base_url)
    return outer.multi_sig(BOARD.address, inner, [sign(wallet, nonce) for wallet in SIGNERS], nonce)


@step("Exchange.multi_sig", f"user_state and {MODE} of the account")
def multi_sig(tour: Tour) -> None:
    wire = {"a": 1, "b": True, "p": "9000", "s": "0.1", "r": False, "t": IOC}
    order = {"type": "order", "orders": [wire], "grouping": "na"}
    whom = (BOARD.address, SIGNERS[0].address)

    def sign_order(wallet: Any, nonce: int) -> Any:
        return signing.sign_multi_sig_l1_action_payload(wallet, order, False, None, nonce, None, *whom)

    assert "filled" in tour.item(by_signers(tour, order, sign_order))
    assert tour.position("ETH", BOARD.address)["szi"] == "0.1"
    mode = {"type": "userSetAbstraction", "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
    mode |= {"user": BOARD.address.lower(), "abstraction": "unifiedAccount", "nonce": signing.get_timestamp_ms()}

    def sign_mode(wallet: Any, _nonce: int) -> Any:
        types, primary = signing.USER_SET_ABSTRACTION_SIGN_TYPES, "HyperliquidTransaction:UserSetAbstraction"
        return signing.sign_multi_sig_user_signed_action_payload(wallet, mode, False, types, primary, *whom)

    assert by_signers(tour, mode, sign_mode) == DEFAULT
    assert tour.info.query_user_abstraction_state(BOARD.address) == "unifiedAccount"
