"""Random market days conserve every 1e-8; each planted loss is found and stops the venue by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bench.sim.market_day import BUILDER, MarketDay

from hlfast.sim.accounts import Account
from hlfast.sim.audit import ConservationError
from hlfast.sim.funding import Funding
from hlfast.sim.liquidation import Liquidation
from hlfast.sim.numbers import times
from hlfast.sim.purse import Purse
from hlfast.sim.settlement import Settlement
from hlfast.sim.transfers import Transfers
from sim.desk import Desk

STEPS = 3_000
Plant = Callable[[pytest.MonkeyPatch], None]


def live(seed: int, steps: int = STEPS) -> MarketDay:
    day = MarketDay(seed)
    for _ in range(steps):
        day.step()
    return day


@pytest.mark.parametrize("seed", range(2))
def test_a_random_day_loses_nothing(seed: int) -> None:
    day = live(seed)
    assert day.weigh() == day.before
    day.venue.audit.recount(day.venue.everybody(), day.venue.begin_block())
    events = day.count_events()
    kinds = ("order ok", "modify ok", "twapOrder ok", "withdraw3 ok", "funding payments", "moves")
    assert [kind for kind in kinds if not events.get(kind)] == []


def fee_taken_and_not_booked(patch: pytest.MonkeyPatch) -> None:
    settle = Settlement._settle_side

    def forgetful(self: Any, order: Any, *args: Any) -> None:
        fees = dict(self._venue.fees)
        settle(self, order, *args)
        if not order.asset.is_spot:
            self._venue.fees.update(fees)

    patch.setattr(Settlement, "_settle_side", forgetful)


def funding_paid_twice(patch: pytest.MonkeyPatch) -> None:
    charge = Funding._charge

    def twice(self: Any, *args: Any) -> int:
        charge(self, *args)
        return charge(self, *args)

    patch.setattr(Funding, "_charge", twice)


def liquidation_rounds_to_cents(patch: pytest.MonkeyPatch) -> None:
    hand_over = Liquidation._hand_over

    def rounded(self: Any, pool: Any, *args: Any) -> None:
        hand_over(self, pool, *args)
        raw = self._venue.backstop.raw
        raw[pool.dex] = raw[pool.dex] // 10**6 * 10**6

    patch.setattr(Liquidation, "_hand_over", rounded)


def deleveraging_moves_one_side(patch: pytest.MonkeyPatch) -> None:
    transfer = Settlement.transfer

    def one_sided(self: Any, deal: Any, block: Any) -> None:
        if deal.text == "Auto-Deleveraging":
            deal.account.trade_perp(deal.asset, deal.signed, times(deal.price, abs(deal.signed)))
        else:
            transfer(self, deal, block)

    patch.setattr(Settlement, "transfer", one_sided)


def isolated_pot_stays_behind(patch: pytest.MonkeyPatch) -> None:
    def keep(_self: Any, _asset: Any, held: Any, closed: int, value: int) -> None:
        equity = held.isolated + value * abs(held.size) // closed
        held.isolated += value - equity * closed // abs(held.size)

    patch.setattr(Account, "_release", keep)


def builder_is_paid_by_nobody(patch: pytest.MonkeyPatch) -> None:
    charge = Settlement._charge_builder

    def gift(self: Any, order: Any, terms: Any, value: int) -> int:
        fee = charge(self, order, terms, value)
        if fee and not order.asset.is_spot:
            order.owner.raw[order.asset.dex] += fee
        return fee

    patch.setattr(Settlement, "_charge_builder", gift)


def withdrawal_fee_vanishes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Purse, "burn", lambda _self, _token, _amount: None)


def each_side_rounds_for_itself(patch: pytest.MonkeyPatch) -> None:
    # The fault that the first version had: toward negative infinity on both sides, one 1e-8 short where they differ.
    trade = Account.trade_perp

    def floored(self: Any, asset: Any, signed_size: int, notional: int) -> Any:
        return trade(self, asset, signed_size, notional + (signed_size < 0))

    patch.setattr(Account, "trade_perp", floored)


PLANTS: list[Plant] = [
    fee_taken_and_not_booked,
    funding_paid_twice,
    liquidation_rounds_to_cents,
    deleveraging_moves_one_side,
    isolated_pot_stays_behind,
    builder_is_paid_by_nobody,
    withdrawal_fee_vanishes,
    each_side_rounds_for_itself,
]


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_loss_stops_the_venue(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(ConservationError, match="nothing accounts for"):
        live(3)


def test_withdrawal_declares_what_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    withdraw = Transfers._withdraw

    def undeclared(self: Any, action: Any, origin: Any, block: Any) -> None:
        outside = dict(self._venue.audit.outside)
        withdraw(self, action, origin, block)
        self._venue.audit.outside.update(outside)

    monkeypatch.setattr(Transfers, "_withdraw", undeclared)
    with pytest.raises(ConservationError, match="token USDC"):
        live(4)


def test_recount_finds_what_touched_no_balance() -> None:
    day = live(5, 500)
    account = day.venue.account(BUILDER)
    dict.__setitem__(account.raw, "", account.raw[""] + 1)
    block = day.venue.begin_block()
    day.venue.audit.check(block)
    with pytest.raises(ConservationError, match=f"of {BUILDER} changed by 1 "):
        day.venue.audit.recount(day.venue.everybody(), block)


def test_broken_venue_takes_no_further_block() -> None:
    desk = Desk()
    wallet = desk.wallet(1)
    desk.venue.account(wallet.address).raw[""] += 1
    with pytest.raises(ConservationError, match="token USDC changed by 1 "):
        desk.order(wallet, "ETH", "B", "2100", "1")
    with pytest.raises(ConservationError):
        desk.order(wallet, "ETH", "B", "2100", "1")
    assert desk.server.links() == []
