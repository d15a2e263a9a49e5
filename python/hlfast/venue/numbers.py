"""Amounts on their way to the venue: exact decimals to canonical text, never through a float."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation, localcontext

# The venue hashes numbers as text, at most 8 decimals; another spelling of the same number is a wrong signature.
WIRE_DECIMALS = 8
_MOST = Decimal(10) ** 20

Amount = Decimal | str | int


def to_decimal(value: Amount) -> Decimal:
    """Read an exact amount.

    Raises:
        TypeError: a float (0.1 is not a tenth), a bool or another type.
        ValueError: no finite number, or larger than any amount.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | str | int):
        raise TypeError(f"amounts are Decimal, text or int, not {type(value).__name__}: write Decimal('…')")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is no number") from None
    if not number.is_finite() or abs(number) >= _MOST:
        raise ValueError(f"{value!r} is no amount")
    return number


def to_wire(value: Amount) -> str:
    """Write an amount as the venue hashes it: no exponent, no trailing zeros, no "-0".

    Raises:
        TypeError, ValueError: see `to_decimal`; also more than 8 decimals that are not zeros.
    """
    number = to_decimal(value)
    with localcontext() as context:
        context.prec = 60
        if number != number.quantize(Decimal(1).scaleb(-WIRE_DECIMALS)):
            raise ValueError(f"{value} has more than {WIRE_DECIMALS} decimals: round it first")
        text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def to_micros(value: Amount) -> int:
    """Write an amount of USDC as the integer in 1e-6 USDC that some actions carry.

    Raises:
        TypeError, ValueError: see `to_decimal`; also a part of a millionth.
    """
    micros = to_decimal(value) * 1_000_000
    if micros != int(micros):
        raise ValueError(f"{value} has more than 6 decimals: round it first")
    return int(micros)
