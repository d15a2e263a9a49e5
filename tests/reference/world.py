"""What is so, whoever copies: the venue answers with it, and the reference judges by it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

BEGIN_MS = 1_795_161_600_000  # 08:00 UTC
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
FEE_RATE = Decimal("0.00045")  # of what is taken on perps
WORTH_A_WEEK_AGO = Decimal(240_000)


@dataclass(frozen=True)
class Coin:
    """A market of the venue. What it is like follows from its name, so that some pass a gate and some do not."""

    name: str
    size_decimals: int
    token: int | None = None  # of a spot pair: its base token's number, and the pair's

    @property
    def is_spot(self) -> bool:
        """Tokens against dollars; else a perp."""
        return self.token is not None

    @property
    def lot(self) -> Decimal:
        """The smallest step of a size."""
        return Decimal(1).scaleb(-self.size_decimals)

    @property
    def listed_ms(self) -> int:
        """When the first day on which it traded began."""
        days = 25 + sum(self.name.encode()) % 4 * 10
        return BEGIN_MS // DAY_MS * DAY_MS - days * DAY_MS

    def closes(self, now_ms: int) -> list[Decimal]:
        """Prices at the end of its days so far: 2, 3 or 4 % more each day."""
        daily = 1 + Decimal(2 + sum(self.name.encode()) % 3) / 100
        return [round(Decimal(100) * daily**day, 8) for day in range((now_ms - self.listed_ms) // DAY_MS)]

    @property
    def day_volume_usd(self) -> Decimal:
        """Traded in 24 hours."""
        return Decimal(1_000_000) * (1 + sum(self.name.encode()) % 5)

    @property
    def open_interest_usd(self) -> Decimal:
        """All positions at the venue, at the mark."""
        return Decimal(500_000) * (1 + sum(self.name.encode()) % 6)


@dataclass(frozen=True)
class Past:
    """A leader's week on perps: from nothing up, down, and to where it ended, in USD. It follows from the name as well."""

    height: Decimal
    depth: Decimal
    end: Decimal

    @property
    def fall_bps(self) -> Decimal:
        """The deepest fall, of what the account was worth at the height."""
        return (self.height - min(self.depth, self.end)) / (WORTH_A_WEEK_AGO + self.height) * 10_000

    @staticmethod
    def of(leader: str) -> Past:
        """One in three lost, one in two fell far."""
        kind = sum(leader.encode())
        return Past(Decimal(9_000), Decimal(2_000 if kind % 2 else 6_000), Decimal(-500 if kind % 3 == 0 else 7_500))
