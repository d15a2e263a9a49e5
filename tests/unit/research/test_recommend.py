from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.traders import DAY_MS, NOW_MS, trips

from hlfast.research.analysis import Beside, analyse
from hlfast.research.figures import Analysis
from hlfast.research.history import history_from_rows
from hlfast.research.recommend import Profile, Recommended, allocate, recommend
from hlfast.research.returns import Together, daily_returns, together

RNG = np.random.default_rng(5)
GOOD = analyse(history_from_rows("good", trips(200, 4)), Beside(capital=Decimal(20_000)))


def with_daily(returns: list[float], one: Analysis = GOOD, *, first: int = 20_000) -> Analysis:
    """The same trader with other days, on 20,000 USD."""
    daily = tuple((first + place, Decimal(f"{value * 20_000:.6f}")) for place, value in enumerate(returns))
    return msgspec.structs.replace(one, daily=daily, equity=((0, Decimal(20_000), 0.0),))


CALM = with_daily(RNG.normal(0, 0.01, 60).tolist())
WILD = with_daily(RNG.normal(0, 0.04, 60).tolist())


def found(traders: dict[str, Analysis], **profile: object) -> Recommended:
    return recommend(traders, Profile(**profile), NOW_MS)  # type: ignore[arg-type]


def test_correlation_and_deviation_are_those_of_numpy_over_common_days() -> None:
    values = RNG.normal(0, 0.01, (2, 40))
    moves = together({"a": with_daily(values[0].tolist()), "b": with_daily(values[1].tolist()[10:], first=20_010)})
    assert moves.days == 30
    assert moves.alike["a"]["b"] == pytest.approx(np.corrcoef(values[0][10:], values[1][10:])[0, 1], abs=1e-4)
    assert moves.deviation["a"] == pytest.approx(values[0].std(ddof=1), rel=1e-6)


def test_daily_returns_of_a_curve_are_on_the_equity_of_that_day() -> None:
    curve = ((0, Decimal(1000), 0.0), (5 * DAY_MS, Decimal(4000), 0.0))
    one = msgspec.structs.replace(GOOD, equity=curve, equity_basis="venue", daily=((4, Decimal(10)), (5, Decimal(10))))
    assert daily_returns(one) == {4: 0.01, 5: 0.0025}


def test_too_few_common_days_say_nothing_of_a_correlation() -> None:
    moves = together({"a": CALM, "b": with_daily(RNG.normal(0, 0.01, 60).tolist(), first=20_055)})
    assert (moves.days, moves.alike) == (5, {})
    assert moves.deviation["b"] is not None


def test_allocation_prefers_the_calmer_and_gives_less_to_two_that_move_together() -> None:
    calm, wild = allocate(together({"calm": CALM, "wild": WILD}), 1.0)
    assert calm > 3 * wild
    other = with_daily([float(usd) / 20_000 for _, usd in reversed(CALM.daily)])
    twin, same, alone = allocate(together({"a": CALM, "b": CALM, "c": other}), 1.0)
    assert twin == same
    assert alone > twin


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.none() | st.floats(1e-6, 1.0), max_size=6),
    st.floats(-1, 1),
    st.floats(0.05, 1.0),
)
def test_allocation_never_exceeds_cap_or_whole(deviation: dict[str, float | None], alike: float, most: float) -> None:
    pairs = {one: {other: alike for other in deviation if other != one} for one in deviation}
    shares = allocate(Together(days=30, deviation=deviation, alike=pairs), most)
    assert len(shares) == len(deviation)
    assert all(0 <= share <= most + 1e-9 for share in shares)
    assert sum(shares) <= 1 + 1e-9
    assert all((share == 0) >= (not known) for share, known in zip(shares, deviation.values(), strict=True))


def test_recommendation_is_in_words_with_the_numbers_of_its_parts() -> None:
    chosen = found({"0xgood": GOOD}, risk="high", most_share=1.0, most_traders=1).chosen[0]
    assert (chosen.grade, chosen.share, chosen.amount_usd) == ("A", 1.0, Decimal("10000.00"))
    assert chosen.compatibility.total == 1.0
    assert chosen.reasons[0] == f"grade A: {chosen.score:g} points, 100% compatible"
    assert "a follower would have kept" in chosen.reasons[1]
    assert "100% of his volume is in BTC" in chosen.warnings


def test_recommendation_leaves_out_poor_and_inactive() -> None:
    poor = analyse(history_from_rows("poor", trips(200, -4)), Beside(capital=Decimal(20_000)))
    gone = msgspec.structs.replace(GOOD, last_ms=NOW_MS - 8 * DAY_MS)
    assert [one.address for one in found({"good": GOOD, "poor": poor, "gone": gone}).chosen] == ["good"]
    none = found({"poor": poor})
    assert none.chosen == ()
    assert none.insights == ("none of 1 judged traders is of grade A to C at this size and active",)


def test_what_does_not_suit_costs_points_and_is_said() -> None:
    risky = msgspec.structs.replace(GOOD, exposure=msgspec.structs.replace(GOOD.exposure, largest_leverage=12.0))
    two = found({"good": GOOD, "risky": risky}, risk="medium", styles=("swing",)).chosen
    assert [one.address for one in two] == ["good", "risky"]
    assert two[1].compatibility.total == pytest.approx(0.6 * 0.6)
    assert two[1].score == pytest.approx(two[0].score * 0.6, rel=1e-3)
    assert two[1].warnings[:2] == ("risk is high, above the profile's medium", "style is day, not swing")
    assert "held up to 12 times his equity" in two[1].warnings


def test_twins_are_warned_of_and_money_beyond_the_caps_is_left() -> None:
    both = found({"0xaaaaaaaaaaaa": GOOD, "0xbbbbbbbbbbbb": GOOD}, most_share=0.3, most_traders=2)
    assert "moves with 0xbbbbbbbb: correlation 1.00 over" in both.chosen[0].warnings[-1]
    assert [one.share for one in both.chosen] == [0.3, 0.3]
    assert both.insights[1].startswith("40% of the money stays where it is")
    assert "mean correlation 1.00" in both.insights[2]


def test_trader_who_is_too_large_for_the_user_is_less_compatible() -> None:
    large, small = (
        found({"good": GOOD}, capital_usd=Decimal(usd), most_traders=1, most_share=1.0) for usd in (10_000, 100)
    )
    assert large.chosen[0].compatibility.size == 1.0
    assert not small.chosen, "orders of 1,000 on 20,000 USD are 5 USD of a hundred"


def test_trader_of_unknown_risk_gets_no_money() -> None:
    still = with_daily([0.0] * 60)
    both = {one.address: one for one in found({"good": CALM, "still": still}, most_share=1.0).chosen}
    assert both["still"].share == 0.0
    assert both["good"].share == 1.0
    assert any("his risk is not known" in said for said in both["still"].warnings)
