from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from tests.unit.research.rows import START_MS, Trader, fill

from hlfast.research.analysis import Beside, analyse
from hlfast.research.copyable import Costs, copyable, copyable_of
from hlfast.research.episodes import episodes_of
from hlfast.research.figures import CopyAt
from hlfast.research.fitness import Seen, Thresholds, Watch, half_life
from hlfast.research.grade import DAY_MS, grade
from hlfast.research.history import History, history_from_rows


def trips(count: int, *, gain: int, size: str = "10", days: int = 30) -> History:
    """Round trips of 100 USD a coin, one hour each, spread over the days; every fourth one loses a quarter."""
    trader = Trader("BTC")
    step = days * DAY_MS // count
    for number in range(count):
        move = gain if number % 4 else -gain // 4
        trader.trade(Decimal(size), Decimal(100), number * step)
        trader.trade(-Decimal(size), Decimal(100 + move), number * step + 3_600_000)
    rows = [{**row, "oid": place} for place, row in enumerate(trader.rows)]
    return history_from_rows("a", rows)


def test_copyable_by_hand() -> None:
    """Two orders of 1,000 and 1,100 USD, profit 100, a follower of a tenth: 10 gross, 210 USD of value at 10 bps."""
    rows = [fill("BTC", "10", "100", "0", oid=1), fill("BTC", "-10", "110", "10", at=5, pnl="100", oid=2)]
    _, legs, _ = episodes_of(history_from_rows("a", rows))
    found = copyable(legs, Decimal(1000), Decimal(100), Costs(fee_bps=Decimal(5), slippage_bps=Decimal(5)))
    assert (found.gross_usd, found.cost_usd, found.kept_usd) == (Decimal("10.00"), Decimal("0.21"), Decimal("9.79"))
    assert found.kept_share == pytest.approx(0.979)
    assert found.not_copied == 0.0


def test_copyable_leaves_out_what_is_below_the_minimum() -> None:
    rows = [fill("BTC", "1", "100", "0", oid=1), fill("BTC", "-1", "110", "1", at=5, pnl="10", oid=2)]
    _, legs, _ = episodes_of(history_from_rows("a", rows))
    found = copyable(legs, Decimal(1000), Decimal(50))
    assert found.not_copied == 1.0
    assert found.kept_usd == 0


def replayed(usd: int, net: str, volume: str) -> CopyAt:
    """An ideal copy earns a tenth of the follower's money with ten times its value; each cost is one USD."""
    size = Decimal(usd)
    return CopyAt(
        follower_usd=size,
        edge_usd=size / 10,
        cost_usd=Decimal(1),
        net_usd=Decimal(net),
        ideal_usd=size * 10,
        volume_usd=Decimal(volume),
    )


@pytest.mark.parametrize(
    ("usd", "kept", "gross", "left_out"),
    [
        ("100", "4.00", "10.00", 0.5),
        ("1000", "90.00", "100.00", 0.0),
        # The middle of the logarithms: 0.04 and 0.09 USD kept a dollar, half and all of the value.
        ("316.227766016838", "20.55", "31.62", 0.25),
        ("5000", "450.00", "500.00", 0.0),
        ("99", "0.00", "9.90", 1.0),
    ],
)
def test_copyable_by_hand_between_replayed_sizes(usd: str, kept: str, gross: str, left_out: float) -> None:
    one = analyse(trips(30, gain=4), Beside(capital=Decimal(10_000)))
    one = msgspec.structs.replace(one, copies=(replayed(100, "4", "500"), replayed(1000, "90", "10000")))
    found = copyable_of(one, Decimal(usd))
    assert (found.by, found.kept_usd, found.gross_usd) == ("replay", Decimal(kept), Decimal(gross))
    assert found.not_copied == pytest.approx(left_out)
    assert copyable_of(one, Decimal(usd), Costs()).by == "model"


def test_copyable_breaks_even_where_costs_a_side_eat_what_was_earned() -> None:
    one = msgspec.structs.replace(analyse(trips(30, gain=4)), copies=(replayed(1000, "90", "10000"),))
    assert copyable_of(one, Decimal(1000)).break_even_bps == pytest.approx(91)


@pytest.mark.parametrize("usd", [Decimal(0), Decimal(-1)])
def test_copyable_never_divides_by_nothing(usd: Decimal) -> None:
    _, legs, _ = episodes_of(trips(1, gain=1))
    with pytest.raises(ValueError, match="above zero"):
        copyable(legs, usd, Decimal(1))


def judged(history: History, follower: int = 1000):
    one = analyse(history, Beside(capital=Decimal(10_000)))
    _, legs, _ = episodes_of(history)
    return grade(one, copyable(legs, Decimal(10_000), Decimal(follower)), START_MS + 31 * DAY_MS)


def test_grade_orders_a_good_trader_above_a_poor_one_and_a_short_record_below_both() -> None:
    good, poor, short = judged(trips(200, gain=4)), judged(trips(200, gain=-4)), judged(trips(10, gain=4))
    assert good.grade == "A"
    assert good.score > poor.score
    assert (short.grade, short.score) == ("F", 0.0)
    assert "fewer than 20 trips" in short.reasons[0]
    assert (good.style, good.role, good.active) == ("day", "taker", True)


def test_grade_points_are_its_score() -> None:
    good = judged(trips(60, gain=3))
    assert sum(good.points.values()) == pytest.approx(good.score, abs=0.3)


def test_grade_falls_when_the_follower_is_too_small_to_copy() -> None:
    history = trips(200, gain=4)
    assert judged(history, 50).score < judged(history, 1000).score


GOOD = Seen(maker=False, holding_ms=3_600_000, slippage_bps=3.0)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Seen(maker=True), "maker share"),
        (Seen(below_minimum=True), "below the minimum"),
        (Seen(holding_ms=5_000), "holding time"),
        (Seen(slippage_bps=60.0), "slippage"),
        (Seen(drift=((1_000, 8.0), (60_000, 10.0))), "half-life"),
    ],
)
def test_fitness_downgrades_for_each_threshold_and_says_which(bad: Seen, said: str) -> None:
    watch = Watch(window=50)
    for _ in range(19):
        assert not watch.add(bad).close_only, "too few orders to judge"
    now = watch.add(bad)
    assert now.close_only
    assert [reason for reason in now.reasons if said in reason]
    for _ in range(50):
        now = watch.add(GOOD)
    assert not now.close_only, "the window forgets"


def test_fitness_does_not_judge_what_has_no_threshold() -> None:
    watch = Watch(Thresholds(most_maker_share=None))
    for _ in range(30):
        now = watch.add(Seen(maker=True))
    assert not now.close_only


def test_half_life_by_hand() -> None:
    assert half_life([((1_000, 2.0), (3_000, 6.0), (10_000, 8.0))]) == 2_000
    assert half_life([((1_000, -1.0), (3_000, -2.0))]) is None
    assert half_life([]) is None
