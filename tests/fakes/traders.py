"""Public data of made traders, answered as the venue answers reads; and a leaderboard that lists them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
from tests.unit.research.rows import START_MS, Trader

DAY_MS = 86_400_000
DAYS = 30
NOW_MS = START_MS + (DAYS + 1) * DAY_MS


def address(number: int) -> str:
    return f"0x{0xABC0000000 + number:040x}"


def trips(count: int, gain: int, *, size: str = "10", coin: str = "BTC") -> list[dict[str, Any]]:
    """Round trips of 1,000 USD for an hour each, spread over the days; every fourth one loses a quarter of `gain`."""
    trader = Trader(coin)
    step = DAYS * DAY_MS // count
    for number in range(count):
        move = gain if number % 4 else -gain // 4
        trader.trade(Decimal(size), Decimal(100), number * step)
        trader.trade(-Decimal(size), Decimal(100 + move), number * step + 3_600_000)
    return [{**row, "oid": place} for place, row in enumerate(trader.rows)]


class PublicData:
    """Answers of `/info` by address; `down` addresses get HTTP 500, `silent` ones no answer."""

    def __init__(self) -> None:
        self.fills: dict[str, list[dict[str, Any]]] = {}
        self.equity: dict[str, str] = {}
        self.down: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def add(self, who: str, fills: list[dict[str, Any]], equity: str = "20000") -> None:
        self.fills[who], self.equity[who] = fills, equity

    async def post(self, path: str, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        del path, deadline_ms
        request = orjson.loads(body)
        who = request.get("user", "")
        self.asked.append((request["type"], who))
        if who in self.silent:
            return 0, b"no answer"
        if who in self.down:
            return 500, b"down"
        return 200, orjson.dumps(self.answer(request, who))

    def answer(self, request: dict[str, Any], who: str) -> Any:
        match request["type"]:
            case "userFillsByTime":
                return [row for row in self.fills.get(who, ()) if row["time"] >= request["startTime"]][:2_000]
            case "userTwapSliceFills" | "userFunding":
                return []
            case "metaAndAssetCtxs":
                return self.perps()
            case "portfolio":
                return self.portfolio(who)
        raise AssertionError(request)

    def perps(self) -> list[Any]:
        """One perp with a narrow, deep book."""
        meta = {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}], "marginTables": []}
        context = {"funding": "0.0", "openInterest": "1000.0", "prevDayPx": "100.0", "dayNtlVlm": "1000000.0"}
        context |= {"oraclePx": "100.0", "markPx": "100.0", "midPx": "100.0", "impactPxs": ["99.99", "100.01"]}
        return [meta, [context]]

    def portfolio(self, who: str) -> list[Any]:
        """A point a day; profit as the fills say."""
        equity, profit = [], []
        for day in range(DAYS + 1):
            at = START_MS + day * DAY_MS
            made = sum((Decimal(row["closedPnl"]) for row in self.fills.get(who, ()) if row["time"] < at), Decimal(0))
            equity.append([at, f"{Decimal(self.equity.get(who, '0')) + made:f}"])
            profit.append([at, f"{made:f}"])
        window = {"accountValueHistory": equity, "pnlHistory": profit, "vlm": "5.0"}
        return [["month", window], ["allTime", window]]

    def leaderboard(self) -> bytes:
        """The list of all of them, as the venue's file has it."""
        rows = []
        for who, equity in self.equity.items():
            made = sum((Decimal(row["closedPnl"]) for row in self.fills[who]), Decimal(0))
            window = {"pnl": f"{made:f}", "roi": "0.1", "vlm": "200000.0"}
            rows.append(
                {
                    "ethAddress": who,
                    "accountValue": equity,
                    "windowPerformances": [["month", window], ["allTime", window]],
                    "prize": 0,
                    "displayName": None,
                }
            )
        return orjson.dumps({"leaderboardRows": rows})
