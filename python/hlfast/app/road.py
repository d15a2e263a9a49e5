"""The engine's HTTP road. A module of its own because aiohttp takes longer to import than the rest of the process."""

from __future__ import annotations

from typing import Any, Final

from hlfast.engine.asks import CONCURRENCY as READS
from hlfast.lanes.http import CONCURRENCY as POSTS
from hlfast.venue.exchange import Exchange
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info

_INFO_MS: Final = 5_000
# Every read and post that may be on its way has a socket of its own: an order never waits for a read. Two for errands.
_HTTP_SOCKETS: Final = READS + POSTS + 2


class VenueRoad:
    """The venue client's verbatim calls, with the engine's deadlines."""

    def __init__(self, road: HttpRoad) -> None:
        self._info = Info(road)
        self.exchange: Final = Exchange(road).raw

    async def info(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """POST /info."""
        return await self._info.raw(body, deadline_ms=_INFO_MS)


def open_road(base_url: str) -> HttpRoad:
    """A session with as many sockets as the engine may use at once; `async with` ends it."""
    return HttpRoad(base_url, connections=_HTTP_SOCKETS)
