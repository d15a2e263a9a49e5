from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import journal
from tests.fakes.traders import address, trips
from tests.unit.research.test_pages import parsed
from typer.testing import CliRunner, Result

from hlfast.cli.line import app
from hlfast.cli.report import costs_of
from hlfast.control.projector import Projector
from hlfast.research.analysis import analyse
from hlfast.research.candidates import Candidate
from hlfast.research.discovery import judge
from hlfast.research.history import history_from_rows
from hlfast.store.accounts import AccountFill, EquityPoint, save_equity, save_fills
from hlfast.store.database import opened
from hlfast.store.traders import Trader, builtins_of, save_trader

WHO = address(1)


def run(database: str, page: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["report", "-d", database, "--html", str(page), *words])


def executed(number: int, signed: int, price: str) -> AccountFill:
    """What the order of record `number` executed on follower f0's account."""
    return AccountFill(
        account="0x" + "0" * 40,
        coin=journal.COINS[number % 4],
        time_ms=journal.START_MS + number * 5_000 + 300,
        tid=number,
        side="B" if signed > 0 else "A",
        price=Decimal(price),
        size=Decimal("0.1"),
        start_position=Decimal(0),
        closed_pnl=Decimal(0),
        fee=Decimal("0.01"),
        fee_token="USDC",
        oid=number,
        crossed=True,
        cloid=f"0x{number:032x}",
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('db')}/x.db"

    async def fill() -> None:
        async with opened(url) as engine:
            await Projector(engine, Path("/"), journal.config(), read=journal.reader(60)).catch_up()
            async with engine.begin() as connection:
                await save_fills(connection, [executed(4, 1, "100.5"), executed(8, -1, "101.5")])
                points = [(journal.START_MS + at * 86_400_000, f"{1000 + at}") for at in range(5)]
                rows = [
                    EquityPoint(account="0x" + "0" * 40, time_ms=at, usd=Decimal(usd), pnl_usd=Decimal(0))
                    for at, usd in points
                ]
                await save_equity(connection, rows)
                one = analyse(history_from_rows(WHO, trips(100, 4)))
                made = judge(Candidate(address=WHO, source="tape", why="took", last_seen_ms=1), one, Decimal(1000), 1)
                trader = Trader(
                    address=WHO,
                    source="tape",
                    why="took",
                    first_seen_ms=1,
                    last_seen_ms=1,
                    refreshed_ms=1,
                    grade=made.graded.grade,
                    score=made.graded.score,
                    judgement=builtins_of(made),
                )
                await save_trader(connection, trader, builtins_of(one))

    asyncio.run(fill())
    return url


def test_report_shows_profit_costs_receipts_and_equity(database: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run(database, page)
    assert done.exit_code == 0, done.output
    text = page.read_text()
    parsed(text)
    for words in (
        "Profit by leader, USD",
        "Equity of followers, USD",
        "too old",
        "By leader, follower and coin",
        "lead: 25% of 240 receipts were filled",
        "warning: slow",
    ):
        assert words in text, words
    assert not re.search(r"(?i)<script|https?://|url\(|src=", text)
    before = page.read_bytes()
    run(database, page)
    assert page.read_bytes() == before


def test_report_tells_the_same_in_the_terminal_and_as_json(database: str, tmp_path: Path) -> None:
    told = run(database, tmp_path / "page.html").output
    assert re.search(r"copied +60 of 240 decisions, 240 receipts", told), told
    assert re.search(r"^lead +240 +25\.0 %", told, re.MULTILINE), told
    assert "stands out   lead: 25% of 240" in told
    done = CliRunner().invoke(app, ["report", "-d", database, "--json"])
    found = json.loads(done.stdout)
    assert sum(row["count"] for row in found["outcomes"]) == 240
    assert sum(Decimal(row["fees_usd"]) for row in found["earned"]) == Decimal("0.02")
    one = CliRunner().invoke(app, ["report", "-d", database, "--trader", WHO, "--json"])
    assert json.loads(one.stdout)["judgement"]["address"] == WHO


def test_report_of_an_empty_database_says_what_to_do(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run(f"sqlite:///{tmp_path}/none.db", page)
    assert done.exit_code == 0, done.output
    parsed(page.read_text())
    assert "hlfast project writes them" in page.read_text()


def test_report_without_executions_says_so_first_and_shows_no_profit(tmp_path: Path) -> None:
    """Sizes that changed hands between leaders would otherwise stand there as all that was earned."""
    url, page = f"sqlite:///{tmp_path}/x.db", tmp_path / "page.html"

    async def fill() -> None:
        async with opened(url) as engine:
            await Projector(engine, Path("/"), journal.config(), read=journal.reader(20)).catch_up()

    asyncio.run(fill())
    assert run(url, page).exit_code == 0
    text = page.read_text()
    assert text.index("hlfast project --accounts reads them") < text.index("What became of")
    assert "<b>n/a</b><span>net profit, USD" in text
    assert "Profit by leader" not in text


def test_report_of_a_trader_has_his_grade(database: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run(database, page, "--trader", WHO.upper().replace("X", "x")).exit_code == 0
    assert "Why grade" in page.read_text()
    missing = run(database, page, "--trader", "0x12")
    assert missing.exit_code == 1
    assert "was not judged yet" in missing.output


def test_report_names_a_place_that_can_not_be_written(database: str) -> None:
    done = run(database, Path("/nowhere/page.html"))
    assert done.exit_code == 2
    assert "/nowhere/page.html" in done.output


def row(**change: Any) -> dict[str, Any]:
    base = {
        "journal": "j",
        "leader": "a",
        "follower": "f",
        "coin": "ETH",
        "coin_id": 1,
        "nonce": 7,
        "filled": Decimal(2),
        "ordered": Decimal(2),
        "leader_price": Decimal(100),
        "average_price": Decimal(101),
        "entitled_before": Decimal(0),
        "entitled_after": Decimal(2),
    }
    return {**base, **change}


def test_order_that_two_receipts_share_is_counted_once() -> None:
    quotes = {("j", "f", 7, 1): {"bid": Decimal("100.4"), "ask": Decimal("100.6")}}
    both = costs_of([row(), row(leader="b")], quotes)  # type: ignore[list-item] # rows by name, as the store's
    assert [cost.leader for cost in both] == ["a", "b"]
    assert sum(cost.total_usd for cost in both) == 2
    assert sum(cost.traded_usd for cost in both) == 202
    assert [(cost.delay_usd, cost.spread_usd, cost.impact_usd) for cost in both] == [
        (Decimal("0.5"), Decimal("0.1"), Decimal("0.4"))
    ] * 2
    assert costs_of([row(filled=Decimal(0))], quotes) == ()  # type: ignore[list-item]
    assert costs_of([row(nonce=8)], quotes)[0].delay_usd is None  # type: ignore[list-item]
