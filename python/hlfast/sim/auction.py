"""The auction of faster gossip: two slots, a falling price every three minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hlfast.sim.numbers import SCALE, wire

SLOTS = 2
ROUND_MS = 180_000
FLOOR = SCALE // 10  # HYPE
OPENING = 10 * FLOOR


@dataclass(slots=True, frozen=True)
class Slot:
    """`ip` holds the slot from `round` on; `price` was paid for it."""

    ip: str | None = None
    round: int = -1
    price: int = 0

    @property
    def opening(self) -> int:
        """Price at which the next round starts."""
        return max(OPENING, 10 * self.price)

    def asked(self, now_ms: int) -> int:
        """Return the present price, which falls evenly to the floor."""
        return self.opening - (self.opening - FLOOR) * (now_ms % ROUND_MS) // ROUND_MS


class GossipAuction:
    """Who holds the slots and what they cost now."""

    def __init__(self) -> None:
        self._slots = [Slot() for _ in range(SLOTS)]

    def price(self, slot: int, now_ms: int) -> int | None:
        """Return what a slot costs now; None when it is sold for this round or doesn't exist."""
        if slot >= SLOTS or self._slots[slot].round == now_ms // ROUND_MS:
            return None
        return self._slots[slot].asked(now_ms)

    def sell(self, slot: int, ip: str, price: int, now_ms: int) -> None:
        """Give a slot to an address for this round and the next."""
        self._slots[slot] = Slot(ip, now_ms // ROUND_MS, price)

    def status(self, now_ms: int) -> list[Any]:
        """Return `gossipPriorityAuctionStatus`: the holders, and how each auction stands."""
        current = now_ms // ROUND_MS
        auctions = []
        for slot in self._slots:
            is_sold = slot.round == current
            auctions.append(
                {
                    "startTimeSeconds": current * ROUND_MS // 1_000,
                    "durationSeconds": ROUND_MS // 1_000,
                    "startGas": wire(slot.price if is_sold else slot.opening),
                    "currentGas": None if is_sold else wire(slot.asked(now_ms)),
                    "endGas": wire(slot.price) if is_sold else None,
                }
            )
        return [[slot.ip if slot.round >= current - 1 else None for slot in self._slots], auctions]
