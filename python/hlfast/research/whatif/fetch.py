"""One leader and his coins from the venue, within its weight budget."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hlfast.research.analysis import Beside
from hlfast.research.from_venue import fetch
from hlfast.research.history import History
from hlfast.research.whatif.markets import markets_from_venue
from hlfast.research.whatif.model import Market
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info
from hlfast.venue.limits import WeightBudget


def fetched(address: str, base_url: str) -> tuple[History, dict[str, Market], Decimal | None]:
    """Return fills, markets of the coins in them, and the equity before the first fill where the portfolio tells."""

    async def run() -> tuple[History, dict[str, Market], Decimal | None]:
        async with HttpRoad(base_url) as road:
            info = Info(road, limiter=WeightBudget())
            history, beside = await fetch(info, address)
            if not history.fills.height:
                return history, {}, None
            times = history.fills["time_ms"].to_list()
            coins = history.fills.filter(~history.fills["spot"])["coin"].to_list()
            markets = await markets_from_venue(info, coins, min(times), max(times))
            return history, markets, equity_before(beside, min(times))

    return asyncio.run(run())


def equity_before(beside: Beside, first_ms: int) -> Decimal | None:
    """The venue's account value at the last point before the first fill, else at the first point; None below 1 USD."""
    if beside.equity is None or not beside.equity.curve.height:
        return None
    curve = beside.equity.curve
    before = curve.filter(curve["time_ms"] <= first_ms)
    value = Decimal(before["equity_usd"][-1] if before.height else curve["equity_usd"][0])
    return value if value >= 1 else None
