"""Random actions of every kind, and what the official SDK makes of them. Runs in the oracle environment; imports no hlfast.

Usage: actions.py SEED COUNT > lines. Each line: JSON of action, nonce, vault, expiry, and the SDK's hash.
"""

from __future__ import annotations

import json
import random
import sys
from typing import Any

from hyperliquid.utils.signing import action_hash

WORDS = ["", "copy1", "grün", "x" * 31, "y" * 32, "z" * 255, "w" * 256, '"quoted"\\', "日本"]


def decimal(rng: random.Random) -> str:
    text = f"{rng.randrange(1, 10 ** rng.randrange(1, 12))}.{rng.randrange(10**8):08d}"
    return text.rstrip("0").rstrip(".")


def integer(rng: random.Random) -> int:
    return rng.randrange(1 << rng.choice([7, 8, 16, 32, 63, 64]))


def hexadecimal(rng: random.Random, size: int) -> str:
    return "0x" + rng.randbytes(size).hex()


def size(rng: random.Random) -> int:
    """Mostly one or two; now and then beyond the 15 that a short header holds."""
    return 17 if rng.random() < 0.005 else rng.choice([1, 1, 1, 2])


def order(rng: random.Random) -> dict[str, Any]:
    limit = {"limit": {"tif": rng.choice(["Alo", "Ioc", "Gtc", "FrontendMarket"])}}
    trigger = {"isMarket": rng.random() < 0.5, "triggerPx": decimal(rng), "tpsl": rng.choice(["tp", "sl"])}
    made: dict[str, Any] = {
        "a": rng.choice([rng.randrange(300), 10_000 + rng.randrange(999), 110_000 + rng.randrange(99), 100_000_010]),
        "b": rng.random() < 0.5,
        "p": decimal(rng),
        "s": decimal(rng),
        "r": rng.random() < 0.5,
        "t": limit if rng.random() < 0.8 else {"trigger": trigger},
    }
    if rng.random() < 0.5:
        made["c"] = hexadecimal(rng, 16)
    return made


def orders(rng: random.Random) -> dict[str, Any]:
    action: dict[str, Any] = {"type": "order", "orders": [order(rng) for _ in range(size(rng))]}
    action["grouping"] = rng.choice(["na", "na", "normalTpsl", "positionTpsl", {"p": integer(rng)}])
    if rng.random() < 0.2:
        action["builder"] = {"b": hexadecimal(rng, 20), "f": rng.randrange(1000)}
    return action


def anything(rng: random.Random, depth: int = 0) -> Any:
    if depth > 3 or rng.random() < 0.6:
        simple = [None, True, False, integer(rng), -(1 << rng.randrange(1, 63)), rng.choice(WORDS), decimal(rng)]
        return rng.choice(simple)
    if rng.random() < 0.5:
        return [anything(rng, depth + 1) for _ in range(size(rng))]
    return {rng.choice(WORDS) + str(n): anything(rng, depth + 1) for n in range(size(rng))}


def cancels(rng: random.Random) -> dict[str, Any]:
    return {"type": "cancel", "cancels": [{"a": rng.randrange(300), "o": integer(rng)} for _ in range(size(rng))]}


def cancels_by_cloid(rng: random.Random) -> dict[str, Any]:
    listed = [{"asset": rng.randrange(300), "cloid": hexadecimal(rng, 16)} for _ in range(size(rng))]
    return {"type": "cancelByCloid", "cancels": listed} | ({"f": True} if rng.random() < 0.5 else {})


def modifies(rng: random.Random) -> dict[str, Any]:
    oid = rng.choice([integer(rng), hexadecimal(rng, 16)])
    return {"type": "batchModify", "modifies": [{"oid": oid, "order": order(rng)}]}


def margin(rng: random.Random) -> dict[str, Any]:
    ntli = rng.choice([1, -1]) * rng.randrange(1 << 40)
    return {"type": "updateIsolatedMargin", "asset": rng.randrange(300), "isBuy": True, "ntli": ntli}


def leverage(rng: random.Random) -> dict[str, Any]:
    return {"type": "updateLeverage", "asset": 4, "isCross": rng.random() < 0.5, "leverage": rng.randrange(1, 51)}


def unknown(rng: random.Random) -> dict[str, Any]:
    return {"type": rng.choice(["noop", "scheduleCancel", "somethingNew"]), "extra": anything(rng)}


KINDS = [orders, orders, orders, orders, cancels, cancels_by_cloid, modifies, margin, leverage, unknown]


def main() -> None:
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    for _ in range(count):
        made = rng.choice(KINDS)(rng)
        nonce = integer(rng)
        vault = hexadecimal(rng, 20) if rng.random() < 0.3 else None
        expires = integer(rng) if rng.random() < 0.3 else None
        digest = action_hash(made, vault, nonce, expires).hex()
        sys.stdout.write(json.dumps([made, nonce, vault, expires, digest]) + "\n")


if __name__ == "__main__":
    main()
