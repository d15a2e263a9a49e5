from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from tests.unit.research.rows import START_MS, fill

from hlfast.research.analysis import analyse
from hlfast.research.from_venue import fetch
from hlfast.venue.info import Info

ME = "0x" + "ab" * 20


class Venue:
    """Answers as the venue does: fills in pages of 2,000 from a start, funding in pages of 500."""

    def __init__(self, fills: list[dict[str, Any]], funding: list[dict[str, Any]]) -> None:
        self.fills, self.funding = fills, funding
        self.asked: list[str] = []

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        del path, deadline_ms
        request = orjson.loads(body)
        self.asked.append(request["type"])
        return 200, orjson.dumps(self.answer(request))

    def answer(self, request: dict[str, Any]) -> Any:
        match request["type"]:
            case "userFillsByTime":
                return [row for row in self.fills if row["time"] >= request["startTime"]][:2_000]
            case "userTwapSliceFills":
                return [{"fill": fill("ETH", "1", "50", "0", at=9_999_999), "twapId": 4}]
            case "userFunding":
                return [row for row in self.funding if row["time"] >= request["startTime"]][:500]
            case "portfolio":
                points = [[START_MS, "1000.0"], [START_MS + 86_400_000, "1100.0"]]
                profit = [[START_MS, "0.0"], [START_MS + 86_400_000, "100.0"]]
                return [["allTime", {"accountValueHistory": points, "pnlHistory": profit, "vlm": "5.0"}]]
        raise AssertionError(request)


def paid(at: int) -> dict[str, Any]:
    delta = {"type": "funding", "coin": "BTC", "usdc": "-0.5", "szi": "1", "fundingRate": "0.1", "nSamples": None}
    return {"time": START_MS + at, "hash": "0x0", "delta": delta}


@pytest.mark.asyncio
async def test_fetch_reads_every_page_once_and_keeps_slices_funding_and_equity() -> None:
    fills = [fill("BTC", "1", "100", str(number), at=number // 3, tid=number + 1) for number in range(4_500)]
    venue = Venue(fills, [paid(number) for number in range(700)])
    history, beside = await fetch(Info(venue), ME)
    assert history.fills.height == 4_501
    assert history.fills["twap"].sum() == 1
    assert beside.funding is not None
    assert beside.funding.height == 700
    assert beside.issues == ()
    one = analyse(history, beside)
    assert one.money.funding_usd == Decimal(-350)
    assert one.equity_basis == "venue"
    assert one.risk.total_return == pytest.approx(0.1)


@pytest.mark.asyncio
async def test_fetch_says_that_the_horizon_cut_the_record() -> None:
    fills = [fill("BTC", "1", "100", str(number), at=number, tid=number + 1) for number in range(10_000)]
    history, beside = await fetch(Info(Venue(fills, [])), ME)
    assert [issue.kind for issue in beside.issues] == ["horizon"]
    assert analyse(history, beside).cut
