"""Shapes of single values: addresses, decimals, names, URLs. Each function adds what it finds to a list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from urllib.parse import urlsplit

from hlfast.config.problems import Problem

# The venue's own domains (protocol notes, 2026-08) and the network each one belongs to.
_VENUE_DOMAINS = {
    "hyperliquid.xyz": "mainnet",
    "hyperliquid-testnet.xyz": "testnet",
}
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_DECIMAL = re.compile(r"[0-9]{1,16}(?:\.([0-9]+))?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ZERO_ADDRESS = "0x" + "0" * 40
# Scaled by 1e6 in the core's 64-bit integers this leaves three digits of headroom for sums over followers.
MAX_USD = Decimal(1_000_000_000)
MAX_FACTOR = Decimal(1000)
MIN_ORDER_USD = Decimal(10)  # "Order must have minimum value of $10."

Problems = list[Problem]


def venue_network(host: str | None) -> str | None:
    """Return the network of one of the venue's own hosts; None for any other host."""
    name = (host or "").rstrip(".")  # a dot at the end names the same host
    for domain, network in _VENUE_DOMAINS.items():
        if name == domain or name.endswith(f".{domain}"):
            return network
    return None


def address(problems: Problems, setting: str, value: str) -> str:
    """Check an address and return it in lower case. Any mix of cases is taken: checksums are not required."""
    if not _ADDRESS.fullmatch(value):
        digits = len(value) - 2 if value[:2] in {"0x", "0X"} else len(value)
        fix = f"write 0x and 40 hexadecimal digits (there are {digits} characters after 0x)"
        problems.append(Problem(setting, "is no address", fix))
    elif value.lower() == _ZERO_ADDRESS:
        problems.append(Problem(setting, "is the zero address", "write the account's own address"))
    return value.lower()


def amount(
    problems: Problems, setting: str, value: str | None, *, most: Decimal, decimals: int, least: Decimal | None = None
) -> Decimal | None:
    """Check a positive decimal text and return its value; None when absent or wrong."""
    if value is None:
        return None
    match = _DECIMAL.fullmatch(value)
    if match is None:
        problems.append(
            Problem(setting, f'"{value[:40]}" is no decimal number', 'write digits and one dot, as in "12.5"')
        )
        return None
    number = Decimal(value)
    if len((match[1] or "").rstrip("0")) > decimals:
        problems.append(Problem(setting, f"has more than {decimals} decimals", "round it"))
    elif number == 0:
        problems.append(Problem(setting, "is zero", "leave it out for no limit, or write what you mean"))
    elif number > most:
        problems.append(Problem(setting, f"is more than {most}", "write a smaller number"))
    elif least is not None and number < least:
        fix = "raise it, or leave it out for no limit"
        problems.append(
            Problem(setting, f"is below the venue's minimum order of ${least}, so nothing could be sent", fix)
        )
    else:
        return number
    return None


def usd(problems: Problems, setting: str, value: str | None, *, least: Decimal | None = None) -> Decimal | None:
    """Check an amount of money: at most 6 decimals, as the core counts in 1e-6 USD."""
    return amount(problems, setting, value, most=MAX_USD, decimals=6, least=least)


def factor(problems: Problems, setting: str, value: str | None) -> Decimal | None:
    """Check a ratio or weight: at most 8 decimals."""
    return amount(problems, setting, value, most=MAX_FACTOR, decimals=8)


def whole(problems: Problems, setting: str, value: int, least: int, most: int) -> None:
    """Check a whole number's range."""
    if not least <= value <= most:
        problems.append(Problem(setting, f"{value} is out of range", f"write {least} to {most}"))


def name(problems: Problems, setting: str, value: str) -> None:
    """Check a name: what is allowed in it also fits logs, metrics and file names."""
    if not _NAME.fullmatch(value):
        fix = "use 1 to 64 letters, digits, '_', '-', '.', beginning with a letter or digit"
        problems.append(Problem(setting, f"{value[:70]!r} is no name", fix))


def no_repeats(problems: Problems, settings: Iterable[tuple[str, str]], what: str, fix: str) -> None:
    """Refuse a second (setting, value) with a value seen before."""
    first: dict[str, str] = {}
    for setting, value in settings:
        if value in first:
            problems.append(Problem(setting, f"{what} as {first[value]}", fix))
        else:
            first[value] = setting


def url(problems: Problems, setting: str, value: str, schemes: tuple[str, str]) -> str | None:
    """Check a URL and return its host in lower case; None when it is wrong."""
    plain, secure = schemes
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        problems.append(Problem(setting, f"is no URL ({error})", f"write {secure}://host"))
        return None
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        problems.append(Problem(setting, "is no usable URL", f"write {secure}://host or {plain}://host:port"))
        return None
    if parts.username is not None or parts.query or parts.fragment:
        problems.append(Problem(setting, "carries more than host and path", "write it without user, '?' and '#'"))
        return None
    host = parts.hostname.lower()
    if venue_network(host) is not None and parts.scheme != secure:
        problems.append(Problem(setting, f"sends to {host} unencrypted", f"write {secure}://{host}"))
    return host
