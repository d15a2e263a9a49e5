"""Quotes that are given one by one stand in the book as they are, and a move without them brings the ladder back."""

from __future__ import annotations

from typing import Any

from hlfast.sim.numbers import parse
from sim.desk import Desk

GIVEN = ((True, "1999", "1"), (True, "1998.5", "2"), (False, "2001", "0.5"), (False, "2003", "7"))


def quote(desk: Desk, rows: tuple[tuple[bool, str, str], ...] | None, mid: str = "2000") -> None:
    asset = desk.venue.universe.by_coin["ETH"]
    quotes = None if rows is None else tuple((is_buy, parse(px), parse(sz)) for is_buy, px, sz in rows)
    desk.server.run_block(lambda block: desk.server.trading.move(asset, parse(mid), block, quotes=quotes))


def shown(desk: Desk) -> list[list[tuple[Any, Any]]]:
    return [[(row["px"], row["sz"]) for row in side] for side in desk.info("l2Book", coin="ETH")["levels"]]


def test_given_quotes_are_the_book() -> None:
    desk = Desk()
    quote(desk, GIVEN)
    assert shown(desk) == [[("1999.0", "1.0"), ("1998.5", "2.0")], [("2001.0", "0.5"), ("2003.0", "7.0")]]


def test_taken_quotes_come_back_after_the_block() -> None:
    desk = Desk()
    quote(desk, GIVEN)
    assert desk.order(desk.wallet(), "ETH", "B", "2003", "1")["filled"]["avgPx"] == "2002.0"
    assert shown(desk)[1] == [("2001.0", "0.5"), ("2003.0", "7.0")]


def test_a_move_without_quotes_brings_the_ladder_back() -> None:
    desk = Desk()
    quote(desk, GIVEN)
    quote(desk, None)
    assert [len(side) for side in shown(desk)] == [8, 8]


def test_an_empty_side_stays_empty() -> None:
    desk = Desk()
    quote(desk, GIVEN[:2])
    assert shown(desk)[1] == []
    assert "error" in desk.order(desk.wallet(), "ETH", "B", "2500", "1")


def test_no_depth_means_no_quotes() -> None:
    desk = Desk(depth_usd=0)
    quote(desk, GIVEN)
    assert shown(desk) == [[], []]
