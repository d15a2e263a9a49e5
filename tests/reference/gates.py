"""Rules 16 to 19: what an increase must pass. Filters see the leader's position as it then is, not one fill."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.reference.world import DAY_MS, Coin, Past

if TYPE_CHECKING:
    from hlfast.config.model import Follow


@dataclass(frozen=True)
class Sight:
    """What the filters see of one change."""

    coin: Coin
    position: Decimal  # the leader's
    price: Decimal
    now_ms: int
    leverage: Decimal  # the leader's, over all its coins
    past: Past


def passes(follow: Follow, seen: Sight) -> bool:
    """Whether none of the edge's filters says no. An absent one says nothing."""
    return all(gate(follow, seen) for gate in (_kind, _coins, _values, _side, _hours, _market, _leader))


def _kind(follow: Follow, seen: Sight) -> bool:
    return follow.markets in ("all", "spot" if seen.coin.is_spot else "perps")


def _coins(follow: Follow, seen: Sight) -> bool:
    allowed = follow.coins_allow is None or seen.coin.name in follow.coins_allow
    return allowed and seen.coin.name not in follow.coins_block


def _values(follow: Follow, seen: Sight) -> bool:
    return _within(abs(seen.position) * seen.price, follow.min_value_usd, follow.max_value_usd)


def _side(follow: Follow, seen: Sight) -> bool:
    return follow.side in ("both", "long" if seen.position > 0 else "short")


def _hours(follow: Follow, seen: Sight) -> bool:
    """Half-open, past midnight where the end is before the start."""
    if follow.hours is None:
        return True
    now = f"{datetime.fromtimestamp(seen.now_ms / 1_000, ZoneInfo(follow.hours_zone or 'UTC')):%H:%M}"
    spans = [span.split("-") for span in follow.hours]
    return any(start <= now < end if start < end else now >= start or now < end for start, end in spans)


def _market(follow: Follow, seen: Sight) -> bool:
    listed_days = Decimal(seen.now_ms - seen.coin.listed_ms - DAY_MS) / DAY_MS  # since the end of the first one
    return (
        _within(listed_days, follow.min_listed_days, None)
        and _within(seen.coin.day_volume_usd, follow.min_day_volume_usd, None)
        and _within(seen.coin.open_interest_usd, follow.min_open_interest_usd, None)
    )


def _leader(follow: Follow, seen: Sight) -> bool:
    return (
        _within(seen.leverage, None, follow.max_leader_leverage)
        and _within(seen.past.fall_bps, None, follow.max_leader_drawdown_bps)
        and (seen.past.end > 0 or not follow.only_profitable)
    )


def _within(figure: Decimal, least: str | int | None, most: str | int | None) -> bool:
    return (least is None or figure >= Decimal(least)) and (most is None or figure <= Decimal(most))
