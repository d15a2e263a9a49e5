"""Who signed: hash the typed action as the venue does and recover the address with libsecp256k1."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import coincurve
import msgspec
from eth_hash.auto import keccak

from hlfast.sim import actions
from hlfast.sim.actions import Action, Envelope, Signature, UserSigned

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_AGENT_TYPE = keccak(b"Agent(string source,bytes32 connectionId)")
_SOURCE = {"mainnet": keccak(b"a"), "testnet": keccak(b"b")}
_CHAIN = {"mainnet": "Mainnet", "testnet": "Testnet"}

# Primary type and fields of each user-signed action, in hash order (all but `signatureChainId` and `type`).
_USER_TYPES: dict[type[UserSigned], tuple[str, tuple[tuple[str, str], ...]]] = {
    actions.ApproveAgentAction: (
        "ApproveAgent",
        (("string", "hyperliquidChain"), ("address", "agentAddress"), ("string", "agentName"), ("uint64", "nonce")),
    ),
    actions.ApproveBuilderFeeAction: (
        "ApproveBuilderFee",
        (("string", "hyperliquidChain"), ("string", "maxFeeRate"), ("address", "builder"), ("uint64", "nonce")),
    ),
    actions.UserSetAbstractionAction: (
        "UserSetAbstraction",
        (("string", "hyperliquidChain"), ("address", "user"), ("string", "abstraction"), ("uint64", "nonce")),
    ),
    actions.UserDexAbstractionAction: (
        "UserDexAbstraction",
        (("string", "hyperliquidChain"), ("address", "user"), ("bool", "enabled"), ("uint64", "nonce")),
    ),
    actions.UsdSendAction: (
        "UsdSend",
        (("string", "hyperliquidChain"), ("string", "destination"), ("string", "amount"), ("uint64", "time")),
    ),
    actions.SpotSendAction: (
        "SpotSend",
        (
            ("string", "hyperliquidChain"),
            ("string", "destination"),
            ("string", "token"),
            ("string", "amount"),
            ("uint64", "time"),
        ),
    ),
    actions.WithdrawAction: (
        "Withdraw",
        (("string", "hyperliquidChain"), ("string", "destination"), ("string", "amount"), ("uint64", "time")),
    ),
    actions.UsdClassTransferAction: (
        "UsdClassTransfer",
        (("string", "hyperliquidChain"), ("string", "amount"), ("bool", "toPerp"), ("uint64", "nonce")),
    ),
    actions.SendAssetAction: (
        "SendAsset",
        (
            ("string", "hyperliquidChain"),
            ("string", "destination"),
            ("string", "sourceDex"),
            ("string", "destinationDex"),
            ("string", "token"),
            ("string", "amount"),
            ("string", "fromSubAccount"),
            ("uint64", "nonce"),
        ),
    ),
}


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
_user_type_hashes = {
    kind: keccak(f"HyperliquidTransaction:{name}({','.join(f'{sort} {field}' for sort, field in fields)})".encode())
    for kind, (name, fields) in _USER_TYPES.items()
}
_attributes = {
    kind: dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)) for kind in _USER_TYPES
}
_pack = msgspec.msgpack.Encoder()


def connection_id(action: Action, nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    """Return keccak256 of the packed action with nonce, vault and expiry, as the venue hashes it."""
    tail = nonce.to_bytes(8, "big")
    tail += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault[2:])
    if expires_after is not None:
        tail += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(_pack.encode(action) + tail)


def l1_digest(identity: bytes, network: str) -> bytes:
    """Return the digest that is signed for an L1 action on `mainnet` or `testnet`."""
    return keccak(b"\x19\x01" + _EXCHANGE_DOMAIN + keccak(_AGENT_TYPE + _SOURCE[network] + identity))


def user_digest(action: UserSigned) -> bytes | None:
    """Return the digest of a user-signed action, or None when its chain id isn't a hex number."""
    _, fields = _USER_TYPES[type(action)]
    try:
        chain_id = int(action.signature_chain_id, 16)
    except ValueError:
        return None
    if not 0 <= chain_id < 2**256:
        return None
    attributes = _attributes[type(action)]
    words = b"".join(_FIELD[sort](getattr(action, attributes[name])) for sort, name in fields)
    struct_hash = keccak(_user_type_hashes[type(action)] + words)
    return keccak(b"\x19\x01" + _domain("HyperliquidSignTransaction", chain_id) + struct_hash)


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


@lru_cache(maxsize=4_096)
def address_of(point: bytes) -> str:
    """Return the lower-case address of a public key's 64 bytes; signers come back, so the hash is kept."""
    return "0x" + keccak(point)[-20:].hex()


def digest_of(envelope: Envelope, network: str) -> tuple[bytes, bytes] | None:
    """Return (identity, digest) of a request; the identity is what the venue shows as the transaction's hash."""
    action = envelope.action
    if isinstance(action, UserSigned):
        digest = user_digest(action)
        return None if digest is None else (digest, digest)
    identity = connection_id(action, envelope.nonce, envelope.vault_address, envelope.expires_after)
    return identity, l1_digest(identity, network)


def chain_name(network: str) -> str:
    """Return `hyperliquidChain` of a network."""
    return _CHAIN[network]
