"""Rows as the venue sends them, for tests; and an independent, slow bookkeeper of positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

START_MS = 1_700_000_000_000


def fill(
    coin: str, signed: str, price: str, start: str, *, at: int = 0, pnl: str = "0.0", fee: str = "0.0", **more: Any
) -> dict[str, Any]:
    """One row of userFills; `signed` is the size, negative for a sell; `at` in milliseconds after the start."""
    size = Decimal(signed)
    row = {
        "coin": coin,
        "px": price,
        "sz": f"{abs(size):f}",
        "side": "B" if size > 0 else "A",
        "time": START_MS + at,
        "startPosition": start,
        "dir": "",
        "closedPnl": pnl,
        "hash": "0x0",
        "oid": 1_000 + at,
        "crossed": True,
        "fee": fee,
        "feeToken": "USDC",
        "tid": abs(hash((coin, at, signed, price, start))) % (1 << 50) + 1,
    }
    return {**row, **more}


@dataclass
class Trip:
    """One episode as the bookkeeper sees it."""

    coin: str
    is_long: bool
    opened: int
    closed: int | None = None
    pnl: Decimal = Decimal(0)
    cash: Decimal = Decimal(0)
    peak: Decimal = Decimal(0)
    fills: int = 0


@dataclass
class Trader:
    """Trades in one coin at exact average cost and keeps his own episodes: what the analysis must find again."""

    coin: str
    position: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)  # of the position, at its average
    rows: list[dict[str, Any]] = field(default_factory=list)
    trips: list[Trip] = field(default_factory=list)

    def trade(self, signed: Decimal, price: Decimal, at: int) -> None:
        """Trade, crossing flat if the size says so, and write the venue's row."""
        start, pnl = self.position, Decimal(0)
        for part in self._parts(signed):
            pnl += self._move(part, price, at)
        self.rows.append(
            fill(self.coin, f"{signed:f}", f"{price:f}", f"{start:f}", at=at, pnl=f"{pnl:f}", tid=len(self.rows) + 1)
        )

    def _parts(self, signed: Decimal) -> list[Decimal]:
        if self.position * signed < 0 and abs(signed) > abs(self.position):
            return [-self.position, signed + self.position]
        return [signed]

    def _move(self, part: Decimal, price: Decimal, at: int) -> Decimal:
        if self.position == 0:
            self.trips.append(Trip(self.coin, part > 0, at))
            self.cost = Decimal(0)
        trip = self.trips[-1]
        pnl = Decimal(0)
        if self.position * part < 0:
            share = self.cost * abs(part) / abs(self.position)
            worth = price * abs(part)
            pnl = (worth - share) if self.position > 0 else (share - worth)
            self.cost -= share
        else:
            self.cost += price * abs(part)
        self.position += part
        trip.fills += 1
        trip.pnl += pnl
        trip.cash -= part * price
        trip.peak = max(trip.peak, abs(self.position))
        trip.closed = at if self.position == 0 else None
        return pnl
