"""The simulator's own reading of the signing rules against vectors made by the official SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hlfast.sim import signatures
from hlfast.sim.actions import ParseError, Signature, convert_envelope, parse_envelope

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/protocol/signing_vectors.json").read_text())
CASES = [(v, network) for v in VECTORS["vectors"] for network in ("mainnet", "testnet") if network in v]


def body_of(vector: dict[str, Any], network: str) -> dict[str, Any]:
    return {
        "action": vector["action"],
        "nonce": vector["nonce"],
        "signature": vector[network],
        "vaultAddress": vector.get("vaultAddress"),
        "expiresAfter": vector.get("expiresAfter"),
    }


def signer_of(body: dict[str, Any], network: str) -> str | None:
    envelope = convert_envelope(body)
    hashed = signatures.digest_of(envelope, network)
    assert hashed is not None
    return signatures.recover(envelope.signature, hashed[1])


@pytest.mark.parametrize(("vector", "network"), CASES, ids=lambda v: v if isinstance(v, str) else v["name"])
def test_recover_finds_the_sdk_signer(vector: dict[str, Any], network: str) -> None:
    assert signer_of(body_of(vector, network), network) == VECTORS["address"].lower()


@pytest.mark.parametrize("vector", [v for v in VECTORS["vectors"] if v["scheme"] == "l1"], ids=lambda v: v["name"])
def test_connection_id_equals_the_vector(vector: dict[str, Any]) -> None:
    envelope = convert_envelope(body_of(vector, "testnet"))
    identity = signatures.connection_id(
        envelope.action,
        envelope.nonce,
        envelope.vault_address,
        envelope.expires_after,
    )
    assert "0x" + identity.hex() == vector["connectionId"]


def test_wrong_network_recovers_a_stranger() -> None:
    vector = VECTORS["vectors"][0]
    body = body_of(vector, "mainnet")
    assert signer_of(body, "testnet") not in (None, VECTORS["address"].lower())


@pytest.mark.parametrize(
    ("r", "s", "v"),
    [("0x0", "0x1", 27), ("zz", "0x1", 27), ("0x1", "0x1", 99), ("0x" + "f" * 64, "0x1", 27), ("", "0x1", 28)],
)
def test_garbage_signature_recovers_nobody(r: str, s: str, v: int) -> None:
    assert signatures.recover(Signature(r=r, s=s, v=v), bytes(32)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"action": {"type": "noSuchAction"}},
        {"action": {"type": "order", "orders": [], "grouping": "nope"}},
        {"nonce": -1},
        {"nonce": "1"},
        {"vaultAddress": "0x12"},
        {"action": {"type": "cancel", "cancels": [{"a": 1, "o": 2**64}]}},
    ],
)
def test_misfit_bodies_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ParseError):
        parse_envelope(json.dumps(body_of(VECTORS["vectors"][0], "mainnet") | change))


def test_non_canonical_number_signs_as_its_canonical_form() -> None:
    vector = next(v for v in VECTORS["vectors"] if v["name"] == "ioc order")
    body = json.loads(json.dumps(body_of(vector, "testnet")))
    body["action"]["orders"][0]["p"] = "1670.10"
    # The venue packs its own spelling, so the SDK's signature over "1670.1" still stands.
    assert signer_of(body, "testnet") == VECTORS["address"].lower()
