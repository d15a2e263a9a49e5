"""Plays: seeded walks, recorded markets, given candles and leaders' fills happen on the venue's clock."""

from __future__ import annotations

import gzip
import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hlfast.sim.control import ControlError
from hlfast.sim.life.cues import SourceError
from hlfast.sim.life.packaged import packaged_capture, packaged_fills, read_rows
from hlfast.sim.numbers import parse
from sim.clockwork import lively_desk
from sim.desk import Desk, Listener

LEADER = "0x" + "1e" * 20
MINUTE = 60_000
START = 1_784_683_656_000


def plays(desk: Desk) -> dict[str, Any]:
    return {row["play"]: row for row in desk.control(op="plays")["plays"]}


def trades(tape: Listener) -> list[dict[str, Any]]:
    return [row for frame in tape.of("trades") for row in frame]


def book(time_ms: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]], coin: str = "BTC") -> dict[str, Any]:
    levels = [[{"px": px, "sz": sz, "n": 1} for px, sz in side] for side in (bids, asks)]
    return {"channel": "l2Book", "data": {"coin": coin, "time": time_ms, "levels": levels}}


def trade(
    time_ms: int, side: str, px: str, sz: str, users: tuple[str, str] = ("0x" + "b1" * 20, "0x" + "5e" * 20)
) -> Any:
    row = {
        "coin": "BTC",
        "side": side,
        "px": px,
        "sz": sz,
        "time": time_ms,
        "hash": "0x0",
        "tid": 1,
        "users": list(users),
    }
    return {"channel": "trades", "data": [row]}


def digest_of_walk(seed: int) -> str:
    desk, clockwork = lively_desk()
    heard = [desk.listen("trades", coin="BTC"), desk.listen("bbo", coin="ETH")]
    desk.control(op="play", what="walk", coins=["BTC", "ETH"], seed=seed)
    clockwork.run(5 * MINUTE)
    return hashlib.sha256(json.dumps([listener.frames for listener in heard]).encode()).hexdigest()


def test_a_walk_is_the_same_twice_and_differs_by_seed() -> None:
    assert digest_of_walk(7) == digest_of_walk(7)
    assert digest_of_walk(7) != digest_of_walk(8)


def test_a_walk_moves_as_far_as_its_volatility_says() -> None:
    desk, clockwork = lively_desk()
    desk.control(op="play", what="walk", coins=["BTC"], step_ms=2_000, volatility_bps=10, jumps_per_hour=0)
    asset = desk.venue.universe.by_coin["BTC"]
    marks = [desk.venue.mark(asset)]
    for _ in range(400):
        clockwork.run(MINUTE)
        marks.append(desk.venue.mark(asset))
    moves = [(after / before - 1) * 10_000 for before, after in pairwise(marks)]
    deviation = (sum(move * move for move in moves) / len(moves)) ** 0.5
    assert 8.5 < deviation < 11.5, deviation  # 400 draws know a deviation within 10 % (three sigma)
    assert all(mark % asset.tick(mark) == 0 for mark in marks)


def test_a_walk_jumps() -> None:
    desk, clockwork = lively_desk()
    desk.control(
        op="play", what="walk", coins=["BTC"], step_ms=1_000, volatility_bps=0, jumps_per_hour=60, jump_bps=100
    )
    asset = desk.venue.universe.by_coin["BTC"]
    seen = [desk.venue.mark(asset)]
    for _ in range(60 * 60):
        clockwork.run(1_000)
        if desk.venue.mark(asset) != seen[-1]:
            seen.append(desk.venue.mark(asset))
    jumps = [abs(after / before - 1) * 10_000 for before, after in pairwise(seen)]
    assert 35 <= len(jumps) <= 90
    assert all(49 < jump < 151 for jump in jumps)


def test_a_walk_goes_on_from_where_others_put_the_price() -> None:
    desk, clockwork = lively_desk()
    desk.control(op="play", what="walk", coins=["ETH"])
    clockwork.run(MINUTE)
    desk.control(op="set_book", coin="ETH", mid="3000")
    clockwork.run(MINUTE)
    assert 2_900 < desk.venue.mark(desk.venue.universe.by_coin["ETH"]) / 10**8 < 3_100


def test_a_walk_never_reaches_zero() -> None:
    desk, clockwork = lively_desk()
    desk.control(op="set_book", coin="kBONK", mid="0.001005")
    desk.control(op="play", what="walk", coins=["kBONK"], step_ms=1_000, volatility_bps=1_000)
    asset = desk.venue.universe.by_coin["kBONK"]
    for _ in range(40):
        clockwork.run(MINUTE)
        assert desk.venue.mark(asset) >= 1_000 * asset.finest_tick


def test_the_crowd_trades_and_money_is_conserved() -> None:
    desk, clockwork = lively_desk()
    tape = desk.listen("trades", coin="BTC")
    desk.control(op="play", what="walk", coins=["BTC"], trades_per_minute=120)
    clockwork.run(1_000)
    before = desk.venue.total()
    clockwork.run(10 * MINUTE)
    rows = trades(tape)
    assert 1_100 < len({row["hash"] + str(row["tid"]) for row in rows}) < 3_000
    assert {row["side"] for row in rows} == {"A", "B"}
    assert desk.venue.total() == before
    assert "refused" not in plays(desk)["walk-1"]["counts"]


def test_resting_orders_of_clients_are_filled_by_the_crowd() -> None:
    desk, clockwork = lively_desk()
    wallet = desk.wallet()
    bid = desk.info("l2Book", coin="BTC")["levels"][0][0]["px"]
    desk.order(wallet, "BTC", "B", str(int(float(bid)) + 1), "0.001", "Alo")
    desk.control(op="play", what="walk", coins=["BTC"], trades_per_minute=120)
    clockwork.run(MINUTE)
    assert desk.position(wallet, "BTC") == "0.001"


def test_a_recorded_book_stands_as_recorded() -> None:
    desk, clockwork = lively_desk()
    first = book(START, [("66410.0", "2"), ("66409.0", "1")], [("66411.0", "6.5")])
    second = book(START + 5_000, [("66400.0", "3")], [("66401.0", "4"), ("66402.0", "5")])
    desk.control(op="play", what="capture", frames=[first, second])
    for frame, pause in ((first, 0), (second, 5_000)):
        clockwork.run(pause)
        shown = desk.info("l2Book", coin="BTC")["levels"]
        told = [[(row["px"], parse(row["sz"])) for row in side] for side in frame["data"]["levels"]]
        assert [[(row["px"], parse(row["sz"])) for row in side] for side in shown] == told
    assert plays(desk)["capture-1"]["done"] is True


def test_a_recorded_trade_is_printed_with_its_price_size_side_and_taker() -> None:
    desk, clockwork = lively_desk()
    tape = desk.listen("trades", coin="BTC")
    users = ("0x" + "B1" * 20, "0x" + "5e" * 20)
    frames = [
        book(START, [("66410.0", "2")], [("66411.0", "0.1"), ("66415.0", "1")]),
        trade(START + 100, "B", "66413.0", "0.5", users),
        trade(START + 200, "A", "66409.0", "0.3", users),
    ]
    desk.control(op="play", what="capture", frames=frames)
    clockwork.run(1_000)
    seen = [(row["side"], row["px"], row["sz"], row["time"] - tape.of("trades")[0][0]["time"]) for row in trades(tape)]
    assert seen == [("B", "66413.0", "0.5", 0), ("A", "66409.0", "0.3", 100)]
    assert trades(tape)[0]["users"][0] == users[0].lower()
    assert trades(tape)[1]["users"][1] == users[1]


def test_a_client_in_the_way_of_a_recorded_trade_is_filled_first() -> None:
    desk, clockwork = lively_desk()
    wallet = desk.wallet(usdc="100000")
    desk.control(
        op="play",
        what="capture",
        frames=[
            book(START, [("66410.0", "2")], [("66420.0", "1")]),
            trade(START + 1_000, "B", "66420.0", "0.5"),
        ],
    )
    clockwork.run(500)
    desk.order(wallet, "BTC", "A", "66415", "0.2", "Alo")
    clockwork.run(1_000)
    assert desk.position(wallet, "BTC") == "-0.2"
    assert [(row["px"], row["sz"]) for row in desk.info("recentTrades", coin="BTC")] == [
        ("66420.0", "0.3"),
        ("66415.0", "0.2"),
    ]


def test_best_prices_move_the_book_between_snapshots() -> None:
    desk, clockwork = lively_desk()
    best = {"coin": "BTC", "time": START + 10, "bbo": [{"px": "66405.0", "sz": "7", "n": 3}, None]}
    desk.control(
        op="play",
        what="capture",
        frames=[
            book(START, [("66410.0", "2"), ("66404.0", "9")], [("66411.0", "6")]),
            {"channel": "bbo", "data": best},
        ],
    )
    clockwork.run(100)
    bids, asks = desk.info("l2Book", coin="BTC")["levels"]
    assert [(row["px"], row["sz"]) for row in bids] == [("66405.0", "7.0"), ("66404.0", "9.0")]
    assert asks == []


def test_the_packaged_capture_plays_to_its_end() -> None:
    desk, clockwork = lively_desk()
    frames = packaged_capture()
    begin = min(frame["data"]["time"] for frame in frames if frame["channel"] == "l2Book")
    recorded = [
        row for frame in frames if frame["channel"] == "trades" for row in frame["data"] if row["time"] >= begin
    ]
    heard = {coin: desk.listen("trades", coin=coin) for coin in {row["coin"] for row in recorded}}
    desk.control(op="play", what="capture", speed=60)
    clockwork.run(7_000)
    (play,) = plays(desk).values()
    assert play["done"] is True
    assert "refused" not in play["counts"]
    for coin, tape in heard.items():
        told = sorted((row["side"], parse(row["px"]), parse(row["sz"])) for row in recorded if row["coin"] == coin)
        assert sorted((row["side"], parse(row["px"]), parse(row["sz"])) for row in trades(tape)) == told
    assert len(recorded) == 1_721


def test_looping_goes_round_and_stopping_ends_it() -> None:
    desk, clockwork = lively_desk()
    frames = [book(START, [("66410.0", "2")], []), book(START + 1_000, [("66400.0", "3")], [])]
    desk.control(op="play", what="capture", frames=frames, loop=True)
    clockwork.run(20_000)
    assert plays(desk)["capture-1"]["counts"]["cues"] == 21
    desk.control(op="stop_play", play="capture-1")
    clockwork.run(20_000)
    assert plays(desk)["capture-1"] | {"about": ""} == {
        "play": "capture-1",
        "about": "",
        "done": True,
        "counts": {"shape": 21, "cues": 21},
    }


def candle(start_ms: int, prices: tuple[str, str, str, str], volume: str) -> dict[str, Any]:
    o, h, low, c = prices
    row = {"t": start_ms, "T": start_ms + MINUTE - 1, "s": "ETH", "i": "1m", "o": o, "h": h, "l": low, "c": c}
    return row | {"v": volume, "n": 4}


def test_given_candles_read_back_as_they_were_given() -> None:
    desk, clockwork = lively_desk()
    clockwork.run(MINUTE - desk.now_ms % MINUTE)
    given = [
        candle(0, ("2000.0", "2010.0", "1995.0", "2005.0"), "40.0"),
        candle(MINUTE, ("2005.0", "2006.0", "1980.0", "1981.0"), "12.4"),
    ]
    start = desk.now_ms
    desk.control(op="play", what="candles", rows=given)
    clockwork.run(2 * MINUTE)
    request = {"coin": "ETH", "interval": "1m", "startTime": start, "endTime": start + 2 * MINUTE - 1}
    shown = desk.info("candleSnapshot", req=request)
    assert [row | {"t": 0, "T": 0} for row in shown] == [row | {"t": 0, "T": 0} for row in given]


def fill(time_ms: int, sz: str, start: str, oid: int = 1) -> dict[str, Any]:
    row = {"coin": "HYPE", "px": "61.2", "sz": sz, "side": "B", "time": time_ms, "startPosition": start, "oid": oid}
    return row | {"dir": "Open Long", "closedPnl": "0.0", "crossed": True, "fee": "0.01", "tid": time_ms}


@pytest.mark.parametrize(("speed", "pauses"), [(1, [0, 40, 5_000]), ("4", [0, 10, 1_250])])
def test_fills_happen_at_their_recorded_pace(speed: Any, pauses: list[int]) -> None:
    desk, clockwork = lively_desk()
    heard = desk.listen("userFills", user=LEADER)
    rows = [
        fill(START, "1", "5"),
        fill(START, "2", "6"),
        fill(START + 40, "1", "8", 2),
        fill(START + 5_000, "1", "9", 3),
    ]
    began = desk.now_ms
    desk.control(
        op="play", what="fills", address=LEADER, rows=list(reversed(rows)) if speed == 1 else rows, speed=speed
    )
    clockwork.run(10_000)
    assert [frame["fills"][0]["time"] - began for frame in heard.of("userFills")] == pauses
    assert [len(frame["fills"]) for frame in heard.of("userFills")] == [2, 1, 1]
    assert desk.position(LEADER, "HYPE") == "10.0"


def test_every_packaged_leader_replays_whole() -> None:
    desk, clockwork = lively_desk()
    for number, (name, count) in enumerate((("leader_acc2", 122), ("leader_acc6", 833), ("leader_acc10", 144)), 1):
        address = f"0x{number:040x}"
        desk.control(op="play", what="fills", address=address, recording=name, speed=5_000, usdc="1000000")
        clockwork.run(120_000)
        assert plays(desk)[f"fills-{number}"]["done"] is True
        kept = [row for row in desk.control(op="ledger")["fills"] if row.user == address]
        recorded = packaged_fills(name)
        assert [(row.coin, row.side, row.px, row.sz) for row in kept] == [
            (row["coin"], row["side"], row["px"], row["sz"]) for row in sorted(recorded, key=lambda row: row["time"])
        ]
        assert len(kept) == count


def test_a_play_that_fell_behind_catches_up_in_slices() -> None:
    desk, clockwork = lively_desk()
    rows = [fill(START + 10 * index, "1", str(index), index) for index in range(120)]
    desk.control(op="play", what="fills", address=LEADER, rows=rows)
    desk.now_ms += MINUTE  # the machine slept
    served = []
    clockwork.call_later(0, lambda: served.append(plays(desk)["fills-1"]["counts"].get("cues", 0)))
    clockwork.run(0)
    assert served == [50]
    assert plays(desk)["fills-1"]["done"] is True
    assert desk.position(LEADER, "HYPE") == "120.0"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"what": "magic"}, "play: what must be one of walk, capture, candles, fills, not 'magic'"),
        ({"what": ["walk"]}, "what must be one of"),
        ({"what": "walk", "coins": ["NOPE"]}, "coin 'NOPE' is not listed"),
        ({"what": "walk", "coins": "BTC"}, "coins must be a list"),
        ({"what": "walk", "step_ms": 1}, "step_ms"),
        ({"what": "walk", "speed": 0}, "speed must be between"),
        ({"what": "walk", "speed": "fast"}, "speed must be between"),
        ({"what": "walk", "colour": 1}, "walk knows no 'colour'"),
        ({"what": "capture", "frames": []}, "no l2Book, bbo or trades frame"),
        ({"what": "capture", "frames": [trade(1, "X", "1", "1")]}, "frames[0] (trades)"),
        ({"what": "capture", "frames": [trade(1, "B", "-1", "1")]}, "frames[0] (trades)"),
        ({"what": "capture", "frames": [7]}, "frames[0] (int)"),
        ({"what": "candles", "rows": [candle(0, ("1", "2", "3", "4"), "1")]}, "candles[0]: l <= o, c <= h"),
        ({"what": "candles", "rows": [{"s": "ETH"}]}, "candles[0]: 'o'"),
        ({"what": "candles"}, "rows must be a list"),
        ({"what": "fills", "address": "0x1", "rows": []}, "address must be 0x and 40 hex digits"),
        ({"what": "fills", "address": LEADER, "rows": [fill(1, "1", "0") | {"side": "X"}]}, "rows[0].side"),
        ({"what": "fills", "address": LEADER, "rows": [fill(1, "1", "0") | {"time": "soon"}]}, "rows[0].time"),
        ({"what": "fills", "address": LEADER, "rows": []}, "no fill row"),
        ({"what": "fills", "address": LEADER, "recording": "../universe"}, "no packaged recording"),
        ({"what": "fills", "address": LEADER, "recording": "leader_acc2", "usdc": "-1"}, "usdc must be"),
    ],
)
def test_what_does_not_fit_is_named(request_: dict[str, Any], words: str) -> None:
    desk, _ = lively_desk()
    with pytest.raises(ControlError) as caught:
        desk.control(op="play", **request_)
    assert words in str(caught.value)
    assert plays(desk) == {}


def test_stopping_what_is_not_there_is_named() -> None:
    desk, _ = lively_desk()
    with pytest.raises(ControlError, match="no play 'walk-9'"):
        desk.control(op="stop_play", play="walk-9")


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    return tmp_path / "rows"


def test_files_are_arrays_or_lines_plain_or_packed(rows_file: Path) -> None:
    for text in ('[{"a":1},{"a":2}]', '{"a":1}\n\n{"a":2}\n'):
        for raw in (text.encode(), gzip.compress(text.encode())):
            rows_file.write_bytes(raw)
            assert read_rows(rows_file) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("raw", [b'{"a":1}\n{"a"', b"[1,", b"\x1f\x8bbroken", b"\xff"])
def test_a_broken_file_is_named(rows_file: Path, raw: bytes) -> None:
    rows_file.write_bytes(raw)
    with pytest.raises(SourceError, match=str(rows_file)):
        read_rows(rows_file)


def test_a_missing_file_is_named(rows_file: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_rows(rows_file)
