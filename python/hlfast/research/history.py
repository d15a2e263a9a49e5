"""One trader's fills as a table, read from rows of the API or of an export, and what was wrong with them.

Money, prices and sizes are decimals of ten places (the venue's tokens have at most ten); no float touches them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import msgspec
import polars as pl

MONEY: Final = pl.Decimal(38, 10)
# The venue serves about this many of an address's latest fills (documentation of 2026-08); archives hold the others.
HORIZON_FILLS = 10_000
MINUTE_MS = 60_000
# Rows are turned into columns in pieces, so that a million of them never stand in memory as objects.
_CHUNK_ROWS = 50_000
_EXAMPLES = 3
_TEXTS = ("px", "sz", "startPosition", "closedPnl", "fee", "builderFee")
# Half of what 64 bits hold at the venue's eight places, so that the position after a fill fits too; and USD of which a
# million may be summed without leaving 38 digits. Anything larger is damage.
_MOST_SIZE = (1 << 62) // 10**8
_MOST_SPOT = 10**15
_MOST_USD = 10**12
_TIMES = (1_500_000_000_000, 10_000_000_000_000)
_RAW_SCHEMA = {
    "place": pl.Int64,
    "coin": pl.String,
    "side": pl.String,
    "time": pl.Int64,
    "oid": pl.Int64,
    "tid": pl.Int64,
    "crossed": pl.Boolean,
    "dir": pl.String,
    "feeToken": pl.String,
    "liquidated": pl.Boolean,
    "twap": pl.Boolean,
    **dict.fromkeys(_TEXTS, pl.String),
}


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """Something about the record that a reader of the figures must know.

    `kind` is from a closed set (see docs/analytics.md); `count` is how many rows or places, `examples` a few of them.
    """

    kind: str
    count: int
    text: str
    examples: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Fills of one trader in the order of the record, and what was left out or made while reading.

    `fills` has: place (row of the source), coin, time_ms, is_buy, price, size, start (position before), closed_pnl
    (before fees), fee and fee_token, tid, oid, crossed (None: unknown), liquidated (the trader was), twap, spot.
    """

    name: str
    fills: pl.DataFrame
    issues: tuple[Issue, ...] = ()


def history_from_rows(name: str, rows: Iterable[Any], *, address: str | None = None) -> History:
    """Take rows of `userFills`, `userFillsByTime` or `userTwapSliceFills`, oldest or newest first, whole or damaged.

    A row without coin, side, time, price, size or position is left out and counted. A row that
    came twice counts once. Rows without `tid` are told apart by the position before them.

    Args:
        name: what the trader is called in reports.
        rows: objects as the venue sends them; anything else is counted as a bad row.
        address: the trader's own, to tell his liquidation from one that he was the counterparty of.
    """
    issues: list[Issue] = []
    raw = pl.concat([_columns(chunk, address) for chunk in _chunks(rows)] or [pl.DataFrame(schema=_RAW_SCHEMA)])
    typed = raw.with_columns(pl.col(text).cast(MONEY, strict=False) for text in _TEXTS)
    good = _without_bad_rows(typed, issues)
    if good.height and good["time"][0] > good["time"][-1]:
        good = good.reverse()
    fills = _without_duplicates(_named(good), issues)
    _tell_what_is_missing(fills, raw, issues)
    return History(name=name, fills=fills, issues=tuple(issues))


def _chunks(rows: Iterable[Any]) -> Iterator[list[tuple[int, Any]]]:
    numbered = iter(enumerate(rows, 1))
    while chunk := list(islice(numbered, _CHUNK_ROWS)):
        yield chunk


def _columns(chunk: list[tuple[int, Any]], address: str | None) -> pl.DataFrame:
    places = [place for place, _ in chunk]
    rows = [_unwrapped(row) for _, row in chunk]
    columns: dict[str, list[Any]] = {"place": places}
    for name, kind in (("coin", str), ("side", str), ("dir", str), ("feeToken", str), ("crossed", bool)):
        columns[name] = [value if type(value := row.get(name)) is kind else None for row in rows]
    for name in ("time", "oid", "tid"):
        columns[name] = [_whole(row.get(name)) for row in rows]
    for name in _TEXTS:
        columns[name] = [_text(row.get(name)) for row in rows]
    columns["liquidated"] = [_is_own_liquidation(row, address) for row in rows]
    columns["twap"] = [row.get("twapId") is not None for row in rows]
    return pl.DataFrame(columns, schema=_RAW_SCHEMA)


def _unwrapped(row: Any) -> Mapping[str, Any]:
    """A row of userTwapSliceFills holds the fill one level down; what is no object becomes an empty row."""
    if not isinstance(row, dict):
        return {}
    inner = row.get("fill")
    return {**inner, "twapId": row.get("twapId")} if isinstance(inner, dict) else row


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 63 else None


def _text(value: Any) -> str | None:
    if type(value) is str:
        return value
    return str(value) if type(value) in (int, float) else None


def _is_own_liquidation(row: Mapping[str, Any], address: str | None) -> bool:
    """`dir` says so in old rows; in newer ones the object names who was liquidated."""
    liquidation = row.get("liquidation")
    if isinstance(liquidation, dict) and liquidation.get("liquidatedUser"):
        who = str(liquidation["liquidatedUser"]).lower()
        if address is not None:
            return who == address.lower()
    text = row.get("dir")
    return isinstance(text, str) and text.startswith(("Liquidated", "Auto-Deleveraging"))


def _without_bad_rows(typed: pl.DataFrame, issues: list[Issue]) -> pl.DataFrame:
    usable = (
        pl.col("coin").str.len_bytes().is_between(1, 40)
        & pl.col("side").is_in(["A", "B"])
        & pl.col("time").is_between(*_TIMES, closed="left")
        & (pl.col("px") > 0)
        & (pl.col("sz") > 0)
        & pl.col("startPosition").is_not_null()
    ).fill_null(value=False)
    usable &= _within_bounds().fill_null(value=False)
    # `Net Child Vaults` moves money between a vault and its children: no trade, no position.
    internal = (pl.col("dir") == "Net Child Vaults").fill_null(value=False)
    bad = typed.filter(~usable & ~internal)
    if bad.height:
        text = "rows without a usable coin, side, time, px, sz or startPosition, or beyond all bounds; left out"
        issues.append(_issue("bad_row", bad["place"], text))
    moved = typed.filter(internal)
    if moved.height:
        issues.append(_issue("vault_transfer", moved["place"], "rows that move money inside a vault; left out"))
    return typed.filter(usable & ~internal)


def _within_bounds() -> pl.Expr:
    """Numbers that the arithmetic holds; floats are exact enough to tell."""
    size, start, price = (pl.col(name).cast(pl.Float64).abs() for name in ("sz", "startPosition", "px"))
    spot = pl.col("coin").str.starts_with("@") | pl.col("coin").str.contains("/", literal=True)
    most = pl.when(spot).then(_MOST_SPOT).otherwise(_MOST_SIZE)
    within = (size < most) & (start < most) & (price < _MOST_USD)
    within &= (size * price < _MOST_USD) & (start * price < _MOST_USD)
    for name in ("closedPnl", "fee"):
        within &= pl.col(name).cast(pl.Float64).abs().fill_null(0) < _MOST_USD
    return within


def _named(good: pl.DataFrame) -> pl.DataFrame:
    spot = pl.col("coin").str.starts_with("@") | pl.col("coin").str.contains("/", literal=True)
    return good.select(
        "place",
        "coin",
        pl.col("time").alias("time_ms"),
        (pl.col("side") == "B").alias("is_buy"),
        pl.col("px").alias("price"),
        pl.col("sz").alias("size"),
        pl.col("startPosition").alias("start"),
        pl.col("closedPnl").alias("closed_pnl"),
        "fee",
        pl.col("feeToken").alias("fee_token"),
        "tid",
        "oid",
        "crossed",
        "liquidated",
        "twap",
        spot.alias("spot"),
    )


def _without_duplicates(fills: pl.DataFrame, issues: list[Issue]) -> pl.DataFrame:
    """Keep the first of equal identities. A trade of the trader with himself has one tid and two sides: both stay."""
    identity = ["coin", "time_ms", "is_buy", "oid", "tid"]
    made = [*identity, "price", "size", "start"]
    dull = pl.col("tid").is_null() | (pl.col("tid") == 0)
    # One hash of what tells rows apart keeps a million of them quick; rows with a tid do not look at prices.
    key = pl.when(dull).then(pl.struct(made).hash()).otherwise(pl.struct(identity).hash())
    doubled = fills.with_columns(key.alias("key"))
    kept = doubled.unique("key", keep="first", maintain_order=True)
    if kept.height == fills.height:
        return fills
    again = doubled.join(kept.select("place"), on="place", how="anti")
    issues.append(_issue("duplicate", again["place"], "rows that are in the record already; left out"))
    first = kept.join(
        again.select("key", *(pl.col(name).alias(f"{name}_again") for name in ("price", "size"))), on="key"
    )
    differ = first.filter((pl.col("price") != pl.col("price_again")) | (pl.col("size") != pl.col("size_again")))
    if differ.height:
        text = "rows with the identity of another but another price or size; the first one counts"
        issues.append(_issue("conflict", differ["place"], text))
    return kept.drop("key")


def _tell_what_is_missing(fills: pl.DataFrame, raw: pl.DataFrame, issues: list[Issue]) -> None:
    def tell(kind: str, wrong: pl.DataFrame, text: str) -> None:
        if wrong.height:
            issues.append(_issue(kind, wrong["place"], text))

    if not fills.height:
        issues.append(Issue(kind="empty", count=0, text=f"no usable fill in {raw.height} rows"))
        return
    tell("no_tid", fills.filter(pl.col("tid").is_null()), "rows without tid: told apart by order and position")
    tell("no_crossed", fills.filter(pl.col("crossed").is_null()), "rows that do not say maker or taker")
    tell("no_closed_pnl", fills.filter(pl.col("closed_pnl").is_null()), "rows without closedPnl: counted as zero")
    tell("no_fee", fills.filter(pl.col("fee").is_null()), "rows without fee: counted as zero")
    if fills.height > 1 and (fills["time_ms"] % MINUTE_MS == 0).all():
        text = "all times are whole minutes: the order inside one comes from the positions; holding times are ± 1 min"
        issues.append(Issue(kind="minute_times", count=fills.height, text=text))


def _issue(kind: str, places: pl.Series, text: str) -> Issue:
    examples = tuple(f"row {place}" for place in places.head(_EXAMPLES))
    return Issue(kind=kind, count=len(places), text=text, examples=examples)


def horizon_issue(history: History, *, served: int) -> Issue | None:
    """Say that the venue cut the record: `served` rows came, and it keeps no more than about 10,000."""
    if served < HORIZON_FILLS or not history.fills.height:
        return None
    first = min(history.fills["time_ms"].to_list())
    text = (
        f"the venue keeps about the {HORIZON_FILLS:,} latest fills and gave {served:,}: nothing before Unix ms {first} "
        "is in these figures. All-time profit stands in the venue's portfolio; older fills only in its archives"
    )
    return Issue(kind="horizon", count=served, text=text)
