"""Accounts of every kind and the money that moves between them; nothing is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from hlfast.sim import signatures
from hlfast.sim.actions import MultiSigAction, convert_envelope
from sim.desk import START_MS, Desk, Wallet

OK = {"status": "ok", "response": {"type": "default"}}
HYPE = 150
VALIDATOR = "0x" + "5c" * 20
TIMED = ("usdSend", "spotSend", "withdraw3")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def user_signed(desk: Desk, kind: str, **fields: Any) -> dict[str, Any]:
    clock = "time" if kind in TIMED else "nonce"
    return {
        "type": kind,
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
        **fields,
        clock: desk.nonce + 1,
    }


def totals(desk: Desk) -> dict[int, int]:
    return {token: desk.venue.total(token) for token in desk.venue.universe.tokens}


def staker(desk: Desk) -> Wallet:
    wallet = desk.wallet()
    desk.control(op="fund", address=wallet.address, token="HYPE", amount="50")
    assert desk.act(wallet, user_signed(desk, "cDeposit", wei=40 * 10**8)) == OK
    return wallet


def test_stake_goes_to_a_validator_and_back_after_its_lock(desk: Desk) -> None:
    wallet = staker(desk)
    before = totals(desk)
    delegate = {"validator": VALIDATOR, "wei": 30 * 10**8}
    assert desk.act(wallet, user_signed(desk, "tokenDelegate", **delegate, isUndelegate=False)) == OK
    assert desk.info("delegatorSummary", user=wallet.address) == {
        "delegated": "30.0",
        "undelegated": "10.0",
        "totalPendingWithdrawal": "0.0",
        "nPendingWithdrawals": 0,
    }
    held = desk.info("delegations", user=wallet.address)
    assert held == [{"validator": VALIDATOR, "amount": "30.0", "lockedUntilTimestamp": START_MS + 86_400_000}]
    undelegate = delegate | {"isUndelegate": True}
    assert desk.act(wallet, user_signed(desk, "tokenDelegate", **undelegate))["status"] == "err"
    desk.now_ms += 86_400_000
    assert desk.act(wallet, user_signed(desk, "tokenDelegate", **undelegate), nonce=desk.nonce + 1) == OK
    assert desk.info("delegations", user=wallet.address) == []
    kinds = [next(iter(row["delta"])) for row in desk.info("delegatorHistory", user=wallet.address)]
    assert kinds == ["delegate", "delegate", "cDeposit"]
    assert totals(desk) == before


def test_unstaked_hype_waits_a_week(desk: Desk) -> None:
    wallet = staker(desk)
    before = totals(desk)
    assert desk.act(wallet, user_signed(desk, "cWithdraw", wei=40 * 10**8)) == OK
    assert desk.info("delegatorSummary", user=wallet.address)["nPendingWithdrawals"] == 1
    desk.now_ms += 604_800_000 - 1
    desk.server.run_block(desk.server.exchange.run_due)
    assert desk.venue.account(wallet.address).spot[HYPE] == 10 * 10**8
    desk.now_ms += 1
    desk.server.run_block(desk.server.exchange.run_due)
    assert desk.venue.account(wallet.address).spot[HYPE] == 50 * 10**8
    assert totals(desk) == before


def vault_of(desk: Desk, leader: Wallet, usd: int = 1_000) -> str:
    action = {
        "type": "createVault",
        "name": "Basket",
        "description": "A basket of things.",
        "initialUsd": usd * 10**6,
        "nonce": 1,
    }
    answer = desk.act(leader, action)
    assert answer["response"]["type"] == "createVault", answer
    return str(answer["response"]["data"])


def test_vault_shares_its_profit_and_pays_its_leader(desk: Desk) -> None:
    leader, depositor = desk.wallet(1), desk.wallet(2)
    before = totals(desk)
    vault = vault_of(desk, leader)
    move = {"type": "vaultTransfer", "vaultAddress": vault, "isDeposit": True, "usd": 1_000 * 10**6}
    assert desk.act(depositor, move) == OK
    desk.control(op="fund", address=vault, usdc="200")
    (row,) = desk.info("userVaultEquities", user=depositor.address)
    assert row == {"vaultAddress": vault, "equity": "1100.0", "lockedUntilTimestamp": START_MS + 86_400_000}
    out = move | {"isDeposit": False, "usd": 1_100 * 10**6}
    assert "lockup" in desk.act(depositor, out)["response"]
    desk.now_ms += 86_400_000
    assert desk.act(depositor, out, nonce=desk.nonce + 2) == OK
    # A tenth of the profit of 100 is the leader's.
    assert desk.info("clearinghouseState", user=depositor.address)["withdrawable"] == "10090.0"
    assert desk.info("clearinghouseState", user=leader.address)["withdrawable"] == "9010.0"
    assert desk.info("userVaultEquities", user=depositor.address) == []
    details = desk.info("vaultDetails", vaultAddress=vault)
    assert details["leader"] == leader.address
    assert [row["user"] for row in details["followers"]] == [leader.address]
    before[0] += 200 * 10**8
    assert totals(desk) == before


def test_vault_closes_to_deposits_and_distributes(desk: Desk) -> None:
    leader, depositor = desk.wallet(1), desk.wallet(2)
    vault = vault_of(desk, leader)
    move = {"type": "vaultTransfer", "vaultAddress": vault, "isDeposit": True, "usd": 3_000 * 10**6}
    desk.act(depositor, move)
    terms = {"type": "vaultModify", "vaultAddress": vault, "allowDeposits": False, "alwaysCloseOnWithdraw": None}
    assert desk.act(depositor, terms)["response"] == f"Vault not registered: {vault}"
    assert desk.act(leader, terms) == OK
    assert desk.act(depositor, move)["response"] == "Vault deposits are disabled."
    assert desk.act(leader, {"type": "vaultDistribute", "vaultAddress": vault, "usd": 400 * 10**6}) == OK
    assert desk.info("clearinghouseState", user=depositor.address)["withdrawable"] == "7300.0"
    assert desk.info("clearinghouseState", user=leader.address)["withdrawable"] == "9100.0"


def test_the_leader_trades_for_the_vault(desk: Desk) -> None:
    leader = desk.wallet(1)
    vault = vault_of(desk, leader)
    desk.orders(leader, desk.row("ETH", "B", "2500", "0.1"), vaultAddress=vault)
    assert desk.position(vault, "ETH") == "0.1"
    assert desk.position(leader, "ETH") == "0.0"


def test_vault_addresses_may_lack_their_prefix(desk: Desk) -> None:
    leader = desk.wallet(1)
    vault = vault_of(desk, leader)
    body = desk.body(leader, {"type": "noop"}, vaultAddress=vault)
    assert desk.post(body | {"vaultAddress": vault[2:]}) == OK


def test_agents_send_only_within_their_user(desk: Desk) -> None:
    master = desk.wallet(1)
    agent = desk.agent_of(master, 2)
    sub = desk.act(master, {"type": "createSubAccount", "name": "desk"})["response"]["data"]
    send = {
        "type": "agentSendAsset",
        "destination": sub,
        "sourceDex": "",
        "destinationDex": "spot",
        "token": "USDC",
        "amount": "25",
        "fromSubAccount": "",
        "nonce": desk.nonce + 1,
    }
    assert desk.act(agent, send) == OK
    assert desk.info("spotClearinghouseState", user=sub)["balances"][0]["total"] == "25.0"
    away = send | {"destination": Wallet(9).address}
    assert desk.act(agent, away)["response"] == "Agent can only send asset to same user or their sub-accounts."


def test_loans_keep_their_collateral(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.control(op="fund", address=wallet.address, usdc="1000", spot=True)
    before = totals(desk)
    lend = {"type": "borrowLend", "operation": "supply", "token": 0, "amount": "800"}
    assert desk.act(wallet, lend) == OK
    sent = user_signed(desk, "spotSend", destination=Wallet(3).address, token="USDC", amount="300")
    assert desk.act(wallet, sent)["response"] == "Insufficient balance for token transfer."
    assert desk.act(wallet, lend | {"operation": "borrow", "token": 360, "amount": "401"})["status"] == "err"
    assert desk.act(wallet, lend | {"operation": "borrow", "token": 360, "amount": "390"}) == OK
    assert desk.act(wallet, lend | {"operation": "withdraw", "amount": None})["response"] == "Insufficient collateral."
    rows = {row["coin"]: row for row in desk.info("spotClearinghouseState", user=wallet.address)["balances"]}
    assert rows["USDC"]["supplied"] == "800.0"
    assert rows["USDH"]["borrowed"] == "390.0"
    assert desk.act(wallet, lend | {"operation": "repay", "token": 360, "amount": None}) == OK
    assert desk.act(wallet, lend | {"operation": "withdraw", "amount": None}) == OK
    assert totals(desk) == before


def test_gossip_slots_sell_at_a_falling_price(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.control(op="fund", address=wallet.address, token="HYPE", amount="10")
    before = totals(desk)
    bid = {"type": "gossipPriorityBid", "slotId": 0, "ip": "1.2.3.4", "maxGas": 10**7}
    desk.now_ms += 180_000 - desk.now_ms % 180_000
    assert desk.act(wallet, bid)["response"] == "Bid is below the current price."
    desk.now_ms += 90_000
    assert desk.act(wallet, bid | {"maxGas": 10**8}) == OK
    holders, auctions = desk.info("gossipPriorityAuctionStatus")
    assert holders == ["1.2.3.4", None]
    assert auctions[0]["endGas"] == "0.55"
    assert auctions[1]["currentGas"] == "0.55"
    assert totals(desk) == before


def test_other_chains_and_deployers_are_refused_by_name(desk: Desk) -> None:
    signature = {"r": "0x1", "s": "0x1", "v": 27}
    for kind in ("spotDeploy", "perpDeploy", "CSignerAction", "CValidatorAction", "userOutcome", "sendToEvmWithData"):
        answer = desk.post({"action": {"type": kind, "any": {"field": None}}, "nonce": 1, "signature": signature})
        assert answer == {"status": "err", "response": f"{kind} is not supported by this simulator."}


class Board:
    """A multi-sig account, its signers, and the envelopes that they make."""

    def __init__(self, desk: Desk, threshold: int = 2) -> None:
        self.desk = desk
        self.owner, self.signers = desk.wallet(1), [desk.wallet(2), desk.wallet(3)]
        users = sorted(wallet.address for wallet in self.signers)
        text = json.dumps({"authorizedUsers": users, "threshold": threshold})
        assert desk.act(self.owner, user_signed(desk, "convertToMultiSigUser", signers=text)) == OK

    def act(self, inner: dict[str, Any], by: list[Wallet], outer: Wallet, **claims: Any) -> Any:
        desk = self.desk
        action: dict[str, Any] = {
            "type": "multiSig",
            "signatureChainId": "0x66eee",
            "signatures": [],
            "payload": {"multiSigUser": self.owner.address, "outerSigner": outer.address, "action": inner} | claims,
        }
        draft = {"action": action, "nonce": desk.nonce + 1, "signature": {"r": "0x1", "s": "0x1", "v": 27}}
        envelope = convert_envelope(draft)
        assert isinstance(envelope.action, MultiSigAction)
        digest = signatures.inner_digest(envelope, envelope.action.payload, "testnet")
        assert digest is not None
        return desk.act(outer, action | {"signatures": [wallet.sign(digest) for wallet in by]})


def test_multi_sig_acts_by_its_signers_only(desk: Desk) -> None:
    board = Board(desk)
    first, second = board.signers
    assert desk.info("userToMultiSigSigners", user=board.owner.address) == {
        "authorizedUsers": sorted((first.address, second.address)),
        "threshold": 2,
    }
    order = {"type": "order", "orders": [desk.row("ETH", "B", "2500", "0.1")], "grouping": "na"}
    assert desk.act(board.owner, order)["response"] == "Multi-sig required"
    assert board.act(order, [first], first)["response"] == "Multi-sig threshold not met"
    assert board.act(order, [first, first], first)["response"] == "Multi-sig threshold not met"
    assert board.act(order, [first, board.owner], first)["response"] == "Invalid multi-sig inner signer"
    assert board.act(order, [first, second], desk.wallet(4))["response"] == "Invalid multi-sig outer signer"
    lying = board.act(order, [first, second], first, outerSigner=second.address)
    assert lying["response"] == "Invalid multi-sig outer signer"
    assert board.act(order, [first, second], first)["status"] == "ok"
    assert desk.position(board.owner, "ETH") == "0.1"


def test_multi_sig_moves_money_and_hands_the_account_back(desk: Desk) -> None:
    board = Board(desk)
    first, second = board.signers
    send = user_signed(desk, "usdSend", destination=Wallet(9).address, amount="10")
    assert board.act(send, [first, second], second) == OK
    assert desk.info("clearinghouseState", user=Wallet(9).address)["withdrawable"] == "10.0"
    stale = board.act(send | {"time": 5}, [first, second], second)
    assert stale["response"] == "Nonce mismatch."
    back = user_signed(desk, "convertToMultiSigUser", signers="null")
    assert board.act(back, [first, second], second) == OK
    assert desk.info("userToMultiSigSigners", user=board.owner.address) is None
    assert desk.act(board.owner, {"type": "noop"}) == OK


def test_agents_of_a_multi_sig_account_need_the_switch(desk: Desk) -> None:
    board = Board(desk)
    agent = desk.agent_of(board.owner, 7)
    assert desk.act(agent, {"type": "noop"})["response"] == "Multi-sig required"
    desk.control(op="config", multi_sig_agents=True)
    assert desk.act(agent, {"type": "noop"}) == OK


@pytest.mark.parametrize("signers", ["", "[]", '{"authorizedUsers":[],"threshold":0}', '{"authorizedUsers":["0x1"]}'])
def test_misfit_signers_are_refused(desk: Desk, signers: str) -> None:
    answer = desk.act(desk.wallet(), user_signed(desk, "convertToMultiSigUser", signers=signers))
    assert answer["response"] == "Invalid multi-sig signers."


def test_expired_agents_act_while_the_grace_lasts() -> None:
    desk = Desk(agent_grace_s=900)
    master, agent = desk.wallet(1), Wallet(2)
    until = START_MS + 10
    desk.control(op="approve_agent", master=master.address, agent=agent.address, name="copy", valid_until_ms=until)
    desk.now_ms = until + 900_000
    assert desk.act(agent, {"type": "noop"}) == OK
    desk.now_ms += 1
    assert desk.act(agent, {"type": "noop"})["response"] == f"User or API Wallet {agent.address} does not exist."
    assert desk.info("extraAgents", user=master.address) == []


@pytest.mark.parametrize(("prunes", "again"), [(True, "ok"), (False, "err")])
def test_pruned_nonces_let_old_requests_pass_again(prunes: bool, again: str) -> None:
    desk = Desk(prune_nonces=prunes)
    master = desk.wallet(1)
    agent = desk.agent_of(master, 2)
    body = desk.body(agent, {"type": "noop"})
    assert desk.post(body) == OK
    desk.control(op="revoke_agent", agent=agent.address)
    desk.agent_of(master, 2)
    assert desk.post(body)["status"] == again


def test_removing_an_agent_blocks_the_next_for_a_while(desk: Desk) -> None:
    master = desk.wallet(1)

    def approve(address: str, name: str = "copy") -> Any:
        return desk.act(master, user_signed(desk, "approveAgent", agentAddress=address, agentName=name))

    assert approve(Wallet(2).address) == OK
    assert approve("0x" + "0" * 40) == OK
    assert desk.info("extraAgents", user=master.address) == []
    assert approve(Wallet(3).address)["response"] == "User has pending agent removal"
    desk.now_ms += 5_000
    assert approve(Wallet(3).address) == OK


def test_account_modes_and_marks_are_kept(desk: Desk) -> None:
    wallet = desk.wallet()
    set_mode = user_signed(desk, "userSetAbstraction", user=wallet.address, abstraction="unifiedAccount")
    assert desk.act(wallet, set_mode) == OK
    assert desk.info("userAbstraction", user=wallet.address) == "unifiedAccount"
    portfolio = user_signed(desk, "userPortfolioMargin", user=wallet.address, enabled=True)
    assert desk.act(wallet, portfolio) == OK
    assert desk.info("userAbstraction", user=wallet.address) == "portfolioMargin"
    old = user_signed(desk, "userDexAbstraction", user=wallet.address, enabled=False)
    assert desk.act(wallet, old) == OK
    assert desk.info("userDexAbstraction", user=wallet.address) is False
    assert desk.act(wallet, {"type": "spotUser", "toggleSpotDusting": {"optOut": True}}) == OK
    assert desk.info("webData2", user=wallet.address)["optOutOfSpotDusting"] is True
    assert desk.act(wallet, {"type": "claimRewards"}) == OK


def test_top_up_brings_an_isolated_position_to_its_leverage(desk: Desk) -> None:
    wallet = desk.wallet()
    desk.act(wallet, {"type": "updateLeverage", "asset": desk.asset("SOL"), "isCross": False, "leverage": 10})
    desk.order(wallet, "SOL", "B", "90", "10")
    top_up = {"type": "topUpIsolatedOnlyMargin", "asset": desk.asset("SOL"), "leverage": "2"}
    assert desk.act(wallet, top_up) == OK
    (row,) = desk.info("clearinghouseState", user=wallet.address)["assetPositions"]
    held = row["position"]
    assert float(held["marginUsed"]) == pytest.approx(float(held["positionValue"]) / 2, rel=1e-6)


def test_bodies_of_every_action_survive_a_round_trip() -> None:
    wire = b'{"action":{"type":"twapOrder","twap":{"a":1,"b":true,"s":"1","r":false,"m":5,"t":false}'
    wire += b',"details":{"t":null,"s":"1900"}},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}}'
    action = convert_envelope(msgspec.json.decode(wire)).action
    assert msgspec.to_builtins(action)["details"] == {"t": None, "s": "1900"}


def test_candles_and_day_figures_hold_what_traded(desk: Desk) -> None:
    wallet = desk.wallet(usdc="1000000")
    desk.control(op="set_book", coin="ETH", mid="2000")
    for mid in ("2000", "2100", "1900", "2050"):
        desk.control(op="set_book", coin="ETH", mid=mid)
        desk.order(wallet, "ETH", "B", "2500", "1")
        desk.now_ms += 20_000
    minutes = desk.info("candleSnapshot", req={"coin": "ETH", "interval": "1m", "startTime": START_MS - 60_000})
    traded = [bar for bar in minutes if bar["n"]]
    assert sum(bar["n"] for bar in traded) == 4
    assert len(traded) == 2
    (hour,) = desk.info("candleSnapshot", req={"coin": "ETH", "interval": "1h", "startTime": desk.now_ms})
    assert hour["v"] == "4.0"
    assert float(hour["h"]) == pytest.approx(2100, rel=1e-3)
    assert float(hour["l"]) == pytest.approx(1900, rel=1e-3)
    assert float(hour["c"]) == pytest.approx(2050, rel=1e-3)
    context = desk.info("metaAndAssetCtxs")[1][desk.asset("ETH")]
    assert context["dayBaseVlm"] == "4.0"
    assert float(context["dayNtlVlm"]) == pytest.approx(8050, rel=1e-3)


def test_order_status_lags_and_shows_stale_cloids_when_switched() -> None:
    desk = Desk(order_status_lag_ms=200, stale_cloid=True)
    wallet = desk.wallet()
    cloid = "0x" + "c" * 32
    oid = desk.order(wallet, "ETH", "B", "1000", "0.1", tif="Gtc", c=cloid)["resting"]["oid"]
    ask = {"user": wallet.address, "oid": cloid}
    assert desk.info("orderStatus", **ask) == {"status": "unknownOid"}
    desk.now_ms += 200
    assert desk.info("orderStatus", **ask)["order"]["status"] == "open"
    row = desk.row("ETH", "B", "1001", "0.1", tif="Alo", c=cloid)
    desk.act(wallet, {"type": "batchModify", "modifies": [{"oid": oid, "order": row}]})
    desk.now_ms += 200
    assert desk.info("orderStatus", **ask)["order"]["status"] == "canceled"
    desk.control(op="config", stale_cloid=False)
    assert desk.info("orderStatus", **ask)["order"]["status"] == "open"


@pytest.mark.parametrize(("prunes", "agents"), [(True, 0), (False, 1)])
def test_agents_go_with_the_last_cent(prunes: bool, agents: int) -> None:
    desk = Desk(prune_broke=prunes)
    master = desk.wallet(1, usdc="10")
    agent = desk.agent_of(master, 2)
    assert desk.act(agent, {"type": "noop"}) == OK
    assert desk.act(master, user_signed(desk, "usdSend", destination=Wallet(9).address, amount="10")) == OK
    answer = desk.act(agent, {"type": "noop"})
    if prunes:
        assert answer["response"] == f"Must deposit before performing actions. User: {master.address}"
    assert len(desk.info("extraAgents", user=master.address)) == agents


def test_positions_show_the_funding_that_they_paid(desk: Desk) -> None:
    wallet = desk.wallet()
    account = desk.venue.account(wallet.address)

    def pay(usdc: str) -> None:
        delta = {"type": "funding", "coin": "ETH", "usdc": usdc, "szi": "1.0", "fundingRate": "0.0", "nSamples": None}
        account.fundings.append({"time": desk.now_ms, "hash": "0x" + "0" * 64, "delta": delta})
        desk.now_ms += 1

    for size in ("1", "1", "2", "1"):
        side, price = ("A", "1700") if size == "2" else ("B", "2500")
        desk.order(wallet, "ETH", side, price, size)
        desk.now_ms += 1
        pay("-0.5")
    desk.order(wallet, "ETH", "B", "2500", "1")
    desk.now_ms += 1
    pay("0.2")
    (row,) = desk.info("clearinghouseState", user=wallet.address)["assetPositions"]
    assert row["position"]["cumFunding"] == {"allTime": "1.8", "sinceOpen": "0.3", "sinceChange": "-0.2"}


def test_priority_is_paid_from_the_stake_and_goes_first(desk: Desk) -> None:
    wallet = staker(desk)
    before = totals(desk)
    rows = [desk.row("ETH", "B", "2500", "1")]
    answer = desk.orders(wallet, *rows, grouping={"p": 10_000})
    (item,) = answer["response"]["data"]["statuses"]
    notional = float(item["filled"]["avgPx"])
    paid = 40 - float(desk.info("delegatorSummary", user=wallet.address)["undelegated"])
    assert paid == pytest.approx(notional * 0.0001 / 21.15, rel=1e-4)
    assert totals(desk) == before
    mixed = [desk.row("ETH", "B", "2500", "1"), desk.row("ETH", "B", "1000", "1", "Gtc")]
    refused = desk.orders(wallet, *mixed, grouping={"p": 10_000})["response"]["data"]["statuses"]
    assert all("error" in item for item in refused)
    exchange = desk.server.exchange
    for rate in (None, 5, 50):
        action = {"type": "order", "orders": rows, "grouping": "na" if rate is None else {"p": rate}}
        exchange.receive(convert_envelope(desk.body(wallet, action)), "127.0.0.1", lambda _: None)
    grouped = [pending.envelope.action.grouping for pending in exchange.due(desk.now_ms)]
    assert [getattr(grouping, "p", None) for grouping in grouped] == [50, 5, None]


def test_dead_mans_switch_fires_ten_times_a_day() -> None:
    desk = Desk(limits="venue")
    wallet = desk.wallet()

    def schedule() -> Any:
        return desk.act(wallet, {"type": "scheduleCancel", "time": desk.now_ms + 5_000})

    for _ in range(10):
        desk.order(wallet, "ETH", "B", "1900", "0.1", tif="Gtc")
        assert schedule() == OK
        desk.now_ms += 5_000
        desk.server.run_block(desk.server.exchange.run_due)
        assert desk.info("openOrders", user=wallet.address) == []
    assert schedule()["status"] == "err"
    assert desk.act(wallet, {"type": "scheduleCancel"}) == OK
    desk.now_ms += 86_400_000
    assert schedule() == OK
