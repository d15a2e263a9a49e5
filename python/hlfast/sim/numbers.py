"""Every amount in the simulator is an integer count of 1e-8: prices, sizes and money alike.

A legal perp price times a legal perp size has at most six decimals, a spot one eight (the venue's tick and lot rules):
the products that move money are exact in this unit.
"""

from __future__ import annotations

from functools import lru_cache

SCALE = 100_000_000
DECIMALS = 8
# 20 integer digits hold any amount the venue can print; longer strings are hostile, not large.
MAX_DIGITS = 40
# One fill spells or reads about twenty numbers, most of them seen before: prices of a ladder, sizes of a client.
KEPT = 1 << 16


def try_parse(text: str) -> int | None:
    """Read a plain decimal string as a count of 1e-8; None when it isn't one or has more than eight decimals."""
    # Hostile lengths stay out of the cache, which would keep them.
    return read(text) if len(text) <= MAX_DIGITS else None


@lru_cache(maxsize=KEPT)
def read(text: str) -> int | None:
    """Read a text whose length is bounded already, as in typed requests; else like `try_parse`."""
    if not text or not text.isascii():
        return None
    negative = text[0] == "-"
    whole, dot, part = (text[1:] if negative else text).partition(".")
    if not whole.isdigit() or (dot and not part.isdigit()):
        return None
    part = part.rstrip("0")
    if len(part) > DECIMALS:
        return None
    value = int(whole) * SCALE + (int(part) * 10 ** (DECIMALS - len(part)) if part else 0)
    return -value if negative else value


def parse(text: str) -> int:
    """Read a plain decimal string as a count of 1e-8.

    Raises:
        ValueError: not a plain decimal, or more than eight decimals.
    """
    value = try_parse(text)
    if value is None:
        raise ValueError(f"{text[:60]!r} is not a decimal number with at most {DECIMALS} decimals")
    return value


@lru_cache(maxsize=KEPT)
def wire(value: int) -> str:
    """Spell an amount as the venue answers: at least one decimal, no trailing zeros beyond it."""
    if value < 0:
        return "-" + wire(-value)
    whole, part = divmod(value, SCALE)
    if not part:
        return f"{whole}.0"
    return f"{whole}.{part:08d}".rstrip("0")


def trimmed(value: int) -> str:
    """Spell an amount as clients must sign it: no trailing zeros, no trailing dot."""
    text = wire(value)
    return text.removesuffix(".0")


def usd(value: int) -> str:
    """Spell money rounded toward zero to the six decimals that the venue prints for USDC."""
    magnitude = abs(value) // 100 * 100
    return wire(-magnitude if value < 0 else magnitude)


def times(price: int, size: int) -> int:
    """Return price times size; exact for legal prices and sizes, toward negative infinity otherwise."""
    return price * size // SCALE


def ratio(value: int, by: int) -> int:
    """Return value over `by` as a count of 1e-8, toward zero; zero when `by` is zero."""
    if by == 0:
        return 0
    quotient = abs(value) * SCALE // abs(by)
    return quotient if (value < 0) == (by < 0) else -quotient
