"""Calls every public method of the official SDK's `Info` and `Exchange`; run with the SDK's own environment.

Usage: sdk_methods.py BASE_URL. Prints one JSON object {"methods": [...], "entered": [...], "rows": [...]}: all public
methods that the SDK has, those whose code ran, and a row a method with what became of it. A row's `seen` says what was
read back through `Info`; a reading that doesn't show the effect makes the row `FAILED`.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from types import FrameType
from typing import Any

import eth_account
from hyperliquid import exchange as exchange_module
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils import signing
from hyperliquid.utils.types import Cloid

OTHER = "0x" + "22" * 20
BUILDER = "0x" + "b1" * 20
VALIDATOR = "0x" + "5c" * 20
GTC, IOC = {"limit": {"tif": "Gtc"}}, {"limit": {"tif": "Ioc"}}
DEFAULT = {"status": "ok", "response": {"type": "default"}}
HYPE = 10**8


def key(number: int) -> Any:
    return eth_account.Account.from_key("0x" + f"{number:02x}" * 32)


def methods_of(kind: type) -> list[str]:
    return [f"{kind.__name__}.{name}" for name, _ in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"]


class Tour:
    """Rows in the order of the calls, and the clients that make them."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.rows: dict[str, dict[str, str]] = {}
        self.entered: dict[str, None] = {}
        self.names = dict.fromkeys(methods_of(Info) + methods_of(Exchange))
        sys.setprofile(self._enter)
        self.info = Info(base_url, perp_dexs=["", "xyz"])
        self.wallet = key(0x11)
        self.user = self.wallet.address
        self.exchange = Exchange(self.wallet, base_url, perp_dexs=["", "xyz"])

    def _enter(self, frame: FrameType, event: str, _: object) -> None:
        owner = frame.f_locals.get("self")
        if event == "call" and isinstance(owner, Info | Exchange):
            self.entered[f"{type(owner).__name__}.{frame.f_code.co_name}"] = None

    def step(self, method: str, seen: str, work: Callable[[], Any]) -> None:
        """Make a row: `work` calls the method, reads its effect back and asserts it."""
        try:
            refused = work()
            result = "not supported" if refused == "not supported" else "ok"
        except Exception as error:  # noqa: BLE001 - the SDK raises bare exceptions; each is a finding, not a crash
            line = inspect.trace()[1].lineno if len(inspect.trace()) > 1 else 0
            result = f"FAILED: {type(error).__name__} in line {line}: {error}"[:300]
        self.rows[method] = {"method": method, "result": result, "seen": seen}

    def item(self, answer: Any) -> Any:
        assert answer["status"] == "ok", answer
        (item,) = answer["response"]["data"]["statuses"]
        return item

    def resting(self, answer: Any) -> int:
        return int(self.item(answer)["resting"]["oid"])

    def status(self, oid: int) -> str:
        return str(self.info.query_order_by_oid(self.user, oid)["order"]["status"])

    def position(self, coin: str, user: str | None = None) -> Any:
        dex = coin.partition(":")[0] if ":" in coin else ""
        rows = self.info.user_state(user or self.user, dex)["assetPositions"]
        return next((row["position"] for row in rows if row["position"]["coin"] == coin), None)

    def spot(self, coin: str, user: str | None = None) -> float:
        rows = self.info.spot_user_state(user or self.user)["balances"]
        return float(next((row["total"] for row in rows if row["coin"] == coin), "0"))

    def withdrawable(self, user: str, dex: str = "") -> float:
        return float(self.info.user_state(user, dex)["withdrawable"])

    def send(self, wallet: Any, action: dict[str, Any]) -> Any:
        """Post an L1 action that the SDK has no method for, signed by the SDK."""
        nonce = signing.get_timestamp_ms()
        signature = signing.sign_l1_action(wallet, action, None, nonce, None, False)
        body = {"action": action, "nonce": nonce, "signature": signature}
        return self.info.post("/exchange", body)


def trade(tour: Tour) -> None:
    ex = tour.exchange
    rest = lambda price: tour.resting(ex.order("ETH", True, 0.1, price, GTC))  # noqa: E731 - one line, used below

    def order() -> None:
        assert tour.status(rest(1_000)) == "open"

    def bulk_orders() -> None:
        rows = [
            {
                "coin": "ETH",
                "is_buy": True,
                "sz": 0.1,
                "limit_px": price,
                "order_type": GTC,
                "reduce_only": False,
            }
            for price in (1_001, 1_002)
        ]
        answer = ex.bulk_orders(rows)
        oids = {item["resting"]["oid"] for item in answer["response"]["data"]["statuses"]}
        assert oids <= {row["oid"] for row in tour.info.open_orders(tour.user)}

    def modify() -> None:
        oid = rest(1_003)
        new = tour.resting(ex.modify_order(oid, "ETH", True, 0.2, 1_004, GTC, cloid=Cloid.from_int(8)))
        assert (tour.status(oid), tour.status(new)) == ("canceled", "open")

    def bulk_modify() -> None:
        oid = rest(1_005)
        wire = {
            "coin": "ETH",
            "is_buy": True,
            "sz": 0.3,
            "limit_px": 1_006,
            "order_type": GTC,
            "reduce_only": False,
        }
        new = tour.resting(ex.bulk_modify_orders_new([{"oid": oid, "order": wire}]))
        assert tour.info.query_order_by_oid(tour.user, new)["order"]["order"]["sz"] == "0.3"

    def cancel(call: Callable[[int, Cloid], Any]) -> None:
        cloid = Cloid.from_int(int(time.time() * 1000))
        oid = tour.resting(ex.order("ETH", True, 0.1, 1_007, GTC, cloid=cloid))
        assert tour.item(call(oid, cloid)) == "success"
        assert tour.info.query_order_by_cloid(tour.user, cloid)["order"]["status"] == "canceled"
        assert tour.status(oid) == "canceled"

    def market_open() -> None:
        before = float((tour.position("ETH") or {"szi": "0"})["szi"])
        assert tour.item(ex.market_open("ETH", True, 0.5))["filled"]["totalSz"] == "0.5"
        assert float(tour.position("ETH")["szi"]) == before + 0.5

    def market_close() -> None:
        tour.item(ex.market_open("DOGE", False, 1_000))
        assert tour.position("DOGE")["szi"] == "-1000.0"
        tour.item(ex.market_close("DOGE"))
        assert tour.position("DOGE") is None

    def update_leverage() -> None:
        assert ex.update_leverage(5, "SOL", is_cross=False) == DEFAULT
        ask = {"type": "activeAssetData", "user": tour.user, "coin": "SOL"}
        assert tour.info.post("/info", ask)["leverage"]["value"] == 5

    def isolated_margin() -> None:
        tour.item(ex.market_open("SOL", True, 5))
        before = float(tour.position("SOL")["marginUsed"])
        assert ex.update_isolated_margin(10.0, "SOL") == DEFAULT
        # The mark moves while this runs, the pot's raw money doesn't.
        assert abs(float(tour.position("SOL")["marginUsed"]) - before - 10) < 2

    def expires_after() -> None:
        ex.set_expires_after(1_600_000_000_000)
        answer = ex.order("ETH", True, 0.1, 9_000, IOC)
        ex.set_expires_after(None)
        assert answer == {"status": "err", "response": "Action already expired"}

    def noop() -> None:
        nonce = int(time.time() * 1000) + 5
        assert ex.noop(nonce) == DEFAULT
        assert ex.noop(nonce)["response"] == f"Invalid nonce: duplicate nonce {nonce}"

    tour.step("Exchange.order", "query_order_by_oid: open", order)
    tour.step("Exchange.bulk_orders", "open_orders shows both", bulk_orders)
    tour.step("Exchange.modify_order", "query_order_by_oid: old canceled, new open", modify)
    tour.step("Exchange.bulk_modify_orders_new", "query_order_by_oid: the new size", bulk_modify)
    canceled = "query_order_by_oid and _by_cloid: canceled"
    tour.step("Exchange.cancel", canceled, lambda: cancel(lambda oid, _: ex.cancel("ETH", oid)))
    tour.step("Exchange.cancel_by_cloid", canceled, lambda: cancel(lambda _, cloid: ex.cancel_by_cloid("ETH", cloid)))
    bulk = lambda oid, _: ex.bulk_cancel([{"coin": "ETH", "oid": oid}])  # noqa: E731 - fits on one line
    tour.step("Exchange.bulk_cancel", canceled, lambda: cancel(bulk))
    by_cloid = lambda _, cloid: ex.bulk_cancel_by_cloid([{"coin": "ETH", "cloid": cloid}])  # noqa: E731 - as above
    tour.step("Exchange.bulk_cancel_by_cloid", canceled, lambda: cancel(by_cloid))
    tour.step("Exchange.market_open", "user_state: the position", market_open)
    tour.step("Exchange.market_close", "user_state: the position is gone", market_close)
    tour.step("Exchange.update_leverage", "post activeAssetData: leverage 5", update_leverage)
    tour.step("Exchange.update_isolated_margin", "user_state: marginUsed grew by 10", isolated_margin)
    tour.step("Exchange.set_expires_after", "a late order is refused as expired", expires_after)
    tour.step("Exchange.noop", "the nonce is used: duplicate", noop)


def move(tour: Tour) -> None:
    ex, info, user = tour.exchange, tour.info, tour.user

    def class_transfer() -> None:
        before = tour.spot("USDC")
        assert ex.usd_class_transfer(25.0, False) == DEFAULT
        assert tour.spot("USDC") == before + 25

    def usd_transfer() -> None:
        before = tour.withdrawable(OTHER)
        assert ex.usd_transfer(12.5, OTHER) == DEFAULT
        assert tour.withdrawable(OTHER) == before + 12.5

    def spot_transfer() -> None:
        assert ex.spot_transfer(5, OTHER, "USDC") == DEFAULT
        assert tour.spot("USDC", OTHER) == 5

    def send_asset() -> None:
        assert ex.send_asset(OTHER, "", "xyz", "USDC", 3.0) == DEFAULT
        assert tour.withdrawable(OTHER, "xyz") == 3

    def withdraw() -> None:
        assert ex.withdraw_from_bridge(20, OTHER) == DEFAULT
        rows = info.user_non_funding_ledger_updates(user, 0)
        assert rows[-1]["delta"]["type"] == "withdraw"
        assert rows[-1]["delta"]["usdc"] == "20.0"

    def create_sub_account() -> None:
        address = ex.create_sub_account("desk")["response"]["data"]
        assert address in [row["subAccountUser"] for row in info.query_sub_accounts(user)]

    def sub_account() -> str:
        return str(info.query_sub_accounts(user)[0]["subAccountUser"])

    def sub_transfer() -> None:
        assert ex.sub_account_transfer(sub_account(), True, 500_000_000) == DEFAULT
        assert tour.withdrawable(sub_account()) == 500

    def sub_spot() -> None:
        assert ex.sub_account_spot_transfer(sub_account(), True, "USDC", 1.0) == DEFAULT
        assert tour.spot("USDC", sub_account()) == 1

    def vault_transfer() -> None:
        action = {
            "type": "createVault",
            "name": "Basket",
            "description": "A basket of things.",
            "initialUsd": 1_000_000_000,
            "nonce": 1,
        }
        vault = tour.send(key(0x12), action)["response"]["data"]
        assert ex.vault_usd_transfer(vault, True, 100_000_000) == DEFAULT
        assert [row["equity"] for row in info.user_vault_equities(user)] == ["100.0"]
        assert ex.vault_usd_transfer(vault, False, 40_000_000) == DEFAULT
        assert [row["equity"] for row in info.user_vault_equities(user)] == ["60.0"]

    def delegate() -> None:
        tour.item(ex.order("HYPE/USDC", True, 40, 30, IOC))
        action = {"type": "cDeposit", "wei": 30 * HYPE, "nonce": signing.get_timestamp_ms()}
        types = [{"name": "hyperliquidChain", "type": "string"}, {"name": "wei", "type": "uint64"}]
        types.append({"name": "nonce", "type": "uint64"})
        primary = "HyperliquidTransaction:CDeposit"
        signature = signing.sign_user_signed_action(tour.wallet, action, types, primary, False)
        body = {"action": action, "nonce": action["nonce"], "signature": signature}
        assert info.post("/exchange", body) == DEFAULT
        assert ex.token_delegate(VALIDATOR, 20 * HYPE, False) == DEFAULT
        assert [row["amount"] for row in info.user_staking_delegations(user)] == ["20.0"]
        assert ex.token_delegate(VALIDATOR, 5 * HYPE, True) == DEFAULT
        summary = info.user_staking_summary(user)
        assert (summary["delegated"], summary["undelegated"]) == ("15.0", "15.0")

    def gossip() -> None:
        assert ex.gossip_priority_bid(1, "10.0.0.1", 10 * HYPE) == DEFAULT
        assert info.post("/info", {"type": "gossipPriorityAuctionStatus"})[0] == [None, "10.0.0.1"]

    tour.step("Exchange.usd_class_transfer", "spot_user_state: 25 more", class_transfer)
    tour.step("Exchange.usd_transfer", "user_state of the recipient: 12.5 more", usd_transfer)
    tour.step("Exchange.spot_transfer", "spot_user_state of the recipient", spot_transfer)
    tour.step("Exchange.send_asset", "user_state of the recipient on xyz", send_asset)
    tour.step("Exchange.withdraw_from_bridge", "user_non_funding_ledger_updates: withdraw", withdraw)
    tour.step("Exchange.create_sub_account", "query_sub_accounts shows it", create_sub_account)
    tour.step("Exchange.sub_account_transfer", "user_state of the sub-account", sub_transfer)
    tour.step("Exchange.sub_account_spot_transfer", "spot_user_state of the sub-account", sub_spot)
    tour.step("Exchange.vault_usd_transfer", "user_vault_equities: in and out", vault_transfer)
    tour.step("Exchange.token_delegate", "user_staking_delegations and _summary: there and back", delegate)
    tour.step("Exchange.gossip_priority_bid", "post gossipPriorityAuctionStatus: the slot's holder", gossip)


def stand(tour: Tour) -> None:
    ex, info, user = tour.exchange, tour.info, tour.user

    def approve_agent() -> None:
        answer, secret = ex.approve_agent("copy1")
        assert answer == DEFAULT
        address = eth_account.Account.from_key(secret).address.lower()
        assert {"name": "copy1", "address": address}.items() <= info.extra_agents(user)[0].items()
        agent = Exchange(eth_account.Account.from_key(secret), tour.base_url, account_address=user)
        before = float(tour.position("ETH")["szi"])
        assert "filled" in tour.item(agent.order("ETH", False, 0.1, 1_000, IOC))
        assert float(tour.position("ETH")["szi"]) == round(before - 0.1, 8)
        tour.rows["agent"] = {"key": secret}

    def agent() -> Exchange:
        return Exchange(eth_account.Account.from_key(tour.rows["agent"]["key"]), tour.base_url, account_address=user)

    def approve_builder() -> None:
        assert ex.approve_builder_fee(BUILDER, "0.05%") == DEFAULT
        assert info.post("/info", {"type": "maxBuilderFee", "user": user, "builder": BUILDER}) == 50

    def set_referrer() -> None:
        assert ex.set_referrer("CODE") == DEFAULT
        assert info.query_referral_state(user)["referredBy"]["code"] == "CODE"

    def used() -> int:
        return int(info.user_rate_limit(user)["nRequestsUsed"])

    def big_blocks() -> None:
        before = used()
        assert ex.use_big_blocks(True) == DEFAULT
        assert used() == before + 1

    def user_dex_abstraction() -> None:
        assert ex.user_dex_abstraction(user, False) == DEFAULT
        assert info.query_user_dex_abstraction_state(user) is False

    def agent_dex_abstraction() -> None:
        assert agent().agent_enable_dex_abstraction() == DEFAULT
        assert info.query_user_dex_abstraction_state(user) is True

    def user_set_abstraction() -> None:
        assert ex.user_set_abstraction(user, "unifiedAccount") == DEFAULT
        assert info.query_user_abstraction_state(user) == "unifiedAccount"

    def agent_set_abstraction() -> None:
        assert agent().agent_set_abstraction("i") == DEFAULT
        assert info.query_user_abstraction_state(user) == "disabled"

    board, signers = key(0x13), sorted((key(0x14), key(0x15)), key=lambda wallet: str(wallet.address.lower()))
    users = [wallet.address.lower() for wallet in signers]

    def convert() -> None:
        owner = Exchange(board, tour.base_url)
        assert owner.convert_to_multi_sig_user(users, 2) == DEFAULT
        shown = {"authorizedUsers": users, "threshold": 2}
        assert info.query_user_to_multi_sig_signers(board.address) == shown
        assert owner.noop(int(time.time() * 1000)) == {"status": "err", "response": "Multi-sig required"}

    def multi_sig() -> None:
        outer = Exchange(signers[0], tour.base_url)
        nonce = signing.get_timestamp_ms()
        wire = {"a": 1, "b": True, "p": "9000", "s": "0.1", "r": False, "t": IOC}
        inner = {"type": "order", "orders": [wire], "grouping": "na"}
        parts = (inner, False, None, nonce, None, board.address, signers[0].address)
        signatures = [signing.sign_multi_sig_l1_action_payload(wallet, *parts) for wallet in signers]
        assert "filled" in tour.item(outer.multi_sig(board.address, inner, signatures, nonce))
        assert tour.position("ETH", board.address)["szi"] == "0.1"
        nonce = signing.get_timestamp_ms()
        mode = {"type": "userSetAbstraction", "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
        mode |= {"user": board.address.lower(), "abstraction": "unifiedAccount", "nonce": nonce}
        primary = "HyperliquidTransaction:UserSetAbstraction"
        typed = (mode, False, signing.USER_SET_ABSTRACTION_SIGN_TYPES, primary, board.address, signers[0].address)
        signatures = [signing.sign_multi_sig_user_signed_action_payload(wallet, *typed) for wallet in signers]
        assert outer.multi_sig(board.address, mode, signatures, nonce) == DEFAULT
        assert info.query_user_abstraction_state(board.address) == "unifiedAccount"

    tour.step("Exchange.approve_agent", "extra_agents; its order moves the master's user_state", approve_agent)
    tour.step("Exchange.approve_builder_fee", "post maxBuilderFee: 50", approve_builder)
    tour.step("Exchange.set_referrer", "query_referral_state: the code", set_referrer)
    # No request of /info shows the block size of the other chain.
    tour.step("Exchange.use_big_blocks", "user_rate_limit: one more request", big_blocks)
    dex_mode, mode = "query_user_dex_abstraction_state", "query_user_abstraction_state"
    tour.step("Exchange.user_dex_abstraction", f"{dex_mode}: false", user_dex_abstraction)
    tour.step("Exchange.agent_enable_dex_abstraction", f"{dex_mode}: true", agent_dex_abstraction)
    tour.step("Exchange.user_set_abstraction", f"{mode}: unifiedAccount", user_set_abstraction)
    tour.step("Exchange.agent_set_abstraction", f"{mode}: disabled", agent_set_abstraction)
    tour.step("Exchange.convert_to_multi_sig_user", "query_user_to_multi_sig_signers", convert)
    tour.step("Exchange.multi_sig", "user_state and query_user_abstraction_state of the account", multi_sig)


def refuse(tour: Tour) -> None:
    """Call what the simulator has no use for: it must say so by name."""
    ex = tour.exchange
    calls: dict[str, tuple[str, Callable[[], Any]]] = {
        "spot_deploy_register_token": ("spotDeploy", lambda: ex.spot_deploy_register_token("T", 2, 8, 1, "Token")),
        "spot_deploy_user_genesis": ("spotDeploy", lambda: ex.spot_deploy_user_genesis(1, [(OTHER, "1")], [(1, "1")])),
        "spot_deploy_enable_freeze_privilege": ("spotDeploy", lambda: ex.spot_deploy_enable_freeze_privilege(1)),
        "spot_deploy_freeze_user": ("spotDeploy", lambda: ex.spot_deploy_freeze_user(1, OTHER, True)),
        "spot_deploy_revoke_freeze_privilege": ("spotDeploy", lambda: ex.spot_deploy_revoke_freeze_privilege(1)),
        "spot_deploy_enable_quote_token": ("spotDeploy", lambda: ex.spot_deploy_enable_quote_token(1)),
        "spot_deploy_token_action_inner": ("spotDeploy", lambda: ex.spot_deploy_token_action_inner("any", 1)),
        "spot_deploy_genesis": ("spotDeploy", lambda: ex.spot_deploy_genesis(1, "1", True)),
        "spot_deploy_register_spot": ("spotDeploy", lambda: ex.spot_deploy_register_spot(1, 0)),
        "spot_deploy_register_hyperliquidity": (
            "spotDeploy",
            lambda: ex.spot_deploy_register_hyperliquidity(1, 1.0, 1.0, 1, 1),
        ),
        "spot_deploy_set_deployer_trading_fee_share": (
            "spotDeploy",
            lambda: ex.spot_deploy_set_deployer_trading_fee_share(1, "1%"),
        ),
        "perp_deploy_register_asset": (
            "perpDeploy",
            lambda: ex.perp_deploy_register_asset("dex", None, "T", 2, "1", 10, False, None),
        ),
        "perp_deploy_set_oracle": ("perpDeploy", lambda: ex.perp_deploy_set_oracle("dex", {"T": "1"}, [], {})),
        "c_signer_unjail_self": ("CSignerAction", ex.c_signer_unjail_self),
        "c_signer_jail_self": ("CSignerAction", ex.c_signer_jail_self),
        "c_signer_inner": ("CSignerAction", lambda: ex.c_signer_inner("any")),
        "c_validator_register": (
            "CValidatorAction",
            lambda: ex.c_validator_register("1.2.3.4", "n", "d", False, 1, OTHER, True, 1),
        ),
        "c_validator_change_profile": (
            "CValidatorAction",
            lambda: ex.c_validator_change_profile(None, None, None, True, None, None, None),
        ),
        "c_validator_unregister": ("CValidatorAction", ex.c_validator_unregister),
    }
    for name, (kind, call) in calls.items():
        text = f"{kind} is not supported by this simulator."

        def refused(call: Callable[[], Any] = call, text: str = text) -> str:
            answer = call()
            assert answer == {"status": "err", "response": text}, answer
            return "not supported"

        tour.step(f"Exchange.{name}", f"answer: {text}", refused)


def read(tour: Tour) -> None:
    """Call every read; what was traded before is what must be seen."""
    info, user = tour.info, tour.user
    now = int(time.time() * 1000)
    hour_ago = now - 3_600_000
    reads: dict[str, tuple[str, Callable[[], Any]]] = {
        "user_state": ("positions", lambda: info.user_state(user)["assetPositions"]),
        "spot_user_state": ("balances", lambda: info.spot_user_state(user)["balances"]),
        "open_orders": ("rows", lambda: info.open_orders(user)),
        "frontend_open_orders": ("rows", lambda: info.frontend_open_orders(user)),
        "all_mids": ("a mid for BTC and @107", lambda: float(info.all_mids()["BTC"]) * float(info.all_mids()["@107"])),
        "user_fills": ("rows, newest first", lambda: newest_first(info.user_fills(user))),
        "user_fills_by_time": (
            "rows, oldest first",
            lambda: newest_first(info.user_fills_by_time(user, hour_ago)[::-1]),
        ),
        "meta": ("universe", lambda: info.meta()["universe"]),
        "meta_and_asset_ctxs": ("one context an asset", lambda: paired(info.meta_and_asset_ctxs())),
        "perp_dexs": ("null, then the dexs", lambda: info.perp_dexs()[0] is None and info.perp_dexs()[1]["name"]),
        "spot_meta": ("universe", lambda: info.spot_meta()["universe"]),
        "spot_meta_and_asset_ctxs": ("contexts", lambda: info.spot_meta_and_asset_ctxs()[1]),
        "funding_history": ("a list", lambda: isinstance(info.funding_history("BTC", hour_ago, now), list)),
        "user_funding_history": ("a list", lambda: isinstance(info.user_funding_history(user, hour_ago, now), list)),
        "l2_snapshot": ("both sides", lambda: all(info.l2_snapshot("BTC")["levels"])),
        "candles_snapshot": (
            "trades counted",
            lambda: sum(row["n"] for row in info.candles_snapshot("ETH", "1m", hour_ago, now)),
        ),
        "user_fees": ("rates", lambda: info.user_fees(user)["userCrossRate"]),
        "user_staking_summary": ("delegated", lambda: float(info.user_staking_summary(user)["delegated"])),
        "user_staking_delegations": ("rows", lambda: info.user_staking_delegations(user)),
        "user_staking_rewards": ("a list", lambda: isinstance(info.user_staking_rewards(user), list)),
        "delegator_history": ("rows", lambda: info.delegator_history(user)),
        "query_referral_state": ("volume", lambda: float(info.query_referral_state(user)["cumVlm"])),
        "query_sub_accounts": ("rows", lambda: info.query_sub_accounts(user)),
        "query_user_to_multi_sig_signers": ("signers", lambda: info.query_user_to_multi_sig_signers(key(0x13).address)),
        "query_perp_deploy_auction_status": ("an auction", lambda: info.query_perp_deploy_auction_status()["startGas"]),
        "query_spot_deploy_auction_status": (
            "an auction",
            lambda: info.query_spot_deploy_auction_status(user)["gasAuction"],
        ),
        "query_user_dex_abstraction_state": ("set above", lambda: info.query_user_dex_abstraction_state(user)),
        "query_user_abstraction_state": ("set above", lambda: info.query_user_abstraction_state(user)),
        "historical_orders": ("rows", lambda: info.historical_orders(user)),
        "user_non_funding_ledger_updates": ("rows", lambda: info.user_non_funding_ledger_updates(user, hour_ago)),
        "portfolio": ("eight periods", lambda: len(info.portfolio(user)) == 8),
        "user_twap_slice_fills": ("a list", lambda: isinstance(info.user_twap_slice_fills(user), list)),
        "user_vault_equities": ("rows", lambda: info.user_vault_equities(user)),
        "user_role": ("user", lambda: info.user_role(user) == {"role": "user"}),
        "user_rate_limit": ("requests used", lambda: info.user_rate_limit(user)["nRequestsUsed"]),
        "extra_agents": ("rows", lambda: info.extra_agents(user)),
        "query_order_by_oid": (
            "an order",
            lambda: info.query_order_by_oid(user, info.open_orders(user)[0]["oid"])["order"],
        ),
        "query_order_by_cloid": ("an order", lambda: info.query_order_by_cloid(user, Cloid.from_int(8))["order"]),
        "name_to_asset": ("ids", lambda: (info.name_to_asset("ETH"), info.name_to_asset("HYPE/USDC")) == (1, 10_107)),
        "set_perp_meta": ("an id of the third dex", lambda: third_dex(info)),
        "post": ("exchangeStatus", lambda: info.post("/info", {"type": "exchangeStatus"})["time"]),
    }
    for name, (seen, call) in reads.items():

        def check(call: Callable[[], Any] = call) -> None:
            assert call()

        tour.step(f"Info.{name}", seen, check)
    status = lambda: tour.exchange.post("/info", {"type": "exchangeStatus"})["time"]  # noqa: E731 - one line
    tour.step("Exchange.post", "exchangeStatus", lambda: None if status() else 1 / 0)


def newest_first(rows: list[Any]) -> bool:
    return bool(rows) and all(a["time"] >= b["time"] for a, b in pairwise(rows))


def paired(answer: Any) -> bool:
    return len(answer[0]["universe"]) == len(answer[1])


def third_dex(info: Info) -> bool:
    info.set_perp_meta(info.meta("flx"), 120_000)
    return bool(info.name_to_asset("flx:CRCL") == 120_000)


def listen(tour: Tour) -> None:
    heard: list[Any] = []
    subscription = {"type": "userFills", "user": tour.user}
    ids: list[int] = []

    def waits_for(count: int) -> bool:
        deadline = time.monotonic() + 5
        while len(heard) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(heard) >= count

    def subscribe() -> None:
        ids.append(tour.info.subscribe(dict(subscription), heard.append))
        assert waits_for(1)
        assert heard[0]["data"]["isSnapshot"] is True
        tour.exchange.market_open("ETH", True, 0.1)
        assert waits_for(2)
        assert "isSnapshot" not in heard[1]["data"]

    def unsubscribe() -> None:
        assert tour.info.unsubscribe(dict(subscription), ids[0])
        count = len(heard)
        tour.exchange.market_open("ETH", True, 0.1)
        assert len(tour.info.user_fills(tour.user)) > count
        assert len(heard) == count

    def disconnect() -> None:
        tour.info.disconnect_websocket()
        # The SDK's own reader may look at its closed socket only after ten seconds.
        tour.info.ws_manager.join(15)
        assert not tour.info.ws_manager.is_alive()

    tour.step("Info.subscribe", "userFills: snapshot, then a fill", subscribe)
    tour.step("Info.unsubscribe", "user_fills has the next fill, the channel is silent", unsubscribe)
    tour.step("Info.disconnect_websocket", "the socket's thread ends", disconnect)


def main() -> None:
    tour = Tour(sys.argv[1])
    ex = tour.exchange
    assert exchange_module.Exchange is Exchange
    doomed = tour.resting(ex.order("BTC", True, 0.01, 30_000, GTC))
    due = int(time.time() * 1000) + 5_300
    scheduled = ex.schedule_cancel(due)
    trade(tour)
    move(tour)
    stand(tour)
    refuse(tour)

    def schedule_cancel() -> None:
        assert scheduled == DEFAULT
        while time.time() * 1000 < due + 1_500 and tour.status(doomed) == "open":
            time.sleep(0.05)
        assert tour.status(doomed) == "scheduledCancel"

    tour.step("Exchange.schedule_cancel", "query_order_by_oid: scheduledCancel", schedule_cancel)
    tour.resting(ex.order("ETH", True, 0.1, 1_000, GTC))
    read(tour)
    listen(tour)
    sys.setprofile(None)
    tour.rows.pop("agent", None)
    print(json.dumps({"methods": list(tour.names), "entered": list(tour.entered), "rows": list(tour.rows.values())}))


if __name__ == "__main__":
    main()
