"""A copier as most people write it: the official SDK, a subscription, one `Exchange` a follower, orders over HTTP.

It runs in an environment that holds the official SDK and nothing of hlfast; whether that environment also holds coincurve
decides how fast the SDK signs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

SLIPPAGE = 0.003


def main() -> None:
    """Copy every fill of the leader at ratio 1 into each follower, until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--leader", required=True)
    parser.add_argument("--keys", required=True, help="file with one hexadecimal agent key a line")
    arguments = parser.parse_args()

    info = Info(arguments.base_url)
    meta, spot_meta = info.meta(), info.spot_meta()
    with Path(arguments.keys).open(encoding="ascii") as lines:
        wallets = [Account.from_key(line.strip()) for line in lines]
    followers = [Exchange(wallet, arguments.base_url, meta=meta, spot_meta=spot_meta) for wallet in wallets]

    def copy(exchange: Exchange, fill: dict[str, str]) -> None:
        is_buy = fill["side"] == "B"
        price = float(fill["px"]) * (1 + SLIPPAGE if is_buy else 1 - SLIPPAGE)
        limit = round(float(f"{price:.5g}"), 6 - info.asset_to_sz_decimals[info.coin_to_asset[fill["coin"]]])
        reduce_only = fill["dir"].startswith("Close")
        answer = exchange.order(
            fill["coin"], is_buy, float(fill["sz"]), limit, {"limit": {"tif": "Ioc"}}, reduce_only=reduce_only
        )
        if answer["status"] != "ok":
            print(answer, file=sys.stderr, flush=True)

    def on_fills(message: dict[str, dict[str, object]]) -> None:
        data = message["data"]
        if data.get("isSnapshot"):
            return
        for fill in data["fills"]:
            for exchange in followers:
                copy(exchange, fill)

    info.subscribe({"type": "userFills", "user": arguments.leader}, on_fills)
    print(json.dumps({"ready": True}), flush=True)


if __name__ == "__main__":
    main()
