from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.fakes import journal
from typer.testing import CliRunner, Result

import hlfast.demo
from hlfast.cli.line import app
from hlfast.control.projector import Projector
from hlfast.store.database import opened
from hlfast.store.traders import Trader, save_trader

DATA = Path(hlfast.demo.__file__).parent / "data"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('db')}/x.db"

    async def fill() -> None:
        async with opened(url) as engine:
            await Projector(engine, Path("/"), journal.config(), read=journal.reader(30)).catch_up()

    asyncio.run(fill())
    return url


def test_traders_shows_one_and_compares_several() -> None:
    one = run("traders", str(DATA / "leader_acc2.jsonl.gz"))
    assert one.exit_code == 0, one.output
    assert "round trips  5 closed" in one.output
    both = run("traders", *(str(DATA / f"leader_acc{number}.jsonl.gz") for number in (2, 6)))
    assert both.exit_code == 0, both.output
    assert "leader_acc6" in both.output


def test_traders_page_compares_all_that_were_named(tmp_path: Path) -> None:
    names = [str(DATA / f"leader_acc{number}.jsonl.gz") for number in (2, 6)]
    assert run("traders", *names, "--html", str(tmp_path / "page.html")).exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert "leader_acc2" in page
    assert "leader_acc6" in page
    refused = run("traders", *names, "--plot", str(tmp_path / "a.png"))
    assert refused.exit_code == 2
    assert "--plot is of one trader" in refused.output


def test_traders_as_json_holds_every_figure_exactly() -> None:
    found = json.loads(run("traders", "--json", str(DATA / "leader_acc2.jsonl.gz")).stdout)
    assert found["money"]["closed_pnl_usd"] == "23.852685"
    assert len(found["heat"]) == 7


def test_traders_names_a_bad_file_and_shows_the_others(tmp_path: Path) -> None:
    bad = tmp_path / "none.jsonl"
    bad.write_text("hello\n")
    done = run("traders", str(bad), str(DATA / "leader_acc2.jsonl.gz"))
    assert done.exit_code == 1
    assert "none.jsonl: no fills" in done.output
    assert "5 closed" in done.output


def test_trader_shows_one_whole_in_text_and_json(tmp_path: Path) -> None:
    name = str(DATA / "leader_acc6.jsonl.gz")
    told = run("trader", name, "--html", str(tmp_path / "page.html"))
    assert told.exit_code == 0, told.output
    assert "round trips  60 closed (46.7 % won)" in told.output
    assert "markets      rising +54, falling +64, sideways -10" in told.output
    assert "-0.0 %" not in told.output
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    found = json.loads(run("trader", name, "--json").stdout)
    assert found["trades"]["closed"] == 60


@pytest.mark.parametrize("name", ["0x12", "nowhere.jsonl", "."])
def test_trader_that_is_none_is_refused_with_what_to_name(name: str) -> None:
    done = run("trader", name)
    assert done.exit_code == 1
    assert f"{name}: " in done.output
    assert "→ name an address (0x and 40 digits)" in done.output


def test_trader_kept_is_shown_without_the_venue_and_a_stranger_is_named(database: str) -> None:
    known = json.loads(run("trader", "--json", str(DATA / "leader_acc2.jsonl.gz")).stdout)
    address = "0x" + "ab" * 20

    async def keep() -> None:
        row = Trader(address=address, source="tape", why="", first_seen_ms=1, last_seen_ms=1, refreshed_ms=1)
        async with opened(database) as engine, engine.begin() as connection:
            await save_trader(connection, row, known)

    asyncio.run(keep())
    shown = run("trader", address, "--kept", "-d", database, "--json")
    assert json.loads(shown.stdout) == known
    stranger = run("trader", "0x" + "cd" * 20, "--kept", "-d", database)
    assert stranger.exit_code == 1
    assert "was not judged yet" in stranger.output


@pytest.mark.parametrize("capital", ["0", "-1", "x", "nan"])
def test_traders_refuses_a_capital_that_is_none(capital: str) -> None:
    done = run("traders", f"--capital={capital}", str(DATA / "leader_acc2.jsonl.gz"))
    assert done.exit_code == 2
    assert capital in done.output


def test_traders_plots(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert run("traders", str(DATA / "leader_acc2.jsonl.gz"), "--plot", str(path)).exit_code == 0
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_receipts_filter_and_forms(database: str, tmp_path: Path) -> None:
    lines = run("receipts", "-d", database, "--follower", "f1", "--coin", "ETH", "--json").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["number"] for row in rows] == [
        29 * 4 + 1,
        25 * 4 + 1,
        21 * 4 + 1,
        17 * 4 + 1,
        13 * 4 + 1,
        9 * 4 + 1,
        5 * 4 + 1,
        4 + 1,
    ]
    assert {(row["follower"], row["coin"]) for row in rows} == {("f1", "ETH")}
    table = run("receipts", "-d", database, "--reason", "too_old", "--limit", "3").output
    assert "expired: too_old" in table
    assert "the latest 3" in table
    assert run("receipts", "-d", database, "--csv").stdout.count("\n") == 51
    assert run("receipts", "-d", database, "--parquet", str(tmp_path / "r.parquet")).exit_code == 0
    assert run("receipts", "-d", database, "--since", "2030-01-01").output.startswith("no receipts fit")
    assert run("receipts", "-d", database, "--since", "soon").exit_code == 2


def test_receipts_check_proves_completeness_and_finds_a_lost_one(database: str) -> None:
    assert "30 leader fills, 120 receipts" in run("receipts", "-d", database, "--check").output
    with without(database, "number = 50"):
        done = run("receipts", "-d", database, "--check")
        assert done.exit_code == 1
        assert "3 receipts for 4 follows" in done.output
    assert run("receipts", "-d", database, "--check").exit_code == 0


def test_receipts_check_finds_a_fill_that_no_receipt_names(database: str) -> None:
    with without(database, "number BETWEEN 44 AND 47"):
        done = run("receipts", "-d", database, "--check")
        assert done.exit_code == 1
        assert "0 receipts for 4 follows" in done.output
        assert "30 leader fills, 116 receipts" in done.output


@contextlib.contextmanager
def without(database: str, which: str) -> Iterator[None]:
    """A database that lost some receipts, until the end."""
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        rows = connection.execute(sa.text(f"SELECT * FROM receipts WHERE {which}")).mappings().all()
        connection.execute(sa.text(f"DELETE FROM receipts WHERE {which}"))
    try:
        yield
    finally:
        names = ", ".join(f":{key}" for key in rows[0])
        with engine.begin() as connection:
            connection.execute(sa.text(f"INSERT INTO receipts VALUES ({names})"), [dict(row) for row in rows])
        engine.dispose()


def test_explain_tells_a_receipt_and_names_a_missing_one(database: str) -> None:
    done = run("explain", "-d", database, "41")
    assert done.exit_code == 0, done.output
    assert "lead went from 10 to 11 SOL at 100.5" in done.output
    assert json.loads(run("explain", "-d", database, "41", "--json").stdout)["number"] == 41
    missing = run("explain", "-d", database, "99999")
    assert missing.exit_code == 1
    assert "no receipt 99999" in missing.output
