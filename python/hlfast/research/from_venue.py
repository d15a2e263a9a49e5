"""One trader from the venue's public data, within its weight budget."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import polars as pl

from hlfast.research.analysis import Beside
from hlfast.research.equity import equity_from_portfolio
from hlfast.research.history import MONEY, History, history_from_rows, horizon_issue
from hlfast.venue.accounts import LedgerUpdate, PortfolioWindow
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info
from hlfast.venue.limits import WeightBudget

# One answer holds at most this many rows; pages after these would spend the budget on the distant past.
_LEDGER_PAGE = 500
_MOST_PAGES = 20
_EQUITY_WINDOW = "allTime"


async def fetch(
    info: Info, address: str, portfolio: Mapping[str, PortfolioWindow] | None = None
) -> tuple[History, Beside]:
    """Read fills, TWAP slices, funding and portfolio of an address. Everything is asked anew: nothing is cached here.

    Costs about 120 weight for each 2,000 fills and 45 for each 500 funding payments; `info`'s limiter spreads it out.

    Args:
        info: the venue.
        address: an account's, lower case; an agent's has no fills.
        portfolio: if it was read before.

    Raises:
        VenueError, NoAnswerError: as `Info`.
    """
    rows: list[dict[str, Any]] = [_row(fill) async for fill in info.fills_since(address, 0)]
    served = len(rows)
    rows += [{**_row(slice_.fill), "twapId": slice_.twap_id} for slice_ in await info.twap_slice_fills(address)]
    rows.sort(key=lambda row: row["time"])
    history = history_from_rows(address, rows, address=address)
    first = rows[0]["time"] if rows else 0
    cut = horizon_issue(history, served=served)
    windows = await info.portfolio(address) if portfolio is None else portfolio
    window = windows.get(_EQUITY_WINDOW)
    equity = None if window is None else equity_from_portfolio(window.account_value_history, window.pnl_history)
    funding = await _funding(info, address, first)
    return history, Beside(funding=funding, equity=equity, issues=(cut,) if cut else ())


def fetch_blocking(address: str, base_url: str) -> tuple[History, Beside]:
    """`fetch` for a command line, over HTTP and with a budget of its own."""

    async def run() -> tuple[History, Beside]:
        async with HttpRoad(base_url) as road:
            return await fetch(Info(road, limiter=WeightBudget()), address)

    return asyncio.run(run())


async def _funding(info: Info, address: str, since_ms: int) -> pl.DataFrame:
    updates: dict[tuple[int, str], LedgerUpdate] = {}
    for _ in range(_MOST_PAGES):
        page = await info.user_funding(address, since_ms)
        updates.update({(update.time, str(update.delta.get("coin"))): update for update in page})
        if len(page) < _LEDGER_PAGE or page[-1].time <= since_ms:
            break
        since_ms = page[-1].time
    return funding_table(updates.values())


def funding_table(updates: Iterable[LedgerUpdate]) -> pl.DataFrame:
    """Return coin, time_ms and usd of funding payments; the venue's sign is the trader's: negative was paid."""
    rows = [(str(update.delta.get("coin")), update.time, str(update.delta.get("usdc"))) for update in updates]
    frame = pl.DataFrame(rows, schema={"coin": pl.String, "time_ms": pl.Int64, "usd": pl.String}, orient="row")
    return frame.with_columns(pl.col("usd").cast(MONEY, strict=False)).drop_nulls("usd").sort("time_ms")


def _row(fill: Any) -> dict[str, Any]:
    """The venue's own field names, amounts as text."""
    row: dict[str, Any] = msgspec.to_builtins(fill)
    return row
