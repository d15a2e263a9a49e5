"""Who may act: signers, agents, vaults, nonces, expiry, networks, address budgets."""

from __future__ import annotations

from typing import Any

import pytest

from hlfast.sim.actions import convert_envelope
from sim.desk import START_MS, Desk, Wallet

NOOP = {"type": "noop"}
OK = {"status": "ok", "response": {"type": "default"}}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_unknown_signer_is_named_and_counted(desk: Desk) -> None:
    stranger = Wallet(9)
    answer = desk.act(stranger, NOOP)
    assert answer == {"status": "err", "response": f"User or API Wallet {stranger.address} does not exist."}
    assert desk.control(op="ledger")["counters"]["unknown_signers"] == 1


@pytest.mark.parametrize(
    "change", [{"nonce": START_MS + 77}, {"expiresAfter": START_MS + 9}, {"vaultAddress": "0x" + "1" * 40}]
)
def test_any_changed_byte_recovers_a_stranger(desk: Desk, change: dict[str, Any]) -> None:
    wallet = desk.wallet()
    answer = desk.post(desk.body(wallet, NOOP) | change)
    assert answer["response"].startswith("User or API Wallet 0x")
    assert wallet.address not in answer["response"]


def test_garbage_signature(desk: Desk) -> None:
    body = desk.body(desk.wallet(), NOOP) | {"signature": {"r": "0x0", "s": "0x0", "v": 27}}
    assert desk.post(body) == {"status": "err", "response": "Unable to recover signer."}


@pytest.mark.parametrize(("switch", "status"), [("accept", "ok"), ("refuse", "err")])
def test_high_s_is_accepted_or_not(switch: str, status: str) -> None:
    desk = Desk(high_s=switch)
    body = desk.body(desk.wallet(), NOOP)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    low = body["signature"]
    assert int(low["s"], 16) <= order // 2
    high = {"r": low["r"], "s": hex(order - int(low["s"], 16)), "v": 55 - low["v"]}
    assert desk.post(body | {"signature": high})["status"] == status


def test_other_network_is_told_apart(desk: Desk) -> None:
    answer = desk.act(desk.wallet(), NOOP, network="mainnet")
    assert answer["response"] == "Mainnet and testnet require different signature."


def test_auto_fund_serves_foreign_clients_but_counts_them() -> None:
    desk = Desk(auto_fund_usd=500)
    stranger = Wallet(9)
    assert desk.act(stranger, NOOP) == OK
    assert desk.act(stranger, NOOP) == OK
    assert desk.control(op="ledger")["counters"]["unknown_signers"] == 1
    assert desk.info("clearinghouseState", user=stranger.address)["withdrawable"] == "500.0"


def test_agent_acts_for_its_master_until_revoked(desk: Desk) -> None:
    master = desk.wallet(1)
    agent = desk.agent_of(master, 2)
    desk.orders(agent, desk.row("ETH", "B", "2500", "0.1"))
    assert desk.position(master, "ETH") == "0.1"
    assert desk.info("userRole", user=agent.address) == {"role": "agent", "data": {"user": master.address}}
    assert desk.info("extraAgents", user=master.address)[0]["address"] == agent.address
    assert desk.info("userFills", user=agent.address) == []
    desk.control(op="revoke_agent", agent=agent.address)
    assert desk.act(agent, NOOP)["response"] == f"User or API Wallet {agent.address} does not exist."
    assert desk.control(op="ledger")["counters"]["unknown_signers"] == 0


def test_agent_expires(desk: Desk) -> None:
    master, agent = desk.wallet(1), Wallet(2)
    desk.control(
        op="approve_agent", master=master.address, agent=agent.address, name="copy", valid_until_ms=START_MS + 10
    )
    assert desk.act(agent, NOOP) == OK
    desk.now_ms += 11
    assert desk.act(agent, NOOP)["response"] == f"User or API Wallet {agent.address} does not exist."


def test_agent_of_an_empty_master(desk: Desk) -> None:
    master = desk.wallet(1, usdc=None)
    agent = desk.agent_of(master, 2)
    assert desk.act(agent, NOOP)["response"] == f"Must deposit before performing actions. User: {master.address}"


def test_agent_moves_no_funds_unless_switched(desk: Desk) -> None:
    master = desk.wallet(1)
    agent = desk.agent_of(master, 2)
    action = {"type": "createSubAccount", "name": "desk"}
    assert desk.act(agent, action)["status"] == "err"
    desk.control(op="config", agents_move_funds=True)
    assert desk.act(agent, action)["status"] == "ok"


def approval(desk: Desk, agent: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": "approveAgent",
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
        "agentAddress": agent,
        "agentName": "copy",
        "nonce": desk.nonce + 1,
    } | changes


def test_approve_agent_by_signature(desk: Desk) -> None:
    master, agent = desk.wallet(1), Wallet(2)
    assert desk.act(master, approval(desk, agent.address)) == OK
    assert desk.act(agent, NOOP) == OK
    other = Wallet(3)
    assert desk.act(master, approval(desk, other.address)) == OK
    assert desk.act(agent, NOOP)["status"] == "err"
    assert desk.act(desk.wallet(4), approval(desk, other.address))["response"] == "Extra agent already used."


def test_user_signed_actions_fail_as_on_the_venue(desk: Desk) -> None:
    master = desk.wallet(1)
    agent = desk.agent_of(master, 2)
    answer = desk.act(agent, approval(desk, Wallet(3).address))
    assert answer["response"] == f"Must deposit before performing actions. User: {agent.address}"
    assert desk.act(master, approval(desk, Wallet(3).address, nonce=5))["response"] == "Nonce mismatch."
    answer = desk.act(master, approval(desk, Wallet(3).address, hyperliquidChain="Mainnet"))
    assert answer["response"] == "Mainnet and testnet require different signature."
    body = desk.body(master, approval(desk, Wallet(3).address), expiresAfter=START_MS + 5)
    assert desk.post(body)["status"] == "err"


def test_vault_must_belong_to_the_signer(desk: Desk) -> None:
    master, vault = desk.wallet(1), "0x" + "5e" * 20
    row = desk.row("ETH", "B", "2500", "0.1")
    assert desk.orders(master, row, vaultAddress=vault)["response"] == f"Vault not registered: {vault}"
    desk.control(op="create_vault", address=vault, leader=master.address)
    desk.control(op="fund", address=vault, usdc="1000")
    assert "filled" in desk.orders(master, row, vaultAddress=vault)["response"]["data"]["statuses"][0]
    assert desk.position(vault, "ETH") == "0.1"
    assert desk.orders(desk.wallet(2), row, vaultAddress=vault)["response"] == f"Vault not registered: {vault}"


def test_nonce_is_used_once(desk: Desk) -> None:
    body = desk.body(desk.wallet(), NOOP)
    assert desk.post(body) == OK
    assert desk.post(body)["response"] == f"Invalid nonce: duplicate nonce {body['nonce']}"
    assert desk.control(op="ledger")["counters"]["duplicate_nonces"] == 1


def test_noop_burns_the_nonce_of_an_order(desk: Desk) -> None:
    wallet = desk.wallet()
    order = {"type": "order", "orders": [desk.row("ETH", "B", "2500", "0.1")], "grouping": "na"}
    assert desk.act(wallet, NOOP, nonce=START_MS + 50) == OK
    assert desk.act(wallet, order, nonce=START_MS + 50)["response"].startswith("Invalid nonce: duplicate nonce")
    assert desk.position(wallet, "ETH") == "0.0"


def test_nonce_is_used_although_the_items_fail(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.orders(wallet, desk.row("ETH", "B", "2500", "0.0001"), nonce=START_MS + 60)
    assert "duplicate" in desk.act(wallet, NOOP, nonce=START_MS + 60)["response"]


def test_nonce_window(desk: Desk) -> None:
    wallet = desk.wallet()
    day = 86_400_000
    assert desk.act(wallet, NOOP, nonce=START_MS - 2 * day)["response"].startswith("Invalid nonce: nonce too low")
    assert desk.act(wallet, NOOP, nonce=START_MS + day)["response"].startswith("Invalid nonce: nonce too high")
    assert desk.act(wallet, NOOP, nonce=START_MS - 2 * day + 1) == OK


def test_nonces_may_come_out_of_order_within_a_hundred(desk: Desk) -> None:
    wallet = desk.wallet()
    for nonce in range(START_MS + 200, START_MS + 300):
        assert desk.act(wallet, NOOP, nonce=nonce) == OK
    answer = desk.act(wallet, NOOP, nonce=START_MS + 199)
    assert answer["response"] == f"Invalid nonce: nonce too low {START_MS + 199} < {START_MS + 200}"
    assert desk.act(wallet, NOOP, nonce=START_MS + 400) == OK
    assert "duplicate" in desk.act(wallet, NOOP, nonce=START_MS + 250)["response"]


def test_expired_action_uses_no_nonce_and_costs_five_requests(desk: Desk) -> None:
    wallet = desk.wallet()
    answer = desk.act(wallet, NOOP, nonce=START_MS + 70, expiresAfter=START_MS - 1)
    assert answer == {"status": "err", "response": "Action already expired"}
    assert desk.info("userRateLimit", user=wallet.address)["nRequestsUsed"] == 5
    assert desk.act(wallet, NOOP, nonce=START_MS + 70, expiresAfter=START_MS) == OK


def test_address_budget_binds_only_with_venue_limits(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.venue.accounts[wallet.address].requests_used = 10_000
    assert desk.act(wallet, NOOP) == OK
    desk.control(op="config", limits="venue")
    answer = desk.act(wallet, NOOP)["response"]
    assert answer.startswith("Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0.0.")


def test_an_exhausted_address_has_one_request_each_ten_seconds() -> None:
    desk = Desk(limits="venue")
    wallet = desk.wallet()
    desk.venue.accounts[wallet.address].requests_used = 10_000
    assert desk.act(wallet, NOOP) == OK
    for waited_ms in (9_000, 900):
        desk.now_ms += waited_ms
        assert desk.act(wallet, NOOP)["status"] == "err"  # and restarts nothing
    desk.now_ms += 100
    row = desk.row("ETH", "B", "1900", "0.1", tif="Gtc")
    assert desk.orders(wallet, row, row)["status"] == "err", "a batch is more than one request"
    assert desk.act(wallet, NOOP) == OK
    assert desk.act(wallet, NOOP)["status"] == "err"


def test_action_waits_for_a_block_and_its_age() -> None:
    desk = Desk(latency_ms=50)
    wallet = desk.wallet()
    answers: list[Any] = []
    desk.server.exchange.receive(convert_envelope(desk.body(wallet, NOOP)), "127.0.0.1", answers.append)
    assert desk.server.exchange.due(desk.now_ms + 49) == []
    assert len(desk.server.exchange.due(desk.now_ms + 50)) == 1


def test_takers_come_last_in_a_block(desk: Desk) -> None:
    wallet = desk.wallet()
    sent = [
        {"type": "order", "orders": [desk.row("ETH", "B", "2500", "1")], "grouping": "na"},
        {"type": "cancel", "cancels": [{"a": 1, "o": 1}]},
        {"type": "order", "orders": [desk.row("ETH", "B", "1500", "1", tif="Alo")], "grouping": "na"},
    ]
    for action in sent:
        desk.server.exchange.receive(convert_envelope(desk.body(wallet, action)), "127.0.0.1", lambda answer: None)
    assert [pending.rank[0] for pending in desk.server.exchange.due(desk.now_ms)] == [0, 1, 2]
