"""Base of every typed answer, and the words that several of them share.

Field names are the venue's own in snake case (`szDecimals` → `sz_decimals`), so that its documentation stays the
reference. Money, prices and sizes are `Decimal`; ids, times (Unix ms) and counts are `int`. Fields the venue adds later
are passed over; fields it leaves out have a default here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

Side = Literal["B", "A"]  # bid (buy) or ask (sell)
# No amount of the venue has more digits than this before or after the point; a number beyond it is damage, not money.
_MOST_DIGITS = 30


class Answer(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """An immutable piece of an answer. Not-a-number, infinity and absurd magnitudes are refused while decoding."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) is Decimal:
                require_amount(value)


def require_amount(value: Decimal) -> None:
    """Refuse what the number syntax allows and money does not.

    Raises:
        ValueError: the value is not finite, or has more than 30 digits on one side of the point.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is no amount")
    exponent = value.as_tuple().exponent
    if value.adjusted() > _MOST_DIGITS or (isinstance(exponent, int) and exponent < -_MOST_DIGITS):
        raise ValueError("a number of more than 30 digits is no amount")


class Leverage(Answer, frozen=True, kw_only=True):
    """How an account holds one coin."""

    type: Literal["cross", "isolated"]
    value: int
    raw_usd: Decimal | None = None  # isolated only
