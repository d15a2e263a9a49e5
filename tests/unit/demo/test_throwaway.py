"""Throwaway agent keys: readable by the owner alone, named by the address they sign for."""

from __future__ import annotations

import stat
from pathlib import Path

from coincurve import PrivateKey
from eth_hash.auto import keccak

from hlfast.demo.throwaway import make_agents


def test_make_agents_writes_one_private_file_per_address(tmp_path: Path) -> None:
    addresses = make_agents(tmp_path / "credentials", 3)
    assert len(set(addresses)) == 3
    assert stat.S_IMODE((tmp_path / "credentials").stat().st_mode) == 0o700
    for address in addresses:
        path = tmp_path / "credentials" / address
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        key = PrivateKey(bytes.fromhex(path.read_text()))
        assert address == "0x" + keccak(key.public_key.format(compressed=False)[1:])[-20:].hex()
