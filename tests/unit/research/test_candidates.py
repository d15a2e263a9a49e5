from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from hlfast.research.candidates import from_leaderboard, from_tape, in_turns
from hlfast.research.leaderboard import MAINNET_URL, LeaderboardError, parse_leaderboard, place_of, read
from hlfast.research.sketch import Hitter


def address(number: int) -> str:
    return f"0x{0xABC000 + number:040x}"


def hitter(number: int, usd: int, taken: float, trades: int = 10) -> Hitter:
    return Hitter(
        address=address(number), volume_cents=usd * 100, trades=trades, taken_cents=int(usd * taken * 100), last_ms=7
    )


def test_tape_gives_takers_of_copyable_size_by_what_they_took() -> None:
    resting, dust, good, best = (
        hitter(1, 90_000, 0.1),
        hitter(2, 400, 1.0, 100),
        hitter(3, 5_000, 0.5),
        hitter(4, 4_000, 1),
    )
    system = Hitter(address="0x" + "0" * 40, volume_cents=10**9, trades=1, taken_cents=10**9, last_ms=7)
    found = list(from_tape([resting, dust, good, best, system]))
    assert [candidate.address for candidate in found] == [address(4), address(3)]
    assert found[1].why == "took 2,500 USD (50% of what he traded) in 10 trades"


def row(
    number: int, *, equity: str = "50000", month: str = "900", ever: str = "5000", volume: str = "100000", **more: Any
) -> Any:
    windows = [
        ["day", {"pnl": "1", "roi": "0", "vlm": "1"}],
        ["month", {"pnl": month, "roi": "0.1", "vlm": volume}],
        ["allTime", {"pnl": ever, "roi": "0.1", "vlm": "900000"}],
    ]
    return {"ethAddress": address(number), "accountValue": equity, "windowPerformances": windows, "prize": 0, **more}


def board(*rows: Any) -> bytes:
    return orjson.dumps({"leaderboardRows": list(rows)})


def test_leaderboard_gives_winners_with_enough_equity_by_profit_of_the_month() -> None:
    text = board(
        row(1),
        row(2, month="1200"),
        row(3, equity="10"),
        row(4, month="-5"),
        row(5, ever="-1"),
        row(6, volume="99999999999"),
        row(7, volume="0"),
    )
    rows = parse_leaderboard(text, "x").rows
    found = list(from_leaderboard(rows, Decimal(10_000), now_ms=9))
    assert [candidate.address for candidate in found] == [address(2), address(1)]
    assert found[0].why == "made 1,200 USD in a month on 50,000, 5,000 in all"


def test_leaderboard_counts_rows_that_are_none() -> None:
    bad = [
        {},
        7,
        None,
        row(1, ethAddress="0x12"),
        row(1, ethAddress="0x" + "g" * 40),
        row(1, accountValue="NaN"),
        row(1, windowPerformances=[]),
        row(1, windowPerformances="all"),
        row(1, month="much"),
    ]
    found = parse_leaderboard(board(*bad, row(9)), "x")
    assert (found.bad, [one.address for one in found.rows]) == (len(bad), [address(9)])


@pytest.mark.parametrize("text", [b"", b"[]", b"<html>", b'{"leaderboardRows":3}', b"\xff\xfe"])
def test_leaderboard_that_is_none_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(LeaderboardError, match="somewhere is no leaderboard"):
        parse_leaderboard(text, "somewhere")


@pytest.mark.asyncio
async def test_leaderboard_from_files_plain_and_gzip(tmp_path: Path) -> None:
    plain, packed, absent = tmp_path / "a.json", tmp_path / "a.json.gz", tmp_path / "none"
    plain.write_bytes(board(row(1)))
    packed.write_bytes(gzip.compress(board(row(2))))
    assert (await read(str(plain))).rows[0].address == address(1)
    assert (await read(str(packed))).rows[0].address == address(2)
    packed.write_bytes(packed.read_bytes()[:-9])
    for path in (packed, absent):
        with pytest.raises(LeaderboardError, match=path.name):
            await read(str(path))


def test_leaderboard_is_the_venues_own_on_mainnet_only() -> None:
    assert place_of("venue", "https://api.hyperliquid.xyz") == MAINNET_URL
    assert place_of("venue", "https://api.hyperliquid-testnet.xyz") is None
    assert place_of("venue", "http://127.0.0.1:1") is None
    assert place_of("off", "https://api.hyperliquid.xyz") is None
    assert place_of("/a/file", "https://api.hyperliquid.xyz") == "/a/file"


def test_sources_take_turns_and_nobody_comes_twice() -> None:
    tape = list(from_tape([hitter(number, 9_000 - number, 1) for number in (1, 2, 3)]))
    listed = list(from_leaderboard(parse_leaderboard(board(row(3), row(4, month="1")), "x").rows, Decimal(1), 9))
    mixed = [candidate.address for candidate in in_turns(tape, listed, without=[address(2)])]
    assert mixed == [address(1), address(3), address(4)]
