from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlfast.research.grade import Graded
from hlfast.research.recommend import Profile, allocate, recommend

RNG = np.random.default_rng(5)
CALM, WILD = RNG.normal(0, 0.01, 60).tolist(), RNG.normal(0, 0.04, 60).tolist()


def graded(**change: Any) -> Graded:
    base = {
        "grade": "A",
        "score": 85.0,
        "points": {},
        "risk": "low",
        "style": "day",
        "role": "taker",
        "bot_like": False,
        "active": True,
        "reasons": ("kept 80%",),
    }
    return Graded(**{**base, **change})


def test_allocation_prefers_the_calmer() -> None:
    calm, wild = allocate([CALM, WILD], 1.0)
    assert calm > 3 * wild
    assert calm + wild == pytest.approx(1.0, abs=1e-3)


def test_allocation_gives_less_to_two_that_move_together() -> None:
    other = RNG.permutation(CALM).tolist()
    twin, same, alone = allocate([CALM, CALM, other], 1.0)
    assert twin == same
    assert alone > twin


@given(st.lists(st.lists(st.floats(-0.5, 0.5), min_size=0, max_size=12), max_size=6), st.floats(0.05, 1.0))
def test_allocation_never_exceeds_cap_or_whole(returns: list[list[float]], most: float) -> None:
    shares = allocate(returns, most)
    assert len(shares) == len(returns)
    assert all(0 <= share <= most + 1e-4 for share in shares)
    assert sum(shares) <= 1 + 1e-3


def test_allocation_gives_nothing_to_the_unknown() -> None:
    assert allocate([CALM, [], [0.0] * 60], 1.0) == (1.0, 0.0, 0.0)


def test_recommendation_leaves_out_poor_and_inactive_and_warns_of_what_does_not_suit() -> None:
    traders = {
        "good": graded(),
        "risky": graded(risk="high", score=90.0),
        "poor": graded(grade="D"),
        "gone": graded(active=False),
    }
    found = recommend(traders, {"good": CALM, "risky": WILD}, Profile(risk="low", styles=("day",), most_share=0.6))
    assert [one.address for one in found] == ["good", "risky"]
    assert (found[0].share, found[0].warnings) == (0.6, ())
    assert (found[1].score, found[1].warnings) == (60.0, ("risk is high, above the profile's low",))
    assert found[0].reasons[0] == "grade A, 85.0 points"
