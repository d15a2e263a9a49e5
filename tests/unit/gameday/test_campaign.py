from __future__ import annotations

import time

import orjson
import pytest
import typer
from typer.testing import CliRunner

from hlfast.gameday import campaign as campaign_module
from hlfast.gameday import command
from hlfast.gameday.campaign import campaign, repeats
from hlfast.gameday.world import Options, Result


def result(seed: int, digest: str = "same") -> Result:
    return Result(seed, [], [], [], 576.0, 1, 1, 1, 1, digest)


def test_campaign_begins_no_seed_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_module, "play", lambda options: result(options.seed))
    assert [each.seed for each in campaign(range(5), Options(seed=0), 1)] == [0, 1, 2, 3, 4]
    assert [each.seed for each in campaign(range(5), Options(seed=0), 1, time.monotonic())] == [0]


def test_repeats_name_the_seeds_that_differ_when_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_module, "play", lambda options: result(options.seed, f"again {options.seed % 2}"))
    first = [result(seed, "again 0") for seed in range(4)]
    assert repeats(first, Options(seed=0), 1, 1.0) == [1, 3]


@pytest.mark.parametrize(("ran", "code"), [(3, 0), (2, 1)])
def test_gameday_with_fewer_seeds_than_asked_for_fails(monkeypatch: pytest.MonkeyPatch, ran: int, code: int) -> None:
    monkeypatch.setattr(command, "_run", lambda *_args, **_named: [result(seed) for seed in range(ran)])
    monkeypatch.setattr(command, "repeats", lambda *_: [])
    app = typer.Typer()
    app.command()(command.gameday)
    done = CliRunner().invoke(app, ["--seeds", "3", "--within", "1", "--json"])
    assert done.exit_code == code, done.output
    assert orjson.loads(done.stdout)["seeds"] == ran
