from __future__ import annotations

from pathlib import Path

from hlfast.gameday.campaign import kept_seeds
from hlfast.gameday.faults import Faults

KEPT = kept_seeds(Path(__file__).parents[2] / "gameday" / "seeds.toml")


def test_faults_delist_in_one_seed_of_seventeen_and_in_what_was_kept_since() -> None:
    having = {seed for seed in range(200) if "delisting" in Faults(seed).enabled}
    assert having == set(range(4, 200, 17))
    # Seeds that were kept before go on as they were.
    assert [options.seed for options in KEPT if "delisting" in Faults(options.seed).enabled] == [9558]


def test_faults_delist_once_a_seed() -> None:
    faults = Faults(4)
    assert [faults.note("delisting", at_ms) for at_ms in range(3)] == [True, False, False]
