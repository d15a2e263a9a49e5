"""A trader's history as the core's replay takes it: perps in one order of time, every position linked to the next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import msgspec
import polars as pl

from hlfast.research.chain import in_chain_order
from hlfast.research.files import ADDRESS
from hlfast.research.history import MINUTE_MS, History, Issue
from hlfast.research.whatif.model import FUNDING_RATE, MICRO, RATE, Liquidity, Market, Markets, assumed_liquidity

UNIT: Final = 100_000_000  # of prices and sizes
_MOST_DECIMALS: Final = 6
_UNKNOWN_LEVERAGE: Final = 10
_COLUMNS: Final = ("coin", "time_ms", "is_buy", "price", "start", "end", "gap", "crossed", "liquidated", "oid")

_Fill = tuple[int, int, int, int, int, str, bool]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A record ready for replay.

    Attributes:
        encoded: the JSON that `WhatIf` reads.
        leader: his address; made from the name where none is known.
        coins: names, by their place in the record.
        liquidity: what is taken for each coin's book.
        paid: average price of each (coin, time in ms) in 10^-8.
        volume_usd, fees_usd, closed_pnl_usd: the leader's own, of what is replayed.
        largest_usd: his largest exposure, sum over coins.
        issues: of the history, and what had to be made or left out here.
    """

    encoded: bytes
    leader: str
    coins: tuple[str, ...]
    size_decimals: tuple[int, ...]
    liquidity: tuple[Liquidity, ...]
    paid: dict[tuple[str, int], int]
    fills: int
    first_ms: int
    last_ms: int
    volume_usd: Decimal
    fees_usd: Decimal
    closed_pnl_usd: Decimal
    largest_usd: Decimal
    issues: tuple[Issue, ...]
    funding_hours: int
    book_coins: tuple[str, ...]
    price_points: int


def prepare(history: History, markets: Markets | None = None) -> Prepared:
    """Bring a history into the form that is replayed.

    Left out: spot, and what the trader traded with himself. Where fills are missing, one is made that
    bridges the gap at the price of the fill behind it. Whole minutes are spread out by orders.

    Raises:
        ValueError: no fill of a perp is left.
    """
    markets = markets or {}
    ordered, issues = in_chain_order(history)
    perps = ordered.filter(~pl.col("spot") & (pl.col("delta") != 0)).sort("time_ms", maintain_order=True)
    if not perps.height:
        raise ValueError(f"{history.name}: no fill of a perpetual in {ordered.height} rows; nothing can be copied")
    said = list(issues)
    if left := ordered.filter("spot").height:
        text = "spot rows are not replayed: their balances move by fees and transfers too"
        said.append(Issue(kind="spot_left_out", count=left, text=text))
    minutes = any(issue.kind == "minute_times" for issue in issues)
    names = tuple(perps["coin"].unique(maintain_order=True))
    fills, bridged = _linked(perps, {name: place for place, name in enumerate(names)}, minutes=minutes)
    if bridged:
        text = "gaps bridged by a made fill at the price of the fill behind them"
        said.append(Issue(kind="bridged", count=bridged, text=text))
    decimals = tuple(_decimals(place, fills, markets.get(name)) for place, name in enumerate(names))
    liquidity = tuple(_liquidity(name, markets.get(name)) for name in names)
    found = ADDRESS.search(history.name)
    leader = found.group().lower() if found else _made_address(history.name)
    coins = [
        _coin(name, decimals[place], liquidity[place], markets.get(name) or Market())
        for place, name in enumerate(names)
    ]
    volume, fees, closed = perps.select(pl.col("price") * pl.col("size"), "fee_usd", "closed_pnl").sum().row(0)
    return Prepared(
        encoded=msgspec.json.encode({"leader": leader, "coins": coins, "fills": fills}),
        leader=leader,
        coins=names,
        size_decimals=decimals,
        liquidity=liquidity,
        paid=_paid(fills, names),
        fills=len(fills),
        first_ms=fills[0][1],
        last_ms=fills[-1][1],
        volume_usd=Decimal(volume),
        fees_usd=Decimal(fees),
        closed_pnl_usd=Decimal(closed),
        largest_usd=_largest(fills, len(names)),
        issues=tuple(said),
        funding_hours=sum(len(coin["funding"]) for coin in coins),
        book_coins=tuple(coin["name"] for coin in coins if coin["books"]),
        price_points=sum(len(coin["prices"]) for coin in coins),
    )


def _units(name: str) -> pl.Expr:
    return (pl.col(name) * UNIT).cast(pl.Int64).alias(name)


def _linked(perps: pl.DataFrame, place_of: Mapping[str, int], *, minutes: bool) -> tuple[list[_Fill], int]:
    """Positions of the record count; a size makes up for what rounding left between two of them."""
    rows = perps.select(*_COLUMNS).with_columns(_units(name) for name in ("price", "start", "end"))
    held: dict[str, int] = {}
    fills: list[_Fill] = []
    bridged = 0
    times = _spread(rows) if minutes else iter(rows["time_ms"])
    for (coin, _, _, price, start, end, gap, crossed, liquidated, _), time_ms in zip(
        rows.iter_rows(), times, strict=True
    ):
        place = place_of[coin]
        before = held.get(coin, start)
        if gap and before != start:
            fills.append((place, time_ms, price, start - before, before, "unknown", False))
            bridged += 1
            before = start
        if end != before:
            role = "unknown" if crossed is None else "taker" if crossed else "maker"
            fills.append((place, time_ms, price, end - before, before, role, liquidated))
        held[coin] = end
    return fills, bridged


def _spread(rows: pl.DataFrame) -> Iterator[int]:
    """Inside one whole minute: orders in their given succession, evenly apart."""
    triples = list(rows.select("time_ms", "coin", "oid").iter_rows())
    for minute, group in groupby(triples, key=lambda row: row[0]):
        inside = list(group)
        orders: list[int] = []
        for at, row in enumerate(inside):
            new = at == 0 or row[2] is None or row[1:] != inside[at - 1][1:]
            orders.append(orders[-1] + new if orders else 0)
        step = MINUTE_MS // (orders[-1] + 1)
        yield from (minute + order * step for order in orders)


def _decimals(place: int, fills: list[_Fill], market: Market | None) -> int:
    """szDecimals, or the most decimals that the coin's sizes show: a lower bound, so lots are never finer than real."""
    if market is not None and market.size_decimals is not None:
        return market.size_decimals
    mine = [abs(fill[3]) for fill in fills if fill[0] == place]
    fitting = (places for places in range(_MOST_DECIMALS) if all(size % 10 ** (8 - places) == 0 for size in mine))
    return next(fitting, _MOST_DECIMALS)


def _liquidity(coin: str, market: Market | None) -> Liquidity:
    return assumed_liquidity(coin) if market is None or market.liquidity is None else market.liquidity


def _coin(name: str, decimals: int, liquidity: Liquidity, market: Market) -> dict[str, Any]:
    def levels(side: tuple[tuple[Decimal, Decimal], ...]) -> list[tuple[int, int]]:
        return [(int(price * UNIT), int(size * UNIT)) for price, size in side]

    return {
        "name": name,
        "size_decimals": decimals,
        "max_leverage": market.max_leverage or _UNKNOWN_LEVERAGE,
        "half_spread": int(liquidity.half_spread_bps * RATE / 10_000),
        "depth": max(1, int(liquidity.depth_usd * MICRO)),
        "prices": [(time_ms, int(price * UNIT)) for time_ms, price in market.prices],
        "funding": [(time_ms, int(rate * FUNDING_RATE)) for time_ms, rate in market.funding],
        "books": [(time_ms, levels(bids), levels(asks)) for time_ms, bids, asks in market.books],
        "days": [(start_ms, int(close * UNIT)) for start_ms, close in market.days],
        "activity": None if market.activity is None else [int(usd * MICRO) for usd in market.activity],
    }


def _paid(fills: list[_Fill], names: tuple[str, ...]) -> dict[tuple[str, int], int]:
    """Average price of what came in one frame for one coin: what the core calls one decision."""
    sums: dict[tuple[str, int], tuple[int, int]] = {}
    for place, time_ms, price, size, *_ in fills:
        taken, worth = sums.get((names[place], time_ms), (0, 0))
        sums[names[place], time_ms] = (taken + abs(size), worth + abs(size) * price)
    return {key: round(worth / taken) for key, (taken, worth) in sums.items()}


def _largest(fills: list[_Fill], coins: int) -> Decimal:
    worth = [0] * coins
    largest = total = 0
    for place, _, price, size, start, *_ in fills:
        now = abs(start + size) * price
        total += now - worth[place]
        worth[place] = now
        largest = max(largest, total)
    return Decimal(largest) / UNIT / UNIT


def _made_address(name: str) -> str:
    return "0x" + hashlib.sha256(b"hlfast what-if leader " + name.encode()).hexdigest()[:40]
