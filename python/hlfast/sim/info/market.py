"""Market data: meta of all kinds, mids, books, contexts, candles."""

from __future__ import annotations

from typing import Any

from hlfast.sim.bars import Bar
from hlfast.sim.blocks import Block
from hlfast.sim.book import Book
from hlfast.sim.funding import BASE_RATE, FundingRate
from hlfast.sim.info.request import BadRequestError, Handler, constant, read_int, read_text
from hlfast.sim.numbers import wire
from hlfast.sim.trading import Trading
from hlfast.sim.universe import Asset
from hlfast.sim.venue import Venue

BOOK_LEVELS = 20
MAX_CANDLES = 5_000
CATEGORY = "other"  # of every builder-deployed perp here
INTERVAL_MS = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
    "1w": 604_800_000,
    "1M": 2_592_000_000,
}


class MarketInfo:
    """What everybody may know of assets and books."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each request type."""
        universe = self._venue.universe
        return {
            "meta": self._meta,
            "metaAndAssetCtxs": self._meta_and_contexts,
            "allPerpMetas": lambda _body: [universe.meta[dex] for dex in universe.dex_names],
            "perpDexs": constant(universe.perp_dexs),
            "spotMeta": constant(universe.spot_meta),
            "spotMetaAndAssetCtxs": lambda _body: [
                universe.spot_meta,
                [self.spot_context(asset) for asset in universe.by_dex["spot"]],
            ],
            "allMids": lambda body: self.mids(read_text(body, "dex", "")),
            "l2Book": self._l2_book,
            "recentTrades": self._recent_trades,
            "candleSnapshot": self._candles,
            "fundingHistory": self._funding_history,
            "predictedFundings": lambda _body: self._predicted(),
            "exchangeStatus": lambda _body: {"time": self._venue.time_ms(), "specialStatuses": None},
            "perpsAtOpenInterestCap": lambda body: self._trading.interest.capped(read_text(body, "dex", "")),
            "perpDexLimits": self._dex_limits,
            "perpDexStatus": self._dex_status,
            "marginTable": self._margin_table,
            "settledOutcome": self._settled_outcome,
            "perpAnnotation": self._annotation,
            "perpCategories": lambda _body: [
                [asset.coin, CATEGORY] for dex in universe.dex_names[1:] for asset in universe.by_dex[dex]
            ],
            "outcomeMeta": constant({"outcomes": [], "questions": []}),
            "maxMarketOrderNtls": constant(
                [
                    [25, "30000000.0"],
                    [20, "5000000.0"],
                    [10, "2000000.0"],
                    [3, "500000.0"],
                ]
            ),
        }

    def asset(self, coin: str) -> Asset | None:
        """Return the asset of a feed name."""
        return self._venue.universe.by_coin.get(coin)

    def _book(self, asset: Asset) -> Book:
        # Quotes of a book that nobody has touched yet appear on first sight; that is no event of any block.
        return self._trading.open_book(asset, Block(0, self._venue.time_ms()))

    def _meta(self, body: dict[str, Any]) -> Any:
        meta = self._venue.universe.meta.get(read_text(body, "dex", ""))
        if meta is None:
            raise BadRequestError
        return meta

    def _meta_and_contexts(self, body: dict[str, Any]) -> Any:
        meta = self._meta(body)
        dex = read_text(body, "dex", "")
        return [meta, [self.context(asset) for asset in self._venue.universe.by_dex[dex]]]

    def mid_price(self, asset: Asset) -> int:
        """Return the middle of the best prices, the last trade's where a side is empty."""
        book = self._book(asset)
        bid, ask = book.best(is_buy=True), book.best(is_buy=False)
        return (bid.price + ask.price) // 2 if bid and ask else book.last_price

    def mids(self, dex: str) -> dict[str, str]:
        """Return the mids of one dex; the main one's answer includes spot."""
        by_dex = self._venue.universe.by_dex
        if dex == "spot" or dex not in by_dex:
            raise BadRequestError
        assets = by_dex[dex] + (by_dex["spot"] if dex == "" else [])
        return {asset.coin: wire(self.mid_price(asset)) for asset in assets if not asset.is_delisted}

    def context(self, asset: Asset) -> dict[str, Any]:
        """Return a perp's context."""
        book = self._book(asset)
        bid, ask = book.best(is_buy=True), book.best(is_buy=False)
        mark, day = wire(book.mid), self._day(asset)
        shown: dict[str, Any] = {
            "funding": wire(self._venue.funding.rate(asset.coin)),
            "openInterest": wire(self._open_interest(asset)),
            "prevDayPx": day["prevDayPx"],
            "dayNtlVlm": day["dayNtlVlm"],
            "premium": None,
            "oraclePx": wire(self._venue.oracle(asset)),
            "markPx": mark,
            "midPx": None,
            "impactPxs": None,
            "dayBaseVlm": day["dayBaseVlm"],
        }
        if bid is not None and ask is not None:
            shown["premium"] = wire(self._venue.funding.premium(asset.coin))
            shown["midPx"] = wire((bid.price + ask.price) // 2)
            shown["impactPxs"] = [wire(bid.price), wire(ask.price)]
        return shown

    def _open_interest(self, asset: Asset) -> int:
        total = 0
        for account in [*self._venue.accounts.values(), self._venue.maker]:
            held = account.positions.get(asset.asset_id)
            total += max(held.size, 0) if held else 0
        return total

    def spot_context(self, asset: Asset) -> dict[str, Any]:
        """Return a spot pair's context."""
        day = self._day(asset)
        return {
            "prevDayPx": day["prevDayPx"],
            "dayNtlVlm": day["dayNtlVlm"],
            "markPx": wire(self._venue.mark(asset)),
            "midPx": wire(self.mid_price(asset)),
            "circulatingSupply": "1000000000.0",
            "coin": asset.coin,
            "totalSupply": "1000000000.0",
            "dayBaseVlm": day["dayBaseVlm"],
        }

    def all_contexts(self) -> list[Any]:
        """Return [[dex, contexts]…] of all perp dexs."""
        universe = self._venue.universe
        return [[dex, [self.context(asset) for asset in universe.by_dex[dex]]] for dex in universe.dex_names]

    def fast_contexts(self) -> dict[str, dict[str, str]]:
        """Return mark and mid of every listed coin."""
        shown = {}
        for asset in self._venue.universe.by_id.values():
            if not asset.is_delisted:
                mark, mid = wire(self._venue.mark(asset)), wire(self.mid_price(asset))
                shown[asset.coin] = {"markPx": mark, "midPx": mid}
        return shown

    def bbo(self, asset: Asset, time_ms: int) -> dict[str, Any]:
        """Return the data of a `bbo` frame."""
        book = self._book(asset)
        sides = [book.levels(is_buy=is_buy, limit=1) for is_buy in (True, False)]
        return {"coin": asset.coin, "time": time_ms, "bbo": [_level(side[0]) if side else None for side in sides]}

    def l2(
        self, asset: Asset, time_ms: int, *, levels: int = BOOK_LEVELS, figures: int | None = None, mantissa: int = 1
    ) -> dict[str, Any]:
        """Return a book of up to `levels` a side, its prices rounded outwards to `figures` significant digits."""
        book = self._book(asset)
        sides = []
        for is_buy in (True, False):
            rows = book.levels(is_buy=is_buy, limit=levels if figures is None else 10_000)
            if figures is not None:
                rows = _rounded(rows, figures, mantissa, is_buy=is_buy)[:levels]
            sides.append([_level(row) for row in rows])
        return {"coin": asset.coin, "time": time_ms, "levels": sides}

    def _l2_book(self, body: dict[str, Any]) -> Any:
        asset = self.asset(read_text(body, "coin"))
        if asset is None:
            return None
        figures = read_int(body, "nSigFigs", 0)
        mantissa = read_int(body, "mantissa", 1)
        if figures not in (0, 2, 3, 4, 5) or mantissa not in (1, 2, 5) or (mantissa != 1 and figures != 5):
            raise BadRequestError
        return self.l2(asset, self._venue.time_ms(), figures=figures or None, mantissa=mantissa)

    def _recent_trades(self, body: dict[str, Any]) -> Any:
        coin = read_text(body, "coin")
        return list(reversed(self._venue.recent_trades.get(coin, ()))) if self.asset(coin) else None

    @staticmethod
    def candle_start(time_ms: int, interval: str) -> int:
        """Return the start of the candle that a time falls into."""
        return time_ms // INTERVAL_MS[interval] * INTERVAL_MS[interval]

    def candle(self, asset: Asset, interval: str, start_ms: int) -> dict[str, Any]:
        """Return the candle that starts at `start_ms`; flat at the last price where nothing traded."""
        last = self._venue.book(asset).last_price
        bar = self._venue.bars.merged(asset.coin, start_ms, INTERVAL_MS[interval])
        bar = bar or Bar(start_ms, last, last, last, last)
        return {
            "t": start_ms,
            "T": start_ms + INTERVAL_MS[interval] - 1,
            "s": asset.coin,
            "i": interval,
            "o": wire(bar.open),
            "c": wire(bar.close),
            "h": wire(bar.high),
            "l": wire(bar.low),
            "v": wire(bar.volume),
            "n": bar.trades,
        }

    def _dex_limits(self, body: dict[str, Any]) -> Any:
        name = read_text(body, "dex")
        row = next((row for row in self._venue.universe.perp_dexs if row is not None and row["name"] == name), None)
        if row is None:
            return None
        return {
            "totalOiCap": "1000000000.0",
            "oiSzCapPerPerp": "10000000000.0",
            "maxTransferNtl": "100000000.0",
            "coinToOiCap": row["assetToStreamingOiCap"],
        }

    def _dex_status(self, body: dict[str, Any]) -> dict[str, Any]:
        dex = read_text(body, "dex")
        if dex not in self._venue.universe.meta:
            raise BadRequestError
        total = sum(self._venue.margin.cross_value(account, dex) for account in self._venue.accounts.values())
        return {"totalNetDeposit": wire(total)}

    def _margin_table(self, body: dict[str, Any]) -> Any:
        table_id = read_int(body, "id")
        tables: dict[int, Any] = dict(self._venue.universe.meta[self._dex(body)]["marginTables"])
        if table_id in tables:
            return tables[table_id]
        if not 0 < table_id < 50:
            raise BadRequestError
        return {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": table_id}]}

    def _dex(self, body: dict[str, Any]) -> str:
        dex = read_text(body, "dex", "")
        if dex not in self._venue.universe.meta:
            raise BadRequestError
        return dex

    @staticmethod
    def _settled_outcome(body: dict[str, Any]) -> None:
        """Return null: no outcome was ever listed here."""
        read_int(body, "outcome")

    def _annotation(self, body: dict[str, Any]) -> dict[str, str] | None:
        asset = self.asset(read_text(body, "coin"))
        return {"category": CATEGORY, "description": asset.coin} if asset is not None and asset.dex else None

    def _predicted(self) -> list[Any]:
        hour = INTERVAL_MS["1h"]
        coming = (self._venue.time_ms() // hour + 1) * hour
        rows = []
        for asset in self._venue.universe.by_dex[""]:
            if not asset.is_delisted:
                rate = wire(self._venue.funding.rate(asset.coin))
                shown = {"fundingRate": rate, "nextFundingTime": coming, "fundingIntervalHours": 1}
                rows.append([asset.coin, [["HlPerp", shown]]])
        return rows

    def _day(self, asset: Asset) -> dict[str, str]:
        """Return the figures of the last 24 hours that every context shows."""
        bar = self._venue.bars.day(asset.coin, self._venue.time_ms())
        return {
            "prevDayPx": wire(bar.open if bar else asset.mid),
            "dayNtlVlm": wire(bar.notional if bar else 0),
            "dayBaseVlm": wire(bar.volume if bar else 0),
        }

    def _candles(self, body: dict[str, Any]) -> Any:
        request = body.get("req")
        if not isinstance(request, dict):
            raise BadRequestError
        asset = self.asset(read_text(request, "coin"))
        interval = read_text(request, "interval")
        if asset is None or interval not in INTERVAL_MS:
            raise BadRequestError
        step = INTERVAL_MS[interval]
        end = min(read_int(request, "endTime", self._venue.time_ms()), self._venue.time_ms())
        first = max(read_int(request, "startTime"), end - MAX_CANDLES * step) // step * step
        return [self.candle(asset, interval, start) for start in range(first, end + 1, step)][-MAX_CANDLES:]

    def _funding_history(self, body: dict[str, Any]) -> Any:
        asset = self.asset(read_text(body, "coin"))
        if asset is None or asset.is_spot:
            raise BadRequestError
        end = min(read_int(body, "endTime", self._venue.time_ms()), self._venue.time_ms())
        hour = INTERVAL_MS["1h"]
        first = -(-read_int(body, "startTime") // hour) * hour
        paid = {row.time_ms: row for row in self._venue.funding.paid.get(asset.coin, ())}
        rows = []
        for time_ms in range(first, end + 1, hour)[:500]:
            # An hour in which the venue didn't run, or nobody had touched the book, would have paid the base rate.
            row = paid.get(time_ms) or FundingRate(time_ms, BASE_RATE, 0)
            shown = {"coin": asset.coin, "fundingRate": wire(row.rate), "premium": wire(row.premium), "time": time_ms}
            rows.append(shown)
        return rows


def _level(row: tuple[int, int, int]) -> dict[str, Any]:
    return {"px": wire(row[0]), "sz": wire(row[1]), "n": row[2]}


def _rounded(
    rows: list[tuple[int, int, int]], figures: int, mantissa: int, *, is_buy: bool
) -> list[tuple[int, int, int]]:
    merged: dict[int, tuple[int, int, int]] = {}
    for price, size, count in rows:
        step = 10 ** max(len(str(price)) - figures, 0) * mantissa
        level = price // step * step if is_buy else -(-price // step) * step
        known = merged.get(level, (level, 0, 0))
        merged[level] = (level, known[1] + size, known[2] + count)
    return list(merged.values())
