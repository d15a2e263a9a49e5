"""From replays to the result: money, causes, and what of it was measured and what assumed."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from decimal import Decimal
from typing import Any, Final

import msgspec

from hlfast.config.model import Follow
from hlfast.research.history import Issue
from hlfast.research.tracking import CAUSES, Receipt, Tracking
from hlfast.research.whatif.model import BUILDER_FACTOR, MICRO, Model
from hlfast.research.whatif.record import UNIT, Prepared
from hlfast.research.whatif.result import (
    AtLatency,
    Cause,
    CoinMoney,
    Copied,
    Error,
    LeastEquity,
    Money,
    Result,
)

_MICRODOLLAR: Final = Decimal("0.000001")
_MOST_POINTS: Final = 400


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """The run that the report is about, beside the ideal copy."""

    outcome: dict[str, Any]
    receipts: tuple[Receipt, ...]
    tracking: Tracking
    ideal_curve: list[tuple[int, Decimal]]
    edge: dict[str, Decimal]

    @property
    def edge_usd(self) -> Decimal:
        """The ideal copy's profit."""
        return sum(self.edge.values(), Decimal(0))

    @property
    def ideal_volume_usd(self) -> Decimal:
        """The ideal copy's value traded."""
        return sum((coin.volume_usd for coin in self.tracking.ideal.values()), Decimal(0))


def share(part: Decimal, whole: Decimal) -> float | None:
    """Part of a whole, to six places; None unless the whole is above zero."""
    return round(float(part / whole), 6) if whole > 0 else None


def net_usd(outcome: dict[str, Any], model: Model) -> Decimal:
    """What a run earned."""
    return Decimal(outcome["equity"]) / MICRO - model.equity_usd


def summarise(
    name: str,
    prepared: Prepared,
    follow: Follow,
    model: Model,
    base: Base,
    latencies: tuple[AtLatency, ...],
    least: LeastEquity | None,
) -> Result:
    """Put everything together."""
    curve = _curve(base, model)
    return Result(
        name=name,
        first_ms=prepared.first_ms,
        last_ms=prepared.last_ms,
        fills=prepared.fills,
        equity_usd=model.equity_usd,
        leader_equity_usd=model.leader_equity_usd or max(prepared.largest_usd, Decimal(1)).quantize(Decimal("0.01")),
        latency_ms=model.latency_ms,
        taker_bps=model.taker,
        policy=_given(follow),
        money=_money(base, model),
        copied=_copied(base),
        error=_error(base.tracking),
        coins=_coins(prepared, base),
        return_share=round(float(net_usd(base.outcome, model) / model.equity_usd), 6),
        max_drawdown=_drawdown(base.outcome["curve"], model),
        most_gross_usd=Decimal(base.outcome["most_gross"]) / MICRO,
        liquidations=base.outcome["liquidations"],
        latencies=latencies,
        least=least,
        curve=curve,
        measured=_measured(prepared, model),
        assumed=_assumed(prepared, model),
        issues=prepared.issues + _own_issues(base),
    )


def _given(follow: Follow) -> dict[str, object]:
    """The settings that are not the defaults."""
    fields = msgspec.structs.fields(follow)
    return {
        field.name: value
        for field in fields
        if field.name not in ("leader", "follower")
        and ((value := getattr(follow, field.name)) != field.default or field.required)
    }


def _sum(base: Base, name: str) -> Decimal:
    return Decimal(sum(coin[name] for coin in base.outcome["coins"])) / MICRO


def _money(base: Base, model: Model) -> Money:
    edge = base.edge_usd.quantize(_MICRODOLLAR)
    net = net_usd(base.outcome, model)
    drift, spread, impact, fees, funding = (
        _sum(base, name) for name in ("drift", "spread", "impact", "fees", "funding")
    )
    return Money(
        edge_usd=edge,
        missed_usd=edge - drift - spread - impact - fees + funding - net,
        drift_usd=drift,
        spread_usd=spread,
        impact_usd=impact,
        fees_usd=fees,
        funding_usd=funding,
        net_usd=net,
        kept_share=share(net, edge),
    )


def _copied(base: Base) -> Copied:
    endings = Counter(f"{one.outcome}: {one.reason}" for one in base.receipts)
    volume = _sum(base, "volume")
    return Copied(
        ideal_usd=base.ideal_volume_usd.quantize(_MICRODOLLAR),
        volume_usd=volume,
        share=share(volume, base.ideal_volume_usd),
        orders=base.outcome["orders"],
        refused=base.outcome["refused"],
        endings=dict(sorted(endings.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _error(tracking: Tracking) -> Error:
    whole = tracking.error_usd_hours
    causes = sorted(CAUSES, key=lambda cause: -tracking.causes[cause])
    return Error(
        usd_hours=whole.quantize(_MICRODOLLAR),
        ideal_usd_hours=tracking.ideal_usd_hours.quantize(_MICRODOLLAR),
        share=None if tracking.share is None else round(tracking.share, 6),
        causes=tuple(
            Cause(
                cause=cause,
                usd_hours=tracking.causes[cause].quantize(_MICRODOLLAR),
                share=share(tracking.causes[cause], whole) or 0.0,
            )
            for cause in causes
        ),
    )


def _coins(prepared: Prepared, base: Base) -> tuple[CoinMoney, ...]:
    rows = []
    for place, (coin, found) in enumerate(zip(prepared.coins, base.outcome["coins"], strict=True)):
        worth = Decimal(found["size"]) / UNIT * Decimal(found["middle"]) / UNIT
        traded, fees, funding = (Decimal(found[name]) / MICRO for name in ("traded", "fees", "funding"))
        liquidity = prepared.liquidity[place]
        rows.append(
            CoinMoney(
                coin=coin,
                edge_usd=base.edge.get(coin, Decimal(0)).quantize(_MICRODOLLAR),
                net_usd=(traded + worth - fees + funding).quantize(_MICRODOLLAR),
                volume_usd=Decimal(found["volume"]) / MICRO,
                fees_usd=fees,
                funding_usd=funding,
                half_spread_bps=liquidity.half_spread_bps,
                depth_usd=liquidity.depth_usd,
                measured=liquidity.measured,
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.volume_usd, row.coin)))


def _drawdown(curve: list[tuple[int, int, int]], model: Model) -> float:
    high = int(model.equity_usd * MICRO)
    worst = 0.0
    for _, equity, _ in curve:
        high = max(high, equity)
        worst = min(worst, equity / high - 1)
    return round(worst, 6)


def _curve(base: Base, model: Model) -> tuple[tuple[int, Decimal, Decimal], ...]:
    """Follower's and ideal copy's profit at the last change before each of evenly spaced times."""
    start = int(model.equity_usd * MICRO)
    mine = [(at_ms, Decimal(equity - start) / MICRO) for at_ms, equity, _ in base.outcome["curve"]]
    if not mine:
        return ()
    first, last = mine[0][0], base.outcome["end_ms"]
    step = max(1, (last - first) // _MOST_POINTS)
    times = [*range(first, last, step)][: _MOST_POINTS - 1]
    return tuple(
        (at_ms, _at(mine, at_ms), _at(base.ideal_curve, at_ms).quantize(_MICRODOLLAR)) for at_ms in (*times, last)
    )


def _at(series: list[tuple[int, Decimal]], at_ms: int) -> Decimal:
    place = bisect_right(series, at_ms, key=lambda point: point[0])
    return series[place - 1][1] if place else Decimal(0)


def _measured(prepared: Prepared, model: Model) -> tuple[str, ...]:
    known = [coin for coin, liquidity in zip(prepared.coins, prepared.liquidity, strict=True) if liquidity.measured]
    said = [f"the leader's {prepared.fills:,} fills: their prices, sizes, order and positions"]
    if known:
        said.append(f"spread and depth of {_list(known)}: recorded books, or the venue's impact prices of one moment")
    if prepared.book_coins:
        said.append(f"books of {_list(prepared.book_coins)} where one was recorded within {model.book_age_ms:,} ms")
    if prepared.price_points:
        said.append(f"{prepared.price_points:,} prices of candles or the tape between the leader's fills")
    if prepared.funding_hours:
        said.append(f"{prepared.funding_hours:,} hourly funding rates")
    if model.leader_equity_usd is not None:
        said.append(f"the leader's equity at the beginning: {model.leader_equity_usd:,} USD")
    return tuple(said)


def _assumed(prepared: Prepared, model: Model) -> tuple[str, ...]:
    unknown = [
        coin for coin, liquidity in zip(prepared.coins, prepared.liquidity, strict=True) if not liquidity.measured
    ]
    said = [
        f"our orders meet the book {model.latency_ms:,} ms after the leader's fills, always",
        "between two known prices the price goes in a straight line: what it did in between is not known",
        "the book is full again when our next order comes, and the leader's own trade took nothing of it",
        f"taker fee {model.taker} bps, {BUILDER_FACTOR} times that on builder-deployed dexs; volume changes no tier",
        f"leverage {model.leverage} or the coin's most, cross margin; liquidation at half the margin of its most",
        f"hourly funding {model.funding_rate * 100:f} % where no rate was recorded, on the middle price",
    ]
    if unknown:
        said.insert(2, f"spread and depth of {_list(unknown)}: medians of recorded books and impact prices of 2026")
    if model.leader_equity_usd is None:
        text = (
            f"the leader's equity at the beginning: {prepared.largest_usd:,.0f} USD, his largest exposure in the record"
        )
        said.append(text)
    return tuple(said)


def _list(names: list[str] | tuple[str, ...]) -> str:
    head = ", ".join(names[:6])
    return head if len(names) <= 6 else f"{head} and {len(names) - 6} more"


def _own_issues(base: Base) -> tuple[Issue, ...]:
    outcome, found = base.outcome, []
    if outcome["receipts_written"] != outcome["fills"]:
        open_ = outcome["fills"] - outcome["receipts_written"]
        found.append(Issue(kind="open_at_end", count=open_, text="leader fills whose orders had no end yet"))
    before = sum(1 for one in base.receipts if one.reason == "existing_position")
    if before:
        text = "fills of positions from before the record, which this policy leaves alone; existing = adopt takes them"
        found.append(Issue(kind="from_before", count=before, text=text))
    if base.tracking.unsized:
        text = "positions whose size the policy could not tell: not in the edge"
        found.append(Issue(kind="unsized", count=base.tracking.unsized, text=text))
    if outcome["liquidations"]:
        text = "liquidations of the follower: his margin did not last"
        found.append(Issue(kind="liquidated", count=outcome["liquidations"], text=text))
    return tuple(found)
