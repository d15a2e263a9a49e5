"""The core beside the reference, on recorded traders and on made-up histories."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.reference import gates, histories, losses, model, parts
from tests.reference.compare import Change, differences
from tests.reference.losses import Losses
from tests.reference.model import Reference
from tests.reference.policies import POLICIES, configuration, equities
from tests.reference.world import Coin

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


def history(moves: list[tuple[int, ...]], leaders: list[str]) -> list[Change]:
    """Fills of leaders: who, which coin, lots (signed), price in cents; perhaps how many minutes after the one before."""
    held: dict[tuple[str, str], Decimal] = {}
    made = []
    for tid, (leader, coin, lots, cents, *minutes) in enumerate(moves):
        if lots == 0:
            continue
        name, what = leaders[leader % len(leaders)], COINS[coin]
        size = lots * what.lot * (100 if what.name == "BTC" else 1)
        start = held.get((name, what.name), Decimal(0))
        held[name, what.name] = start + size
        made.append(Change(name, what.name, (row(what.name, size, start, cents, tid),), wait_ms=60_000 * sum(minutes)))
    return made


def row(coin: str, size: Decimal, start: Decimal, cents: int, tid: int) -> dict[str, Any]:
    """One fill as the venue tells it; sold: a negative size."""
    return {
        "coin": coin, "px": f"{Decimal(cents) / 100:f}", "sz": f"{abs(size):f}", "side": "B" if size > 0 else "A",
        "startPosition": f"{start:f}", "dir": "", "closedPnl": "0.0", "hash": "0x" + "0" * 64, "oid": 1, "crossed": True,
        "fee": "0.0", "tid": tid + 1, "feeToken": "USDC", "twapId": None,
    }  # fmt: skip


MOVES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 2),
        st.integers(-400, 400),
        st.integers(5_000, 20_000),
        st.sampled_from((0, 0, 0, 0, 95)),
    ),
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
    assert parted(KEPT[name], 2, tmp_path) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES, count=st.integers(1, 5))
def test_made_up_histories_are_copied_as_the_rules_say(
    moves: list[tuple[int, ...]], count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert parted(moves, count, tmp_path_factory.mktemp("made")) == []


# Each a mistake in the rules, where it is made and how: the comparison must see it.
MISTAKES: dict[str, tuple[Any, str, Any]] = {
    "a reduction of the wrong share": (Reference, "change", lambda rule: lambda self, leader, coin, before, after, price: rule(
        self, leader, coin, before, after * Decimal("0.9") if abs(after) < abs(before) else after, price)),
    "equity that is not frozen": (Reference, "_ratio", lambda rule: lambda *seen: rule(*seen) * Decimal("1.1")),
    "moves of one day more": (Reference, "_usual_move", lambda rule: lambda *seen: rule(*seen) * Decimal("0.98")),
    "an inverse that is none": (Reference, "_ratio", lambda rule: lambda *seen: abs(rule(*seen))),
    "an account without caps": (Reference, "_room", lambda _: lambda *_: None),
    "a cap at another price": (Reference, "_aim", lambda rule: lambda self, follower, coin, price, net, **moved: rule(
        self, follower, coin, price * Decimal("0.9"), net, **moved)),
    "no cut of the other side": (Reference, "_cut_opposite", lambda _: lambda *_: None),
    "an edge without caps": (Reference, "_edge_room", lambda _: lambda *_: Decimal("Infinity")),
    "what waits to be sold is worth nothing": (parts.Part, "worst", lambda _: property(lambda self: abs(self.entitled))),
    "small orders as they are": (Reference, "_lacking", lambda _: lambda *_: Decimal(0)),
    "small orders raised at any price": (model, "ROUNDED_UP_USD", lambda usd: usd * 2),
    "blocked coins": (gates, "_coins", lambda _: lambda *_: True),
    "any value": (gates, "_values", lambda _: lambda *_: True),
    "both sides": (gates, "_side", lambda _: lambda *_: True),
    "all hours": (gates, "_hours", lambda _: lambda *_: True),
    "hours of another zone": (gates, "ZoneInfo", lambda _: lambda _name: ZoneInfo("UTC")),
    "any market": (gates, "_market", lambda _: lambda *_: True),
    "any leader": (gates, "_leader", lambda _: lambda *_: True),
    "a latch that never trips": (Losses, "read", lambda _: lambda *_: False),
    "a latch that trips early": (losses, "_reached", lambda rule: lambda loss, limit: rule(loss * 2, limit)),
    "a latch that closes nothing": (Reference, "_flatten", lambda _: lambda *_: None),
    "an execution that is the first edge's": (
        model,
        "attribute",
        lambda rule: lambda mine, *executed: rule(mine[:1], *executed),
    ),
    "an edge's cash at another price": (model, "attribute", lambda rule: lambda mine, size, price, rate: rule(mine, size, price * 2, rate)),
    "opposite wishes sent as orders": (model, "cross", lambda _: lambda *_: None),
}  # fmt: skip

# Long and short, in and out, small and large, over two days.
SEEN_BY = [
    (0, 0, 4000, 10_000),
    (1, 0, 3000, 11_000),
    (0, 0, -1500, 9_000),
    (1, 0, -5000, 9_500),
    (0, 0, 900, 10_100),
    (0, 1, 300_000, 10_000),
    (1, 1, -600_000, 10_000),
    (0, 1, -300_000, 10_000),
    (0, 2, 40, 5_000, 600),
    (1, 2, 2, 5_000),
    (0, 2, -15, 5_100, 95),
    (1, 2, 90, 5_050),
    (1, 0, -2000, 8_000, 95),
    (1, 0, 300, 7_900),
    (0, 0, -900, 5_000, 900),
    (0, 0, 700, 5_050, 95),
    (1, 2, -30, 4_000),
    (2, 0, 30, 10_000),
    (2, 0, 1970, 10_000),
    (2, 0, -16, 10_000),
    (2, 2, 400, 10_000),
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_comparison_sees(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, wrong = MISTAKES[mistake]
    monkeypatch.setattr(owner, name, wrong(getattr(owner, name)))
    assert parted(SEEN_BY, 3, tmp_path)


def test_the_history_of_the_mistakes_is_copied_as_the_rules_say(tmp_path: Path) -> None:
    assert parted(SEEN_BY, 3, tmp_path) == []


def parted(moves: Any, leaders: int, directory: Path) -> list[str]:
    """Where the core and the reference part."""
    names = [f"L{at}" for at in range(leaders)]
    config = configuration(names, directory)
    return differences(config, COINS, equities(config), history(moves, names), directory)[0]
