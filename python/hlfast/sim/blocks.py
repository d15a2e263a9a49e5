"""What one block changed: everything that the feeds publish of it carries its one time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Block:
    """Rows in execution order, by coin or by user address."""

    number: int
    time_ms: int
    trades: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    fills: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    order_updates: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    ledger_updates: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    venue_cancels: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    fundings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # rows as `userFundings` shows them
    liquidations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # rows as `userEvents` shows them
    twap_slices: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # {"fill", "twapId"}
    twap_history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # rows as `twapHistory` shows them
    coins: set[str] = field(default_factory=set)

    def changed(self) -> bool:
        """Tell whether any feed has something to say."""
        rows = (self.trades, self.fills, self.order_updates, self.ledger_updates, self.fundings, self.liquidations)
        return bool(self.coins or any(rows) or self.twap_slices or self.twap_history)
