"""Zones of the tz database as tables of offsets, which the core reads instead of the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hlfast.config.model import Follow, Zone

# Fixed, so that one settings file makes one table whenever it is loaded.
_FROM: Final = datetime(2024, 1, 1, tzinfo=UTC)
_TO: Final = datetime(2060, 1, 1, tzinfo=UTC)
# Clocks are put forward and back weeks apart; Morocco's shortest stretch, Ramadan, is about 30 days.
_STEP: Final = timedelta(days=7)


def zone_tables(follows: tuple[Follow, ...]) -> tuple[Zone, ...]:
    """Return the table of each zone that an edge names and the database has, UTC aside; in the order of their names."""
    names = {follow.hours_zone for follow in follows} - {None, "UTC"}
    return tuple(Zone(name=name, offsets=_offsets(name)) for name in sorted(filter(None, names)) if is_zone(name))


def is_zone(name: str) -> bool:
    """Whether the tz database knows the name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@cache
def _offsets(name: str) -> tuple[tuple[int, int], ...]:
    zone = ZoneInfo(name)
    found = [(int(_FROM.timestamp()), _offset_s(zone, _FROM))]
    at = _FROM
    while at < _TO:
        after = at + _STEP
        if _offset_s(zone, after) != found[-1][1]:
            found.append(_change(zone, at, after))
        at = after
    return tuple(found)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> tuple[int, int]:
    """Return the second at which the offset of `before` ends, and the offset from then on."""
    old = _offset_s(zone, before)
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_s(zone, datetime.fromtimestamp(middle, UTC)) == old:
            low = middle
        else:
            high = middle
    return high, _offset_s(zone, datetime.fromtimestamp(high, UTC))


def _offset_s(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
