"""From a history to all figures about its trader."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import polars as pl

from hlfast.research import breakdown, exposure
from hlfast.research.episodes import episodes_of
from hlfast.research.equity import DAY_MS, Equity, equity_from_days, returns_of, steps_per_year
from hlfast.research.figures import Analysis, Holding, Money, Sizes, Trades, cents, plain
from hlfast.research.history import MONEY, History, Issue
from hlfast.research.risk import drawdowns, risk_of

# A chart needs no more points, and a report of a year of days has fewer.
_MOST_POINTS = 2_000
_MOST_HOLDING_TIMES = 10_000
_MOST_DAYS = 730


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What may be known of a trader beside his fills; each part may be missing, and the figures say so.

    Attributes:
        funding: coin, time_ms, usd (received positive).
        transfers: time_ms, usd (in positive).
        candles: coin, day (days since 1970), open, close of each day.
        equity: a curve from the venue's portfolio.
        capital: USD before the first fill, when there is no curve.
        issues: what reading these parts brought up (the horizon among them).
    """

    funding: pl.DataFrame | None = None
    transfers: pl.DataFrame | None = None
    candles: pl.DataFrame | None = None
    equity: Equity | None = None
    capital: Decimal | None = None
    issues: tuple[Issue, ...] = ()


def analyse(history: History, beside: Beside | None = None) -> Analysis:
    """Compute every figure of a history.

    Raises:
        ValueError: it has no fills.
    """
    beside = beside or Beside()
    if not history.fills.height:
        raise ValueError(f"{history.name}: no fills")
    episodes, legs, issues = episodes_of(history, beside.funding)
    judged = _judged(episodes)
    days = _days(legs, beside.funding)
    gross = exposure.gross_of(legs)
    equity, capital = _equity(days, gross, beside)
    steps = returns_of(equity)
    risk = risk_of(steps["ret"].drop_nulls().to_numpy(), steps_per_year(equity))
    orders = _orders(legs)
    first, last = _ends(history.fills)
    return Analysis(
        name=history.name,
        first_ms=first,
        last_ms=last,
        days=(last - first) / DAY_MS,
        active_days=legs.select((pl.col("time_ms") // DAY_MS).n_unique()).item(),
        fills=history.fills.height,
        orders=len(orders),
        money=_money(legs, beside.funding),
        trades=_trades(episodes, judged, legs),
        holding=_holding(judged),
        sizes=_sizes(legs, judged, orders),
        exposure=exposure.exposure_of(gross, episodes, equity, capital),
        maker_share=breakdown.maker_share(legs),
        twap_share=_share(legs, pl.col("twap")),
        coins=breakdown.by_coin(legs, episodes, judged),
        hours=breakdown.by_hour(judged),
        weekdays=breakdown.by_weekday(judged),
        months=breakdown.by_month(judged),
        heat=breakdown.heat(judged),
        markets=breakdown.by_market(legs, judged, beside.candles),
        market_prices="fills" if beside.candles is None else "candles",
        risk=risk,
        equity_basis=equity.basis,
        capital_usd=capital,
        equity=_points(equity),
        daily=tuple((int(day), plain(usd)) for day, usd in days.tail(_MOST_DAYS).iter_rows()),
        order_values=_order_values(orders),
        holding_times_ms=tuple(judged["held_ms"].tail(_MOST_HOLDING_TIMES)),
        issues=issues + beside.issues + _equity_issues(equity, steps, capital),
    )


def _judged(episodes: pl.DataFrame) -> pl.DataFrame:
    """Round trips in the order of their ends."""
    return (
        episodes.filter("complete")
        .with_columns((pl.col("closed_ms") - pl.col("opened_ms")).alias("held_ms"))
        .sort(["closed_ms", "episode"])
    )


def _ends(fills: pl.DataFrame) -> tuple[int, int]:
    first, last = fills.select(pl.col("time_ms").min().alias("a"), pl.col("time_ms").max().alias("b")).row(0)
    return int(first), int(last)


def _orders(legs: pl.DataFrame) -> pl.Series:
    """Values of orders, USD; rows without an order id stand alone."""
    values = legs.select("oid", pl.col("usd").cast(pl.Float64))
    named = values.drop_nulls("oid").group_by("oid").agg(pl.col("usd").sum())
    return pl.concat([named["usd"], values.filter(pl.col("oid").is_null())["usd"]])


def _money(legs: pl.DataFrame, funding: pl.DataFrame | None) -> Money:
    volume, closed, fees = legs.select("usd", "closed_pnl", "fee_usd").sum().row(0)
    received = _sum(funding, "usd")
    return Money(
        volume_usd=plain(volume),
        closed_pnl_usd=plain(closed),
        fees_usd=plain(fees),
        funding_usd=plain(received),
        net_usd=plain(closed - fees + received),
        funding_known=funding is not None,
    )


def _sum(frame: pl.DataFrame | None, column: str) -> Decimal:
    total = frame[column].sum() if frame is not None and frame.height else 0
    return Decimal(total)


def _trades(episodes: pl.DataFrame, judged: pl.DataFrame, legs: pl.DataFrame) -> Trades:
    won, lost = judged.filter(pl.col("net_usd") > 0), judged.filter(pl.col("net_usd") < 0)
    gain, loss = _sum(won, "net_usd"), -_sum(lost, "net_usd")
    count = judged.height
    rows = episodes.filter(~pl.col("idle"))
    runs = judged.select(pl.col("net_usd").cast(pl.Float64).sign().rle().alias("run")).unnest("run")

    def longest(sign: int) -> int:
        return int(runs.filter(pl.col("value") == sign)["len"].max() or 0)  # type: ignore[arg-type] # a count

    last = runs.row(-1, named=True) if runs.height else {"len": 0, "value": 0}
    return Trades(
        closed=count,
        open=rows.filter(pl.col("closed_ms").is_null()).height,
        partial=rows.filter(pl.col("closed_ms").is_not_null() & ~pl.col("complete")).height,
        won=won.height,
        lost=lost.height,
        win_rate=won.height / count if count else None,
        profit_factor=float(gain / loss) if loss else None,
        expectancy_usd=cents((gain - loss) / count) if count else None,
        average_win_usd=cents(gain / won.height) if won.height else None,
        average_loss_usd=cents(-loss / lost.height) if lost.height else None,
        largest_win_usd=plain(won["net_usd"].max()) if won.height else None,
        largest_loss_usd=plain(lost["net_usd"].min()) if lost.height else None,
        longest_winning_streak=longest(1),
        longest_losing_streak=longest(-1),
        streak=int(last["len"] * last["value"]),
        liquidations=episodes.filter("liquidated").height,
        flips=int(legs["second"].sum()),
    )


def _holding(judged: pl.DataFrame) -> Holding:
    def middle(rows: pl.DataFrame) -> int | None:
        return int(rows["held_ms"].median()) if rows.height else None  # type: ignore[arg-type] # whole numbers only

    def at(share: float) -> int | None:
        return int(held.quantile(share, interpolation="nearest") or 0) if len(held) else None

    held = judged["held_ms"]
    return Holding(
        mean_ms=int(held.mean()) if len(held) else None,  # type: ignore[arg-type] # whole numbers only
        median_ms=middle(judged),
        shortest_ms=at(0.0),
        longest_ms=at(1.0),
        tenth_ms=at(0.1),
        ninetieth_ms=at(0.9),
        winners_median_ms=middle(judged.filter(pl.col("net_usd") > 0)),
        losers_median_ms=middle(judged.filter(pl.col("net_usd") < 0)),
    )


def _sizes(legs: pl.DataFrame, judged: pl.DataFrame, orders: pl.Series) -> Sizes:
    peaks = judged["peak_usd"]
    return Sizes(
        mean_fill_usd=cents(legs["usd"].cast(pl.Float64).mean()) or Decimal(0),
        median_order_usd=cents(orders.median()) or Decimal(0),
        ninetieth_order_usd=cents(orders.quantile(0.9, interpolation="nearest")) or Decimal(0),
        median_peak_usd=cents(peaks.cast(pl.Float64).median()) if len(peaks) else None,
        largest_peak_usd=plain(peaks.max()) if len(peaks) else None,
    )


def _order_values(orders: pl.Series) -> tuple[tuple[Decimal, int, Decimal], ...]:
    """Count orders by value, so that another follower's minimum can be applied without the fills."""
    rows = (
        pl.DataFrame({"usd": orders})
        .filter(pl.col("usd") > 0)
        .group_by((pl.col("usd").log10() * 10).floor().cast(pl.Int32).alias("step"))
        .agg(pl.len().alias("count"), pl.col("usd").sum())
        .sort("step")
    )
    return tuple(
        (Decimal(f"{10 ** (step / 10):.6g}"), count, Decimal(f"{usd:.2f}")) for step, count, usd in rows.iter_rows()
    )


def _share(legs: pl.DataFrame, which: pl.Expr) -> float:
    part, whole = legs.select(pl.col("usd").filter(which).sum().alias("part"), pl.col("usd").sum().alias("all")).row(0)
    return float(part / whole) if whole else 0.0


def _days(legs: pl.DataFrame, funding: pl.DataFrame | None) -> pl.DataFrame:
    """Realised profit after fees and funding of every UTC day from first to last, quiet days too."""
    parts = [
        legs.select((pl.col("time_ms") // DAY_MS).alias("day"), (pl.col("closed_pnl") - pl.col("fee_usd")).alias("usd"))
    ]
    if funding is not None and funding.height:
        parts.append(funding.select((pl.col("time_ms") // DAY_MS).alias("day"), pl.col("usd")))
    sums = pl.concat(parts).group_by("day").agg(pl.col("usd").sum().alias("pnl_usd"))
    first, last = sums.select(pl.col("day").min().alias("a"), pl.col("day").max().alias("b")).row(0)
    every = pl.DataFrame({"day": pl.int_range(first, last + 1, eager=True)})
    return every.join(sums, on="day", how="left", maintain_order="left").with_columns(
        pl.col("pnl_usd").fill_null(0).cast(MONEY)
    )


def _equity(days: pl.DataFrame, gross: pl.DataFrame, beside: Beside) -> tuple[Equity, Decimal]:
    if beside.equity is not None:
        return beside.equity, plain(beside.equity.curve["equity_usd"][0])
    largest = plain(cents(gross["gross_usd"].max() or 0) or 0)
    capital = beside.capital if beside.capital is not None else max(largest, Decimal(1))
    basis = "assumed" if beside.capital is None else "given"
    return equity_from_days(days, capital, basis=basis, transfers=beside.transfers), capital  # type: ignore[arg-type]


def _equity_issues(equity: Equity, steps: pl.DataFrame, capital: Decimal) -> tuple[Issue, ...]:
    issues = []
    if equity.basis == "assumed":
        text = (
            f"no equity is known: returns, ratios and leverage are on an assumed {capital:,} USD, the largest exposure "
            "in the record (a leverage of 1); profit in USD does not depend on it"
        )
        issues.append(Issue(kind="assumed_capital", count=1, text=text))
    if equity.basis != "venue":
        text = "equity moves when profit is realised: open profit is in no day's return, so drawdowns are understated"
        issues.append(Issue(kind="realised_only", count=1, text=text))
    missing = steps["ret"].null_count()
    if missing:
        text = "steps that begin without equity: they have no return"
        issues.append(Issue(kind="no_equity", count=missing, text=text))
    return tuple(issues)


def _points(equity: Equity) -> tuple[tuple[int, Decimal, float], ...]:
    """The curve, thinned to what a chart shows, each point with its drawdown (transfers taken out)."""
    ret = returns_of(equity)["ret"].fill_null(0.0)
    index = pl.concat([pl.Series([1.0]), (ret + 1.0).cum_prod()])
    falls = drawdowns(index.to_numpy())
    curve = equity.curve.with_columns(pl.Series("drawdown", falls))
    step = max(1, -(-curve.height // _MOST_POINTS))
    rows = curve.select("time_ms", "equity_usd", "drawdown").gather_every(step)
    return tuple((int(time), plain(usd), float(fall)) for time, usd, fall in rows.iter_rows())
