"""What a strategy earned: the parts of its leaders in its account, added up."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hlfast.config.model import Strategy
from hlfast.research.earnings import Earned, summed

_SUMS = ("closed_usd", "open_usd", "fees_usd", "funding_usd", "net_usd", "volume_usd")


class PartEarned(msgspec.Struct, frozen=True, kw_only=True):
    """One leader's part of a strategy. `net_usd` = closed + open - fees + funding."""

    leader: str
    allocation: Decimal
    volume_usd: Decimal = Decimal(0)
    closed_usd: Decimal = Decimal(0)
    open_usd: Decimal = Decimal(0)
    fees_usd: Decimal = Decimal(0)
    funding_usd: Decimal = Decimal(0)
    net_usd: Decimal = Decimal(0)


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy's parts, the best first, and their sums."""

    name: str
    kind: str
    follower: str
    parts: tuple[PartEarned, ...]
    volume_usd: Decimal
    closed_usd: Decimal
    open_usd: Decimal
    fees_usd: Decimal
    funding_usd: Decimal
    net_usd: Decimal


def performance(strategy: Strategy, rows: Iterable[Earned]) -> Performance:
    """Add up what the leaders of a strategy earned in its account, over all coins.

    Args:
        strategy: as the settings have it.
        rows: of `earnings.earned`, of any accounts.
    """
    mine = {row.leader: row for row in summed(rows, ("leader", "follower")) if row.follower == strategy.follower}
    parts = []
    for part in strategy.parts:
        row = mine.get(part.leader)
        sums = {} if row is None else {name: getattr(row, name) for name in _SUMS}
        parts.append(PartEarned(leader=part.leader, allocation=Decimal(part.allocation), **sums))
    parts.sort(key=lambda part: (-part.net_usd, part.leader))
    whole = {name: sum((getattr(part, name) for part in parts), Decimal(0)) for name in _SUMS}
    return Performance(name=strategy.name, kind=strategy.kind, follower=strategy.follower, parts=tuple(parts), **whole)
