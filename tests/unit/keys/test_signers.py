"""Keys that become signers in Rust: from a directory, from keystores, or refused by name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from Crypto.Cipher import AES
from eth_hash.auto import keccak

from hlfast._core import create_credential
from hlfast.config.model import Keys, Keystore
from hlfast.errors import KeyFileError
from hlfast.keys.signers import open_signers
from hlfast.signing import Signer

KEY = bytes([9]) * 32


def write(path: Path, text: str, mode: int = 0o400) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def keystore(passphrase: str) -> str:
    derived = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), b"salt", 1, 32)
    cipher = AES.new(derived[:16], AES.MODE_CTR, nonce=b"", initial_value=b"\x01" * 16).encrypt(KEY)
    crypto = {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "01" * 16},
        "ciphertext": cipher.hex(),
        "kdf": "pbkdf2",
        "kdfparams": {"dklen": 32, "salt": b"salt".hex(), "c": 1, "prf": "hmac-sha256"},
        "mac": keccak(derived[16:] + cipher).hex(),
    }
    return json.dumps({"version": 3, "crypto": crypto})


def test_signers_come_from_the_directory_and_from_keystores(tmp_path: Path) -> None:
    directory = tmp_path / "credentials"
    agents = sorted(create_credential(directory) for _ in range(2))
    (directory / "README").write_text("no key")
    store = Keystore(
        path=write(tmp_path / "store.json", keystore("mit ümläut")),
        passphrase_file=write(tmp_path / "passphrase", "mit ümläut\n"),
    )
    signers = open_signers(Keys(credentials_directory=str(directory), keystores=(store,)))
    assert [signer.address for signer in signers] == [*agents, Signer.from_key(KEY).address]
    action = {"type": "noop"}
    assert signers[2].sign_l1(action, 1, mainnet=False) == Signer.from_key(KEY).sign_l1(action, 1, mainnet=False)


def test_files_that_others_may_read_are_refused_by_name(tmp_path: Path) -> None:
    directory = tmp_path / "credentials"
    path = directory / create_credential(directory)
    path.chmod(0o440)
    with pytest.raises(KeyFileError, match=r"too open .* chmod 0400") as caught:
        open_signers(Keys(credentials_directory=str(directory)))
    assert path.read_text().strip() not in str(caught.value)
    passphrase = write(tmp_path / "passphrase", "secret words", 0o644)
    store = Keystore(path=write(tmp_path / "store.json", keystore("secret words")), passphrase_file=passphrase)
    with pytest.raises(KeyFileError, match="passphrase") as caught:
        open_signers(Keys(keystores=(store,)))
    assert "secret words" not in str(caught.value)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="absent"):
        open_signers(Keys(credentials_directory=str(tmp_path / "absent")))
