from __future__ import annotations

import gc
import time

import orjson
import pytest
import typer
from click.testing import Result as Done
from typer.testing import CliRunner

from hlfast.gameday import campaign as campaign_module
from hlfast.gameday import command
from hlfast.gameday.campaign import campaign, play, repeats
from hlfast.gameday.world import Options, Result


def result(seed: int, digest: str = "same") -> Result:
    return Result(seed, [], [], [], 576.0, 1, 1, 1, 1, digest)


def test_campaign_begins_no_seed_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_module, "play", lambda options: result(options.seed))
    assert [each.seed for each in campaign(range(5), Options(seed=0), 1)] == [0, 1, 2, 3, 4]
    assert [each.seed for each in campaign(range(5), Options(seed=0), 1, time.monotonic())] == [0]


def test_repeats_tell_which_seeds_differ_when_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_module, "play", lambda options: result(options.seed, f"again {options.seed % 2}"))
    first = [result(seed, "again 0") for seed in range(4)]
    assert repeats(first, Options(seed=0), 1, 1.0) == {0: True, 1: False, 2: True, 3: False}


def run_command(monkeypatch: pytest.MonkeyPatch, ran: int, again: dict[int, bool], *arguments: str) -> Done:
    monkeypatch.setattr(command, "_run", lambda *_args, **_named: [result(seed) for seed in range(ran)])
    monkeypatch.setattr(command, "repeats", lambda *_: again)
    app = typer.Typer()
    app.command()(command.gameday)
    return CliRunner().invoke(app, ["--seeds", "3", "--within", "1", *arguments])


@pytest.mark.parametrize(("ran", "code"), [(3, 0), (2, 1)])
def test_gameday_with_fewer_seeds_than_asked_for_fails(monkeypatch: pytest.MonkeyPatch, ran: int, code: int) -> None:
    done = run_command(monkeypatch, ran, {}, "--json")
    assert done.exit_code == code, done.output
    assert orjson.loads(done.stdout)["seeds"] == ran


def test_gameday_says_how_many_seeds_were_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run_command(monkeypatch, 3, {0: True, 2: True})
    assert done.exit_code == 0, done.output
    assert "2 seeds run twice, each the same to the byte" in done.stdout


def test_gameday_fails_and_names_a_seed_that_differs_when_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run_command(monkeypatch, 3, {0: True, 2: False})
    assert done.exit_code == 1, done.output
    assert "not the same when run again: seeds [2]" in done.stdout


def test_play_collects_what_killed_processes_left_once_the_seed_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    collecting = []

    class Observed:
        def __init__(self, *_: object) -> None: ...

        def run(self) -> Result:
            collecting.append(gc.isenabled())
            return result(1)

    monkeypatch.setattr(campaign_module, "World", Observed)
    assert play(Options(seed=1)).seed == 1
    assert collecting == [False]
    assert gc.isenabled()
