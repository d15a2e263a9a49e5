from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.fakes import journal
from typer.testing import CliRunner, Result

from hlfast.cli.line import app
from hlfast.control.projector import Projector
from hlfast.store.accounts import AccountFill, FundingPayment, save_fills, save_funding
from hlfast.store.database import opened


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Thirty leader fills projected, of which follower f1 ordered every fourth; one execution and one payment of it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('db')}/x.db"
    account = journal.config().followers[1].account

    async def fill() -> None:
        async with opened(url) as engine:
            await Projector(engine, Path("/"), journal.config(), read=journal.reader(30)).catch_up()
            bought = AccountFill(
                account=account,
                coin="ETH",
                time_ms=journal.START_MS + 5_000 * 5 + 300,
                tid=9,
                side="B",
                price=Decimal("100.4"),
                size=Decimal("0.1"),
                start_position=Decimal(0),
                closed_pnl=Decimal(0),
                fee=Decimal("0.0045"),
                fee_token="USDC",
                oid=1,
                crossed=True,
                cloid=f"0x{5:032x}",
            )
            async with engine.begin() as connection:
                await save_fills(connection, [bought])
                paid = FundingPayment(account=account, coin="ETH", time_ms=bought.time_ms + 10, usd=Decimal("-0.002"))
                await save_funding(connection, [paid])

    asyncio.run(fill())
    return url


def test_earnings_name_the_leader_whose_order_it_was(database: str) -> None:
    done = run("earnings", "-d", database, "--by", "leader,follower,coin", "--json")
    assert done.exit_code == 0, done.output
    [row] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["leader"], row["follower"], row["coin"]) == ("lead", "f1", "ETH")
    # Valued at the leader's newest price of the coin, 100.5.
    assert (Decimal(row["open_usd"]), Decimal(row["fees_usd"]), Decimal(row["funding_usd"])) == (
        Decimal("0.01"),
        Decimal("0.0045"),
        Decimal("-0.002"),
    )
    assert Decimal(row["net_usd"]) == Decimal("0.0035")


def test_earnings_in_a_table_and_as_csv(database: str) -> None:
    assert "net, USD" in run("earnings", "-d", database).output
    assert run("earnings", "-d", database, "--csv", "--by", "").stdout.splitlines()[1].startswith("all,all,all,")


def test_tracking_by_coin_and_as_json(database: str) -> None:
    table = run("tracking", "-d", database)
    assert table.exit_code == 0, table.output
    assert table.output.startswith("tracking error ")
    found = json.loads(run("tracking", "-d", database, "--coin", "SOL", "--json").stdout)
    assert set(found["coins"]) == {"SOL"}


def test_what_is_wrong_or_missing_is_named(database: str, tmp_path: Path) -> None:
    wrong = run("earnings", "-d", database, "--by", "leeder")
    assert wrong.exit_code == 2
    assert "write any of leader, follower, coin" in wrong.output
    assert run("tracking", "-d", database, "--until", "soon").exit_code == 2
    empty = f"sqlite:///{tmp_path}/empty.db"
    assert "hlfast project --accounts" in run("earnings", "-d", empty).output
    assert "no receipts fit" in run("tracking", "-d", empty).output
