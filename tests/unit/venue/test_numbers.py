"""Amounts on the wire: canonical text, exact, never through a float."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlfast.signing import float_to_wire
from hlfast.venue.numbers import to_micros, to_wire


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1900.50", "1900.5"),
        (Decimal(100), "100"),
        (Decimal("1E+3"), "1000"),
        ("0.00000001", "0.00000001"),
        ("-0.0", "0"),
        (0, "0"),
        ("-1.10", "-1.1"),
        (Decimal(12345678901234567890).scaleb(-8), "123456789012.3456789"),
    ],
)
def test_wire_text_is_canonical(value: Decimal | str | int, text: str) -> None:
    assert to_wire(value) == text


@pytest.mark.parametrize("value", ["0.000000001", "NaN", "inf", "x", "", "1" * 21, "1e30"])
def test_what_is_no_wire_amount_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"is no|more than 8"):
        to_wire(value)


@pytest.mark.parametrize("value", [0.1, True, None, b"1"])
def test_floats_and_other_types_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="write Decimal"):
        to_wire(value)  # type: ignore[arg-type]


@given(st.decimals(min_value=0, max_value=10**6, places=6, allow_nan=False, allow_infinity=False))
def test_wire_text_equals_the_signer_s(value: Decimal) -> None:
    # Six digits and the eight that the SDK prints are within what a float holds, so both ways agree to the letter.
    assert to_wire(value) == float_to_wire(float(value))


def test_micros_are_whole() -> None:
    assert to_micros("1.5") == 1_500_000
    assert to_micros(-2) == -2_000_000
    with pytest.raises(ValueError, match="more than 6 decimals"):
        to_micros("0.0000001")
