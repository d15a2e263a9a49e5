"""The core beside the reference, on recorded traders and on made-up histories."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.reference import histories
from tests.reference.compare import Change, differences
from tests.reference.ideal import Coin
from tests.reference.model import Reference
from tests.reference.policies import POLICIES, configuration, equities

from hlfast.demo import recordings

DATA = Path(recordings.__file__).parent / "data"
GROUPS = [["day"], ["shorts", "day"], ["maker", "vault", "day"], ["xyz", "shorts", "vault", "day"]]
GROUPS += [["kbonk", "day", "vault", "shorts", "maker"]]
COINS = (Coin("SOL", 2), Coin("BTC", 5), Coin("kPEPE", 0))


@pytest.mark.parametrize("names", GROUPS, ids="+".join)
@pytest.mark.parametrize("coalesced", [False, True])
def test_recorded_leaders_are_copied_as_the_rules_say(names: list[str], coalesced: bool, tmp_path: Path) -> None:
    chosen = {name: histories.read(DATA / recordings.PACKAGED[name]) for name in names}
    config = configuration(names, tmp_path)
    changes = histories.together(chosen, coalesced=coalesced)
    coins = histories.coins_of(list(chosen.values()))
    found, compared = differences(config, coins, equities(config), changes, tmp_path, histories.held_first(chosen))
    assert found == []
    assert compared >= len(POLICIES) * len(names)


def history(moves: list[tuple[int, int, int, int]], leaders: list[str]) -> list[Change]:
    """Fills of leaders: who, which coin, lots (signed), price in cents."""
    held: dict[tuple[str, str], Decimal] = {}
    made = []
    for tid, (leader, coin, lots, cents) in enumerate(moves):
        if lots == 0:
            continue
        name, what = leaders[leader % len(leaders)], COINS[coin]
        size = lots * what.lot * (100 if what.name == "BTC" else 1)
        start = held.get((name, what.name), Decimal(0))
        held[name, what.name] = start + size
        row: dict[str, Any] = {
            "coin": what.name, "px": f"{Decimal(cents) / 100:f}", "sz": f"{abs(size):f}", "side": "B" if size > 0 else "A",
            "startPosition": f"{start:f}", "dir": "", "closedPnl": "0.0", "hash": "0x" + "0" * 64, "oid": 1, "crossed": True,
            "fee": "0.0", "tid": tid + 1, "feeToken": "USDC", "twapId": None,
        }  # fmt: skip
        made.append(Change(name, what.name, (row,)))
    return made


MOVES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(-400, 400), st.integers(5_000, 20_000)),
    min_size=1,
    max_size=60,
)


# Histories that once parted the two.
KEPT = {
    # A flip beside an opposing edge is cut to exactly the net of before: that is no way outward.
    "a net as before": [
        (0, 0, -1, 5000),
        (0, 0, -3, 5000),
        (0, 1, -195, 5000),
        (0, 0, 1, 5944),
        (0, 1, 218, 16759),
        (0, 1, 240, 5000),
        (0, 0, 1, 5000),
        (0, 1, -1, 5000),
        (1, 1, -1, 5000),
        (1, 1, 2, 12762),
    ],
}


@pytest.mark.parametrize("name", KEPT)
def test_kept_histories_are_copied_as_the_rules_say(name: str, tmp_path: Path) -> None:
    leaders = ["L0", "L1"]
    config = configuration(leaders, tmp_path)
    found, _ = differences(config, COINS, equities(config), history(KEPT[name], leaders), tmp_path)
    assert found == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES, count=st.integers(1, 5))
def test_made_up_histories_are_copied_as_the_rules_say(
    moves: list[tuple[int, int, int, int]], count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    leaders = [f"L{at}" for at in range(count)]
    directory = tmp_path_factory.mktemp("made")
    config = configuration(leaders, directory)
    found, _ = differences(config, COINS, equities(config), history(moves, leaders), directory)
    assert found == []


# Each a mistake in the rules: the comparison must see it.
MISTAKES = {
    "a reduction of the wrong share": ("change", lambda rule: lambda self, leader, coin, before, after, price: rule(
        self, leader, coin, before, after * Decimal("0.9") if abs(after) < abs(before) else after, price)),
    "equity that is not frozen": ("_ratio", lambda rule: lambda self, follow, coin, after, price: rule(
        self, follow, coin, after, price) * Decimal("1.1")),
    "moves of one day more": ("_usual_move", lambda rule: lambda self, coin, days: rule(self, coin, days) * Decimal("0.98")),
    "an inverse that is none": ("_ratio", lambda rule: lambda self, follow, coin, after, price: abs(rule(
        self, follow, coin, after, price))),
    "an account without caps": ("_room", lambda _: lambda *_: None),
    "a cap at another price": ("_aim", lambda rule: lambda self, follower, coin, price, net, **moved: rule(
        self, follower, coin, price * Decimal("0.9"), net, **moved)),
    "no cut of the other side": ("_cut_opposite", lambda _: lambda *_: None),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_comparison_sees(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, wrong = MISTAKES[mistake]
    monkeypatch.setattr(Reference, where, wrong(getattr(Reference, where)))
    leaders = ["L0", "L1"]
    moves = [
        (0, 0, 4000, 10_000),
        (1, 0, 3000, 11_000),
        (0, 0, -1500, 9_000),
        (1, 0, -5000, 9_500),
        (0, 0, 900, 10_100),
        (0, 1, 300_000, 10_000),
        (1, 1, -600_000, 10_000),
        (0, 1, -300_000, 10_000),
    ]
    config = configuration(leaders, tmp_path, POLICIES)
    found, _ = differences(config, COINS, equities(config), history(moves, leaders), tmp_path)
    assert found
