from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import journal

from hlfast.config.model import Follow, Follower
from hlfast.control import bounds
from hlfast.control.explain import REASONS, explain, slippage_of
from hlfast.control.rows import Translator
from hlfast.store.tables import receipts

ROOT = Path(__file__).parents[3]
NOTHING: dict[str, Any] = {"fill": None, "attempts": [], "cloids": [], "quote": None}


def receipt(**change: Any) -> dict[str, Any]:
    import orjson

    objects = [orjson.dumps(item) for item in journal.record(3)]
    values = Translator("j", journal.config()).batch(objects, 2).rows["receipts"][0]
    row = dict(zip(receipts.c.keys(), values, strict=True))
    for name in (
        "leader_before",
        "leader_after",
        "leader_price",
        "entitled_before",
        "entitled_after",
        "ordered",
        "limit_price",
        "filled",
        "average_price",
    ):
        row[name] = Decimal(row[name])
    return {**row, **change}


def test_explain_knows_every_reason_of_the_core() -> None:
    text = (ROOT / "rust/core/src/commands.rs").read_text(encoding="utf-8")
    names = set(re.findall(r'^    \w+ = "(\w+)",$', text, re.MULTILINE))
    assert len(names) > 20
    assert set(REASONS) == names


def test_explain_tells_every_number_of_the_receipt() -> None:
    row = receipt()
    said = " ".join(step.text for step in explain(row, NOTHING).steps)
    for name in (
        "leader_before",
        "leader_after",
        "leader_price",
        "entitled_before",
        "entitled_after",
        "ordered",
        "limit_price",
        "filled",
        "average_price",
    ):
        assert f"{row[name].normalize():f}" in said, name
    assert str(row["tid"]) in said


def test_explain_of_a_merged_receipt_points_to_the_one_with_the_numbers() -> None:
    told = explain(receipt(outcome="merged_into", merged_into=77, ordered=Decimal(0), filled=Decimal(0)), NOTHING)
    assert "receipt 77" in " ".join(step.text for step in told.steps)
    assert told.slippage is None


GROWN = {
    "coin": "ETH",
    "leader_before": Decimal(0),
    "leader_after": Decimal(-3),
    "leader_price": Decimal(2000),
    "entitled_before": Decimal("-0.1"),
    "entitled_after": Decimal("-0.3"),
    "ordered": Decimal("-0.2"),
    "limit_price": Decimal(1994),
    "time_ms": 1_000,
    "decided_ms": 1_004,
    "planned_ms": 1_010,
    "reason": "none",
}


@pytest.mark.parametrize(
    ("setting", "reason", "said"),
    [
        ({"coins_allow": ["BTC", "SOL"]}, "coin_filtered", "coins_allow BTC SOL: ETH is not on it"),
        ({"coins_block": ["ETH"]}, "coin_filtered", "coins_block ETH: ETH is on it"),
        ({"side": "long"}, "side_filtered", "side long: the leader was short"),
        (
            {"min_value_usd": "7000"},
            "below_min_value",
            "min_value_usd 7000: the leader's position was worth 6,000.00 USD",
        ),
        (
            {"max_value_usd": "5000"},
            "above_max_value",
            "max_value_usd 5000: the leader's position was worth 6,000.00 USD",
        ),
        ({"hours": ["08:00-09:00"]}, "outside_hours", "hours 08:00-09:00 UTC: decided at 00:00:01 UTC"),
        ({"min_day_volume_usd": "9"}, "low_volume", "min_day_volume_usd 9: stopped it"),
        ({"min_day_volume_usd": "9"}, "none", "min_day_volume_usd 9: did not stop it"),
        ({"max_leader_leverage": "3"}, "leader_leverage", "max_leader_leverage 3: stopped it"),
        ({"quality_window": "month"}, "quality_unread", "quality_window month: stopped it"),
        ({"delay_ms": 500}, "leader_left", "delay_ms 500: stopped it"),
        ({"max_age_ms": 5}, "too_old", "max_age_ms 5: 10 ms old when it was ordered"),
        ({"max_order_usd": "400"}, "none", "max_order_usd 400 of the follow: 400.00 USD were added"),
        ({"max_position_usd": "700"}, "none", "max_position_usd 700 of the follow: 600.00 USD entitled"),
        ({"max_gross_usd": "900"}, "none", "max_gross_usd 900 of the follow, over all coins of the leader"),
        ({"entry_band_bps": 30}, "none", "entry_band_bps 30: the limit stood 30.00 bps beyond the leader's price"),
        ({"max_depth_percent": 20}, "impact", "max_depth_percent 20 of the follow: stopped it"),
    ],
)
def test_explain_holds_each_setting_against_what_the_fill_had(setting: dict[str, Any], reason: str, said: str) -> None:
    told = explain(receipt(**GROWN) | {"reason": reason}, NOTHING | {"policy": setting})
    assert said in " ".join(step.text for step in told.steps)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"max_order_usd": "398.8"}, "max_order_usd 398.8 of the account: 398.80 USD ordered at its limit"),
        ({"max_position_usd": "500"}, "max_position_usd 500 of the account, with all leaders of this coin"),
        ({"max_gross_usd": "900"}, "max_gross_usd 900 of the account, over all coins"),
        ({"max_daily_loss_usd": "50"}, "max_daily_loss_usd 50 of the account: did not stop it"),
    ],
)
def test_explain_names_the_caps_of_the_account(setting: dict[str, Any], said: str) -> None:
    told = explain(receipt(**GROWN), NOTHING | {"account": setting})
    assert said in " ".join(step.text for step in told.steps)


def test_explain_of_a_reduction_says_that_no_filter_holds_it_back() -> None:
    policy = {"min_value_usd": "7000", "reduce_band_bps": 100, "emergency_band_bps": 300}
    shrunk = GROWN | {"leader_before": Decimal(-5), "ordered": Decimal("0.2"), "limit_price": Decimal(2010)}
    told = explain(receipt(**shrunk), NOTHING | {"policy": policy, "account": {"max_gross_usd": "900"}})
    text = " ".join(step.text for step in told.steps)
    assert "no filter holds an exit back" in text
    assert "min_value_usd" not in text
    assert "reduce_band_bps 100 from the best opposite price, emergency_band_bps 300 without one" in text
    assert "max_gross_usd" not in text
    capped = explain(receipt(**shrunk) | {"reason": "cap"}, NOTHING | {"account": {"max_gross_usd": "900"}})
    assert "max_gross_usd 900" in " ".join(step.text for step in capped.steps)


def test_explain_knows_the_settings_that_the_model_has() -> None:
    """A setting that is renamed would be passed over in silence."""
    known = {field.name for kind in (Follow, Follower) for field in msgspec.structs.fields(kind)}
    named = re.findall(
        r'"((?:min|max|coins|quality|delay|entry|reduce|emergency)_\w+)"', Path(bounds.__file__).read_text()
    )
    assert len(named) > 15
    assert set(named) - known - set(REASONS) == set()


def test_explain_reasons_that_settings_stop_with_are_reasons() -> None:
    every = [*bounds._UNSEEN.values(), *bounds._UNSEEN_CAPS.values()]
    assert {reason for reasons in every for reason in reasons} <= set(REASONS)


@pytest.mark.parametrize(
    ("ordered", "average", "usd", "bps"),
    [("2", "101", "2", "100"), ("-2", "101", "-2", "-100"), ("2", "99.5", "-1", "-50")],
)
def test_slippage_by_hand(ordered: str, average: str, usd: str, bps: str) -> None:
    row = receipt(
        ordered=Decimal(ordered),
        filled=Decimal(2),
        leader_price=Decimal(100),
        average_price=Decimal(average),
        entitled_before=Decimal(0),
        entitled_after=Decimal("2.5") * (1 if Decimal(ordered) > 0 else -1),
    )
    cost = slippage_of(row)
    assert cost is not None
    assert (cost.price_usd, cost.bps, cost.rounding_usd) == (Decimal(usd), Decimal(bps), Decimal(50))


@pytest.mark.parametrize(
    ("sign", "quote", "parts"),
    [
        # A buy: the middle had gone from 100 to 100.5, the ask stood at 100.6, and the order paid 100.9.
        (1, ("100.4", "100.6"), ("1", "0.2", "0.6")),
        # A sale at 100.9 with the best bid at 100.4: the market had moved in its favour.
        (-1, ("100.4", "100.6"), ("-1", "0.2", "-1")),
    ],
)
def test_slippage_is_split_by_the_quote_of_its_order(sign: int, quote: tuple[str, str], parts: tuple[str, ...]) -> None:
    row = receipt(
        ordered=Decimal(2 * sign),
        filled=Decimal(2),
        leader_price=Decimal(100),
        average_price=Decimal("100.9"),
        entitled_before=Decimal(0),
        entitled_after=Decimal(2 * sign),
    )
    cost = slippage_of(row, {"bid": Decimal(quote[0]), "ask": Decimal(quote[1])})
    assert cost is not None
    assert (cost.delay_usd, cost.spread_usd, cost.impact_usd) == tuple(Decimal(part) for part in parts)
    assert sum((Decimal(part) for part in parts), Decimal(0)) == cost.price_usd


@given(
    st.decimals("0.01", "100000", places=5),
    st.decimals("0.01", "100000", places=5),
    st.decimals("0.01", "100000", places=5),
    st.decimals("0.01", "100000", places=5),
    st.decimals("0.00001", "1000", places=5),
    st.sampled_from([1, -1]),
)
def test_parts_of_slippage_are_the_whole_to_the_last_digit(
    price: Decimal, average: Decimal, bid: Decimal, ask: Decimal, filled: Decimal, sign: int
) -> None:
    row = receipt(ordered=filled * sign, filled=filled, leader_price=price, average_price=average)
    cost = slippage_of(row, {"bid": bid, "ask": ask})
    assert cost is not None
    assert cost.delay_usd is not None
    assert cost.spread_usd is not None
    assert cost.impact_usd is not None
    assert cost.delay_usd + cost.spread_usd + cost.impact_usd == cost.price_usd


@pytest.mark.parametrize(
    "quote", [None, {"bid": Decimal(0), "ask": Decimal(5)}, {"bid": Decimal(5), "ask": Decimal(0)}]
)
def test_slippage_without_both_sides_of_a_quote_is_one_number(quote: dict[str, Decimal] | None) -> None:
    cost = slippage_of(receipt(), quote)
    assert cost is not None
    assert (cost.delay_usd, cost.spread_usd, cost.impact_usd) == (None, None, None)
