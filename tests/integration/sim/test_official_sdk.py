"""The official Python SDK 0.24.0, unmodified, in its own environment, against the simulator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SDK_PYTHON = ROOT / ".venv-oracle/bin/python"
MASTER = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"  # of the key 0x1111…
STRANGER = "0x5cbdd86a2fa8dc4bddd8a8f69dba48572eec07fb"  # of the key 0x3333…
DEFAULT = {"status": "ok", "response": {"type": "default"}}
# Calls that the venue refuses, with the words it uses.
REFUSED = {
    "exchange.order_expired": "Action already expired",
    "stranger.order": f"User or API Wallet {STRANGER} does not exist.",
    "stranger.usd_transfer": f"Must deposit before performing actions. User: {STRANGER}",
}


@pytest.fixture(scope="module")
def calls(start: Callable[..., Any]) -> dict[str, Any]:
    if not SDK_PYTHON.exists():
        pytest.fail("the official SDK's environment is missing: run `make oracle`")
    process = start()
    process.control(op="fund", address=MASTER, usdc="100000")
    process.control(op="fund", address=MASTER, usdc="1000", spot=True)
    process.control(op="fund", address="0x" + "22" * 20, usdc="100")  # what a builder must hold
    process.control(op="config", web_data2="serve")  # the SDK still offers the channel
    script = Path(__file__).with_name("sdk_calls.py")
    command = [SDK_PYTHON, str(script), process.base_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"ledger": process.control(op="ledger")}


def item(calls: dict[str, Any], name: str) -> Any:
    return calls[name]["response"]["data"]["statuses"][0]


def test_no_call_raised(calls: dict[str, Any]) -> None:
    raised = {name: result for name, result in calls.items() if isinstance(result, str) and result.startswith("ERROR")}
    assert raised == {}
    assert len(calls) > 110


def test_every_exchange_call_is_accepted(calls: dict[str, Any]) -> None:
    for name, answer in calls.items():
        if name.split(".")[0] in ("exchange", "agent", "stranger"):
            if name in REFUSED:
                assert answer == {"status": "err", "response": REFUSED[name]}, name
            else:
                assert answer["status"] == "ok", (name, answer)
                assert "error" not in json.dumps(answer), (name, answer)


def test_signers_are_recovered(calls: dict[str, Any]) -> None:
    rows = calls["ledger"]["actions"]
    accepted = [row for row in rows if row["ok"]]
    agents = set(calls["ledger"]["accounts"][MASTER]["agents"])
    assert {row["signer"] for row in accepted} == {MASTER} | agents
    assert len(agents) == 1
    # Three strangers: the unfunded key twice, and the SDK's own slip of hashing no vault while sending one.
    assert calls["ledger"]["counters"]["unknown_signers"] == 3
    slip = calls["vault.set_referrer"]["response"]
    assert slip.startswith("User or API Wallet 0x")
    assert MASTER not in slip


def test_effects_are_read_back(calls: dict[str, Any]) -> None:
    eth = next(r["position"] for r in calls["after.user_state"]["assetPositions"] if r["position"]["coin"] == "ETH")
    assert eth["szi"] == "0.6"
    assert eth["leverage"] == {"type": "cross", "value": 10}
    assert calls["after.user_state_dex"]["assetPositions"][0]["position"]["coin"] == "xyz:SP500"
    assert calls["after.user_role"] == {"role": "user"}
    assert calls["after.extra_agents"][0]["name"] == "copy1"
    assert calls["after.query_referral_state"]["referredBy"]["code"] == "CODE"
    assert calls["after.query_sub_accounts"][0]["name"] == "desk"
    assert calls["info.sub_state"]["assetPositions"][0]["position"]["szi"] == "0.01"
    kinds = {row["delta"]["type"] for row in calls["after.user_non_funding_ledger_updates"]}
    assert kinds >= {"deposit", "internalTransfer", "accountClassTransfer", "spotTransfer", "send", "withdraw"}
    assert len(calls["after.user_fills"]) == len(calls["after.user_fills_by_time"]) == 8
    assert calls["info.query_order_by_oid_open"]["order"]["status"] == "open"
    assert [row["orderType"] for row in calls["after.frontend_open_orders"]] == ["Stop Market"]
    balances = {row["coin"]: row["total"] for row in calls["after.spot_user_state"]["balances"]}
    assert balances["PURR"] == "99.93"


def test_items_have_their_shapes(calls: dict[str, Any]) -> None:
    assert set(item(calls, "exchange.market_open")["filled"]) == {"totalSz", "avgPx", "oid"}
    assert item(calls, "exchange.order_ioc")["filled"]["cloid"] == "0x" + "7".rjust(32, "0")
    assert set(item(calls, "exchange.order_gtc")["resting"]) == {"oid"}
    assert item(calls, "exchange.order_trigger") == "waitingForTrigger"
    assert item(calls, "exchange.cancel") == "success"
    assert calls["exchange.noop"] == DEFAULT


def test_every_channel_spoke(calls: dict[str, Any]) -> None:
    seen = calls["ws"]
    assert set(seen) == {
        "allMids", "trades", "l2Book", "bbo", "candle", "activeAssetCtx", "userFills", "userEvents", "orderUpdates",
        "userFundings", "userNonFundingLedgerUpdates", "activeAssetData", "webData2",
    }  # fmt: skip
    first, *later = seen["userFills"]
    assert first["data"]["isSnapshot"] is True
    assert all("isSnapshot" not in frame["data"] for frame in later)
    assert {row["tid"] for frame in seen["trades"] for row in frame["data"]} == {
        row["tid"] for row in calls["ledger"]["fills"] if row["coin"] == "ETH"
    }


def test_all_feeds_of_a_block_carry_one_time(calls: dict[str, Any]) -> None:
    seen = calls["ws"]
    by_tid = {row["tid"]: row["time"] for frame in seen["trades"] for row in frame["data"]}
    fills = [row for frame in seen["userFills"] for row in frame["data"]["fills"] if row["coin"] == "ETH"]
    assert fills
    assert all(by_tid[row["tid"]] == row["time"] for row in fills)
