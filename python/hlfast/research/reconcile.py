"""Recomputes every `closedPnl` from prices and sizes, and compares it with what the venue wrote.

Seen in every recorded history from 2024-12 to 2026-07: the venue closes against its entry price *cut* to as many
places as prices of the coin may have (6 less szDecimals). A position's average says more than `closedPnl`; the two
differ by at most one such unit times the size.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

import msgspec
import polars as pl

# Sums of a float on the venue's side fall one unit short where the average is a whole number of units.
_PLACES = 6
_WIDE = 10**20


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the closing fills of a record."""

    exact: int  # equal to the last digit the venue writes (0.000001)
    within_unit: int  # off by no more than one unit of the cut entry price
    unknown: int  # the entry is not in the record: a position begun before it, a gap, spot, or a self-trade inside
    wrong: int
    recorded_usd: Decimal  # Σ closedPnl of exact and within_unit
    computed_usd: Decimal  # the same, computed
    examples: tuple[str, ...] = ()


def reconcile(legs: pl.DataFrame, size_decimals: dict[str, int] | None = None) -> Reconciled:
    """Recompute the closed profit of each perp episode whose beginning is in the record.

    Args:
        legs: of `episodes_of`.
        size_decimals: szDecimals by coin; without it, the most decimals that the coin's sizes show.
    """
    known = size_decimals or {}
    tally = _Tally()
    perps = legs.filter(~pl.col("spot"))
    for (coin,), rows in perps.group_by(["coin"], maintain_order=True):
        places = _PLACES - known.get(str(coin), _decimals(rows["size"]))
        _follow(str(coin), rows, Decimal(1).scaleb(-places), tally)
    return tally.result()


class _Tally:
    def __init__(self) -> None:
        self.exact = self.within = self.unknown = self.wrong = 0
        self.recorded = self.computed = Decimal(0)
        self.examples: list[str] = []

    def take(self, coin: str, time_ms: int, recorded: Decimal, computed: Decimal, slack: Decimal) -> None:
        off = abs(recorded - computed)
        if off <= Decimal("0.000001"):
            self.exact += 1
        elif off <= slack:
            self.within += 1
        else:
            self.wrong += 1
            if len(self.examples) < 5:
                self.examples.append(f"{coin} at {time_ms}: recorded {recorded:f}, computed {computed:f}")
            return
        self.recorded += recorded
        self.computed += computed

    def result(self) -> Reconciled:
        return Reconciled(
            exact=self.exact,
            within_unit=self.within,
            unknown=self.unknown,
            wrong=self.wrong,
            recorded_usd=self.recorded,
            computed_usd=self.computed,
            examples=tuple(self.examples),
        )


def _follow(coin: str, rows: pl.DataFrame, unit: Decimal, tally: _Tally) -> None:
    entry: Decimal | None = None  # average, with twenty places more than the venue shows
    columns = ("time_ms", "is_long", "start", "delta", "price", "closed_pnl", "gap")
    for time_ms, is_long, start, delta, price, closed, gap in rows.select(columns).iter_rows():
        if delta == 0:
            entry = None  # which of its legs came first is not in the record
            continue
        if start == 0:
            entry = price
        elif gap:
            entry = None
        if (delta > 0) == is_long:
            if entry is not None and start != 0:
                held = abs(start)
                total = entry * held + price * abs(delta)
                entry = (total * _WIDE / (held + abs(delta))).to_integral_value(ROUND_DOWN) / _WIDE
        elif entry is None:
            tally.unknown += 1
        else:
            cut = (entry / unit).to_integral_value(ROUND_DOWN) * unit
            computed = abs(delta) * (price - cut) * (1 if is_long else -1)
            tally.take(coin, time_ms, closed, computed, abs(delta) * unit)


def _decimals(sizes: pl.Series) -> int:
    exponents = (-size.normalize().as_tuple().exponent for size in sizes.unique() if size)
    return max((places for places in exponents if isinstance(places, int)), default=0) if len(sizes) else 0
