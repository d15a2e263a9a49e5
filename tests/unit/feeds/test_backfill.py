from __future__ import annotations

import json

import pytest

from hlfast.feeds import backfill
from hlfast.feeds.backfill import Backfill

pytestmark = pytest.mark.asyncio


class Venue:
    """Fills of one account, three a page."""

    def __init__(self, times: list[int]) -> None:
        self.rows = [{"coin": "ETH", "time": time, "tid": tid} for tid, time in enumerate(times)]
        self.asked: list[dict] = []
        self.fails_at = 0
        self.weight = 1_000_000

    async def fetch(self, body: dict) -> tuple[int, bytes]:
        self.asked.append(body)
        if len(self.asked) == self.fails_at:
            return 0, b"TimeoutError"
        return 200, json.dumps(
            [row for row in self.rows if row["time"] >= body["startTime"]][: backfill.PAGE_ROWS]
        ).encode()

    def reserve(self, weight: int) -> bool:
        self.weight -= weight
        return self.weight >= 0


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "PAGE_ROWS", 3)


def ask(since: int = 0) -> dict:
    return {"type": "userFillsByTime", "user": "0x1", "startTime": since, "aggregateByTime": False}


async def read(venue: Venue, since: int = 0) -> tuple[int, list[int]]:
    status, answer = await Backfill(venue.fetch, venue.reserve).read(ask(since))
    return status, [row["tid"] for row in json.loads(answer)]


async def test_backfill_gives_a_single_page_verbatim() -> None:
    venue = Venue([10, 20])
    status, answer = await Backfill(venue.fetch, venue.reserve).read(ask())
    assert (status, answer) == (200, json.dumps(venue.rows).encode())
    assert len(venue.asked) == 1


async def test_backfill_reads_on_to_the_last_fill_and_leaves_none_out() -> None:
    venue = Venue([10, 20, 30, 30, 40, 50, 60])
    status, tids = await read(venue)
    assert status == 200
    assert sorted(set(tids)) == list(range(7))
    assert [each["startTime"] for each in venue.asked] == [0, 30, 40, 60]


async def test_backfill_ends_when_one_millisecond_fills_a_page() -> None:
    venue = Venue([10, 10, 10, 10, 20])
    _, tids = await read(venue, 10)
    assert tids == [0, 1, 2]
    assert len(venue.asked) == 1, "asking again would bring the same rows for ever"


async def test_backfill_is_bounded() -> None:
    venue = Venue(list(range(1, 1_000)))
    await read(venue)
    assert len(venue.asked) == backfill.MOST_PAGES


@pytest.mark.parametrize("trouble", ["a page without an answer", "no weight left"])
async def test_backfill_gives_what_it_has_when_a_page_is_not_to_be_had(trouble: str) -> None:
    venue = Venue([10, 20, 30, 40, 50, 60])
    if trouble == "no weight left":
        venue.weight = 0
    else:
        venue.fails_at = 2
    assert await read(venue) == (200, [0, 1, 2])


async def test_backfill_hands_on_what_is_no_list_of_fills() -> None:
    async def nonsense(body: dict) -> tuple[int, bytes]:
        return 200, b'{"error":"x"}'

    async def silence(body: dict) -> tuple[int, bytes]:
        return 0, b"TimeoutError"

    assert await Backfill(nonsense, lambda weight: True).read(ask()) == (200, b'{"error":"x"}')
    assert await Backfill(silence, lambda weight: True).read(ask()) == (0, b"TimeoutError")


async def test_backfill_leaves_other_reads_alone() -> None:
    asked: list[dict] = []

    async def fetch(body: dict) -> tuple[int, bytes]:
        asked.append(body)
        return 200, b"[1,2,3,4]"

    assert await Backfill(fetch, lambda weight: True).read({"type": "openOrders"}) == (200, b"[1,2,3,4]")
    assert len(asked) == 1
