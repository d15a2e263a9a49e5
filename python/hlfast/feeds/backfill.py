"""Missed fills over REST, page after page.

The venue gives at most 2,000 fills an answer, oldest first, and keeps the newest 10,000 of an account (2026-08). The
core asks once for "everything since"; here that becomes as many reads as it takes, joined into one answer in the same
shape.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

Fetch = Callable[[dict[str, Any]], Awaitable[tuple[int, bytes]]]

PAGE_ROWS: Final = 2_000
MOST_PAGES: Final = 6  # 10,000 rows, and one more because pages overlap in the rows of one millisecond
PAGE_WEIGHT: Final = 120  # 20, and 1 per 20 rows


class _Row(msgspec.Struct, gc=False):
    time: int


_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_row = msgspec.json.Decoder(_Row).decode


class Backfill:
    """Reads for the core, paging where one answer is not all of it.

    Args:
        fetch: posts one body to /info; status 0 when no answer came.
        reserve: takes REST weight for a further page; False means that there is none now.
    """

    def __init__(self, fetch: Fetch, reserve: Callable[[int], bool]) -> None:
        self._fetch = fetch
        self._reserve = reserve

    async def read(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """Post `body`; if it asks for fills by time, go on to the last of them.

        Rows of the millisecond where two pages meet come twice; whoever takes them in knows fills by identity. When a
        page fails or there is no weight for it, what was read until then is the answer: older fills first, none left
        out between.
        """
        status, answer = await self._fetch(body)
        if body.get("type") != "userFillsByTime" or status != 200:
            return status, answer
        pages = [answer]
        try:
            while len(pages) < MOST_PAGES and (after := _continues_at(pages[-1], body)) is not None:
                if not self._reserve(PAGE_WEIGHT):
                    break
                body = {**body, "startTime": after}
                status, answer = await self._fetch(body)
                if status != 200:
                    break
                pages.append(answer)
            return 200, _join(pages)
        except msgspec.DecodeError:
            return 200, pages[0]  # no list of fills: the core judges it as it came


def _continues_at(page: bytes, body: dict[str, Any]) -> int | None:
    """Where the next page begins; None when this one was the last, or brings time no further."""
    rows = _rows(page)
    if len(rows) < PAGE_ROWS:
        return None
    last_ms = _row(rows[-1]).time
    return last_ms if last_ms > int(body.get("startTime", 0)) else None


def _join(pages: list[bytes]) -> bytes:
    if len(pages) == 1:
        return pages[0]
    return msgspec.json.encode([row for page in pages for row in _rows(page)])
