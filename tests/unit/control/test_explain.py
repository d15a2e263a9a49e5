from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import journal

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
