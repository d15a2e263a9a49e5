"""The official SDK's side of bench/micro/rows.py; runs in the oracle environment, one process per library behind it.

Protocol: a line with JSON [row, calls] comes in, a line goes out when they are done, until the input ends.
`--coincurve` says that coincurve must be what eth_keys signs with; `--accelerate PATH` speeds the SDK up with hlfast from PATH.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from eth_account import Account
from eth_keys.backends import get_backend
from hyperliquid.utils import signing

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
NONCE = 1_790_000_000_000


def request(wallet: Any, n: int) -> bytes:
    """One order from a bot's numbers to the bytes that are posted, as `Exchange.order` makes them."""
    order = {"coin": "ETH", "is_buy": True, "sz": 0.0147, "limit_px": 1670.1, "order_type": {"limit": {"tif": "Ioc"}}}
    wire = signing.order_request_to_order_wire(order | {"reduce_only": False}, 4)
    action = signing.order_wires_to_order_action([wire])
    signature = signing.sign_l1_action(wallet, action, None, NONCE + n, None, True)
    body = {"action": action, "nonce": NONCE + n, "signature": signature, "vaultAddress": None, "expiresAfter": None}
    return json.dumps(body).encode()


def main() -> None:
    """Answer rounds until the input ends."""
    backend = type(get_backend()).__name__
    wanted = "CoinCurveECCBackend" if "--coincurve" in sys.argv else "NativeECCBackend"
    if backend != wanted:
        sys.exit(f"eth_keys signs with {backend}, not with {wanted}")
    if "--accelerate" in sys.argv:
        sys.path.append(sys.argv[sys.argv.index("--accelerate") + 1])
        from hlfast.signing import accelerate_sdk

        accelerate_sdk()
    wallet = Account.from_key(KEY)
    action = signing.order_wires_to_order_action(
        [{"a": 4, "b": True, "p": "1670.1", "s": "0.0147", "r": False, "t": {"limit": {"tif": "Ioc"}}}]
    )
    rows: dict[str, Callable[[int], Any]] = {
        "order to bytes": lambda n: request(wallet, n),
        "sign_l1_action": lambda n: signing.sign_l1_action(wallet, action, None, NONCE + n, None, True),
    }
    for line in sys.stdin:
        row, calls = json.loads(line)
        call = rows[row]
        for n in range(calls):
            call(n)
        print(row, flush=True)


if __name__ == "__main__":
    main()
