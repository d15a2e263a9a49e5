"""`hlfast.signing` against every published vector, and what it refuses."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hlfast import signing
from hlfast.errors import KeyFileError, SigningError

VECTORS = Path(__file__).parents[1] / "vectors"
KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


SDK = load("signing.json")
PROTOCOL = load("protocol.json")
CLIENTS = load("clients.json")


@pytest.mark.parametrize("vector", SDK["l1"], ids=lambda v: f"{v['action']['type']}-{v['nonce']}")
def test_sdk_l1(vector: dict[str, Any]) -> None:
    signer = signing.Signer.from_key(vector["key"])
    args = (vector["action"], vector["nonce"], vector["vault"], vector["expires_after"])
    digest = signing.action_hash(*args)
    assert "0x" + digest.hex() == vector["action_hash"]
    typed = signing.l1_digest(digest, vector["mainnet"])
    assert "0x" + typed.hex() == vector["digest"]
    assert signer.address == vector["address"]
    signature = signer.sign_l1(*args, vector["mainnet"])
    assert signature == vector["signature"]
    assert signing.recover(typed, signature) == signer.address


@pytest.mark.parametrize("vector", SDK["user"], ids=lambda v: f"{v['action']['type']}-{v['mainnet']}")
def test_sdk_user_signed(vector: dict[str, Any]) -> None:
    signer = signing.Signer.from_key(vector["key"])
    assert signer.address == vector["address"]
    assert signing.sign_user_signed(signer, dict(vector["action"]), mainnet=vector["mainnet"]) == vector["signature"]


@pytest.mark.parametrize("vector", SDK["wire"], ids=lambda v: repr(v["x"]))
def test_sdk_wire(vector: dict[str, Any]) -> None:
    wanted = vector.get("wire")
    if wanted is None:
        with pytest.raises(ValueError, match="number"):
            signing.float_to_wire(float(vector["x"]))
    else:
        assert signing.float_to_wire(float(vector["x"])) == ("0" if wanted == "-0" else wanted)


@pytest.mark.parametrize(
    "vector", PROTOCOL["vectors"], ids=lambda v: f"{v['name']}-{v.get('network', '')}".replace(" ", "-")
)
def test_protocol(vector: dict[str, Any]) -> None:
    signer = signing.Signer.from_key(PROTOCOL["privateKey"])
    assert signer.address == PROTOCOL["address"].lower()
    if vector["scheme"] == "user":
        mainnet = vector["network"] == "Mainnet"
        assert signing.sign_user_signed(signer, dict(vector["action"]), mainnet=mainnet) == vector["signature"]
        return
    args = (vector["action"], vector["nonce"], vector["vaultAddress"], vector["expiresAfter"])
    assert "0x" + signing.action_hash(*args).hex() == vector["connectionId"]
    for network in ("mainnet", "testnet"):
        assert signer.sign_l1(*args, mainnet=network == "mainnet") == vector[network]


def number(text: str) -> int:
    return int(text, 16)


@pytest.mark.parametrize("vector", CLIENTS, ids=lambda v: f"{v['name']}-{v['isMainnet']}")
def test_other_clients(vector: dict[str, Any]) -> None:
    signer = signing.Signer.from_key(vector["privateKey"])
    assert signer.address == vector["address"].lower()
    if vector["kind"] == "l1_action":
        args = (vector["action"], vector["nonce"], vector["vaultAddress"], vector["expiresAfter"])
        if vector["connectionId"]:
            assert "0x" + signing.action_hash(*args).hex() == vector["connectionId"]
        made = signer.sign_l1(*args, mainnet=vector["isMainnet"])
    else:
        action = dict(vector["action"])
        made = signer.sign_user_signed(action, vector["primaryType"], vector["types"], vector["isMainnet"])
    if wanted := vector["signature"]:
        # Other clients pad with zeros: the numbers are what counts.
        assert [number(made["r"]), number(made["s"]), made["v"]] == [
            number(wanted["r"]),
            number(wanted["s"]),
            wanted["v"],
        ]


def test_short_numbers_lose_their_zeros() -> None:
    signature = signing.Signer.from_key(KEY).sign_l1({"type": "noop"}, 1790000100001)
    assert signature["s"] == "0xd342476dcbcf6ed3541c17b8224c34a728ba56b50ba5c7f9e4a0aeb808d82ca"


def test_order_is_the_callers() -> None:
    forwards = {"type": "x", "a": 1, "b": 2}
    backwards = {"type": "x", "b": 2, "a": 1}
    assert signing.action_hash(forwards, 0) != signing.action_hash(backwards, 0)


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ({"type": "order", "orders": [{"p": 1670.1}]}, r"action\.orders\[0\]\.p is a float"),
        ({"type": "x", "n": 2**64}, r"action\.n is an integer beyond 64 bits"),
        ({"type": "x", "d": Decimal(1)}, r"action\.d is of type .*Decimal"),
        ({"type": "x", 5: 1}, r"action\.5 is a key that is not a string"),
    ],
)
def test_actions_are_refused_by_path(action: Any, path: str) -> None:
    with pytest.raises((TypeError, ValueError), match=path):
        signing.action_hash(action, 0)


def test_a_cycle_is_refused() -> None:
    action: dict[str, Any] = {"type": "x"}
    action["self"] = action
    with pytest.raises(ValueError, match="nested deeper than 32"):
        signing.action_hash(action, 0)


@pytest.mark.parametrize("key", ["0x12", "zz" * 32, "00" * 32, "ff" * 32, b"short"])
def test_bad_keys(key: str | bytes) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        signing.Signer.from_key(key)
    if isinstance(key, str):
        assert key not in str(caught.value)


def test_addresses_are_checked() -> None:
    with pytest.raises(ValueError, match="not an address"):
        signing.action_hash({"type": "noop"}, 0, vault_address="0x12")


def test_a_contradicting_chain_is_refused() -> None:
    signer = signing.Signer.from_key(KEY)
    action = {"type": "usdSend", "destination": ADDRESS, "amount": "1", "time": 1, "hyperliquidChain": "Mainnet"}
    with pytest.raises(ValueError, match="hyperliquidChain is Mainnet"):
        signing.sign_user_signed(signer, action, mainnet=False)


def test_missing_fields_are_named() -> None:
    signer = signing.Signer.from_key(KEY)
    with pytest.raises(KeyError, match="amount is missing"):
        signing.sign_user_signed(signer, {"type": "usdSend", "destination": ADDRESS, "time": 1}, mainnet=True)


def order_body(**changes: Any) -> bytes:
    signer = signing.Signer.from_key(KEY)
    order: dict[str, Any] = {"asset": 4, "is_buy": True, "price": "1670.1", "size": 0.0147, "nonce": 1677777606040}
    return signer.order_request(**(order | changes))


def test_order_request_is_the_signed_body() -> None:
    body = json.loads(order_body())
    signer = signing.Signer.from_key(KEY)
    assert body["signature"] == signer.sign_l1(body["action"], body["nonce"])
    assert list(body) == ["action", "nonce", "signature", "vaultAddress", "expiresAfter"]
    assert body["action"]["orders"] == [
        {"a": 4, "b": True, "p": "1670.1", "s": "0.0147", "r": False, "t": {"limit": {"tif": "Ioc"}}}
    ]
    cloid = "0x" + "ab" * 16
    vault = "0x" + "cd" * 20
    full = json.loads(order_body(cloid=cloid, vault_address=vault, expires_after=5, mainnet=False, reduce_only=True))
    assert full["action"]["orders"][0]["c"] == cloid
    assert full["signature"] == signer.sign_l1(full["action"], full["nonce"], vault, 5, mainnet=False)


@pytest.mark.parametrize("price", ["1670.1", 1670.1, Decimal("1670.10"), Decimal("1.6701E+3")])
def test_one_price_in_every_type(price: Any) -> None:
    assert order_body(price=price) == order_body()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price": "1e5"}, "price 1e5"),
        ({"price": float("nan")}, "price nan"),
        ({"price": -1}, "price -1"),
        ({"size": "0"}, "size 0 must be above zero"),
        ({"size": 1e-9}, "would be rounded"),
        ({"size": True}, "size must be a number"),
        ({"size": "1" * 41}, "longer than 40"),
        ({"tif": "ioc"}, "tif"),
        ({"cloid": "0x1"}, "cloid"),
    ],
)
def test_order_request_refuses_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        order_body(**changes)


def wait_ready(pool: signing.PresignPool, count: int) -> None:
    while pool.ready < count:  # bounded by the test's timeout
        assert pool.counts()["failed"] == 0


def test_a_pool_signs_for_its_signers_and_never_repeats_an_r() -> None:
    signers = [signing.Signer.from_key(f"{n:064x}") for n in range(1, 5)]
    pool = signing.PresignPool(signers, depth=8)
    wait_ready(pool, 32)
    orders = [(n % 4, 4, True, "1670.1", 0.0147, 1000 + n // 8) for n in range(32)]
    seen = set()
    for order, raw in zip(orders, pool.order_requests(list(orders), mainnet=False), strict=True):
        body = json.loads(raw)
        digest = signing.l1_digest(signing.action_hash(body["action"], order[5]), mainnet=False)
        assert signing.recover(digest, body["signature"]) == signers[order[0]].address
        assert body["nonce"] == order[5]
        seen.add(body["signature"]["r"])
    assert len(seen) == 32
    assert pool.counts()["taken"] + pool.counts()["empty"] == 32
    raw = signers[1].order_request(4, True, 1, 1, nonce=5, pool=pool)
    body = json.loads(raw)
    digest = signing.l1_digest(signing.action_hash(body["action"], 5), mainnet=True)
    assert signing.recover(digest, body["signature"]) == signers[1].address


def test_a_pool_refuses_strangers_and_doubles() -> None:
    signer, other = signing.Signer.from_key("01" * 32), signing.Signer.from_key("02" * 32)
    with pytest.raises(ValueError, match="given twice"):
        signing.PresignPool([signer, signer])
    with pytest.raises(ValueError, match="depth"):
        signing.PresignPool([signer], depth=100_000)
    pool = signing.PresignPool([signer], depth=1)
    with pytest.raises(ValueError, match="not made with the signer"):
        other.order_request(4, True, 1, 1, nonce=5, pool=pool)
    with pytest.raises((IndexError, SigningError)):
        pool.order_requests([(1, 4, True, 1, 1, 5)])
    with pytest.raises(ValueError, match="an order is"):
        pool.order_requests([(1, 4)])  # type: ignore[list-item]


def test_keys_do_not_leak() -> None:
    signer = signing.Signer.from_key(KEY)
    digits = KEY[2:18]
    assert digits not in repr(signer) + str(signer) + str(dir(signer))
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    for bad in (KEY + "0", KEY[:-1], "0y" + KEY[2:]):
        with pytest.raises(ValueError, match="key") as caught:
            signing.Signer.from_key(bad)
        assert digits not in repr(caught.value)


def test_keystore_errors_are_key_file_errors(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"missing\.json"):
        signing.Signer.from_keystore(tmp_path / "missing.json", "secret words")
    path = tmp_path / "bad.json"
    path.write_text("{}")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="not an Ethereum keystore") as caught:
        signing.Signer.from_keystore(path, "secret words")
    assert "secret words" not in str(caught.value)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod"):
        signing.Signer.from_keystore(path, "x")


def test_accelerating_without_the_sdk_says_so() -> None:
    with pytest.raises(SigningError, match="not installed"):
        signing.accelerate_sdk()
