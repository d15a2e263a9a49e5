"""The lists of the protocol's documents: every request of `/info` is answered, every action is packed in hash order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hlfast.sim.actions import Unsupported, convert_envelope
from hlfast.sim.info import BadRequestError
from sim.desk import START_MS, Desk, Wallet

USER = Wallet(1).address
OTHER = "0x" + "22" * 20
BY_USER = (
    "clearinghouseState", "spotClearinghouseState", "openOrders", "frontendOpenOrders", "historicalOrders", "userFills",
    "userTwapSliceFills", "twapHistory", "userFunding", "userNonFundingLedgerUpdates", "userRateLimit", "userRole",
    "extraAgents", "userFees", "portfolio", "subAccounts", "subAccounts2", "userVaultEquities", "leadingVaults",
    "approvedBuilders", "referral", "legalCheck", "isVip", "userAbstraction", "userDexAbstraction",
    "userToMultiSigSigners", "delegatorSummary", "delegations", "delegatorRewards", "delegatorHistory", "webData2",
    "borrowLendUserState", "spotDeployState",
)  # fmt: skip
PLAIN = (
    "meta", "metaAndAssetCtxs", "allPerpMetas", "perpDexs", "spotMeta", "spotMetaAndAssetCtxs", "allMids",
    "predictedFundings", "exchangeStatus", "outcomeMeta", "perpsAtOpenInterestCap", "maxMarketOrderNtls", "vaultSummaries",
    "liquidatable", "gossipRootIps", "gossipPriorityAuctionStatus", "perpDeployAuctionStatus",
    "spotPairDeployAuctionStatus", "perpCategories",
)  # fmt: skip
REQUESTS: dict[str, dict[str, Any]] = {kind: {"user": USER} for kind in BY_USER} | {kind: {} for kind in PLAIN} | {
    "l2Book": {"coin": "BTC", "nSigFigs": 5, "mantissa": 2},
    "recentTrades": {"coin": "BTC"},
    "candleSnapshot": {"req": {"coin": "BTC", "interval": "1h", "startTime": START_MS, "endTime": START_MS}},
    "fundingHistory": {"coin": "BTC", "startTime": START_MS},
    "settledOutcome": {"outcome": 1},
    "perpDexLimits": {"dex": "xyz"},
    "perpDexStatus": {"dex": "xyz"},
    "perpAnnotation": {"coin": "xyz:CL"},
    "marginTable": {"id": 56},
    "activeAssetData": {"user": USER, "coin": "BTC"},
    "orderStatus": {"user": USER, "oid": 1},
    "userFillsByTime": {"user": USER, "startTime": 0, "endTime": None, "aggregateByTime": True, "reversed": True},
    "userTwapSliceFillsByTime": {"user": USER, "startTime": 0},
    "vaultDetails": {"vaultAddress": OTHER},
    "maxBuilderFee": {"user": USER, "builder": OTHER},
    "preTransferCheck": {"user": USER, "source": OTHER},
    "borrowLendReserveState": {"token": 0},
}  # fmt: skip

WIRE = {"a": 1, "b": True, "p": "1900", "s": "1", "r": False, "t": {"limit": {"tif": "Ioc"}}, "c": "0x" + "a" * 32}
TWAP = {"a": 1, "b": True, "s": "1", "r": False, "m": 5, "t": False}
# Fields in hash order, as the table of the signing page gives them; the dicts here keep that order.
L1_ACTIONS: list[dict[str, Any]] = [
    {"type": "order", "orders": [WIRE], "grouping": {"p": 100}, "builder": {"b": OTHER, "f": 10}},
    {"type": "cancel", "cancels": [{"a": 1, "o": 2}], "f": True},
    {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": "0x" + "a" * 32}], "f": True},
    {"type": "modify", "oid": "0x" + "a" * 32, "order": WIRE, "a": True},
    {"type": "batchModify", "modifies": [{"oid": 2, "order": WIRE}], "a": True},
    {"type": "scheduleCancel", "time": START_MS},
    {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 5},
    {"type": "updateIsolatedMargin", "asset": 1, "isBuy": True, "ntli": -5},
    {"type": "topUpIsolatedOnlyMargin", "asset": 1, "leverage": "3"},
    {"type": "twapOrder", "twap": TWAP, "details": {"t": {"p": "1900", "a": True}, "s": None}},
    {"type": "twapOrder", "twap": TWAP, "details": {"t": None, "s": "1800"}},
    {"type": "twapCancel", "a": 1, "t": 7},
    {"type": "vaultTransfer", "vaultAddress": OTHER, "isDeposit": True, "usd": 1},
    {"type": "createSubAccount", "name": "desk"},
    {"type": "subAccountModify", "subAccountUser": OTHER, "name": "desk"},
    {"type": "subAccountTransfer", "subAccountUser": OTHER, "isDeposit": True, "usd": 1},
    {"type": "subAccountSpotTransfer", "subAccountUser": OTHER, "isDeposit": True, "token": "USDC", "amount": "1.0"},
    {"type": "noop"},
    {"type": "reserveRequestWeight", "weight": 1, "destination": OTHER},
    {"type": "gossipPriorityBid", "slotId": 0, "ip": "1.2.3.4", "maxGas": 1},
    {"type": "agentSetAbstraction", "abstraction": "i"},
    {"type": "agentEnableDexAbstraction"},
    {
        "type": "agentSendAsset",
        "destination": OTHER,
        "sourceDex": "",
        "destinationDex": "spot",
        "token": "USDC",
        "amount": "1",
        "fromSubAccount": "",
        "nonce": 1,
    },
    {"type": "borrowLend", "operation": "supply", "token": 0, "amount": None},
    {"type": "setReferrer", "code": "CODE"},
    {"type": "evmUserModify", "usingBigBlocks": True},
    {"type": "spotUser", "toggleSpotDusting": {"optOut": True}},
    {"type": "claimRewards"},
    {"type": "setDisplayName", "displayName": "me"},
    {"type": "createVault", "name": "vault", "description": "A vault of ours.", "initialUsd": 1, "nonce": 1},
    {"type": "vaultModify", "vaultAddress": OTHER, "allowDeposits": None, "alwaysCloseOnWithdraw": True},
    {"type": "vaultDistribute", "vaultAddress": OTHER, "usd": 1},
]
UNSUPPORTED = (
    "perpDeploy", "spotDeploy", "CSignerAction", "CValidatorAction", "userOutcome", "hip3LiquidatorTransfer",
    "sendToEvmWithData", "linkStakingUser", "stakingLinkDisableTradingUser",
)  # fmt: skip


@pytest.fixture(scope="module")
def desk() -> Desk:
    desk = Desk()
    desk.wallet(1)
    return desk


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_documented_request_is_answered(desk: Desk, kind: str) -> None:
    desk.info(kind, **REQUESTS[kind])


def test_the_list_of_requests_is_whole(desk: Desk) -> None:
    assert desk.server.info.types - set(REQUESTS) == set()


@pytest.mark.parametrize("kind", [kind for kind, fields in REQUESTS.items() if "user" in fields])
def test_requests_of_a_user_need_an_address_in_any_case(desk: Desk, kind: str) -> None:
    fields = REQUESTS[kind]
    mixed = desk.info(kind, **fields | {"user": "0x" + USER[2:].upper()})
    assert mixed == desk.info(kind, **fields)
    for bad in (None, 1, "0x12", USER[:-1], [USER]):
        with pytest.raises(BadRequestError):
            desk.server.info.answer({"type": kind} | fields | {"user": bad})


@pytest.mark.parametrize("body", [None, [], {}, {"type": None}, {"type": "nothing"}, {"type": ["meta"]}], ids=str)
def test_other_bodies_are_misfits(desk: Desk, body: Any) -> None:
    with pytest.raises(BadRequestError):
        desk.server.info.answer(body)


def envelope(action: dict[str, Any]) -> dict[str, Any]:
    return {"action": action, "nonce": 1, "signature": {"r": "0x1", "s": "0x1", "v": 27}}


@pytest.mark.parametrize("action", L1_ACTIONS, ids=lambda action: str(action["type"]))
def test_actions_are_packed_in_hash_order(action: dict[str, Any]) -> None:
    shuffled = dict(reversed(action.items()))
    packed = msgspec.msgpack.encode(convert_envelope(envelope(shuffled)).action)
    assert packed == msgspec.msgpack.encode(action)


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_unsupported_actions_are_known_by_name(kind: str) -> None:
    assert isinstance(convert_envelope(envelope({"type": kind, "anything": [1]})).action, Unsupported)


@pytest.mark.parametrize("action", L1_ACTIONS, ids=lambda action: str(action["type"]))
def test_every_action_is_carried_out_or_refused_in_words(action: dict[str, Any]) -> None:
    desk = Desk()
    answer = desk.act(desk.wallet(), action)
    if answer["status"] == "err":
        assert "not supported" not in answer["response"]


def test_a_batch_counts_for_each_of_its_items() -> None:
    counts = [convert_envelope(envelope(action)).action.requests() for action in L1_ACTIONS[:5]]
    assert counts == [1, 1, 1, 1, 1]
    many = {"type": "cancel", "cancels": [{"a": 1, "o": number} for number in range(7)]}
    assert convert_envelope(envelope(many)).action.requests() == 7
