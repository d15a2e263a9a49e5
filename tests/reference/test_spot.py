"""Spot beside perps: tokens are bought and sold as the rules say, and whoever copies perps alone leaves them alone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.reference import gates, model
from tests.reference.compare import Change, differences
from tests.reference.policies import SPOT_POLICIES, configuration, equities
from tests.reference.test_reference import row
from tests.reference.world import Coin

COINS = (Coin("SOL", 2), Coin("@1", 2, token=1), Coin("@2", 0, token=2))
ALL = -1_000_000
MOVES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 2),
        st.one_of(st.integers(-400, 400), st.integers(-30, 30), st.just(ALL)),
        st.integers(5_000, 20_000),
        st.sampled_from((0, 0, 0, 95)),
    ),
    min_size=1,
    max_size=40,
)


def history(moves: list[tuple[int, ...]], leaders: list[str]) -> list[Change]:
    """Who, which market, lots (signed; of tokens at most what there is), price in cents, minutes after the one before."""
    held: dict[tuple[str, str], Decimal] = {}
    made = []
    for tid, (leader, market, lots, cents, minutes) in enumerate(moves):
        name, coin = leaders[leader % len(leaders)], COINS[market]
        start = held.get((name, coin.name), Decimal(0))
        size = max(lots * coin.lot, -start) if coin.is_spot else lots * coin.lot
        if size == 0 or (lots == ALL and not coin.is_spot):
            continue
        held[name, coin.name] = start + size
        made.append(Change(name, coin.name, (row(coin.name, size, start, cents, tid),), wait_ms=60_000 * minutes))
    return made


def parted(moves: Any, count: int, directory: Path) -> list[str]:
    """Where the core and the reference part."""
    leaders = [f"L{at}" for at in range(count)]
    config = configuration(leaders, directory, SPOT_POLICIES)
    return differences(config, COINS, equities(config), history(moves, leaders), directory)[0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES, count=st.integers(1, 4))
def test_tokens_are_copied_as_the_rules_say(
    moves: list[tuple[int, ...]], count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert parted(moves, count, tmp_path_factory.mktemp("spot")) == []


MISTAKES: dict[str, tuple[Any, str, Any]] = {
    "perps and tokens are one": (gates, "_kind", lambda _: lambda *_: True),
    "no tokens": (gates, "_kind", lambda _: lambda _follow, seen: not seen.coin.is_spot),
    "an account without caps": (model.Reference, "_room", lambda _: lambda *_: None),
    "an edge without caps": (model.Reference, "_edge_room", lambda _: lambda *_: Decimal("Infinity")),
    "tokens as they are": (model.Reference, "_lacking", lambda _: lambda *_: Decimal(0)),
    "an exit of a part": (model.Reference, "change", lambda rule: lambda self, leader, coin, before, after, price: rule(
        self, leader, coin, before, after or before / 2, price)),
}  # fmt: skip
SEEN_BY = [
    (0, 1, 4_000, 10_000, 0),
    (1, 1, 50, 10_500, 0),
    (0, 2, 40, 9_000, 0),
    (0, 0, 300, 10_000, 0),
    (0, 1, -1_000, 9_500, 95),
    (0, 1, ALL, 9_700, 0),
    (1, 2, 30, 9_000, 0),
    (1, 1, 30_000, 10_000, 0),
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_comparison_sees(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, wrong = MISTAKES[mistake]
    monkeypatch.setattr(owner, name, wrong(getattr(owner, name)))
    assert parted(SEEN_BY, 2, tmp_path)


def test_the_history_of_the_mistakes_is_copied_as_the_rules_say(tmp_path: Path) -> None:
    assert parted(SEEN_BY, 2, tmp_path) == []
