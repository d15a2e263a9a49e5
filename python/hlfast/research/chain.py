"""Puts fills into execution order and finds what is missing, by the position that each one says it began from.

Rows of one millisecond (or one minute, in some exports) come in any order. Each is an edge from the position before it
to the one after; a path over all edges is an order in which they can have happened (Hierholzer's algorithm).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from datetime import UTC, datetime

import numpy as np
import polars as pl

from hlfast.research.history import History, Issue

# Exports through 32-bit floats keep about seven digits: a difference below this share is their rounding, not a fill.
ROUNDING = 1e-6
# A spot balance worth less than this is flat: what fees leave behind, and the venue sells by itself.
SPOT_DUST_USD = 1
# Places are listed one by one up to here; a record with more of them is none.
_MOST_PLACES = 200
DOLLARS = ("USDC", "USDT0", "USDH", "USDE")


def in_chain_order(history: History) -> tuple[pl.DataFrame, tuple[Issue, ...]]:
    """Return the fills by coin and execution order with `delta`, `end` and `gap`, and the issues of history and chain.

    `delta` is the signed change of position, zero for both legs of a trade with oneself; `end` the position after it;
    `gap` is true where the record misses something between this fill and the coin's one before. `fee_usd` is the fee in
    USD: fees in a dollar token count one to one, fees in the traded token at the fill's price.
    """
    fills, issues = _with_fees(_by_coin_and_time(history.fills))
    fills, own = _with_deltas(fills)
    issues += own
    fills = _linked(fills)
    broken = _broken(fills)
    if broken.height:
        fills = _linked(_reordered(fills, broken))
    fills = fills.with_columns(pl.col("gap").fill_null(value=False))
    issues += _gaps(fills)
    return fills.drop("place", "fee", "fee_token", "fee_base", "tid", "before", "off"), history.issues + tuple(issues)


def _broken(fills: pl.DataFrame) -> pl.DataFrame:
    """The (coin, time) whose rows may be in a wrong order: on both sides of a jump, and where a coin may begin flat."""
    jump = pl.col("off") | ((pl.col("coin") == pl.col("coin").shift(-1)) & pl.col("off").shift(-1))
    before = (pl.col("coin") == pl.col("coin").shift(1)) & (pl.col("time_ms") == pl.col("time_ms").shift(1))
    late = before.fill_null(value=False) & (pl.col("start") == 0)
    return fills.filter(jump.fill_null(value=False) | late).select("coin", "time_ms").unique()


def _by_coin_and_time(fills: pl.DataFrame) -> pl.DataFrame:
    """A stable sort by time, then by coin: two passes over small integers, far cheaper than one over both columns."""
    if not fills["time_ms"].is_sorted():
        fills = fills.sort("time_ms", maintain_order=True)
    coins = fills["coin"].unique().sort()
    codes = fills.select(pl.col("coin").replace_strict(coins, pl.arange(len(coins), eager=True))).to_series().to_numpy()
    small = codes.astype(np.uint16) if len(coins) < 1 << 16 else codes
    return fills[np.argsort(small, kind="stable")]


def _with_fees(fills: pl.DataFrame) -> tuple[pl.DataFrame, list[Issue]]:
    """The venue takes a spot fee in what was received: the bought token, or the dollars of a sale."""
    fee = pl.col("fee").fill_null(0)
    unsaid = pl.col("fee_token").is_null()
    dollars = pl.col("fee_token").is_in(DOLLARS) | (unsaid & ~(pl.col("spot") & pl.col("is_buy")))
    base = pl.col("spot") & pl.col("is_buy") & (unsaid | ~pl.col("fee_token").is_in(DOLLARS))
    marked = fills.with_columns(
        dollars.fill_null(value=False).alias("dollars"), base.fill_null(value=False).alias("base")
    )
    other = marked.filter(~pl.col("dollars") & ~pl.col("base") & (fee != 0))
    issues = []
    if other.height:
        tokens = ", ".join(sorted(set(other["fee_token"].drop_nulls())))
        text = f"fees in {tokens}, whose price is not in the record: not in the sums"
        issues.append(Issue(kind="fee_token", count=other.height, text=text))
    usd = pl.when("dollars").then(fee).when("base").then(fee * pl.col("price")).otherwise(0)
    taken = pl.when("base").then(fee).otherwise(0)
    money = fills.schema["price"]
    return marked.with_columns(
        usd.cast(money).alias("fee_usd"),
        taken.cast(money).alias("fee_base"),
        pl.col("closed_pnl").fill_null(0),
    ).drop("dollars", "base"), issues


def _with_deltas(fills: pl.DataFrame) -> tuple[pl.DataFrame, list[Issue]]:
    signed = pl.when("is_buy").then(pl.col("size")).otherwise(-pl.col("size")) - pl.col("fee_base")
    fills = fills.with_columns(signed.alias("delta"))
    # Only rows that share coin and time can be a trade with oneself; few do, so few are looked at closely.
    follows = (pl.col("coin") == pl.col("coin").shift(1)) & (pl.col("time_ms") == pl.col("time_ms").shift(1))
    shares = (follows | follows.shift(-1)).fill_null(value=False)
    close = fills.with_row_index("row").filter(shares)
    legs = ["time_ms", "coin", "start", "price", "size"]
    # n-th buy and n-th sell of one price, size and position before.
    close = close.with_columns(pl.int_range(pl.len()).over([*legs, "is_buy"]).alias("turn"))
    both = close.group_by([*legs, "turn"]).agg("row", pl.len().alias("sides")).filter(pl.col("sides") == 2)
    rows = both["row"].explode()
    if not len(rows):
        return fills, []
    still = pl.int_range(pl.len()).is_in(rows.implode())
    fills = fills.with_columns(
        pl.when(still).then(0).otherwise(pl.col("delta")).cast(fills.schema["delta"]).alias("delta")
    )
    text = "rows in which the trader traded with himself: volume and fees count, the position does not move"
    return fills, [Issue(kind="self_trade", count=len(rows), text=text)]


def _linked(fills: pl.DataFrame) -> pl.DataFrame:
    """Compare each start with the end before it. `off`: they differ; `gap`: by more than rounding or dust."""
    fills = fills.with_columns((pl.col("start") + pl.col("delta")).alias("end"))
    before = pl.when(pl.col("coin") == pl.col("coin").shift(1)).then(pl.col("end").shift(1))
    fills = fills.with_columns(before.alias("before"))
    off = (pl.col("start") != pl.col("before")).fill_null(value=False)
    if not fills.select(off.any()).item():
        return fills.with_columns(pl.lit(value=False).alias("off"), pl.lit(value=False).alias("gap"))
    difference = (pl.col("start") - pl.col("before")).abs().cast(pl.Float64)
    larger = pl.max_horizontal(pl.col("start").abs(), pl.col("before").abs()).cast(pl.Float64)
    near = difference <= ROUNDING * larger
    dust = pl.col("spot") & (difference * pl.col("price").cast(pl.Float64) < SPOT_DUST_USD)
    return fills.with_columns(off.alias("off"), (off & ~near & ~dust).alias("gap"))


def _reordered(fills: pl.DataFrame, broken: pl.DataFrame) -> pl.DataFrame:
    """Give the fills of every broken (coin, time) the order of a path through their positions."""
    fills = fills.with_row_index("row")
    groups = fills.join(broken, on=["coin", "time_ms"], how="semi").select("row", "coin", "time_ms", "start", "end")
    order = np.arange(fills.height)
    coins, begins, ends = fills["coin"], fills["start"], fills["end"]
    rows = groups.group_by(["coin", "time_ms"], maintain_order=True).agg("row", "start", "end").iter_rows()
    edges_at = {places[0]: (coin, list(zip(starts, stops, strict=True))) for coin, _, places, starts, stops in rows}
    for first, (coin, edges) in edges_at.items():
        held = ends[int(order[first - 1])] if first and coins[first - 1] == coin else None
        after = first + len(edges)
        follows = begins[after] if after < fills.height and coins[after] == coin else None
        # The rows behind may be in a wrong order themselves: what counts is where they can begin.
        if follows is not None and after in edges_at:
            follows = _begin(edges_at[after][1])
        path = path_through(edges, held, follows)
        order[first : first + len(edges)] = [first + at for at in path]
    return fills[order].drop("row")


def _begin(edges: list[tuple[Hashable, Hashable]]) -> Hashable:
    """Where a path over these edges begins: at a position left more often than reached, else flat, else anywhere."""
    surplus: dict[Hashable, int] = defaultdict(int)
    for start, end in edges:
        surplus[start] += 1
        surplus[end] -= 1
    starts = [start for start, _ in edges]
    return next((start for start in starts if surplus[start] > 0), 0 if 0 in starts else starts[0])


def path_through(
    edges: list[tuple[Hashable, Hashable]], held: Hashable | None, follows: Hashable | None = None
) -> list[int]:
    """Return the order of `edges` (from, to) that follows from `held` on, each next one from where the last one ended.

    Without `held`, a path that can begin anywhere (it comes back to where it began) begins at `follows`, where the fill
    after these edges begins, or flat. Edges that no path reaches come after it, as a path of their own; equal choices
    keep the order given.
    """
    leaving: dict[Hashable, list[int]] = defaultdict(list)
    surplus: dict[Hashable, int] = defaultdict(int)
    for at in range(len(edges) - 1, -1, -1):
        start, end = edges[at]
        leaving[start].append(at)
        surplus[start] += 1
        surplus[end] -= 1
    # A path begins where it was left off, else at a position that is left more often than reached.
    begins = [start for start, _ in edges if surplus[start] > 0]
    order: list[int] = []
    for start in (held, *begins, follows, 0, *(start for start, _ in edges)):
        if leaving.get(start):
            order += _trail(edges, leaving, start)
    return order


def _trail(edges: list[tuple[Hashable, Hashable]], leaving: dict[Hashable, list[int]], start: Hashable) -> list[int]:
    trail: list[int] = []
    stack: list[tuple[Hashable, int]] = [(start, -1)]
    while stack:
        position, by = stack[-1]
        if leaving[position]:
            edge = leaving[position].pop()
            stack.append((edges[edge][1], edge))
        else:
            stack.pop()
            if by >= 0:
                trail.append(by)
    trail.reverse()
    return trail


def _gaps(fills: pl.DataFrame) -> list[Issue]:
    issues = []
    gaps = fills.filter("gap")
    if gaps.height:
        where = [
            f"{coin} before {_utc(time)}: {before.normalize():f} → {start.normalize():f}"
            for coin, time, before, start in gaps.select("coin", "time_ms", "before", "start")
            .head(_MOST_PLACES)
            .iter_rows()
        ]
        text = "places where fills are missing (TWAP slices, transfers of spot, a cut record)"
        issues.append(Issue(kind="gap", count=gaps.height, text=text, examples=tuple(where)))
    rounded = fills.filter(pl.col("off") & ~pl.col("gap")).height
    if rounded:
        text = "positions that differ from the fills before by less than a millionth, or by spot dust: rounding"
        issues.append(Issue(kind="rounding", count=rounded, text=text))
    begun = fills.group_by("coin", maintain_order=True).first().filter((pl.col("start") != 0) & ~pl.col("spot"))
    if begun.height:
        text = "coins whose record begins in mid-position: that position's entry is not known"
        issues.append(
            Issue(kind="mid_position", count=begun.height, text=text, examples=tuple(begun["coin"].head(_MOST_PLACES)))
        )
    return issues


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
