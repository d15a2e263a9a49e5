"""The venue's replay guard: per signer the 100 highest nonces, inside a window around block time."""

from __future__ import annotations

import heapq

KEPT = 100
WINDOW_BACK_MS = 2 * 86_400_000
WINDOW_AHEAD_MS = 86_400_000


class NonceSet:
    """Nonces that one signer has used."""

    __slots__ = ("_heap", "_seen")

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._seen: set[int] = set()

    def take(self, nonce: int, block_ms: int) -> str | None:
        """Use a nonce; returns the venue's reason when it may not be used (it isn't, then)."""
        if nonce in self._seen:
            return f"Invalid nonce: duplicate nonce {nonce}"
        oldest = block_ms - WINDOW_BACK_MS
        if len(self._heap) == KEPT:
            oldest = max(oldest, self._heap[0])
        if nonce <= oldest:
            return f"Invalid nonce: nonce too low {nonce} < {oldest}"
        if nonce >= block_ms + WINDOW_AHEAD_MS:
            return f"Invalid nonce: nonce too high {nonce} > {block_ms + WINDOW_AHEAD_MS}"
        self._seen.add(nonce)
        if len(self._heap) < KEPT:
            heapq.heappush(self._heap, nonce)
        else:
            self._seen.discard(heapq.heappushpop(self._heap, nonce))
        return None
