"""Runs in the oracle environment: writes keystores with eth-keyfile, one JSON line each: address, passphrase, keystore."""

from __future__ import annotations

import json

from eth_account import Account
from eth_keyfile import create_keyfile_json

for number, (kdf, iterations) in enumerate([("scrypt", 2), ("scrypt", 4096), ("pbkdf2", 1), ("pbkdf2", 5000)]):
    key = bytes([number + 1]) * 32
    passphrase = ["", "plain", "mit ümläut", "x" * 200][number]
    store = create_keyfile_json(key, passphrase.encode(), kdf=kdf, iterations=iterations)
    print(json.dumps([Account.from_key(key).address.lower(), passphrase, store]))
