"""Agent keys for one run: made here, known to the simulator alone, gone with the directory."""

from __future__ import annotations

import os
from pathlib import Path

from coincurve import PrivateKey
from eth_hash.auto import keccak


def make_agents(directory: Path, count: int) -> list[str]:
    """Write `count` fresh keys as credentials (one file an agent, mode 0400) and return their addresses.

    These keys hold nothing anywhere: the simulator is the only venue that knows them.
    """
    directory.mkdir(mode=0o700)
    addresses = []
    for _ in range(count):
        key = PrivateKey()
        address = "0x" + keccak(key.public_key.format(compressed=False)[1:])[-20:].hex()
        descriptor = os.open(directory / address, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(descriptor, "w") as file:
            file.write(key.to_hex().rjust(64, "0"))
        addresses.append(address)
    return addresses
