from __future__ import annotations

from dataclasses import replace

import pytest

from e2e import gamedays
from hlfast.gameday.checker import Violation
from hlfast.gameday.faults import Struck
from hlfast.gameday.world import Options, Result

SOUND = Result(1, [], [Struck("cut", 0, 5, "")], ["cut"], 576.0, 4, 3, 2, 1, "same")


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds in the order in which they were played; the second run of seed 200 differs."""
    numbers: list[int] = []

    def play(options: Options) -> Result:
        again = options.seed in numbers
        numbers.append(options.seed)
        return replace(SOUND, seed=options.seed, digest="other" if again and options.seed == 200 else "same")

    monkeypatch.setattr(gamedays, "play", play)
    monkeypatch.setattr(gamedays, "campaign", lambda seeds, *_: (play(Options(seed=seed)) for seed in seeds))
    return numbers


def test_gamedays_go_on_behind_a_commits_last_seed_and_begin_another_commit_anew(played: list[int]) -> None:
    rows: list[gamedays.Row] = []
    for commit, seeds in (("a", 2), ("a", 1), ("b", 1)):
        list(gamedays.seen(gamedays.begin(rows, commit, 98), seeds, 1))
    assert played == [98, 99, 100, 100, 98]
    assert [(row["commit"], row["seeds"], row["faults"], row["run_twice"]) for row in rows] == [
        ("a", 3, 3, 1),
        ("b", 1, 1, 0),
    ]


def test_gamedays_keep_a_seed_that_differs_when_run_again(played: list[int]) -> None:
    row = gamedays.begin([], "a", 199)
    list(gamedays.seen(row, 2, 1))
    assert played == [199, 200, 200]
    assert row["not_repeatable"] == [200]
    gates = {gate["what"]: gate for gate in gamedays.section([row])["gates"]}
    assert not gates["seeds that differ when run again"]["passed"]


def test_gamedays_miss_their_targets_until_enough_was_seen_without_a_violation() -> None:
    row = gamedays.begin([], "a", 1)
    gamedays.add(row, replace(SOUND, violations=[Violation("I2", 7, "twice")]), 1.5)
    section = gamedays.section([row])
    assert [gate["what"] for gate in section["gates"] if not gate["passed"]] == [
        "seeds", "simulated time", "faults", "violations",
    ]  # fmt: skip
    assert "1 in seeds [1]" in section["table"][1]


def test_gamedays_play_what_broke_again_by_the_code_of_now(monkeypatch: pytest.MonkeyPatch, played: list[int]) -> None:
    rows = [gamedays.begin([], "a", 1), gamedays.begin([], "b", 1)]
    rows[0]["failed_seeds"], rows[1]["not_repeatable"] = [7, 5], [200]
    monkeypatch.setattr(gamedays, "commit", lambda: "c")
    again = gamedays.broken(rows)
    assert again == {"commit": "c", "seeds": [5, 7, 200], "broken": [200]}
    assert played == [5, 5, 7, 7, 200, 200]
    gates = {gate["what"]: gate for gate in gamedays.section(rows, again)["gates"]}
    assert not gates["seeds that broke once and still do"]["passed"]
    assert "of 3, on c" in gates["seeds that broke once and still do"]["note"]
