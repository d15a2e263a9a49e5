from __future__ import annotations

from pathlib import Path

from hlfast.gameday.campaign import kept_seeds
from hlfast.gameday.faults import Faults

KEPT = kept_seeds(Path(__file__).parents[2] / "gameday" / "seeds.toml")


def test_faults_delist_in_one_seed_of_seventeen_and_in_none_that_is_kept() -> None:
    having = {seed for seed in range(200) if "delisting" in Faults(seed).enabled}
    assert having == set(range(4, 200, 17))
    assert not [options.seed for options in KEPT if "delisting" in Faults(options.seed).enabled]


def test_faults_delist_once_a_seed() -> None:
    faults = Faults(4)
    assert [faults.note("delisting", at_ms) for at_ms in range(3)] == [True, False, False]
