"""A journal without files: objects as `read_journal` gives them, made from their sequence, always the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from hlfast.config.model import Config, Follow, Follower, Journal, Leader, Venue

START_MS = 1_767_000_000_000
PER_RECORD = 4  # receipts
SLICES_EVERY = 10  # records; two of them then
COINS = ("BTC", "ETH", "SOL", "HYPE")
OUTCOMES = (("filled", "none"), ("skipped", "coin_filtered"), ("carried", "below_minimum"), ("expired", "too_old"))


def config(followers: int = PER_RECORD) -> Config:
    return Config(
        network="testnet",
        venue=Venue(base_url="http://127.0.0.1:1"),
        journal=Journal(directory="journal"),
        leaders=(Leader(name="lead", address="0x" + "Aa" * 20),),
        followers=tuple(
            Follower(name=f"f{number}", account=f"0x{number:040x}", agent=f"0x{number + 999:040x}")
            for number in range(followers)
        ),
        follows=tuple(
            Follow(leader="lead", follower=f"f{number}", mode="ratio", ratio="0.1") for number in range(followers)
        ),
    )


def record(sequence: int) -> list[dict[str, Any]]:
    """One step: a leader's fill, an attempt, and a receipt for each follower."""
    now = START_MS + sequence * 5_000
    coin = COINS[sequence % len(COINS)]
    frame = {
        "channel": "userFills",
        "data": {
            "user": "0x" + "aA" * 20,
            "fills": [
                {
                    "coin": coin,
                    "px": "100.5",
                    "sz": "1",
                    "side": "B",
                    "time": now - 200,
                    "startPosition": str(sequence),
                    "dir": "Open Long",
                    "closedPnl": "0.0",
                    "hash": "0x0",
                    "oid": sequence,
                    "crossed": True,
                    "fee": "0.01",
                    "tid": sequence,
                    "feeToken": "USDC",
                }
            ],
        },
    }
    step: list[dict[str, Any]] = [
        {"kind": "input", "now_ms": now, "event": "frame", "source": 1, "body": orjson.dumps(frame).decode()},
        {
            "kind": "attempt",
            "follower": sequence % PER_RECORD,
            "signer": 0,
            "does": "open",
            "lane": 0,
            "road": "websocket",
            "post_id": sequence,
            "nonce": now,
            "expires_after": now + 5_000,
            "digest": f"0x{sequence:064x}",
            "cloids": [f"0x{sequence:032x}"],
        },
    ]
    quote = {"kind": "quote", "coin_id": sequence % len(COINS), "bid": "100.48", "ask": "100.52", "time_ms": now - 100}
    step.append(quote)
    step += [_receipt(sequence, place, coin, now) for place in range(PER_RECORD)]
    if sequence % SLICES_EVERY == 0:
        step += [_slice(sequence, twap_id, coin, now) for twap_id in (sequence, None)]
    if sequence % 50 == 0:
        step.append({"kind": "alert", "level": "warning", "code": "lag", "leader": 0, "follower": None, "text": "slow"})
    return [{"sequence": sequence, **item} for item in step]


def _slice(sequence: int, twap_id: int | None, coin: str, now: int) -> dict[str, Any]:
    """One that the venue lists, and one told as a sum at the end."""
    is_listed = twap_id is not None
    return {
        "kind": "twap_slice",
        "follower": sequence % PER_RECORD,
        "coin": coin,
        "coin_id": sequence % len(COINS),
        "nonce": now,
        "twap_id": twap_id,
        "time_ms": now - 2_000 if is_listed else None,
        "size": f"{sequence}.5",
        "price": "100.5",
        "bid": "100.4" if is_listed else None,
        "ask": "100.6" if is_listed else None,
        "quoted_ms": now - 500 if is_listed else None,
    }


def _receipt(sequence: int, place: int, coin: str, now: int) -> dict[str, Any]:
    outcome, reason = OUTCOMES[(sequence + place) % len(OUTCOMES)]
    return {
        "kind": "receipt",
        "number": sequence * PER_RECORD + place,
        "leader": 0,
        "follower": place,
        "follow": place,
        "coin": coin,
        "coin_id": sequence % len(COINS),
        "time_ms": now - 200,
        "tid": sequence,
        "decision": sequence * PER_RECORD + place,
        "merged_into": None,
        "outcome": outcome,
        "reason": reason,
        "was_unknown": False,
        "leader_before": str(sequence),
        "leader_after": str(sequence + 1),
        "leader_price": "100.5",
        "entitled_before": f"{sequence * 0.1:.1f}",
        "entitled_after": f"{(sequence + 1) * 0.1:.1f}",
        "ordered": "0.1",
        "limit_price": "100.8",
        "filled": "0.1",
        "average_price": "100.51",
        "nonce": now,
        "decided_ms": now,
        "planned_ms": now,
        "settled_ms": now + 700,
    }


def reader(records: int) -> Callable[[str, int, int], list[bytes]]:
    """`read_journal` of a journal with this many records, whole records at a time."""

    def read(directory: str, after: int, limit: int) -> list[bytes]:
        del directory
        objects: list[bytes] = []
        for sequence in range(after + 1, records + 1):
            objects += [orjson.dumps(item) for item in record(sequence)]
            if len(objects) >= limit:
                break
        return objects

    return read
