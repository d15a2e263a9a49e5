"""How much was in the market, and for how long."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from hlfast.research.equity import Equity
from hlfast.research.figures import Exposure


def gross_of(legs: pl.DataFrame) -> pl.DataFrame:
    """Return time_ms and gross_usd: Σ |position| · last price over coins, behind every fill, in time order."""
    value = (pl.col("end").abs() * pl.col("price")).cast(pl.Float64)
    same = pl.col("coin") == pl.col("coin").shift(1)
    moved = legs.select("time_ms", value.alias("value"), same.alias("same")).with_columns(
        (pl.col("value") - pl.when("same").then(pl.col("value").shift(1)).otherwise(0.0)).alias("moved")
    )
    gross = moved.sort("time_ms", maintain_order=True).select("time_ms", pl.col("moved").cum_sum().alias("gross_usd"))
    # A sum of floats that came back to flat leaves millionths of a dollar.
    return gross.with_columns(pl.when(pl.col("gross_usd") < 0.01).then(0.0).otherwise("gross_usd").alias("gross_usd"))


def exposure_of(gross: pl.DataFrame, episodes: pl.DataFrame, equity: Equity, capital: Decimal) -> Exposure:
    """Weigh the gross by time; leverage is over the equity of the moment (of the step before it)."""
    spans = gross.with_columns((pl.col("time_ms").shift(-1) - pl.col("time_ms")).fill_null(0).alias("span_ms"))
    whole = float(spans["span_ms"].sum())
    largest = float(gross["gross_usd"].max() or 0.0)  # type: ignore[arg-type] # a float column
    mean = float((spans["gross_usd"] * spans["span_ms"]).sum()) / whole if whole else 0.0
    inside = float(spans.filter(pl.col("gross_usd") > 0)["span_ms"].sum()) / whole if whole else None
    levered = spans.join_asof(
        equity.curve.select("time_ms", pl.col("equity_usd").cast(pl.Float64)), on="time_ms", strategy="backward"
    ).with_columns(pl.col("equity_usd").fill_null(float(capital)))
    levered = levered.filter(pl.col("equity_usd") > 0).with_columns(
        (pl.col("gross_usd") / pl.col("equity_usd")).alias("leverage")
    )
    weight = float(levered["span_ms"].sum())
    opened = episodes.group_by("is_long").agg(pl.col("entry_usd").sum().cast(pl.Float64))
    total = float(opened["entry_usd"].sum())
    long = float(opened.filter("is_long")["entry_usd"].sum())
    return Exposure(
        in_market=inside,
        mean_gross_usd=Decimal(str(mean)).quantize(Decimal("0.01")),
        largest_gross_usd=Decimal(str(largest)).quantize(Decimal("0.01")),
        mean_leverage=float((levered["leverage"] * levered["span_ms"]).sum()) / weight if weight else None,
        largest_leverage=float(levered["leverage"].max()) if levered.height else None,  # type: ignore[arg-type] # a float
        long_share=long / total if total else None,
    )
