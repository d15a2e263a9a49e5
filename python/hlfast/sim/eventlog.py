"""One hash over all that a venue did: two runs that differ anywhere differ here."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from hlfast.sim.blocks import Block


class EventLog:
    """A running BLAKE2b over entries in the order in which they happened; the entries themselves aren't kept."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=32)
        self.entries = 0

    def add(self, kind: bytes, content: bytes) -> None:
        """Add an entry; its lengths go in first, so that no two logs read alike."""
        self.entries += 1
        self._hash.update(b"%d %d %b" % (len(kind), len(content), kind))
        self._hash.update(content)

    def add_block(self, block: Block) -> None:
        """Add everything that a block changed."""
        # Coins are a set, whose order differs between processes.
        self.add(b"block", orjson.dumps(block, default=sorted))

    def hexdigest(self) -> str:
        """Return the hash of all entries so far."""
        return self._hash.hexdigest()
