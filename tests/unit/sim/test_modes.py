"""Account modes: one balance a token in unified and portfolio accounts, and what `/info` shows of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sim.desk import Desk, Wallet

OK = {"status": "ok", "response": {"type": "default"}}
# One recorded portfolio account (`subAccounts2`), to the digit: what a venue's figures must have to do with each other.
RECORDED = {
    "total": "894.08996004",
    "hold": "140.43677994",
    "supplied": "746.67710305",
    "available": "870.98516812",
    "ratio": "0.025841686",
    "accountValue": "147.412857",
    "totalMarginUsed": "140.43678",
    "crossMaintenanceMarginUsed": "23.104792",
}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def chosen(desk: Desk, wallet: Wallet, mode: str) -> Any:
    action = {"type": "userSetAbstraction", "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
    return desk.act(wallet, action | {"user": wallet.address, "abstraction": mode, "nonce": desk.nonce + 1})


def put(desk: Desk, wallet: Wallet, mode: str) -> None:
    assert chosen(desk, wallet, mode) == OK


def spot(desk: Desk, wallet: Wallet) -> dict[str, Any]:
    return dict(desk.info("spotClearinghouseState", user=wallet.address))


def row(desk: Desk, wallet: Wallet, coin: str = "USDC") -> dict[str, Any]:
    return next(row for row in spot(desk, wallet)["balances"] if row["coin"] == coin)


def perps(desk: Desk, wallet: Wallet, dex: str = "") -> dict[str, Any]:
    return dict(desk.info("clearinghouseState", user=wallet.address, dex=dex))


def profit(desk: Desk, wallet: Wallet, dex: str = "") -> Decimal:
    rows = perps(desk, wallet, dex)["assetPositions"]
    return sum((Decimal(row["position"]["unrealizedPnl"]) for row in rows), Decimal(0))


def settle_clock(desk: Desk) -> None:
    desk.now_ms += 100
    desk.server.run_block(desk.server.exchange.run_due)


def figures(desk: Desk, wallet: Wallet) -> dict[str, str]:
    state, usdc, main = spot(desk, wallet), row(desk, wallet), perps(desk, wallet)
    shown = {key: usdc.get(key, "0.0") for key in ("total", "hold", "supplied")}
    shown |= {key: main["marginSummary"][key] for key in ("accountValue", "totalMarginUsed")}
    shown["crossMaintenanceMarginUsed"] = main["crossMaintenanceMarginUsed"]
    shown["available"] = dict(state["tokenToAvailableAfterMaintenance"])[0]
    return shown | {"ratio": state.get("portfolioMarginRatio", "0.0")}


def test_figures_hang_together_as_the_recorded_ones_do(desk: Desk) -> None:
    wallet = desk.wallet(1, "900")
    desk.order(wallet, "ETH", "B", "2100", "0.5")
    put(desk, wallet, "portfolioMargin")
    desk.control(op="set_book", coin="ETH", mid="2071.3")
    for shown in (RECORDED, figures(desk, wallet)):
        n = {key: Decimal(text) for key, text in shown.items()}
        assert abs(n["hold"] - n["totalMarginUsed"]) < Decimal("0.000001")
        assert abs(n["total"] - n["accountValue"] - n["supplied"]) < Decimal("0.000001")
        assert abs(n["total"] - n["crossMaintenanceMarginUsed"] - n["available"]) < Decimal("0.000001")
        assert abs(n["crossMaintenanceMarginUsed"] / n["total"] - n["ratio"]) < Decimal("0.00000001")


@pytest.mark.parametrize("mode", ["unifiedAccount", "portfolioMargin"])
def test_equity_is_the_same_in_every_mode(desk: Desk, mode: str) -> None:
    wallet = desk.wallet(1, "5000")
    desk.control(op="fund", address=wallet.address, usdc="700", spot=True)
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.order(wallet, "xyz:CL", "A", "80", "2")
    desk.control(op="set_book", coin="ETH", mid="2031.7")
    values = [Decimal(perps(desk, wallet, dex)["marginSummary"]["accountValue"]) for dex in ("", "xyz")]
    standard = sum(values) + Decimal(row(desk, wallet)["total"])
    put(desk, wallet, mode)
    assert Decimal(row(desk, wallet)["total"]) == standard
    open_profit = profit(desk, wallet) + profit(desk, wallet, "xyz")
    assert open_profit < 0
    desk.control(op="config", unified_total="cash")
    assert Decimal(row(desk, wallet)["total"]) == standard - open_profit
    put(desk, wallet, "disabled")
    values = [Decimal(perps(desk, wallet, dex)["marginSummary"]["accountValue"]) for dex in ("", "xyz")]
    assert sum(values) + Decimal(row(desk, wallet)["total"]) == standard


def test_value_on_a_dex_says_nothing_of_a_unified_account(desk: Desk) -> None:
    wallet = desk.wallet(1, "5000")
    put(desk, wallet, "unifiedAccount")
    assert perps(desk, wallet)["marginSummary"]["accountValue"] == perps(desk, wallet)["withdrawable"] == "0.0"
    desk.order(wallet, "ETH", "B", "2100", "1")
    shown = perps(desk, wallet)["marginSummary"]
    used = Decimal(shown["totalMarginUsed"])
    assert Decimal(shown["accountValue"]) == used + profit(desk, wallet)
    assert Decimal(row(desk, wallet)["hold"]) == used


def test_spot_dollars_carry_perps_of_unified_accounts_alone(desk: Desk) -> None:
    wallet = desk.wallet(1, None)
    desk.control(op="fund", address=wallet.address, usdc="1000", spot=True)
    assert "Insufficient margin" in desk.order(wallet, "ETH", "B", "2100", "1")["error"]
    put(desk, wallet, "unifiedAccount")
    assert "filled" in desk.order(wallet, "ETH", "B", "2100", "1")
    # What the position needs can't buy tokens too.
    held = desk.order(wallet, "PURR/USDC", "B", "0.22", "4400", tif="Ioc")
    assert held["error"].startswith("Order has insufficient spot balance to trade")
    assert "filled" in desk.order(wallet, "PURR/USDC", "B", "0.22", "2000", tif="Ioc")


def test_dexs_with_one_collateral_net_and_others_dont(desk: Desk) -> None:
    wallet = desk.wallet(1, "300")
    put(desk, wallet, "unifiedAccount")
    desk.order(wallet, "ETH", "B", "2100", "2")
    desk.order(wallet, "xyz:CL", "A", "80", "30")
    desk.control(op="set_book", coin="ETH", mid="1950")
    desk.control(op="set_book", coin="xyz:CL", mid="78")
    settle_clock(desk)
    # 218 lost on one dex, 227 won on the other: alone, the first would be below maintenance.
    assert desk.position(wallet, "ETH") == "2.0"
    refused = desk.order(wallet, "flx:CRCL", "B", "57", "1")
    assert "Insufficient margin" in refused["error"]
    desk.control(op="set_book", coin="xyz:CL", mid="85.588")
    settle_clock(desk)
    assert (desk.position(wallet, "ETH"), desk.position(wallet, "xyz:CL")) != ("2.0", "-30.0")


def test_liquidation_takes_all_that_shares_the_balance(desk: Desk) -> None:
    wallet, before = desk.wallet(1, "400"), desk.venue.total()
    put(desk, wallet, "unifiedAccount")
    desk.order(wallet, "ETH", "B", "2100", "2")
    desk.order(wallet, "xyz:CL", "B", "90", "1", tif="Gtc")
    desk.order(wallet, "xyz:CL", "B", "60", "1", tif="Gtc")
    desk.control(op="set_book", coin="ETH", mid="1880")
    settle_clock(desk)
    assert (desk.position(wallet, "ETH"), desk.position(wallet, "xyz:CL")) == ("0.0", "0.0")
    assert desk.info("openOrders", user=wallet.address, dex="xyz") == []
    assert row(desk, wallet)["total"] == "0.0"
    assert desk.venue.total() == before


def test_isolated_pots_stay_apart(desk: Desk) -> None:
    wallet = desk.wallet(1, "1000")
    put(desk, wallet, "unifiedAccount")
    desk.act(wallet, {"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 10})
    desk.order(wallet, "ETH", "B", "2100", "1")
    pot = Decimal(perps(desk, wallet)["assetPositions"][0]["position"]["marginUsed"])
    assert Decimal(row(desk, wallet)["hold"]) == pot
    desk.control(op="set_book", coin="ETH", mid="1800")
    settle_clock(desk)
    assert desk.position(wallet, "ETH") == "0.0"
    assert Decimal(row(desk, wallet)["total"]) > 700


def test_leaving_gives_each_dex_what_it_needs(desk: Desk) -> None:
    wallet = desk.wallet(1, "1000")
    put(desk, wallet, "unifiedAccount")
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.order(wallet, "SOL", "B", "80", "1", tif="Gtc")
    used = Decimal(perps(desk, wallet)["marginSummary"]["totalMarginUsed"])
    put(desk, wallet, "disabled")
    state = perps(desk, wallet)
    assert Decimal(state["marginSummary"]["accountValue"]) == used + 4
    assert Decimal(state["withdrawable"]) == 0
    assert row(desk, wallet)["hold"] == "0.0"


def test_leaving_is_refused_while_money_is_owed(desk: Desk) -> None:
    wallet = desk.wallet(1, "130")
    put(desk, wallet, "unifiedAccount")
    desk.order(wallet, "ETH", "B", "2100", "1")
    desk.control(op="set_book", coin="ETH", mid="2020")
    answer = chosen(desk, wallet, "disabled")
    assert answer == {"status": "err", "response": "Insufficient margin to change the account mode."}
    assert desk.info("userAbstraction", user=wallet.address) == "unifiedAccount"


def test_tokens_help_a_portfolio_account_at_half_their_value(desk: Desk) -> None:
    wallet = desk.wallet(1, None)
    desk.control(op="fund", address=wallet.address, token="HYPE", amount="100")
    put(desk, wallet, "unifiedAccount")
    assert "Insufficient margin" in desk.order(wallet, "ETH", "B", "2100", "1")["error"]
    put(desk, wallet, "portfolioMargin")
    # 100 HYPE at 21.15 are worth 1,057.50 of margin: ten times as much at 10x, and no more.
    desk.act(wallet, {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 10})
    assert "Insufficient margin" in desk.order(wallet, "ETH", "B", "2100", "5.1")["error"]
    assert "filled" in desk.order(wallet, "ETH", "B", "2100", "5")
    sent = {"destination": Wallet(2).address, "token": "HYPE", "amount": "10", "time": desk.nonce + 1}
    frame = {"type": "spotSend", "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
    assert desk.act(wallet, frame | sent)["response"] == "Insufficient balance for token transfer."
    assert (row(desk, wallet)["ltv"], row(desk, wallet, "HYPE")["ltv"]) == ("0.0", "0.5")
    assert Decimal(row(desk, wallet)["borrowed"]) > 0
    assert chosen(desk, wallet, "unifiedAccount")["status"] == "err"


def test_backstop_takes_pledged_tokens_for_what_it_pays(desk: Desk) -> None:
    wallet = desk.wallet(1, None)
    desk.control(op="fund", address=wallet.address, token="HYPE", amount="100")
    put(desk, wallet, "portfolioMargin")
    desk.order(wallet, "ETH", "B", "2100", "2")
    before = [desk.venue.total(token) for token in (0, 150)]
    desk.control(op="set_book", coin="ETH", mid="1560")
    settle_clock(desk)
    assert desk.position(wallet, "ETH") == "0.0"
    assert row(desk, wallet)["total"] == "0.0"
    left = Decimal(row(desk, wallet, "HYPE")["total"])
    # About 1,000 lost, paid in HYPE at 21.15.
    assert 45 < left < 60
    assert [desk.venue.total(token) for token in (0, 150)] == before


def test_builders_keep_a_standard_account(desk: Desk) -> None:
    wallet, builder = desk.wallet(1), desk.wallet(2)
    fee = {"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": builder.address}
    fee |= {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
    put(desk, builder, "unifiedAccount")
    refused = desk.act(wallet, fee | {"nonce": desk.nonce + 1})
    assert refused["response"] == "Builder has insufficient balance to be approved."
    put(desk, builder, "disabled")
    desk.control(op="fund", address=builder.address, usdc="100")
    assert desk.act(wallet, fee | {"nonce": desk.nonce + 1}) == OK


def test_nothing_moves_between_spot_and_perps_of_one_balance(desk: Desk) -> None:
    wallet = desk.wallet(1)
    put(desk, wallet, "unifiedAccount")
    move = {"type": "usdClassTransfer", "amount": "5", "toPerp": True}
    move |= {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
    assert desk.act(wallet, move | {"nonce": desk.nonce + 1})["status"] == "err"
    desk.control(op="config", unified_transfers="accept")
    before = row(desk, wallet)
    assert desk.act(wallet, move | {"nonce": desk.nonce + 1}) == OK
    assert row(desk, wallet) == before


def test_unified_accounts_have_so_many_actions_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlfast.sim.authority.UNIFIED_ACTIONS", 3)
    desk = Desk(limits="venue")
    wallet, standard = desk.wallet(1), desk.wallet(2)
    put(desk, wallet, "unifiedAccount")
    answers = [desk.act(wallet, {"type": "noop"})["status"] for _ in range(4)]
    assert answers == ["ok", "ok", "ok", "err"]
    assert [desk.act(standard, {"type": "noop"})["status"] for _ in range(4)] == ["ok"] * 4
    desk.now_ms += 86_400_000
    assert desk.act(wallet, {"type": "noop"})["status"] == "ok"


def test_a_mode_never_chosen_is_told_as_switched(desk: Desk) -> None:
    wallet = desk.wallet(1)
    assert desk.info("userAbstraction", user=wallet.address) == "disabled"
    desk.control(op="config", unchosen_mode="default")
    assert desk.info("userAbstraction", user=wallet.address) == "default"
    desk.control(op="account_mode", address=wallet.address, mode="unifiedAccount")
    assert desk.info("userAbstraction", user=wallet.address) == "unifiedAccount"
