"""What can be known of coins: from files of the venue's answers and frames, or from the venue itself."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any, Final

import msgspec

from hlfast.errors import HttpStatusError, NoAnswerError, VenueError
from hlfast.research.files import FileRefusedError, rows_of_file
from hlfast.research.whatif.model import Liquidity, Market, measured_liquidity
from hlfast.venue.info import Info

_BAND_BPS: Final = 10
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_DAYS_BEFORE: Final = 90  # what gates and mode risk look back at most, about
_FUNDING_PAGE: Final = 500
# Pages of 500 hours each; a longer record keeps the assumed rate for what lies before.
_MOST_PAGES: Final = 20
# Fewer books than this are no basis for a spread.
_FEWEST_BOOKS: Final = 5

_Levels = tuple[tuple[Decimal, Decimal], ...]
_Book = tuple[int, _Levels, _Levels]


class _Found:
    """What was read so far, by coin."""

    def __init__(self) -> None:
        self.decimals: dict[str, int] = {}
        self.leverage: dict[str, int] = {}
        self.impact: dict[str, Liquidity] = {}
        self.activity: dict[str, tuple[Decimal, Decimal]] = {}
        self.days: dict[str, dict[int, Decimal]] = defaultdict(dict)
        self.prices: dict[str, dict[int, Decimal]] = defaultdict(dict)
        self.funding: dict[str, dict[int, Decimal]] = defaultdict(dict)
        self.books: dict[str, dict[int, _Book]] = defaultdict(dict)

    def markets(self) -> dict[str, Market]:
        names = {*self.decimals, *self.impact, *self.activity, *self.days, *self.prices, *self.funding, *self.books}
        return {name: self._market(name) for name in sorted(names)}

    def _market(self, name: str) -> Market:
        books = tuple(self.books[name][at] for at in sorted(self.books[name])) if name in self.books else ()
        return Market(
            size_decimals=self.decimals.get(name),
            max_leverage=self.leverage.get(name),
            liquidity=liquidity_of_books(books) or self.impact.get(name),
            activity=self.activity.get(name),
            days=tuple(sorted(self.days[name].items())) if name in self.days else (),
            prices=tuple(sorted(self.prices[name].items())) if name in self.prices else (),
            funding=tuple(sorted(self.funding[name].items())) if name in self.funding else (),
            books=books,
        )


def markets_from_files(paths: Iterable[Path]) -> dict[str, Market]:
    """Read files of metadata (with contexts or without), candles, funding rates, and frames of books and trades.

    Raises:
        FileRefusedError: a file can't be read, or holds nothing of these.
    """
    found = _Found()
    for path in paths:
        try:
            used = sum(_take(row, found) for row in _rows(path))
        except (KeyError, TypeError, ValueError, IndexError, DecimalException) as error:
            raise FileRefusedError(
                f"{path}: a row is not of the venue's shape ({type(error).__name__}: {error})"
            ) from error
        if not used:
            wanted = "metaAndAssetCtxs, candleSnapshot, fundingHistory, or frames of l2Book and trades"
            raise FileRefusedError(f"{path}: nothing in it says anything about a market; expected {wanted}")
    return found.markets()


def _rows(path: Path) -> Iterable[Any]:
    rows = rows_of_file(path)
    if len(rows) == 1 and "universe" in rows[0]:
        # [meta, contexts]: the second part is a list, which `rows_of_file` passes over.
        whole = msgspec.json.decode(path.read_bytes()) if path.suffix == ".json" else rows[0]
        return [whole]
    return rows


def _take(row: Any, found: _Found) -> bool:
    if isinstance(row, list):
        return _take_contexts(row, found)
    # A payment of `userFunding` carries the rate one level down.
    row = row["delta"] | {"time": row["time"]} if isinstance(row.get("delta"), dict) else row
    if "universe" in row:
        _take_meta(row, found)
    elif "fundingRate" in row:
        found.funding[row["coin"]][int(row["time"])] = Decimal(str(row["fundingRate"]))
    elif {"t", "s", "c"} <= row.keys() and row.get("i") == "1d":
        found.days[row["s"]][int(row["t"])] = Decimal(str(row["c"]))
    elif {"T", "s", "c"} <= row.keys():
        found.prices[row["s"]][int(row["T"])] = Decimal(str(row["c"]))
    elif row.get("channel") == "l2Book":
        _take_book(row["data"], found)
    elif row.get("channel") == "trades":
        for trade in row["data"]:
            found.prices[trade["coin"]][int(trade["time"])] = Decimal(trade["px"])
    else:
        return False
    return True


def _take_meta(meta: Any, found: _Found) -> None:
    for asset in meta["universe"]:
        found.decimals[asset["name"]] = int(asset["szDecimals"])
        found.leverage[asset["name"]] = int(asset["maxLeverage"])


def _take_contexts(pair: Sequence[Any], found: _Found) -> bool:
    meta, contexts = pair
    _take_meta(meta, found)
    for asset, context in zip(meta["universe"], contexts, strict=True):
        middle, impact = context.get("midPx"), context.get("impactPxs")
        if middle and impact:
            name, ends = asset["name"], (Decimal(impact[0]), Decimal(impact[1]))
            found.impact[name] = measured_liquidity(name, Decimal(middle), ends)
            if {"dayNtlVlm", "openInterest"} <= context.keys():
                open_usd = Decimal(context["openInterest"]) * Decimal(middle)
                found.activity[name] = (Decimal(context["dayNtlVlm"]), open_usd)
    return True


def _take_book(data: Any, found: _Found) -> None:
    bids, asks = (tuple((Decimal(one["px"]), Decimal(one["sz"])) for one in side) for side in data["levels"])
    if bids and asks:
        found.books[data["coin"]][int(data["time"])] = (int(data["time"]), bids, asks)


def liquidity_of_books(books: Sequence[_Book]) -> Liquidity | None:
    """Return the median half spread, and the median of what lay within 10 bps behind the touch, both sides.

    Twenty levels may end before that: then the depth is a lower bound.
    """
    if len(books) < _FEWEST_BOOKS:
        return None
    spreads, depths = [], []
    for _, bids, asks in books:
        middle = (bids[0][0] + asks[0][0]) / 2
        spreads.append((asks[0][0] - bids[0][0]) / 2 / middle * 10_000)
        for side in (bids, asks):
            near = [price * size for price, size in side if abs(price - side[0][0]) * 10_000 <= _BAND_BPS * middle]
            depths.append(sum(near, Decimal(0)))
    return Liquidity(half_spread_bps=statistics.median(spreads), depth_usd=statistics.median(depths), measured=True)


async def markets_from_venue(info: Info, coins: Iterable[str], first_ms: int, last_ms: int) -> dict[str, Market]:
    """Ask for decimals, leverage, impact prices, activity, days and hourly funding; what is refused stays unknown."""
    wanted = sorted(set(coins))
    found = await _present(info, lambda name: name in wanted)
    for dex in sorted({coin.split(":")[0] for coin in wanted if ":" in coin}):
        for asset in (await info.meta(dex)).universe:
            found.decimals[asset.name], found.leverage[asset.name] = asset.sz_decimals, asset.max_leverage
    for coin in wanted:
        try:
            await _take_funding(info, coin, first_ms, last_ms, found)
            for day in await info.candles(coin, "1d", first_ms - _DAYS_BEFORE * _DAY_MS, last_ms):
                found.days[coin][day.open_ms] = day.close
        except (NoAnswerError, HttpStatusError, VenueError):
            continue
    return found.markets()


async def markets_now(info: Info) -> dict[str, Market]:
    """Ask for the main perps' decimals, leverage, impact prices and activity: one read.

    Raises:
        VenueError, NoAnswerError: as `Info`.
    """
    return (await _present(info, lambda _: True)).markets()


async def _present(info: Info, wanted: Callable[[str], bool]) -> _Found:
    found = _Found()
    meta, contexts = await info.meta_and_contexts()
    for asset, context in zip(meta.universe, contexts, strict=False):
        if not wanted(asset.name):
            continue
        found.decimals[asset.name], found.leverage[asset.name] = asset.sz_decimals, asset.max_leverage
        if context.mid_px and context.impact_pxs:
            found.impact[asset.name] = measured_liquidity(asset.name, context.mid_px, context.impact_pxs)
            found.activity[asset.name] = (context.day_ntl_vlm, context.open_interest * context.mid_px)
    return found


async def _take_funding(info: Info, coin: str, first_ms: int, last_ms: int, found: _Found) -> None:
    since_ms = first_ms - first_ms % _HOUR_MS
    for _ in range(_MOST_PAGES):
        page = await info.funding_history(coin, since_ms, last_ms + _HOUR_MS)
        found.funding[coin].update({row.time: row.funding_rate for row in page})
        if len(page) < _FUNDING_PAGE or page[-1].time <= since_ms:
            return
        since_ms = page[-1].time + 1
