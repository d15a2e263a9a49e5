"""Runs in the oracle environment: signs through the official SDK before and after `accelerate_sdk()`; prints what differs.

Usage: sdk_calls.py PATH_OF_HLFAST
"""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

from eth_account import Account
from hyperliquid import exchange
from hyperliquid.exchange import Exchange
from hyperliquid.utils import signing
from hyperliquid.utils.signing import sign_l1_action as imported_before

WALLET = Account.from_key("0x0123456789012345678901234567890123456789012345678901234567890123")
OTHER = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
META: Any = {"universe": [{"name": "BTC", "szDecimals": 5}, {"name": "ETH", "szDecimals": 4}]}


class Recorder(Exchange):
    """An `Exchange` whose posts go into a list instead of to the venue."""

    def __init__(self, **settings: Any) -> None:
        spot: Any = {"universe": [], "tokens": []}
        super().__init__(WALLET, "http://127.0.0.1:9", META, spot_meta=spot, **settings)
        self.posts: list[Any] = []

    def post(self, url_path: str, payload: Any = None) -> Any:
        self.posts.append(copy.deepcopy(payload))
        return {"status": "ok", "response": {"type": "default"}}


def drive(recorder: Recorder) -> list[Any]:
    """Every kind of signature that `Exchange` makes."""
    recorder.order("ETH", True, 0.0147, 1670.1, {"limit": {"tif": "Ioc"}})
    recorder.cancel("BTC", 5)
    recorder.modify_order(7, "ETH", True, 0.1, 1800.5, {"limit": {"tif": "Gtc"}})
    recorder.update_leverage(5, "ETH")
    recorder.update_isolated_margin(-2.5, "ETH")
    recorder.schedule_cancel(1_790_000_060_000)
    recorder.usd_transfer(1.5, OTHER)
    recorder.usd_class_transfer(2.0, to_perp=True)
    recorder.withdraw_from_bridge(3.0, OTHER)
    recorder.approve_builder_fee(OTHER, "0.05%")
    recorder.set_referrer("CODE")
    recorder.multi_sig(OTHER, {"type": "noop"}, [], 1_790_000_000_000)
    return recorder.posts


def everything() -> list[Any]:
    """Posts of a plain account, and of one with a vault and an expiry."""
    exchange.get_timestamp_ms = lambda: 1_790_000_000_001  # the same nonces each time
    plain = drive(Recorder())
    vault = Recorder(vault_address=OTHER)
    vault.set_expires_after(1_790_000_009_000)
    vault.order("BTC", False, 0.01, 97123.0, {"limit": {"tif": "Alo"}})
    return [*plain, *vault.posts]


def main() -> None:
    """Compare."""
    sys.path.append(sys.argv[1])
    before = everything()
    originals = {name: getattr(signing, name) for name in ("sign_l1_action", "sign_user_signed_action", "action_hash")}

    from hlfast.signing import accelerate_sdk

    undo = accelerate_sdk()
    report = {
        "replaced": all(getattr(signing, name) is not original for name, original in originals.items())
        and exchange.sign_l1_action is signing.sign_l1_action
        and imported_before is not originals["sign_l1_action"],
        "twice": accelerate_sdk() is not None
        and signing.sign_l1_action.__hlfast_original__ is originals["sign_l1_action"],
        "posts": len(before),
        "equal": everything() == before,
    }
    undo()
    report["undone"] = (
        all(getattr(signing, name) is original for name, original in originals.items())
        and exchange.sign_l1_action is originals["sign_l1_action"]
        and everything() == before
    )
    print(json.dumps(report))


if __name__ == "__main__":
    main()
