"""Sign any Hyperliquid action; speed up the official SDK in one line.

Deterministic (RFC 6979) unless a `PresignPool` is passed: signatures then equal the official SDK's bit for bit. `r` and
`s` are hex numbers without leading zeros, as that SDK prints them. Everything here may be called from any thread. The
keys of library users come from Python (`Signer.from_key`); the engine's own keys are read in Rust and never do.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from typing import Any, Final, TypedDict
from weakref import ref

from hlfast._core import (
    PresignPool,
    Signer,
    action_hash,
    float_to_wire,
    keccak256,
    l1_digest,
    recover,
)
from hlfast.errors import SigningError

__all__ = [
    "USER_SIGNED",
    "PresignPool",
    "Signature",
    "Signer",
    "accelerate_sdk",
    "action_hash",
    "float_to_wire",
    "keccak256",
    "l1_digest",
    "recover",
    "sign_user_signed",
]


class Signature(TypedDict):
    """What goes into a request: `r` and `s` as 0x hex without leading zeros, `v` 27 or 28."""

    r: str
    s: str
    v: int


def _fields(declaration: str) -> list[dict[str, str]]:
    pairs = (field.split() for field in declaration.split(", "))
    return [{"name": name, "type": kind} for kind, name in pairs]


def _declare(name: str, fields: str) -> tuple[str, list[dict[str, str]]]:
    return f"HyperliquidTransaction:{name}", _fields(f"string hyperliquidChain, {fields}")


USER_SIGNED: Final[dict[str, tuple[str, list[dict[str, str]]]]] = {
    "approveAgent": _declare("ApproveAgent", "address agentAddress, string agentName, uint64 nonce"),
    "approveBuilderFee": _declare("ApproveBuilderFee", "string maxFeeRate, address builder, uint64 nonce"),
    "userSetAbstraction": _declare("UserSetAbstraction", "address user, string abstraction, uint64 nonce"),
    "userDexAbstraction": _declare("UserDexAbstraction", "address user, bool enabled, uint64 nonce"),
    "usdSend": _declare("UsdSend", "string destination, string amount, uint64 time"),
    "spotSend": _declare("SpotSend", "string destination, string token, string amount, uint64 time"),
    "withdraw3": _declare("Withdraw", "string destination, string amount, uint64 time"),
    "usdClassTransfer": _declare("UsdClassTransfer", "string amount, bool toPerp, uint64 nonce"),
    "sendAsset": _declare(
        "SendAsset",
        "string destination, string sourceDex, string destinationDex, string token, string amount, "
        "string fromSubAccount, uint64 nonce",
    ),
    "tokenDelegate": _declare("TokenDelegate", "address validator, uint64 wei, bool isUndelegate, uint64 nonce"),
    "convertToMultiSigUser": _declare("ConvertToMultiSigUser", "string signers, uint64 nonce"),
}
"""Primary type and fields, in hash order, of each user-signed action (the venue's documentation of typed data)."""


def sign_user_signed(signer: Signer, action: dict[str, Any], *, mainnet: bool) -> Signature:
    """Sign a user-signed action of the table above; sets the chain fields that the venue wants beside it.

    Raises KeyError for an action of another type: use `Signer.sign_user_signed` with your own declaration.
    """
    primary_type, types = USER_SIGNED[action["type"]]
    return signer.sign_user_signed(action, primary_type, types, mainnet)


def accelerate_sdk() -> Callable[[], None]:
    """Make the installed official SDK sign through hlfast; returns the undo.

    Replaces `sign_l1_action`, `sign_user_signed_action`, `action_hash` and `float_to_wire` wherever a loaded module
    holds them, so a bot's own imports speed up too. Signatures stay bit for bit the same. The signer made of a wallet's
    key lives in Rust as long as the wallet does; wallets that keep their key to themselves (hardware) go on signing as
    before. Calling it twice is one acceleration. SigningError when the SDK is absent or has another shape.
    """
    try:
        sdk = importlib.import_module("hyperliquid.utils.signing")
    except ImportError as error:
        raise SigningError("the official SDK is not installed: pip install hyperliquid-python-sdk") from error
    importlib.import_module("hyperliquid.exchange")
    replaced: dict[str, Any] = {name: getattr(sdk, name, None) for name in _REPLACED}
    if missing := sorted(name for name, original in replaced.items() if original is None):
        raise SigningError(f"the installed official SDK has no {', '.join(missing)}; hlfast knows version 0.24")
    swaps: list[tuple[Any, str, Any]] = []
    for name, make in _REPLACED.items():
        original = replaced[name]
        if not hasattr(original, "__hlfast_original__"):
            fast = make(original)
            fast.__hlfast_original__ = original  # type: ignore[attr-defined]
            swaps.extend(_swap(original, fast))

    def undo() -> None:
        for owner, name, original in swaps:
            setattr(owner, name, original)
        swaps.clear()

    return undo


def _swap(original: Any, fast: Any) -> list[tuple[Any, str, Any]]:
    done = []
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is original:
                setattr(module, name, fast)
                done.append((module, name, original))
    return done


# By identity: a wallet's own hash and equality would read its key each time.
_signers: dict[int, tuple[ref[Any], Signer]] = {}


def _signer_of(wallet: Any) -> Signer | None:
    known = _signers.get(id(wallet))
    if known is not None and known[0]() is wallet:
        return known[1]
    key = getattr(wallet, "key", None)
    if not isinstance(key, bytes):
        return None
    signer = Signer.from_key(bytes(key))
    identity = id(wallet)
    with contextlib.suppress(TypeError):  # a wallet without weak references is simply not remembered
        _signers[identity] = (ref(wallet, lambda _: _signers.pop(identity, None)), signer)
    return signer


def _fast_sign_l1_action(original: Callable[..., Any]) -> Callable[..., Any]:
    def sign_l1_action(
        wallet: Any, action: Any, active_pool: str | None, nonce: int, expires_after: int | None, is_mainnet: bool
    ) -> Any:
        signer = _signer_of(wallet)
        if signer is None:
            return original(wallet, action, active_pool, nonce, expires_after, is_mainnet)
        return signer.sign_l1(action, nonce, active_pool, expires_after, is_mainnet)

    return sign_l1_action


def _fast_sign_user_signed_action(original: Callable[..., Any]) -> Callable[..., Any]:
    def sign_user_signed_action(
        wallet: Any, action: dict[str, Any], payload_types: list[dict[str, str]], primary_type: str, is_mainnet: bool
    ) -> Any:
        signer = _signer_of(wallet)
        if signer is None:
            return original(wallet, action, payload_types, primary_type, is_mainnet)
        action["signatureChainId"] = "0x66eee"
        action["hyperliquidChain"] = "Mainnet" if is_mainnet else "Testnet"
        return signer.sign_user_signed(action, primary_type, payload_types, is_mainnet)

    return sign_user_signed_action


def _fast_action_hash(_original: Callable[..., Any]) -> Callable[..., Any]:
    def sdk_action_hash(action: Any, vault_address: str | None, nonce: int, expires_after: int | None) -> bytes:
        return action_hash(action, nonce, vault_address, expires_after)

    return sdk_action_hash


def _fast_float_to_wire(_original: Callable[..., Any]) -> Callable[..., Any]:
    def sdk_float_to_wire(x: float) -> str:
        return float_to_wire(x)

    return sdk_float_to_wire


_REPLACED: Final[dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = {
    "sign_l1_action": _fast_sign_l1_action,
    "sign_user_signed_action": _fast_sign_user_signed_action,
    "action_hash": _fast_action_hash,
    "float_to_wire": _fast_float_to_wire,
}
