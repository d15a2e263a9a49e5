from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.research.rows import START_MS, fill

from hlfast.research.history import history_from_rows
from hlfast.research.whatif.model import Market
from hlfast.research.whatif.record import Prepared, prepare

ONE = 100_000_000


def prepared(*rows: dict[str, Any], **markets: Market) -> Prepared:
    return prepare(history_from_rows("trader", rows), markets)


def fills(one: Prepared) -> list[list[Any]]:
    return list(json.loads(one.encoded)["fills"])


def kinds(one: Prepared) -> dict[str, int]:
    return {issue.kind: issue.count for issue in one.issues}


def test_prepare_links_positions_in_one_order_of_time() -> None:
    one = prepared(
        fill("ETH", "1.5", "2000", "0", at=10),
        fill("BTC", "0.01", "90000", "0", at=20, crossed=False),
        fill("ETH", "-1.5", "2010", "1.5", at=30),
    )
    assert one.coins == ("ETH", "BTC")
    assert fills(one) == [
        [0, START_MS + 10, 2000 * ONE, 3 * ONE // 2, 0, "taker", False],
        [1, START_MS + 20, 90_000 * ONE, ONE // 100, 0, "maker", False],
        [0, START_MS + 30, 2010 * ONE, -3 * ONE // 2, 3 * ONE // 2, "taker", False],
    ]
    assert one.size_decimals == (1, 2)
    assert (one.volume_usd, one.largest_usd) == (6915, 3900)


def test_prepare_bridges_a_gap_and_says_so() -> None:
    one = prepared(fill("ETH", "1", "100", "0", at=0), fill("ETH", "1", "110", "5", at=60_000))
    assert [row[3:5] for row in fills(one)] == [[ONE, 0], [4 * ONE, ONE], [ONE, 5 * ONE]]
    assert kinds(one)["bridged"] == 1


def test_prepare_makes_up_for_rounded_positions() -> None:
    # A source of seven digits says that the position was 1234.568 before, and flat after.
    one = prepared(fill("ETH", "1234.5678", "10", "0"), fill("ETH", "-1234.5678", "10", "1234.568", at=5))
    assert sum(row[3] for row in fills(one)) == pytest.approx(20_000, abs=1)
    starts = [row[4] for row in fills(one)]
    assert starts[1] == fills(one)[0][3]


def test_prepare_leaves_out_spot_and_trades_with_oneself() -> None:
    one = prepared(
        fill("@107", "5", "12", "0"),
        fill("ETH", "1", "100", "0", at=5, tid=7),
        fill("ETH", "-1", "100", "0", at=5, tid=7),
        fill("ETH", "2", "100", "0", at=9),
    )
    assert [row[3] for row in fills(one)] == [2 * ONE]
    assert kinds(one)["spot_left_out"] == 1
    assert kinds(one)["self_trade"] == 2


def test_prepare_spreads_whole_minutes_by_orders() -> None:
    minute = -(START_MS % 60_000)
    rows = [
        fill("ETH", "1", "100", "0", at=minute, oid=1),
        fill("ETH", "1", "101", "1", at=minute, oid=1),
        fill("ETH", "-2", "102", "2", at=minute, oid=2),
        fill("ETH", "2", "103", "0", at=minute + 60_000, oid=3),
    ]
    for row in rows:
        del row["tid"]
    one = prepared(*rows)
    times = [row[1] - START_MS - minute for row in fills(one)]
    assert times == [0, 0, 30_000, 60_000]
    assert "minute_times" in kinds(one)


def test_prepare_takes_what_was_measured() -> None:
    one = prepared(
        fill("ETH", "1", "100", "0"),
        ETH=Market(size_decimals=4, max_leverage=25, funding=((START_MS, Decimal("0.0001")),)),
    )
    coin = json.loads(one.encoded)["coins"][0]
    assert (coin["size_decimals"], coin["max_leverage"], coin["funding"]) == (4, 25, [[START_MS, 100_000_000]])


def test_prepare_refuses_a_record_without_perps() -> None:
    with pytest.raises(ValueError, match="no fill of a perpetual"):
        prepared(fill("@1", "5", "12", "0"))
