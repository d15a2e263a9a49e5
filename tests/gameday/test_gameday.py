"""Whole seeds: those that once failed, the outage drill, and the same seed twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hlfast.gameday.campaign import kept_seeds, play, shrink
from hlfast.gameday.checker import Violation
from hlfast.gameday.drill import CLOSED_WITHIN_S, outage_drill
from hlfast.gameday.faults import KINDS
from hlfast.gameday.isolation import isolation
from hlfast.gameday.world import Options, World
from hlfast.sim.authority import Authority

SEEDS = kept_seeds(Path(__file__).with_name("seeds.toml"))


@pytest.mark.parametrize("options", SEEDS, ids=lambda options: str(options.seed))
def test_gameday_seed_that_once_failed_holds_now(options: Options) -> None:
    assert play(options).violations == []


@pytest.mark.parametrize("kind", KINDS)
def test_gameday_survives_each_kind_of_fault_alone(kind: str) -> None:
    result = play(Options(seed=5, seconds=150, only=frozenset({kind})))
    assert result.violations == []
    assert result.executions > 0


def test_gameday_runs_the_same_twice() -> None:
    first, second = (play(Options(seed=11, seconds=150)) for _ in range(2))
    assert first.digest == second.digest
    assert first.struck == second.struck
    assert play(Options(seed=12, seconds=150)).digest != first.digest


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_gameday_follower_that_fails_changes_nothing_for_the_others(seed: int) -> None:
    assert list(isolation(seed, 200.0)) == []


def test_gameday_bytes_sent_again_to_a_venue_without_nonces_execute_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert play(Options(seed=10, seconds=120)).violations == []
    # Were it not for their expiry, they would.
    spend = Authority._spend

    def forgets_expiry(self, account, envelope, *rest) -> None:
        if self._venue.settings.limits == "off":
            envelope.expires_after = None
        spend(self, account, envelope, *rest)

    monkeypatch.setattr(Authority, "_spend", forgets_expiry)
    assert {violation.invariant for violation in play(Options(seed=10, seconds=120)).violations} == {"I8"}


@pytest.mark.timeout(600)  # 17 s of processor time, which a busy machine stretches
def test_gameday_outage_drill_duplicates_nothing_and_closes_every_drift(tmp_path: Path) -> None:
    found = outage_drill(1, tmp_path)
    assert found.violations == []
    assert found.errors > 1_000
    assert found.executed > 0
    assert found.closed_s is not None
    assert found.closed_s <= CLOSED_WITHIN_S


def test_gameday_shrinks_a_failing_seed_to_the_faults_that_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = World._result

    def breaks_by_crashing(world: World):
        result = whole(world)
        crashed = any(fault.kind == "crash" and fault.number == 0 for fault in result.struck)
        return replace(result, violations=[Violation("made", 0, "by a crash")] if crashed else [])

    monkeypatch.setattr(World, "_result", breaks_by_crashing)
    least = shrink(Options(seed=6, seconds=120, only=frozenset({"crash", "cut", "pause"})), lambda _text: None)
    assert {fault.kind for fault in least.struck} == {"crash"}
