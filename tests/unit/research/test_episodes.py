from __future__ import annotations

from decimal import Decimal
from itertools import groupby, pairwise
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.research.rows import START_MS, Trader, fill

import hlfast.demo
from hlfast.research.chain import path_through
from hlfast.research.episodes import episodes_of
from hlfast.research.files import history_from_file
from hlfast.research.history import MONEY, Issue, history_from_rows
from hlfast.research.reconcile import reconcile

RECORDED = sorted((Path(hlfast.demo.__file__).parent / "data").glob("*.gz"))


def rebuilt(rows: list[dict[str, Any]]) -> tuple[pl.DataFrame, tuple[Issue, ...]]:
    episodes, _, issues = episodes_of(history_from_rows("a", rows))
    return episodes, issues


def kinds(issues: tuple[Issue, ...]) -> dict[str, int]:
    return {issue.kind: issue.count for issue in issues}


# (signed lots, price in ticks, milliseconds since the fill before)
TRADES = st.lists(
    st.tuples(st.integers(-5, 5).filter(bool), st.integers(90, 110), st.sampled_from([0, 0, 1, 1_000])),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@example([[(2, 90, 0), (-2, 90, 0), (2, 90, 1), (-2, 90, 0)]], Random(1))
@example([[(2, 90, 0), (-2, 90, 0), (2, 90, 1), (1, 90, 0)]], Random(1))
@given(st.lists(TRADES, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_episodes_are_those_of_an_independent_bookkeeper(trades: list[list[tuple[int, int, int]]], random: Any) -> None:
    """Rows of one millisecond arrive in any order; sums and ends per coin are still the trader's own."""
    traders = [Trader(f"C{number}") for number in range(len(trades))]
    for trader, steps in zip(traders, trades, strict=True):
        at = 0
        for lots, price, pause in steps:
            at += pause
            trader.trade(Decimal(lots) / 10, Decimal(price), at)
    rows: list[dict[str, Any]] = []
    for _, same in groupby(
        sorted((row for t in traders for row in t.rows), key=lambda row: row["time"]), key=lambda row: row["time"]
    ):
        shuffled = list(same)
        random.shuffle(shuffled)
        rows += shuffled
    episodes, issues = rebuilt(rows)
    # Two rows of one millisecond, position, price and size on both sides are a trade with oneself to anyone: no oracle there.
    if "self_trade" in kinds(issues):
        return
    assert "gap" not in kinds(issues)
    for trader in traders:
        found = episodes.filter(pl.col("coin") == trader.coin)
        assert found["closed_pnl"].sum() == pytest.approx(sum(trip.pnl for trip in trader.trips), abs=Decimal("1e-6"))
        assert found["cash_usd"].sum() == sum(trip.cash for trip in trader.trips)
        last = trader.trips[-1]
        assert found["closed_ms"].is_null().sum() == (last.closed is None)
        if len({row["time"] for row in trader.rows}) == len(trader.rows):
            mine = [
                (t.is_long, START_MS + t.opened, t.closed and START_MS + t.closed, t.peak, t.fills)
                for t in trader.trips
            ]
            theirs = found.select("is_long", "opened_ms", "closed_ms", "peak_size", "fills").rows()
            assert [tuple(row) for row in theirs] == [tuple(t) for t in mine]


def test_episode_of_a_flip_ends_one_and_begins_the_next() -> None:
    rows = [
        fill("BTC", "2", "100", "0", fee="0.2"),
        fill("BTC", "-5", "110", "2", at=10, pnl="20", fee="1.0"),
        fill("BTC", "3", "100", "-3", at=20, pnl="30", fee="0.3"),
    ]
    episodes, _ = rebuilt(rows)
    columns = ("is_long", "closed_pnl", "fees_usd", "peak_size", "complete", "net_usd")
    assert episodes.select(columns).rows() == [
        (True, Decimal(20), Decimal("0.6"), Decimal(2), True, Decimal("19.4")),
        (False, Decimal(30), Decimal("0.9"), Decimal(3), True, Decimal("29.1")),
    ]


def test_episode_begun_before_the_record_is_in_the_sums_but_not_complete() -> None:
    episodes, issues = rebuilt([fill("BTC", "-2", "100", "5", pnl="4"), fill("BTC", "-3", "100", "3", at=1, pnl="6")])
    assert episodes.select("complete", "closed_pnl").rows() == [(False, Decimal(10))]
    assert kinds(issues) == {"mid_position": 1}


def test_gap_is_listed_with_place_and_positions() -> None:
    rows = [fill("BTC", "2", "100", "0"), fill("BTC", "1", "100", "7", at=1), fill("BTC", "-8", "100", "8", at=2)]
    episodes, issues = rebuilt(rows)
    assert episodes.select("complete", "gaps").rows() == [(False, 1)]
    gap = next(issue for issue in issues if issue.kind == "gap")
    assert gap.examples == ("BTC before 2023-11-14 22:13:20: 2 → 7",)


def test_every_gap_is_listed_not_the_first_few() -> None:
    rows = [fill("BTC", "1", "100", str(10 * step), at=step) for step in range(9)]
    _, _, issues = episodes_of(history_from_rows("a", rows))
    (gap,) = (issue for issue in issues if issue.kind == "gap")
    assert gap.count == len(gap.examples) == 8
    assert gap.examples[7].endswith("71 → 80")


def test_gap_across_flat_or_side_begins_another_episode() -> None:
    rows = [fill("BTC", "2", "100", "0"), fill("BTC", "-1", "100", "-4", at=1), fill("BTC", "1", "100", "0", at=2)]
    episodes, issues = rebuilt(rows)
    assert episodes["is_long"].to_list() == [True, False, True]
    assert not episodes["complete"].any()
    assert kinds(issues)["gap"] == 2


def test_spot_fee_comes_out_of_the_bought_token_and_dust_is_flat() -> None:
    rows = [
        fill("@107", "100", "10", "0", fee="0.07", feeToken="HYPE"),
        fill("@107", "-99.9", "11", "99.93", at=5, pnl="99", fee="0.7"),
        fill("@107", "10", "10", "0.03", at=9, fee="0.01", feeToken="HYPE"),
    ]
    episodes, issues = rebuilt(rows)
    assert "gap" not in kinds(issues)
    assert episodes.select("complete", "fees_usd").rows() == [(True, Decimal("1.4")), (False, Decimal("0.1"))]


def test_fee_in_a_token_without_price_is_told() -> None:
    _, issues = rebuilt([fill("BTC", "1", "100", "0", fee="0.5", feeToken="HYPE")])
    assert kinds(issues) == {"fee_token": 1}


def test_trade_with_oneself_moves_no_position() -> None:
    rows = [fill("BTC", "2", "100", "0")]
    rows += [fill("BTC", size, "101", "2", at=3, tid=9) for size in ("1", "-1")]
    rows += [fill("BTC", "-2", "102", "2", at=5, pnl="4")]
    episodes, issues = rebuilt(rows)
    assert kinds(issues) == {"self_trade": 2}
    assert episodes.select("complete", "fills", "volume_usd").rows() == [(True, 4, Decimal(606))]


def test_funding_goes_to_the_episode_open_at_its_time() -> None:
    rows = [
        fill("BTC", "1", "100", "0"),
        fill("BTC", "-1", "100", "1", at=100),
        fill("BTC", "1", "100", "0", at=200),
    ]
    paid = [("BTC", 50, 3), ("BTC", 150, 5), ("BTC", 999, 7), ("ETH", 50, 9)]
    funding = pl.DataFrame(
        [(coin, START_MS + at, Decimal(usd)) for coin, at, usd in paid],
        schema={"coin": pl.String, "time_ms": pl.Int64, "usd": MONEY},
        orient="row",
    )
    episodes, _, issues = episodes_of(history_from_rows("a", rows), funding)
    assert episodes["funding_usd"].to_list() == [Decimal(3), Decimal(7)]
    outside = next(issue for issue in issues if issue.kind == "funding_outside")
    assert (outside.count, "14" in outside.text) == (2, True)


def test_path_uses_every_edge_once_and_links_where_it_can() -> None:
    edges = [(2, 3), (0, 1), (1, 2), (3, 1), (1, 0)]
    order = path_through(edges, 0)
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert all(edges[a][1] == edges[b][0] for a, b in pairwise(order))
    assert sorted(path_through([(0, 1), (5, 6), (9, 9)], None)) == [0, 1, 2]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.split(".")[0])
def test_recorded_history_closed_profit_of_episodes_is_that_of_its_fills(path: Path) -> None:
    history = history_from_file(path)
    episodes, _, _ = episodes_of(history)
    assert episodes["closed_pnl"].sum() == history.fills["closed_pnl"].sum()
    assert episodes["fills"].sum() >= history.fills.height


@pytest.mark.parametrize(
    "path", [p for p in RECORDED if "maker" not in p.name], ids=lambda path: path.name.split(".")[0]
)
def test_recorded_history_closed_profit_is_what_prices_and_sizes_give(path: Path) -> None:
    """The oracle is the venue: each closedPnl it wrote, computed again from the fills alone."""
    _, legs, _ = episodes_of(history_from_file(path))
    result = reconcile(legs)
    assert result.wrong == 0, result.examples
    assert result.within_unit <= 0.02 * result.exact


def test_reconciling_finds_a_changed_price() -> None:
    day = next(path for path in RECORDED if "acc2" in path.name)
    _, legs, _ = episodes_of(history_from_file(day))
    changed = legs.with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(pl.col("price") * 2).otherwise("price").alias("price")
    )
    assert reconcile(legs).wrong == 0
    assert reconcile(changed).wrong > 0
