"""Drives the unmodified official SDK against a running simulator; run with the SDK's own environment.

Usage: sdk_calls.py BASE_URL. Prints one JSON object {call: result or "ERROR …"}; the test reads it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

MASTER_KEY = "0x" + "11" * 32
OTHER = "0x" + "22" * 20
RESULTS: dict[str, Any] = {}


def call(name: str, function: Callable[[], Any]) -> Any:
    try:
        RESULTS[name] = function()
    except Exception as error:  # noqa: BLE001 - the SDK raises bare exceptions; each is a finding, not a crash
        RESULTS[name] = f"ERROR {type(error).__name__}: {error}"
    return RESULTS[name]


def read_all(info: Info, user: str, prefix: str) -> None:
    now = int(time.time() * 1000)
    reads: dict[str, Callable[[], Any]] = {
        "user_state": lambda: info.user_state(user),
        "user_state_dex": lambda: info.user_state(user, "xyz"),
        "spot_user_state": lambda: info.spot_user_state(user),
        "open_orders": lambda: info.open_orders(user),
        "frontend_open_orders": lambda: info.frontend_open_orders(user),
        "all_mids": info.all_mids,
        "user_fills": lambda: info.user_fills(user),
        "user_fills_by_time": lambda: info.user_fills_by_time(user, now - 3_600_000),
        "meta": info.meta,
        "meta_xyz": lambda: info.meta("xyz"),
        "meta_and_asset_ctxs": info.meta_and_asset_ctxs,
        "perp_dexs": info.perp_dexs,
        "spot_meta": info.spot_meta,
        "spot_meta_and_asset_ctxs": info.spot_meta_and_asset_ctxs,
        "funding_history": lambda: info.funding_history("BTC", now - 7_200_000),
        "user_funding_history": lambda: info.user_funding_history(user, now - 7_200_000),
        "l2_snapshot": lambda: info.l2_snapshot("BTC"),
        "candles_snapshot": lambda: info.candles_snapshot("BTC", "1m", now - 600_000, now),
        "user_fees": lambda: info.user_fees(user),
        "user_staking_summary": lambda: info.user_staking_summary(user),
        "user_staking_delegations": lambda: info.user_staking_delegations(user),
        "user_staking_rewards": lambda: info.user_staking_rewards(user),
        "delegator_history": lambda: info.delegator_history(user),
        "query_referral_state": lambda: info.query_referral_state(user),
        "query_sub_accounts": lambda: info.query_sub_accounts(user),
        "query_user_to_multi_sig_signers": lambda: info.query_user_to_multi_sig_signers(user),
        "historical_orders": lambda: info.historical_orders(user),
        "user_non_funding_ledger_updates": lambda: info.user_non_funding_ledger_updates(user, now - 3_600_000),
        "portfolio": lambda: info.portfolio(user),
        "user_twap_slice_fills": lambda: info.user_twap_slice_fills(user),
        "user_vault_equities": lambda: info.user_vault_equities(user),
        "user_role": lambda: info.user_role(user),
        "user_rate_limit": lambda: info.user_rate_limit(user),
        "extra_agents": lambda: info.extra_agents(user),
        "query_order_by_oid": lambda: info.query_order_by_oid(user, 1),
        "query_order_by_cloid": lambda: info.query_order_by_cloid(user, Cloid.from_int(1)),
        "query_user_dex_abstraction_state": lambda: info.query_user_dex_abstraction_state(user),
        "query_user_abstraction_state": lambda: info.query_user_abstraction_state(user),
    }
    for name, read in reads.items():
        call(f"{prefix}.{name}", read)


def subscribe_all(info: Info, user: str) -> dict[str, list[Any]]:
    seen: dict[str, list[Any]] = {}
    lock = threading.Lock()
    subscriptions = [
        {"type": "allMids"},
        {"type": "trades", "coin": "ETH"},
        {"type": "l2Book", "coin": "ETH"},
        {"type": "bbo", "coin": "ETH"},
        {"type": "candle", "coin": "ETH", "interval": "1m"},
        {"type": "activeAssetCtx", "coin": "ETH"},
        {"type": "userFills", "user": user},
        {"type": "userEvents", "user": user},
        {"type": "orderUpdates", "user": user},
        {"type": "userFundings", "user": user},
        {"type": "userNonFundingLedgerUpdates", "user": user},
        {"type": "activeAssetData", "user": user, "coin": "ETH"},
        {"type": "webData2", "user": user},
    ]
    for subscription in subscriptions:
        name = subscription["type"]

        def remember(message: Any, name: str = name) -> None:
            with lock:
                seen.setdefault(name, []).append(message)

        info.subscribe(subscription, remember)
    return seen


def trade(exchange: Exchange, user: str) -> None:
    cloid = Cloid.from_int(7)
    call("exchange.update_leverage", lambda: exchange.update_leverage(10, "ETH"))
    call("exchange.market_open", lambda: exchange.market_open("ETH", True, 0.5))
    call("exchange.order_ioc", lambda: exchange.order("ETH", True, 0.1, 9_000, {"limit": {"tif": "Ioc"}}, cloid=cloid))
    call("exchange.order_hip3", lambda: exchange.order("xyz:SP500", True, 0.01, 7_600, {"limit": {"tif": "Ioc"}}))
    rest = call("exchange.order_gtc", lambda: exchange.order("ETH", True, 0.1, 1_000, {"limit": {"tif": "Gtc"}}))
    oid = rest["response"]["data"]["statuses"][0]["resting"]["oid"]
    call("info.query_order_by_oid_open", lambda: exchange.info.query_order_by_oid(user, oid))
    changed = call(
        "exchange.modify_order",
        lambda: exchange.modify_order(oid, "ETH", True, 0.2, 1_001, {"limit": {"tif": "Gtc"}}, cloid=Cloid.from_int(8)),
    )
    new_oid = changed["response"]["data"]["statuses"][0]["resting"]["oid"]
    call("exchange.cancel", lambda: exchange.cancel("ETH", new_oid))
    call(
        "exchange.order_alo",
        lambda: exchange.order("ETH", True, 0.1, 1_000, {"limit": {"tif": "Alo"}}, cloid=Cloid.from_int(9)),
    )
    call("exchange.cancel_by_cloid", lambda: exchange.cancel_by_cloid("ETH", Cloid.from_int(9)))
    stop = {"trigger": {"triggerPx": 1_500, "isMarket": True, "tpsl": "sl"}}
    call("exchange.order_trigger", lambda: exchange.order("ETH", False, 0.6, 1_400, stop, reduce_only=True))
    call("exchange.spot_order", lambda: exchange.order("PURR/USDC", True, 100, 0.5, {"limit": {"tif": "Ioc"}}))
    call("exchange.schedule_cancel", lambda: exchange.schedule_cancel(int(time.time() * 1000) + 60_000))
    call("exchange.schedule_cancel_clear", lambda: exchange.schedule_cancel(None))
    call("exchange.update_leverage_isolated", lambda: exchange.update_leverage(5, "SOL", is_cross=False))
    call("exchange.market_open_isolated", lambda: exchange.market_open("SOL", True, 5))
    call("exchange.update_isolated_margin", lambda: exchange.update_isolated_margin(10.0, "SOL"))
    call("exchange.market_close", lambda: exchange.market_close("SOL"))
    exchange.set_expires_after(int(time.time() * 1000) + 60_000)
    call("exchange.order_expiring", lambda: exchange.order("ETH", True, 0.1, 9_000, {"limit": {"tif": "Ioc"}}))
    exchange.set_expires_after(1_600_000_000_000)
    call("exchange.order_expired", lambda: exchange.order("ETH", True, 0.1, 9_000, {"limit": {"tif": "Ioc"}}))
    exchange.set_expires_after(None)
    call("exchange.noop", lambda: exchange.noop(int(time.time() * 1000) + 5))


def move(exchange: Exchange, base_url: str, user: str) -> None:
    call("exchange.usd_transfer", lambda: exchange.usd_transfer(12.5, OTHER))
    call("exchange.usd_class_transfer", lambda: exchange.usd_class_transfer(25.0, False))
    call("exchange.spot_transfer", lambda: exchange.spot_transfer(5, OTHER, "USDC"))
    call("exchange.send_asset", lambda: exchange.send_asset(OTHER, "", "xyz", "USDC", 3.0))
    call("exchange.withdraw", lambda: exchange.withdraw_from_bridge(20, OTHER))
    call("exchange.approve_builder_fee", lambda: exchange.approve_builder_fee(OTHER, "0.05%"))
    call("exchange.set_referrer", lambda: exchange.set_referrer("CODE"))
    call("exchange.use_big_blocks", lambda: exchange.use_big_blocks(True))
    sub = call("exchange.create_sub_account", lambda: exchange.create_sub_account("desk"))["response"]["data"]
    call("exchange.sub_account_transfer", lambda: exchange.sub_account_transfer(sub, True, 500_000_000))
    call("exchange.sub_account_spot_transfer", lambda: exchange.sub_account_spot_transfer(sub, True, "USDC", 1.0))
    wallet = eth_account.Account.from_key(MASTER_KEY)
    acting = Exchange(wallet, base_url, vault_address=sub)
    call("exchange.sub_order", lambda: acting.order("ETH", True, 0.01, 9_000, {"limit": {"tif": "Ioc"}}))
    call("info.sub_state", lambda: acting.info.user_state(sub))
    call("exchange.user_dex_abstraction", lambda: exchange.user_dex_abstraction(user, True))
    call("exchange.user_set_abstraction", lambda: exchange.user_set_abstraction(user, "disabled"))
    approved, key = exchange.approve_agent("copy1")
    RESULTS["exchange.approve_agent"] = approved
    agent = Exchange(eth_account.Account.from_key(key), base_url, account_address=user)
    call("agent.order", lambda: agent.order("ETH", False, 0.1, 1_000, {"limit": {"tif": "Ioc"}}))
    call("agent.set_abstraction", lambda: agent.agent_set_abstraction("i"))
    call("agent.enable_dex_abstraction", agent.agent_enable_dex_abstraction)
    stranger = Exchange(eth_account.Account.from_key("0x" + "33" * 32), base_url)
    call("stranger.order", lambda: stranger.order("ETH", True, 0.1, 9_000, {"limit": {"tif": "Ioc"}}))
    call("stranger.usd_transfer", lambda: stranger.usd_transfer(1.0, OTHER))
    # With a vault set, the SDK hashes no vault here but sends one: the venue recovers a stranger.
    call("vault.set_referrer", lambda: acting.set_referrer("OTHER"))


def main() -> None:
    base_url = sys.argv[1]
    wallet = eth_account.Account.from_key(MASTER_KEY)
    user = wallet.address
    info = Info(base_url, perp_dexs=["", "xyz"])
    seen = subscribe_all(info, user)
    exchange = Exchange(wallet, base_url, perp_dexs=["", "xyz"])
    read_all(info, user, "info")
    trade(exchange, user)
    move(exchange, base_url, user)
    read_all(info, user, "after")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and len(seen) < 13:
        time.sleep(0.05)
    RESULTS["ws"] = {name: messages[:50] for name, messages in seen.items()}
    info.disconnect_websocket()
    print(json.dumps(RESULTS))


if __name__ == "__main__":
    main()
