"""Reads: POST /info, verbatim or typed."""

from __future__ import annotations

from typing import Any

import orjson

from hlfast.venue.http import HttpRoad


class Info:
    """What the venue tells anyone about markets and accounts. All of it is public; nothing is signed."""

    def __init__(self, road: HttpRoad) -> None:
        self._road = road

    async def raw(self, body: dict[str, Any], *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        """Ask and return (status, bytes) exactly as they came; status 0 when no answer came."""
        return await self._road.post("/info", orjson.dumps(body), deadline_ms=deadline_ms)
