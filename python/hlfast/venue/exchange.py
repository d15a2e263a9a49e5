"""Actions: POST /exchange, verbatim or typed."""

from __future__ import annotations

from hlfast.venue.http import HttpRoad


class Exchange:
    """Sends signed actions."""

    def __init__(self, road: HttpRoad) -> None:
        self._road = road

    async def raw(self, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        """Send a ready body and return (status, bytes) as they came; status 0: no answer, the outcome is unknown."""
        return await self._road.post("/exchange", body, deadline_ms=deadline_ms)
