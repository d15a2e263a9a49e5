"""Every refusal that the protocol's documents quote, provoked once, in the venue's words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sim.desk import START_MS, Desk, Wallet
from sim.test_account_actions import Board, user_signed

STRANGER = Wallet(99)
ZERO = "0x" + "0" * 40
Provoke = Callable[[], str]


def of_item(answer: Any) -> str:
    """Return the text of the one refused item of an answer."""
    assert answer["status"] == "ok", answer
    texts = [
        item["error"] for item in answer["response"]["data"]["statuses"] if isinstance(item, dict) and "error" in item
    ]
    assert len(texts) == 1, answer
    return str(texts[0])


def of_action(answer: Any) -> str:
    """Return the text of an action that was refused whole."""
    assert answer["status"] == "err", answer
    return str(answer["response"])


def order(
    coin: str, side: str, price: str, size: str, tif: str = "Ioc", *, desk: Desk | None = None, **extra: Any
) -> str:
    """Provoke an item error by one order of a funded account."""
    desk = desk or Desk()
    wallet = desk.wallet()
    desk.control(op="fund", address=wallet.address, usdc="5", spot=True)
    return of_item(desk.orders(wallet, desk.row(coin, side, price, size, tif, **extra)))


def book_of(bid: bool, ask: bool) -> Desk:
    """Return a venue whose ETH book holds only what is asked for, around 2,000."""
    desk = Desk()
    desk.control(op="set_book", coin="ETH", mid="2000", depth_usd=0)
    maker = desk.wallet(8, usdc="1000000")
    if bid:
        desk.order(maker, "ETH", "B", "1990", "1", tif="Gtc")
    if ask:
        desk.order(maker, "ETH", "A", "2010", "1", tif="Gtc")
    return desk


def whole(action: dict[str, Any], desk: Desk | None = None, **outer: Any) -> str:
    """Provoke a refusal of a whole L1 action of a funded account."""
    desk = desk or Desk()
    return of_action(desk.act(desk.wallet(), action, **outer))


def signed_by_user(kind: str, desk: Desk | None = None, **fields: Any) -> str:
    desk = desk or Desk()
    wallet = desk.wallet()
    return of_action(desk.act(wallet, user_signed(desk, kind, **fields)))


def capped(tif: str, price: str, size: str, **market: Any) -> str:
    """Provoke a refusal of a market that is full, for somebody who is one ETH short there."""
    desk = Desk()
    desk.order(desk.wallet(8, usdc="100000"), "ETH", "B", "2500", "5")
    wallet = desk.wallet(usdc="100000")
    desk.order(wallet, "ETH", "A", "1700", "1")
    desk.control(op="set_market", coin="ETH", **market)
    return of_item(desk.orders(wallet, desk.row("ETH", "B", price, size, tif)))


def over_tier() -> str:
    desk = Desk(depth_usd=1_000_000_000)
    wallet = desk.wallet(usdc="100000000")
    desk.act(wallet, {"type": "updateLeverage", "asset": desk.asset("ETH"), "isCross": True, "leverage": 25})
    return of_item(desk.orders(wallet, desk.row("ETH", "B", "2100", "60000")))


def twap(minutes: int, *, reduce_only: bool = False) -> str:
    desk = Desk()
    wire = {"a": desk.asset("ETH"), "b": True, "s": "1", "r": reduce_only, "m": minutes, "t": False}
    answer = desk.act(desk.wallet(), {"type": "twapOrder", "twap": wire})
    return str(answer["response"]["data"]["status"]["error"])


def twap_gone() -> str:
    desk = Desk()
    answer = desk.act(desk.wallet(), {"type": "twapCancel", "a": desk.asset("ETH"), "t": 1})
    return str(answer["response"]["data"]["status"]["error"])


def many_open() -> str:
    desk = Desk(block_ms=0)
    wallet = desk.wallet(usdc="10000000")
    row = desk.row("ETH", "B", "1000", "0.02", "Gtc")
    for _ in range(10):
        desk.orders(wallet, *[row] * 100)
    return of_item(desk.orders(wallet, row))


def leverage(asset: str, is_cross: bool, value: int, desk: Desk | None = None) -> str:
    desk = desk or Desk()
    action = {"type": "updateLeverage", "asset": desk.asset(asset), "isCross": is_cross, "leverage": value}
    return whole(action, desk)


def with_position(is_cross: bool, usdc: str = "10000") -> Desk:
    """Return a venue on which the first wallet holds 10 SOL at 20 times."""
    desk = Desk()
    wallet = desk.wallet(usdc=usdc)
    mode = {"type": "updateLeverage", "asset": desk.asset("SOL"), "isCross": is_cross, "leverage": 20}
    desk.act(wallet, mode)
    desk.order(wallet, "SOL", "B", "95", "10")
    return desk


def lower_leverage(is_cross: bool) -> str:
    desk = with_position(is_cross, usdc="60")
    action = {"type": "updateLeverage", "asset": desk.asset("SOL"), "isCross": is_cross, "leverage": 2}
    return of_action(desk.act(Wallet(1), action))


def modify_gone() -> str:
    desk = Desk()
    row = desk.row("ETH", "B", "1000", "0.1", "Alo")
    return of_item(desk.act(desk.wallet(), {"type": "batchModify", "modifies": [{"oid": 1, "order": row}]}))


def nonce(shift_ms: int) -> str:
    return whole({"type": "noop"}, nonce=START_MS + shift_ms)


def duplicate_nonce() -> str:
    desk = Desk()
    body = desk.body(desk.wallet(), {"type": "noop"})
    desk.post(body)
    return of_action(desk.post(body))


def many_requests() -> str:
    desk = Desk(limits="venue")
    wallet = desk.wallet()
    account = desk.venue.account(wallet.address)
    account.requests_used, account.request_ms = 10_000, desk.now_ms
    return of_action(desk.act(wallet, {"type": "noop"}))


def agents(*steps: tuple[str, str]) -> str:
    desk = Desk()
    master = desk.wallet()
    answers = [
        desk.act(master, user_signed(desk, "approveAgent", agentAddress=address, agentName=name))
        for address, name in steps
    ]
    return of_action(answers[-1])


def agent_of_another() -> str:
    desk = Desk()
    desk.agent_of(desk.wallet(2), 3)
    return signed_by_user("approveAgent", desk, agentAddress=Wallet(3).address, agentName="copy")


def agent_sends_away() -> str:
    desk = Desk()
    agent = desk.agent_of(desk.wallet(), 2)
    route = {"sourceDex": "", "destinationDex": "spot", "token": "USDC", "amount": "1", "fromSubAccount": ""}
    action = {"type": "agentSendAsset", "destination": Wallet(9).address, **route, "nonce": 1}
    return of_action(desk.act(agent, action))


def multi_sig(by: tuple[int, ...], outer: int) -> str:
    desk = Desk()
    board = Board(desk)
    return of_action(board.act({"type": "noop"}, [desk.wallet(number) for number in by], desk.wallet(outer)))


def multi_sig_required() -> str:
    desk = Desk()
    return of_action(desk.act(Board(desk).owner, {"type": "noop"}))


def agent_name(number: int) -> tuple[str, str]:
    return Wallet(number).address, f"copy{number}"


NOOP = {"type": "noop"}
SUB = "0x" + "5e" * 20
TEXTS: dict[str, Provoke] = {
    "Price must be divisible by tick size.": lambda: order("ETH", "B", "2000.12", "1"),
    "Order must have minimum value of $10.": lambda: order("ETH", "B", "2000", "0.001"),
    "Order must have minimum value of 10 USDC.": lambda: order("PURR/USDC", "B", "0.2", "2"),
    "Insufficient margin to place order.": lambda: order("ETH", "B", "2100", "1000"),
    "Reduce only order would increase position.": lambda: order("ETH", "B", "2100", "1", reduce_only=True),
    "Post only order would have immediately matched, bbo was 1990@2010.": lambda: order(
        "ETH", "B", "2010", "1", "Alo", desk=book_of(bid=True, ask=True)
    ),
    "Order could not immediately match against any resting orders.": lambda: order("ETH", "B", "1000", "1"),
    "Invalid TP/SL price.": lambda: order(
        "ETH", "A", "1000", "1", t={"trigger": {"isMarket": True, "triggerPx": "9000", "tpsl": "sl"}}
    ),
    "No liquidity available for market order.": lambda: order(
        "ETH", "B", "2100", "1", "FrontendMarket", desk=book_of(bid=True, ask=False)
    ),
    "Order has insufficient spot balance to trade": lambda: order("PURR/USDC", "B", "0.25", "100"),
    "Order was never placed, already canceled, or filled.": lambda: of_item(
        (desk := Desk()).act(desk.wallet(), {"type": "cancel", "cancels": [{"a": 1, "o": 1}]})
    ),
    "Order has zero size.": lambda: order("ETH", "B", "2100", "0"),
    "Order has invalid size.": lambda: order("ETH", "B", "2100", "0.00001"),
    "Order has invalid price.": lambda: order("ETH", "B", "0", "1"),
    "Orders are empty.": lambda: whole({"type": "order", "orders": [], "grouping": "na"}),
    "Order price cannot be more than 80% away from the reference price": lambda: whole(
        {"type": "order", "orders": [Desk().row("ETH", "B", "30000", "1")], "grouping": "na"}
    ),
    "Order would increase open interest while open interest is capped": lambda: capped(
        "Ioc", "2500", "3", oi_cap_usd=1
    ),
    "Order rejected due to price more aggressive than oracle while at open interest cap": lambda: capped(
        "Gtc", "2050", "3", oi_cap_usd=1, oracle="1900"
    ),
    "Order would increase open interest too quickly": lambda: capped("Ioc", "2500", "3", oi_step_usd=1_000),
    "Order price too far from oracle": lambda: capped("Ioc", "2050", "1", oracle="400"),
    "Order would cause position to exceed margin tier limit at current leverage": over_tier,
    "Insufficient delegatable balance for priority order": lambda: of_item(
        (desk := Desk()).orders(desk.wallet(), desk.row("ETH", "B", "2100", "1"), grouping={"p": 10_000})
    ),
    "Invalid TWAP duration: 1 min(s)": lambda: twap(1),
    "TWAP was never placed, already canceled, or filled.": twap_gone,
    "Reduce-only TWAP order would increase position.": lambda: twap(5, reduce_only=True),
    "Cannot modify canceled or filled order": modify_gone,
    "Too many open orders": many_open,
    "Trading is halted.": lambda: order("ETH", "B", "2100", "1", desk=Desk(halted=True)),
    "Only post-only orders allowed immediately after a network upgrade": lambda: order(
        "ETH", "B", "2100", "1", desk=Desk(post_only=True)
    ),
    "Invalid spot": lambda: of_item(
        (desk := Desk()).orders(desk.wallet(), desk.row("ETH", "B", "2100", "1", a=10_999))
    ),
    "Reduce-only is invalid for spot trading.": lambda: order("PURR/USDC", "A", "0.2", "100", reduce_only=True),
    "Builder fee has not been approved.": lambda: whole(
        {
            "type": "order",
            "orders": [Desk().row("ETH", "B", "2100", "1")],
            "grouping": "na",
            "builder": {"b": SUB, "f": 1},
        }
    ),
    "Builder has insufficient balance to be approved.": lambda: signed_by_user(
        "approveBuilderFee", maxFeeRate="0.01%", builder=SUB
    ),
    "Invalid leverage value": lambda: leverage("ETH", True, 500),
    "Cannot switch leverage type with open position.": lambda: leverage("SOL", False, 20, with_position(is_cross=True)),
    "Cross margin is not allowed for this asset.": lambda: leverage("xyz:CXMT", True, 2),
    "Isolated position does not have sufficient margin available to decrease leverage.": lambda: lower_leverage(
        is_cross=False
    ),
    "Cross position does not have sufficient margin available to decrease leverage.": lambda: lower_leverage(
        is_cross=True
    ),
    "Position does not use isolated margin.": lambda: whole(
        {"type": "updateIsolatedMargin", "asset": 1, "isBuy": True, "ntli": 1}
    ),
    f"User or API Wallet {STRANGER.address} does not exist.": lambda: of_action(Desk().act(STRANGER, NOOP)),
    f"Must deposit before performing actions. User: {STRANGER.address}": lambda: of_action(
        (desk := Desk()).act(STRANGER, user_signed(desk, "usdSend", destination=SUB, amount="1"))
    ),
    "Unable to recover signer.": lambda: of_action(
        (desk := Desk()).post(desk.body(desk.wallet(), NOOP) | {"signature": {"r": "0x0", "s": "0x0", "v": 27}})
    ),
    "Mainnet and testnet require different signature.": lambda: whole(NOOP, network="mainnet"),
    f"Invalid nonce: nonce too low {START_MS - 2 * 86_400_000} < {START_MS - 2 * 86_400_000}": lambda: nonce(
        -2 * 86_400_000
    ),
    f"Invalid nonce: nonce too high {START_MS + 86_400_000} > {START_MS + 86_400_000}": lambda: nonce(86_400_000),
    f"Invalid nonce: duplicate nonce {START_MS + 1}": duplicate_nonce,
    "Nonce mismatch.": lambda: of_action(
        (desk := Desk()).act(desk.wallet(), user_signed(desk, "usdSend", destination=SUB, amount="1") | {"time": 5})
    ),
    "Action already expired": lambda: whole(NOOP, expiresAfter=START_MS - 1),
    "Too many cumulative requests sent (10001 > 10000) for cumulative volume traded $0.0. "
    "Place taker orders to free up 1 request per USDC traded.": many_requests,
    f"Vault not registered: {SUB}": lambda: whole(NOOP, vaultAddress=SUB),
    f"Invalid sub-account transfer from {Wallet(1).address} to {SUB}": lambda: whole(
        {"type": "subAccountTransfer", "subAccountUser": SUB, "isDeposit": True, "usd": 1}
    ),
    "Cannot create sub-accounts until enough volume traded. Required: $100000. Traded: $0.0.": lambda: whole(
        {"type": "createSubAccount", "name": "desk"}, Desk(volume_gates=True)
    ),
    "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0.0": lambda: whole(
        {"type": "scheduleCancel", "time": START_MS + 10_000}, Desk(volume_gates=True)
    ),
    "Too many extra agents for cumulative volume traded. Current limit is 3": lambda: agents(
        *(agent_name(number) for number in (2, 3, 4, 5))
    ),
    "Extra agent already used.": agent_of_another,
    "User has pending agent removal": lambda: agents(agent_name(2), (ZERO, "copy2"), agent_name(3)),
    "Agent valid_until already expired.": lambda: agents((Wallet(2).address, f"copy valid_until {START_MS - 1}")),
    "Agent can only send asset to same user or their sub-accounts.": agent_sends_away,
    "Multi-sig required": multi_sig_required,
    "Multi-sig threshold not met": lambda: multi_sig((2,), 2),
    "Invalid multi-sig inner signer": lambda: multi_sig((2, 4), 2),
    "Invalid multi-sig outer signer": lambda: multi_sig((2, 3), 4),
}


@pytest.mark.parametrize("text", TEXTS)
def test_the_venue_says_it_in_its_own_words(text: str) -> None:
    said = TEXTS[text]()
    suffix = said.removeprefix(text)
    assert said.startswith(text)
    assert suffix == "" or suffix.removeprefix(" asset=").isdigit()


def test_none_is_said_to_who_does_nothing_wrong() -> None:
    desk = Desk()
    wallet = desk.wallet()
    assert desk.act(wallet, NOOP)["status"] == "ok"
    assert "filled" in json.dumps(desk.orders(wallet, desk.row("ETH", "B", "2500", "1")))
