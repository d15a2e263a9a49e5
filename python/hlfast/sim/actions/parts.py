"""The typed actions of `/exchange`, field for field in the order in which the venue hashes them.

The venue parses JSON into typed structs and packs those again before it hashes, so a client that signs another order, a
non-canonical number or a mixed-case address recovers to a stranger's address. These structs do the same: msgspec packs
fields as declared, leaves unset options out, and `__post_init__` brings values to the venue's own spelling.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

# msgspec bounds stop at int64; no id or time of the venue comes near it.
U64 = Annotated[int, Meta(ge=0, le=2**63 - 1)]
I64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
U32 = Annotated[int, Meta(ge=0, lt=2**32)]
Short = Annotated[str, Meta(max_length=40)]
Decimal = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", max_length=40)]
Address = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$")]
# Some clients post `vaultAddress` without its prefix (recorded bodies of ccxt); inside actions the prefix is hashed.
BareAddress = Annotated[str, Meta(pattern="^(0x)?[0-9a-fA-F]{40}$")]
Cloid = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{32}$")]
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@lru_cache(maxsize=1 << 16)  # clients repeat prices and sizes; `Short` and `Decimal` bound what is kept
def canonical(text: str) -> str:
    """Return the venue's own spelling of a decimal: trailing zeros and dot gone, no surplus leading zeros.

    Raises:
        ValueError: it is no decimal.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"invalid decimal `{text}`")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if len(text) > 1 and text[0] == "0" and text[1] != ".":
        text = text.lstrip("0")
        if not text or text[0] == ".":
            text = "0" + text
    return text


class Part(msgspec.Struct, omit_defaults=True, gc=False, rename="camel"):
    """A map inside an action; options left at None aren't packed."""


class Limit(Part):
    """A limit order's time in force."""

    tif: str

    def __post_init__(self) -> None:
        if self.tif not in ("Alo", "Ioc", "Gtc", "FrontendMarket"):
            raise ValueError(f"unknown variant `{self.tif}`")


class Trigger(Part):
    """When a trigger order fires, and whether as a market order."""

    is_market: bool
    trigger_px: Decimal
    tpsl: str

    def __post_init__(self) -> None:
        self.trigger_px = canonical(self.trigger_px)
        if self.tpsl not in ("tp", "sl"):
            raise ValueError(f"unknown variant `{self.tpsl}`")


class OrderType(Part):
    """Exactly one of limit and trigger."""

    limit: Limit | None = None
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.trigger is None):
            raise ValueError("exactly one of `limit` and `trigger` is needed")


class OrderWire(Part):
    """One order: asset, buy, price, size, reduce-only, type, client order id."""

    a: U32
    b: bool
    p: Short
    s: Short
    r: bool
    t: OrderType
    c: Cloid | None = None

    def __post_init__(self) -> None:
        self.p = canonical(self.p)
        self.s = canonical(self.s)
        if self.c is not None:
            self.c = self.c.lower()


class Builder(Part):
    """Who gets a builder fee, in tenths of a basis point."""

    b: Address
    f: U64

    def __post_init__(self) -> None:
        self.b = self.b.lower()


class Priority(Part):
    """A priority fee in 1e-8 of the filled notional."""

    p: U64


class CancelWire(Part):
    """Asset and oid of one cancel."""

    a: U32
    o: U64


class CancelCloidWire(Part):
    """Asset and client order id of one cancel."""

    asset: U32
    cloid: Cloid

    def __post_init__(self) -> None:
        self.cloid = self.cloid.lower()


class ModifyWire(Part):
    """The old order and its replacement."""

    oid: U64 | str
    order: OrderWire


class TwapWire(Part):
    """Asset, buy, size, reduce-only, minutes, randomised."""

    a: U32
    b: bool
    s: Decimal
    r: bool
    m: U32
    t: bool


class TwapTrigger(Part):
    """Price at which a waiting TWAP starts, and whether the mark must be above it."""

    p: Decimal
    a: bool


class TwapDetails(msgspec.Struct, gc=False):
    """Start trigger and stop price of a TWAP; the one part whose unset options are packed as nil."""

    t: TwapTrigger | None
    s: Decimal | None


class Signature(msgspec.Struct, gc=False):
    """r and s as hex numbers; clients may drop leading zeros, so their length says nothing."""

    r: str
    s: str
    v: I64


class Action(msgspec.Struct, tag_field="type", omit_defaults=True, gc=False, rename="camel"):
    """Base of the L1 actions: signed by an account or its agent through the hash of their packed bytes."""

    def requests(self) -> int:
        """Return how many requests of the address budget the action takes: one an item."""
        return 1


class UserSigned(msgspec.Struct, tag_field="type", omit_defaults=True, gc=False, rename="camel"):
    """Base of the user-signed actions: typed data, signed by the account's own key, never by an agent."""

    signature_chain_id: str
    hyperliquid_chain: str

    def requests(self) -> int:
        """Return how many requests of the address budget the action takes."""
        return 1


class Unsupported(msgspec.Struct, tag_field="type", gc=False):
    """Base of actions that this venue knows by name only; their fields aren't read."""

    def requests(self) -> int:
        """Return how many requests of the address budget the action takes."""
        return 1
