"""float_to_wire against the official SDK's rule, written down once more with Decimal."""

from __future__ import annotations

from decimal import Context, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hlfast.signing import float_to_wire


def sdk_rule(value: float) -> str | None:
    """Eight decimals; None where they change the value by 1e-12 or more; never a minus zero."""
    rounded = f"{value:.8f}"
    if abs(float(rounded) - value) >= 1e-12:
        return None
    # The SDK's own call rounds to 28 digits: beyond 10^20 that changes the number, so there the exact one is wanted.
    exact = Decimal(rounded).normalize(Context(prec=400))
    assert abs(value) >= 1e20 or exact == Decimal(rounded).normalize()
    text = f"{exact:f}"
    return "0" if text == "-0" else text


def check(value: float) -> None:
    wanted = sdk_rule(value)
    if wanted is None:
        with pytest.raises(ValueError, match="would be rounded"):
            float_to_wire(value)
    else:
        assert float_to_wire(value) == wanted


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(-0.0)
@example(1e-9)
@example(0.1 + 0.2)
@example(1.7976931348623157e308)
@example(92233720368.54776)
@example(999999.99999999)
@example(5e-324)
def test_any_float(value: float) -> None:
    check(value)


@given(st.integers(-(10**17), 10**17))
def test_eight_decimals_pass(units: int) -> None:
    check(units / 1e8)


@given(st.integers(-(10**15), 10**15), st.integers(-50, 50))
def test_near_eight_decimals(units: int, ulps: int) -> None:
    check(units / 1e8 + ulps * 1e-14)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        float_to_wire(value)
