"""Exact amounts, legal prices, the maker's ladder, the minute windows."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlfast.sim.actions import canonical
from hlfast.sim.book import ladder, round_price
from hlfast.sim.limits import Limits, action_weight, info_weight, row_weight
from hlfast.sim.numbers import SCALE, parse, ratio, trimmed, try_parse, usd, wire
from hlfast.sim.settings import Settings
from hlfast.sim.universe import Universe
from sim.desk import Desk

UNIVERSE = Universe()
AMOUNTS = st.integers(-(10**24), 10**24)


@given(AMOUNTS)
def test_amounts_survive_their_spelling(value: int) -> None:
    assert parse(wire(value)) == parse(trimmed(value)) == value
    assert Decimal(wire(value)) * SCALE == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12))
def test_canonical_spelling_is_the_trimmed_one(value: Decimal) -> None:
    text = f"{abs(value):f}"
    assert canonical(text) == trimmed(parse(text))


@pytest.mark.parametrize(
    "text", ["", "-", ".", "1.", "1e5", "+1", " 1", "0x1", "NaN", "1" * 41, "1.123456789", "१", "1.2.3"]
)
def test_what_is_no_amount(text: str) -> None:
    assert try_parse(text) is None


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0.0"), (SCALE, "1.0"), (-150, "-0.000001"), (-50, "0.0"), (123_456, "0.001234")]
)
def test_money_is_cut_to_six_decimals(value: int, shown: str) -> None:
    assert usd(value) == shown


@given(AMOUNTS, AMOUNTS)
def test_ratio_goes_toward_zero(value: int, by: int) -> None:
    exact = (
        Decimal(0) if by == 0 else Decimal(abs(value) * SCALE // abs(by)).copy_sign(Decimal(value) * Decimal(by or 1))
    )
    assert ratio(value, by) == exact


@pytest.mark.parametrize(
    ("coin", "price", "is_legal"),
    [
        ("BTC", "97123.5", False), ("BTC", "97123", True), ("BTC", "123456", True), ("BTC", "9712.3", True),
        ("ETH", "3200.55", False), ("ETH", "3200.5", True),
        ("kPEPE", "0.012345", True), ("PUMP", "0.0123456", False),
        ("ARB", "0.01234", True), ("ARB", "0.012345", False),
    ],
)  # fmt: skip
def test_tick_table(coin: str, price: str, is_legal: bool) -> None:
    assert UNIVERSE.by_coin[coin].price_is_legal(parse(price)) is is_legal


@given(st.sampled_from(sorted(UNIVERSE.by_coin)), st.integers(1, 10**14), st.booleans())
def test_rounded_prices_are_legal_and_near(coin: str, price: int, up: bool) -> None:
    asset = UNIVERSE.by_coin[coin]
    rounded = round_price(asset, price, up=up)
    assert rounded > 0
    assert asset.price_is_legal(rounded)
    assert abs(rounded - price) <= asset.tick(price)
    assert rounded >= price if up else rounded <= max(price, asset.finest_tick)


@given(st.sampled_from(sorted(UNIVERSE.by_coin)), st.integers(10**3, 10**13), st.integers(1, 50))
def test_ladder_never_crosses_itself(coin: str, mid: int, spread: int) -> None:
    asset = UNIVERSE.by_coin[coin]
    mid = round_price(asset, mid, up=False)
    rows = list(ladder(asset, mid, spread, 1_000_000, 8))
    bids = [price for is_buy, price, _ in rows if is_buy]
    asks = [price for is_buy, price, _ in rows if not is_buy]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert asks
    assert not bids or bids[0] < asks[0]
    assert all(asset.price_is_legal(price) and size > 0 and size % asset.lot == 0 for _, price, size in rows)


def test_every_asset_starts_with_a_two_sided_book() -> None:
    desk = Desk()
    for coin, asset in desk.venue.universe.by_coin.items():
        sides = desk.info("l2Book", coin=coin)["levels"]
        if not asset.is_delisted:
            assert all(sides), coin
            assert float(sides[1][0]["px"]) / float(sides[0][0]["px"]) < 1.05, coin


def test_book_precision_rounds_outwards() -> None:
    desk = Desk()
    desk.control(op="set_book", coin="ETH", mid="2043.2")
    bids, asks = desk.info("l2Book", coin="ETH", nSigFigs=3)["levels"]
    assert bids[0]["px"] == "2040.0"
    assert asks[0]["px"] == "2050.0"


def test_windows_forget_after_a_minute() -> None:
    now = [0.0]
    limits = Limits(Settings(limits="venue"), lambda: now[0])
    assert all(limits.spend(limits.source("127.0.0.1"), 60) for _ in range(20))
    assert not limits.spend(limits.source("127.0.0.1"), 1)
    assert limits.spend(limits.source("127.0.0.2"), 60)
    now[0] = 59.9
    assert not limits.spend(limits.source("127.0.0.1"), 1)
    now[0] = 60.0
    assert limits.spend(limits.source("127.0.0.1"), 1_200)
    for _ in range(30):
        assert limits.may_connect(limits.source("127.0.0.3"))
        limits.source("127.0.0.3").connections = 0
    assert not limits.may_connect(limits.source("127.0.0.3"))
    assert all(limits.may_send(limits.source("127.0.0.4")) for _ in range(2_000))
    assert not limits.may_send(limits.source("127.0.0.4"))


def test_addresses_that_went_quiet_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlfast.sim.limits.MAX_SOURCES", 3)
    now = [0.0]
    limits = Limits(Settings(limits="venue"), lambda: now[0])
    assert limits.spend(limits.source("127.0.0.1"), 1_200)
    assert limits.may_connect(limits.source("127.0.0.2"))
    now[0] = 30.0
    assert limits.spend(limits.source("127.0.0.3"), 1_200)
    now[0] = 61.0
    limits.source("127.0.0.4")
    assert list(limits._sources) == ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    assert not limits.spend(limits.source("127.0.0.3"), 1)


def test_weights_are_the_documented_ones() -> None:
    assert (info_weight("l2Book"), info_weight("userRole"), info_weight("meta")) == (2, 60, 20)
    assert row_weight("userFills", [None] * 2_000) == 100
    assert row_weight("candleSnapshot", [None] * 600) == 10
    assert (action_weight(1), action_weight(39), action_weight(40), action_weight(80)) == (1, 1, 2, 3)
