"""Recorded fills replayed through the control door happen again exactly, with new identities."""

from __future__ import annotations

from typing import Any

import pytest

from hlfast.sim.control import ControlError
from sim.desk import Desk

LEADER = "0x" + "1e" * 20


def fill(**changes: Any) -> dict[str, Any]:
    return {
        "coin": "HYPE",
        "px": "61.204",
        "sz": "12.5",
        "side": "B",
        "time": 1_784_000_000_000,
        "startPosition": "100.25",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0x" + "ab" * 32,
        "oid": 77,
        "crossed": True,
        "fee": "0.34",
        "tid": 5,
        "feeToken": "USDC",
        "twapId": None,
    } | changes


def test_replay_keeps_the_trade_and_renews_its_identity() -> None:
    desk = Desk()
    fills, tape = desk.listen("userFills", user=LEADER), desk.listen("trades", coin="HYPE")
    made = desk.control(op="leader_fills", address=LEADER, rows=[fill()])["fills"]
    (frame,) = fills.of("userFills")
    (row,) = frame["fills"]
    kept = ("coin", "px", "sz", "side", "startPosition", "dir", "closedPnl", "crossed", "fee", "feeToken", "twapId")
    assert {key: row[key] for key in kept} == {key: fill()[key] for key in kept}
    assert row["time"] == desk.now_ms
    assert made == [{"tid": row["tid"], "oid": row["oid"], "time": row["time"]}]
    assert (row["tid"], row["oid"]) != (5, 77)
    assert row["hash"] != fill()["hash"]
    (trades,) = tape.of("trades")
    assert trades[0]["users"][0] == LEADER
    assert (trades[0]["tid"], trades[0]["side"], trades[0]["hash"]) == (row["tid"], "B", row["hash"])
    assert "isSnapshot" not in frame
    assert desk.position(LEADER, "HYPE") == "112.75"


def test_rows_of_one_call_are_one_frame_and_share_oids() -> None:
    desk = Desk()
    fills, events = desk.listen("userFills", user=LEADER), desk.listen("userEvents", user=LEADER)
    rows = [fill(), fill(startPosition="112.75", tid=6), fill(coin="ETH", px="1900", startPosition="0.0", oid=78)]
    made = desk.control(op="leader_fills", address=LEADER, rows=rows)["fills"]
    assert [len(frame["fills"]) for frame in fills.of("userFills")] == [3]
    assert [len(frame["fills"]) for frame in events.of("user")] == [3]
    assert made[0]["oid"] == made[1]["oid"] != made[2]["oid"]
    assert len({row["tid"] for row in made}) == 3


def test_maker_fill_is_taken_by_the_other_side() -> None:
    desk = Desk()
    tape = desk.listen("trades", coin="HYPE")
    desk.control(op="leader_fills", address=LEADER, rows=[fill(crossed=False)])
    (trades,) = tape.of("trades")
    assert trades[0]["side"] == "A"
    assert trades[0]["users"][0] == LEADER


def test_zero_hash_of_system_fills_stays_zero() -> None:
    desk = Desk()
    fills = desk.listen("userFills", user=LEADER)
    desk.control(op="leader_fills", address=LEADER, rows=[fill(hash="0x" + "0" * 64)])
    assert int(fills.of("userFills")[0]["fills"][0]["hash"], 16) == 0


def test_followers_find_liquidity_near_the_leader_price() -> None:
    desk = Desk()
    wallet = desk.wallet()
    desk.control(op="leader_fills", address=LEADER, rows=[fill()])
    item = desk.order(wallet, "HYPE", "B", "61.387", "2")  # 30 bps above
    assert item["filled"]["totalSz"] == "2.0"
    assert desk.position(wallet, "HYPE") == "2.0"


def test_quotes_move_with_the_row() -> None:
    desk = Desk()
    quotes = desk.listen("bbo", coin="HYPE")
    desk.control(op="leader_fills", address=LEADER, rows=[fill()])
    bid, ask = (float(side["px"]) for side in quotes.of("bbo")[-1]["bbo"])
    assert bid < 61.204 < ask
    assert ask / bid < 1.001


def test_gap_in_a_recording_is_closed_silently() -> None:
    desk = Desk()
    tape = desk.listen("trades", coin="HYPE")
    desk.control(op="set_position", address=LEADER, coin="HYPE", size="40", entry_px="60")
    desk.control(op="leader_fills", address=LEADER, rows=[fill()])
    assert desk.position(LEADER, "HYPE") == "112.75"
    assert sum(len(frame) for frame in tape.of("trades")) == 1


def test_old_rows_without_identity_are_taken() -> None:
    desk = Desk()
    row = {"coin": "SOL", "px": "21.709", "sz": "3", "side": "A", "startPosition": "0", "time": 1_683_000_000_000}
    (made,) = desk.control(op="leader_fills", address=LEADER, rows=[row])["fills"]
    assert made["oid"] > 0
    assert desk.info("userFills", user=LEADER)[0]["dir"] == "Open Short"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coin": "NOPE"}, "rows[1].coin 'NOPE' is not listed"),
        ({"side": "X"}, "rows[1].side"),
        ({"px": "1e5"}, "rows[1]"),
        ({"sz": "-1"}, "px and sz must be above zero"),
        ({"sz": "0.000000001"}, "at most 8 decimals"),
        ({"fee": {}}, "'{}' is not a decimal number"),
        ({"closedPnl": ""}, "'' is not a decimal number"),
    ],
)
def test_bad_row_is_named_and_nothing_happens(change: dict[str, Any], words: str) -> None:
    desk = Desk()
    with pytest.raises(ControlError) as caught:
        desk.control(op="leader_fills", address=LEADER, rows=[fill(), fill(**change)])
    assert words in str(caught.value)
    assert desk.control(op="ledger")["fills"] == []


def test_replay_conserves_money() -> None:
    desk = Desk()
    desk.control(op="fund", address=LEADER, usdc="1000")
    before = desk.venue.total()
    desk.control(op="leader_fills", address=LEADER, rows=[fill(), fill(side="A", sz="112.75", startPosition="112.75")])
    assert desk.venue.total() == before
    assert desk.position(LEADER, "HYPE") == "0.0"
