"""Ledger, meta and metrics pages become the judge's records."""

from __future__ import annotations

from decimal import Decimal

from hlfast.config.model import Follow
from hlfast.demo.trail import delisted_of, lots_of, read_ledger

from .toy import config


def test_lots_come_from_size_decimals() -> None:
    first = {"universe": [{"name": "BTC", "szDecimals": 5}, {"name": "PUMP", "szDecimals": 0}]}
    second = {"universe": [{"name": "xyz:CL", "szDecimals": 3}]}
    assert delisted_of(first, {"universe": [{"name": "MATIC", "szDecimals": 1, "isDelisted": True}]}) == {"MATIC"}
    assert lots_of(first, second) == {"BTC": Decimal("0.00001"), "PUMP": 1, "xyz:CL": Decimal("0.001")}


def test_read_ledger_keeps_the_followers_part() -> None:
    settings = config([Follow(leader="ann", follower="half", mode="ratio", ratio="0.5")])
    follower = settings.followers[0]
    fill = {"user": follower.account, "coin": "ETH", "side": "A", "px": "200", "sz": "1.5", "time": 9, "oid": 4}
    action = {"signer": follower.agent, "nonce": 9, "digest": "aa", "kind": "order", "time": 9}
    refused = {"status": "ok", "response": {"data": {"statuses": [{"error": "Order could not immediately match"}]}}}
    ledger = {
        "fills": [fill, fill | {"user": "0xleader"}],
        "actions": [
            action | {"ok": True, "response": {"statuses": ["success"]}},
            action | {"ok": True, "response": refused, "nonce": 10},
            action | {"ok": False, "response": "", "signer": None, "nonce": 11},
        ],
        "positions": {follower.account: {"ETH": {"szi": "-1.5"}}, "0xleader": {"ETH": {"szi": "1"}}},
        "counters": {"unknown_signers": 1},
    }
    read = read_ledger(ledger, settings)
    assert [(row.follower, row.coin, row.size) for row in read.executions] == [("half", "ETH", Decimal("-1.5"))]
    assert [(row.follower, row.accepted, row.unfilled) for row in read.actions] == [
        ("half", True, False),
        ("half", True, True),
        ("", False, True),
    ]
    assert read.positions == {("half", "ETH"): Decimal("-1.5")}
    assert read.counters == {"unknown_signers": 1}
