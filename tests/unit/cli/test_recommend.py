from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from pathlib import Path

import pytest
from tests.fakes.traders import DAYS, address, trips
from tests.unit.research.rows import START_MS
from typer.testing import CliRunner, Result

from hlfast.cli.line import app
from hlfast.research.analysis import analyse
from hlfast.research.candidates import Candidate
from hlfast.research.discovery import judge
from hlfast.research.history import history_from_rows
from hlfast.store.database import opened
from hlfast.store.traders import Trader, builtins_of, save_trader

GOOD, POOR = address(1), address(2)


def run(database: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["recommend", "-d", database, *words])


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Two traders judged just now."""
    url, now_ms = f"sqlite:///{tmp_path}/x.db", time.time_ns() // 1_000_000
    shift = now_ms - START_MS - (DAYS + 1) * 86_400_000

    async def fill() -> None:
        async with opened(url) as engine:
            for who, gain in ((GOOD, 4), (POOR, -4)):
                rows = [{**row, "time": row["time"] + shift} for row in trips(200, gain)]
                one = analyse(history_from_rows(who, rows))
                found = Candidate(address=who, source="tape", why="took", last_seen_ms=now_ms)
                made = judge(found, one, Decimal(10_000), now_ms)
                trader = Trader(
                    address=who,
                    source="tape",
                    why="took",
                    first_seen_ms=1,
                    last_seen_ms=1,
                    refreshed_ms=now_ms,
                    grade=made.graded.grade,
                    score=made.graded.score,
                    judgement=builtins_of(made),
                )
                async with engine.begin() as connection:
                    await save_trader(connection, trader, builtins_of(one))

    asyncio.run(fill())
    return url


def test_recommend_tells_whom_with_how_much_and_why(database: str) -> None:
    shown = run(database, "--capital", "5000", "--most", "100", "--traders", "1")
    assert shown.exit_code == 0, shown.output
    assert GOOD in shown.stdout
    assert POOR not in shown.stdout
    assert "5,000" in shown.stdout
    assert "because  grade A" in shown.stdout
    assert "but      100% of his volume is in BTC" in shown.stdout


def test_recommend_keeps_what_was_viewed_and_accepted_by_profile(database: str) -> None:
    first = json.loads(run(database, "--json").stdout)["chosen"][0]
    assert (first["address"], first["viewed_ms"], first["accepted_ms"]) == (GOOD, None, None)
    again = json.loads(run(database, "--json").stdout)["chosen"][0]
    assert again["viewed_ms"] is not None
    assert run(database, "--accept", GOOD.upper().replace("X", "x")).exit_code == 0
    assert json.loads(run(database, "--json").stdout)["chosen"][0]["accepted_ms"] is not None
    assert "accepted 20" in run(database).stdout
    other = json.loads(run(database, "--json", "--profile", "other").stdout)["chosen"][0]
    assert other["accepted_ms"] is None
    changed = json.loads(run(database, "--json", "--capital", "7000").stdout)["chosen"][0]
    assert changed["accepted_ms"] is not None, "what is said changed, what was taken did not"
    assert changed["viewed_ms"] is None
    run(database, "--withdraw", GOOD)
    assert json.loads(run(database, "--json", "--capital", "7000").stdout)["chosen"][0]["accepted_ms"] is None


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--risk", "wild"), 2, "write low, medium or high"),
        (("--style", "poker"), 2, "known are scalper"),
        (("--capital", "-3"), 2, '--capital is "-3"'),
        (("--accept", "0x12"), 1, "was never recommended"),
    ],
)
def test_recommend_refuses_by_name(database: str, words: tuple[str, ...], code: int, said: str) -> None:
    done = run(database, *words)
    assert done.exit_code == code
    assert said in done.output


def test_recommend_of_an_empty_store_says_so(tmp_path: Path) -> None:
    shown = run(f"sqlite:///{tmp_path}/none.db")
    assert shown.exit_code == 0
    assert "none of 0 judged traders" in shown.stdout
