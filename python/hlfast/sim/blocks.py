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
    coins: set[str] = field(default_factory=set)

    def changed(self) -> bool:
        """Tell whether any feed has something to say."""
        return bool(self.coins or self.trades or self.fills or self.order_updates or self.ledger_updates)
