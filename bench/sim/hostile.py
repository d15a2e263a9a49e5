"""Hostile input from a seed: bodies and frames that know the venue's shapes and then bend, break and overflow them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any, get_args

import msgspec
from msgspec import inspect

from hlfast.sim.actions import AnyAction
from hlfast.sim.faults import AnyFault

ACCOUNTS = [f"0x{number:040x}" for number in range(0x51, 0x57)]
COINS = ("BTC", "ETH", "SOL", "HYPE", "@107", "PURR/USDC", "xyz:TSLA", "@1", "")
_HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**31,
    2**53,
    2**63,
    2**64,
    10**40,
    1.5,
    -0.0,
    1e308,
    "",
    "0x",
    "0x" + "g" * 40,
    "0" * 5_000,
    "\x00",
    "²",
    "NaN",
    "1e400",
    "-1",
    "\U0001f4a3" * 20,
    [],
    {},
    [[[[[]]]]],
    {"type": {}},
)
_TOKENS = (
    b"NaN",
    b"Infinity",
    b"1e400",
    b"-",
    b'"',
    b"\\ud800",
    b"[" * 1_500,
    b'{"a":' * 700,
    b"\xff\xfe",
    b"9" * 60,
    b"\x00",
)
_DECIMALS = ("0", "1", "0.1", "2000", "1999.9", "2000.05", "90000", "9000", "1000", "0.0001", "0.02", "00.10", "-5")
_NAMED: dict[str, tuple[Any, ...]] = {
    "hyperliquidChain": ("Testnet",),
    "signatureChainId": ("0x66eee", "0xa4b1"),
    "destination": tuple(ACCOUNTS),
    "amount": ("1", "10", "0.5", "1000000000"),
    "token": ("USDC:0x6d1e7cde53ba9467b783cb7c530ce054", "USDC", "HYPE:0x0d01dc56dcaaca66ad901c959b4011ec"),
    "sourceDex": ("", "spot", "xyz"),
    "destinationDex": ("", "spot", "xyz"),
    "fromSubAccount": ("",),
    "maxFeeRate": ("0.01%", "0.001%"),
    "abstraction": ("disabled", "unifiedAccount", "u", "i", "p"),
    "wei": (1, 10**8, 10**12),
    "usd": (1_000_000, 100_000_000),
    "a": (0, 1, 5, 10_107),
    "asset": (0, 1, 5, 10_107),
    "cloid": ("0x" + "1" * 32, "0x" + "2" * 32),
}
_INFO_FIELDS: dict[str, Callable[[random.Random], Any]] = {
    "user": lambda rng: rng.choice(ACCOUNTS),
    "coin": lambda rng: rng.choice(COINS),
    "dex": lambda rng: rng.choice(("", "xyz", "spot", "nope")),
    "oid": lambda rng: rng.choice((412_345_000_001 + rng.randrange(4_000), "0x" + "1" * 32, 0)),
    "startTime": lambda rng: rng.choice((0, 1_790_000_000_000, 2**62)),
    "endTime": lambda rng: rng.choice((None, 0, 1_790_000_100_000, 2**62)),
    "req": lambda rng: {"coin": rng.choice(COINS), "interval": rng.choice(("1m", "1h", "1M", "x")), "startTime": 0},
    "interval": lambda rng: rng.choice(("1m", "15m", "1d", "7q")),
    "nSigFigs": lambda rng: rng.choice((None, 2, 5, 6)),
    "mantissa": lambda rng: rng.choice((None, 1, 2, 5)),
    "aggregateByTime": lambda rng: rng.random() < 0.5,
    "fast": lambda rng: rng.random() < 0.5,
    "vaultAddress": lambda rng: rng.choice(ACCOUNTS),
    "builder": lambda rng: rng.choice(ACCOUNTS),
    "reversed": lambda rng: rng.random() < 0.5,
    "ignorePortfolioMargin": lambda rng: rng.random() < 0.5,
}


class Hostile:
    """One source of hostile input; everything it makes follows from its random numbers."""

    def __init__(self, rng: random.Random, info_types: list[str], channels: list[str]) -> None:
        self.rng = rng
        self._info_types = info_types
        self._channels = channels
        self._actions = [inspect.type_info(kind) for kind in get_args(AnyAction)]
        self._faults = [inspect.type_info(kind) for kind in get_args(AnyFault)]

    def anything(self) -> Any:
        """Return a value that fits nowhere."""
        return copy.deepcopy(self.rng.choice(_HOSTILE))

    def info(self) -> Any:
        """Return a body of `/info`."""
        return self.bent({"type": self.rng.choice(self._info_types)} | self._fields(0.6))

    def subscription(self) -> Any:
        """Return a subscription."""
        if self.rng.random() < 0.03:
            return self.anything()
        return self.bent({"type": self.rng.choice(self._channels)} | self._fields(0.7))

    def action(self) -> Any:
        """Return an action of any kind; orders come as often as all the others."""
        rng = self.rng
        if rng.random() < 0.4:
            orders = [self._order() for _ in range(rng.choice((1, 1, 1, 2, 3)))]
            return self.bent({"type": "order", "orders": orders, "grouping": rng.choice(("na", "na", "normalTpsl"))})
        return self.bent(self._of(rng.choice(self._actions)))

    def fault(self) -> Any:
        """Return a fault of any kind."""
        return self.bent(self._of(self.rng.choice(self._faults)))

    def mutated(self, text: bytes) -> bytes:
        """Return the bytes with a few of them flipped, cut, doubled or replaced."""
        rng, data = self.rng, bytearray(text)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data) + 1)
            to = min(len(data), at + rng.randint(1, 12))
            match rng.randrange(5):
                case 0:
                    data[at:to] = bytes(rng.randrange(256) for _ in range(to - at))
                case 1:
                    del data[at:to]
                case 2:
                    data[at:at] = data[at:to]
                case 3:
                    data[at:to] = rng.choice(_TOKENS)
                case _:
                    data[at:] = b""
        return bytes(data)

    def _fields(self, share: float) -> dict[str, Any]:
        rng = self.rng
        return {name: make(rng) for name, make in _INFO_FIELDS.items() if rng.random() < share}

    def bent(self, body: Any) -> Any:
        """Return a body in which, now and then, something is missing, foreign or of another kind."""
        rng = self.rng
        if isinstance(body, dict) and body and rng.random() < 0.25:
            name = rng.choice(list(body))
            match rng.randrange(3):
                case 0:
                    del body[name]
                case 1:
                    body[name] = self.anything()
                case _:
                    body[rng.choice(("extra", "type", "user", "a"))] = self.anything()
        return body

    def _order(self) -> dict[str, Any]:
        rng = self.rng
        trigger = {"isMarket": rng.random() < 0.5, "triggerPx": rng.choice(_DECIMALS), "tpsl": rng.choice(("tp", "sl"))}
        limit = {"limit": {"tif": rng.choice(("Ioc", "Gtc", "Alo", "FrontendMarket"))}}
        order = {
            "a": rng.choice((0, 1, 1, 1, 5, 10_107, 110_000, 999_999)),
            "b": rng.random() < 0.5,
            "p": rng.choice(_DECIMALS),
            "s": rng.choice(_DECIMALS),
            "r": rng.random() < 0.2,
            "t": {"trigger": trigger} if rng.random() < 0.2 else limit,
        }
        if rng.random() < 0.4:
            order["c"] = f"0x{rng.getrandbits(128):032x}"
        return order

    def _of(self, kind: inspect.Type) -> Any:  # noqa: PLR0911 - one for each kind of type
        """Return a value of a described type, or, one time in thirty, of another."""
        rng = self.rng
        if rng.random() < 0.03:
            return self.anything()
        match kind:
            case inspect.StructType():
                tag = {} if kind.tag_field is None else {kind.tag_field: kind.tag}
                fields = [field for field in kind.fields if field.required or rng.random() < 0.5]
                return tag | {field.encode_name: self._named(field) for field in fields}
            case inspect.UnionType():
                return self._of(rng.choice(kind.types))
            case inspect.ListType() | inspect.VarTupleType():
                return [self._of(kind.item_type) for _ in range(rng.choice((0, 1, 1, 2)))]
            case inspect.TupleType():
                return [self._of(item) for item in kind.item_types]
            case inspect.LiteralType():
                return rng.choice(kind.values)
            case inspect.StrType():
                return self._text(kind.pattern or "")
            case inspect.IntType():
                return rng.choice((0, 1, 3, 20, 1_000_000, 412_345_000_001 + rng.randrange(4_000), kind.le or 2**32))
            case inspect.FloatType():
                return rng.choice((0.0, 0.5, 1.0))
            case inspect.BoolType():
                return rng.random() < 0.5
            case inspect.NoneType():
                return None
            case _:
                return self.anything()

    def _named(self, field: inspect.Field) -> Any:
        # A text's type says little; its name says what the venue looks up with it.
        known = _NAMED.get(field.encode_name)
        return self.rng.choice(known) if known and self.rng.random() < 0.9 else self._of(field.type)

    def _text(self, pattern: str) -> str:
        rng = self.rng
        if "{40}" in pattern:
            return rng.choice(ACCOUNTS)
        if "{32}" in pattern:
            return f"0x{rng.getrandbits(128):032x}"
        if "0-9" in pattern:
            return rng.choice(_DECIMALS)
        return rng.choice(
            ("", "USDC:0x6d1e7cde53ba9467b783cb7c530ce054", "Testnet", "0x66eee", "name", *_DECIMALS, *COINS)
        )


def encoded(body: Any) -> bytes:
    """Spell a body as JSON; numbers beyond 64 bits included."""
    return msgspec.json.encode(body) if _is_plain(body) else _spelled(body).encode(errors="replace")


def _is_plain(body: Any) -> bool:
    try:
        msgspec.json.encode(body)
    except (msgspec.MsgspecError, OverflowError, ValueError, TypeError):
        return False
    return True


def _spelled(body: Any) -> str:
    return json.dumps(body)
