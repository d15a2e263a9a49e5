"""The venue's own memory for checkers: every action and every fill, with who signed it and what became of it."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import msgspec

# Bounds for long soaks: a row takes about 0.5 kB, so this is some hundred MB at worst; older rows go first.
KEPT = 400_000


class ActionRow(msgspec.Struct, gc=False, omit_defaults=True):
    """One request that reached `/exchange` or a post, in order of arrival at the venue's state."""

    number: int
    time: int
    received: int
    kind: str
    signer: str | None
    user: str | None
    nonce: int
    digest: str
    ok: bool
    response: msgspec.Raw
    source: str
    cloids: tuple[str, ...] = ()
    orders: int = 0


class FillRow(msgspec.Struct, gc=False, omit_defaults=True):
    """One account's side of a trade; the synthetic maker's side isn't kept."""

    number: int
    user: str
    coin: str
    side: str
    px: str
    sz: str
    time: int
    oid: int
    tid: int
    crossed: bool
    cloid: str | None = None
    nonce: int | None = None
    signer: str | None = None
    leader: bool = False
    twap_id: int | None = None


class TwapRow(msgspec.Struct, gc=False, omit_defaults=True):
    """One TWAP that an account began. `ended` is 0 while it runs."""

    twap_id: int
    user: str
    coin: str
    side: str
    sz: str
    time: int
    signer: str
    nonce: int
    ended: int = 0


class Record:
    """Append-only, bounded; `number` runs through actions and fills together."""

    def __init__(self) -> None:
        self.actions: deque[ActionRow] = deque(maxlen=KEPT)
        self.fills: deque[FillRow] = deque(maxlen=KEPT)
        self.twaps: deque[TwapRow] = deque(maxlen=KEPT)
        self.counters: Counter[str] = Counter(
            dict.fromkeys(
                (
                    "unknown_signers",
                    "duplicate_nonces",
                    "rejected",
                    "rate_limited",
                    "actions",
                    "accepted",
                    "expired",
                    "rejected_orders",
                ),
                0,
            )
        )
        self._number = 0

    def next_number(self) -> int:
        """Return the next running number."""
        self._number += 1
        return self._number

    def since(self, number: int) -> dict[str, Any]:
        """Return all rows after a running number (TWAPs: all), and the number to ask with next time."""
        return {
            "actions": [row for row in self.actions if row.number > number],
            "fills": [row for row in self.fills if row.number > number],
            "twaps": list(self.twaps),
            "counters": dict(self.counters),
            "next": self._number,
        }
