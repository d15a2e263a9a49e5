"""Who signed: hash the typed action as the venue does and recover the address with libsecp256k1."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

import coincurve
import msgspec
from eth_hash.auto import keccak

from hlfast.sim import actions
from hlfast.sim.actions import Envelope, MultiSigAction, MultiSigPayload, Signature, Unsupported, UserSigned

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_AGENT_TYPE = keccak(b"Agent(string source,bytes32 connectionId)")
_SOURCE = {"mainnet": keccak(b"a"), "testnet": keccak(b"b")}
_CHAIN = {"mainnet": "Mainnet", "testnet": "Testnet"}

# Typed data of each user-signed action as it is hashed (all fields but `signatureChainId` and `type`). The prefix
# `HyperliquidTransaction:` is part of the name.
_USER_TYPES: dict[type[UserSigned], str] = {
    actions.ApproveAgentAction: (
        "ApproveAgent(string hyperliquidChain,address agentAddress,string agentName,uint64 nonce)"
    ),
    actions.ApproveBuilderFeeAction: (
        "ApproveBuilderFee(string hyperliquidChain,string maxFeeRate,address builder,uint64 nonce)"
    ),
    actions.UserSetAbstractionAction: (
        "UserSetAbstraction(string hyperliquidChain,address user,string abstraction,uint64 nonce)"
    ),
    actions.UserDexAbstractionAction: (
        "UserDexAbstraction(string hyperliquidChain,address user,bool enabled,uint64 nonce)"
    ),
    actions.UserPortfolioMarginAction: (
        "UserPortfolioMargin(string hyperliquidChain,address user,bool enabled,uint64 nonce)"
    ),
    actions.UsdSendAction: "UsdSend(string hyperliquidChain,string destination,string amount,uint64 time)",
    actions.SpotSendAction: (
        "SpotSend(string hyperliquidChain,string destination,string token,string amount,uint64 time)"
    ),
    actions.WithdrawAction: "Withdraw(string hyperliquidChain,string destination,string amount,uint64 time)",
    actions.UsdClassTransferAction: "UsdClassTransfer(string hyperliquidChain,string amount,bool toPerp,uint64 nonce)",
    actions.SendAssetAction: (
        "SendAsset(string hyperliquidChain,string destination,string sourceDex,string destinationDex,string token,"
        "string amount,string fromSubAccount,uint64 nonce)"
    ),
    actions.CDepositAction: "CDeposit(string hyperliquidChain,uint64 wei,uint64 nonce)",
    actions.CWithdrawAction: "CWithdraw(string hyperliquidChain,uint64 wei,uint64 nonce)",
    actions.TokenDelegateAction: (
        "TokenDelegate(string hyperliquidChain,address validator,uint64 wei,bool isUndelegate,uint64 nonce)"
    ),
    actions.ConvertToMultiSigUserAction: ("ConvertToMultiSigUser(string hyperliquidChain,string signers,uint64 nonce)"),
}
_SEND_MULTI_SIG = "SendMultiSig(string hyperliquidChain,bytes32 multiSigActionHash,uint64 nonce)"
# A multi-sig's signers sign the same struct with these fields after the chain.
_MULTI_SIG_FIELDS = "address payloadMultiSigUser,address outerSigner,"


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _domain(name: str, chain_id: int) -> bytes:
    return keccak(_DOMAIN_TYPE + keccak(name.encode()) + keccak(b"1") + _word(chain_id) + bytes(32))


_EXCHANGE_DOMAIN = _domain("Exchange", 1337)
_FIELD: dict[str, Callable[[object], bytes]] = {
    "string": lambda value: keccak(str(value or "").encode()),
    "address": lambda value: bytes(12) + bytes.fromhex(str(value)[2:]),
    "uint64": lambda value: _word(int(str(value))),
    "bool": lambda value: _word(1 if value else 0),
}


def _type_hash(text: str) -> bytes:
    return keccak(b"HyperliquidTransaction:" + text.encode())


def _fields_of(kind: type[UserSigned], text: str) -> tuple[tuple[str, str], ...]:
    """Return (type, attribute) of each field in hash order."""
    attributes = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    pairs = (field.split() for field in text[text.index("(") + 1 : -1].split(","))
    return tuple((sort, attributes[name]) for sort, name in pairs)


_fields = {kind: _fields_of(kind, text) for kind, text in _USER_TYPES.items()}
_type_hashes = {kind: _type_hash(text) for kind, text in _USER_TYPES.items()}
_multi_sig_type_hashes = {
    kind: _type_hash(text.replace(",", "," + _MULTI_SIG_FIELDS, 1)) for kind, text in _USER_TYPES.items()
}
_send_multi_sig_hash = _type_hash(_SEND_MULTI_SIG)
_pack = msgspec.msgpack.Encoder()
# Inside a multi-sig payload the account mode is one letter, but the word is what is signed.
_ABSTRACTION_WORDS = {"i": "disabled", "u": "unifiedAccount", "p": "portfolioMargin"}


def connection_id(packed: object, nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    """Return keccak256 of what msgpack makes of an action, with nonce, vault and expiry, as the venue hashes it."""
    tail = nonce.to_bytes(8, "big")
    tail += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault[2:])
    if expires_after is not None:
        tail += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(_pack.encode(packed) + tail)


def l1_digest(identity: bytes, network: str) -> bytes:
    """Return the digest that is signed for an L1 action on `mainnet` or `testnet`."""
    return keccak(b"\x19\x01" + _EXCHANGE_DOMAIN + keccak(_AGENT_TYPE + _SOURCE[network] + identity))


def _typed_digest(chain: str, struct_hash: bytes) -> bytes | None:
    """Return the digest in the domain of a wallet's chain, or None when the chain id isn't a hex number."""
    try:
        chain_id = int(chain, 16)
    except ValueError:
        return None
    if not 0 <= chain_id < 2**256:
        return None
    return keccak(b"\x19\x01" + _domain("HyperliquidSignTransaction", chain_id) + struct_hash)


def user_digest(action: UserSigned, payload: MultiSigPayload | None = None) -> bytes | None:
    """Return the digest of a user-signed action, or None when its chain id isn't a hex number.

    With `payload` it is the digest that a signer of that multi-sig account signs.
    """
    kind = type(action)
    words = [_FIELD[sort](getattr(action, attribute)) for sort, attribute in _fields[kind]]
    if payload is None:
        type_hash = _type_hashes[kind]
    else:
        type_hash = _multi_sig_type_hashes[kind]
        words[1:1] = [_FIELD["address"](payload.multi_sig_user), _FIELD["address"](payload.outer_signer)]
    return _typed_digest(action.signature_chain_id, keccak(type_hash + b"".join(words)))


def inner_digest(envelope: Envelope, payload: MultiSigPayload, network: str) -> bytes | None:
    """Return the digest that each signer of a multi-sig account signs for the payload's action."""
    inner = payload.action
    if isinstance(inner, UserSigned):
        word = _ABSTRACTION_WORDS.get(getattr(inner, "abstraction", ""))
        if word is not None:
            inner = msgspec.structs.replace(inner, abstraction=word)
        return user_digest(inner, payload)
    signed = [payload.multi_sig_user, payload.outer_signer, inner]
    return l1_digest(connection_id(signed, envelope.nonce, envelope.vault_address, envelope.expires_after), network)


def _envelope_digest(envelope: Envelope, action: MultiSigAction, network: str) -> tuple[bytes, bytes] | None:
    """Return (identity, digest) of a multi-sig envelope; its tag isn't part of the hash."""
    untagged = {
        "signatureChainId": action.signature_chain_id,
        "signatures": action.signatures,
        "payload": action.payload,
    }
    identity = connection_id(untagged, envelope.nonce, envelope.vault_address, envelope.expires_after)
    words = keccak(chain_name(network).encode()) + identity + _word(envelope.nonce)
    digest = _typed_digest(action.signature_chain_id, keccak(_send_multi_sig_hash + words))
    return None if digest is None else (identity, digest)


def recover(signature: Signature, digest: bytes) -> str | None:
    """Return the lower-case address that signed `digest`, or None when the numbers are no signature."""
    try:
        r, s = int(signature.r, 16), int(signature.s, 16)
    except ValueError:
        return None
    if signature.v not in (0, 1, 27, 28) or not 0 < r < _ORDER or not 0 < s < _ORDER:
        return None
    packed = _word(r) + _word(s) + bytes([signature.v % 27])
    try:
        key = coincurve.PublicKey.from_signature_and_message(packed, digest, hasher=None)
    except (ValueError, Exception) as error:  # coincurve raises a bare Exception for an unrecoverable point
        if type(error) not in (ValueError, Exception):
            raise
        return None
    return address_of(key.format(compressed=False)[1:])


def is_high(signature: Signature) -> bool:
    """Tell whether s lies above half of the group's order; every client in use signs below."""
    try:
        return int(signature.s, 16) > _ORDER // 2
    except ValueError:
        return False


@lru_cache(maxsize=4_096)
def address_of(point: bytes) -> str:
    """Return the lower-case address of a public key's 64 bytes; signers come back, so the hash is kept."""
    return "0x" + keccak(point)[-20:].hex()


def claim(envelope: Envelope) -> tuple[bytes, str | None]:
    """Return a stand-in for the hash, and the signer that `r` names: for venues that check no signature.

    Equal bodies have equal hashes, others don't, as with the true one.
    """
    parts = (envelope.action, envelope.nonce, envelope.vault_address, envelope.expires_after, envelope.signature.r)
    digest = hashlib.blake2b(_pack.encode(parts), digest_size=32).digest()
    try:
        named = int(envelope.signature.r, 16)
    except ValueError:
        return digest, None
    return digest, f"0x{named:040x}" if 0 < named < 2**160 else None


def digest_of(envelope: Envelope, network: str) -> tuple[bytes, bytes] | None:
    """Return (identity, digest) of a request; the identity is what the venue shows as the transaction's hash."""
    action = envelope.action
    if isinstance(action, UserSigned):
        digest = user_digest(action)
        return None if digest is None else (digest, digest)
    if isinstance(action, MultiSigAction):
        return _envelope_digest(envelope, action, network)
    if isinstance(action, Unsupported):
        return None
    identity = connection_id(action, envelope.nonce, envelope.vault_address, envelope.expires_after)
    return identity, l1_digest(identity, network)


def chain_name(network: str) -> str:
    """Return `hyperliquidChain` of a network."""
    return _CHAIN[network]
