"""The cast of the demo: every kind of policy, scaled to the leaders, in a file that reads back equal."""

from __future__ import annotations

import tomllib
from decimal import Decimal

import msgspec
import pytest

from hlfast.config.model import Config
from hlfast.demo.pace import HOLD_S, jumps, offsets
from hlfast.demo.recordings import Recording, RecordingError, packaged
from hlfast.demo.scenario import Cast, cast, first_prices, opening, play_order
from hlfast.demo.settings_file import toml_text


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return packaged()


def agents(count: int) -> list[str]:
    return [f"0x{index:040x}" for index in range(1, count + 1)]


def settings(crew: Cast) -> Config:
    return crew.config(
        base_url="http://127.0.0.1:1", journal="/j", credentials="/c", durability="relaxed", limits="off"
    )


def test_cast_mixes_every_kind_of_policy(recordings: list[Recording]) -> None:
    crew = cast(recordings, agents(25))
    assert len(crew.followers) == 25
    assert {follow.leader for follow in crew.follows} == {recording.name for recording in recordings}
    assert {follow.mode for follow in crew.follows} == {"ratio", "notional", "equity"}
    assert {follow.existing for follow in crew.follows} == {"ignore", "adopt", "adopt_within"}
    for setting in ("coins_allow", "min_value_usd", "max_value_usd", "max_order_usd", "max_position_usd"):
        assert any(getattr(follow, setting) is not None for follow in crew.follows), setting
    for setting in ("max_order_usd", "max_position_usd", "max_gross_usd"):
        assert any(getattr(follower, setting) is not None for follower in crew.followers), setting
    assert any(follow.coins_block for follow in crew.follows)
    assert any(follow.scale_adds for follow in crew.follows)
    edges = [follow.follower for follow in crew.follows]
    assert sum(edges.count(follower.name) > 1 for follower in crew.followers) >= 3
    assert crew.dexs == ("xyz",)


def test_cast_makes_distinct_addresses_that_are_no_leader(recordings: list[Recording]) -> None:
    crew = cast(recordings, agents(60))
    used = [leader.address for leader in crew.leaders]
    used += [follower.account for follower in crew.followers] + [follower.agent for follower in crew.followers]
    assert len(set(used)) == 7 + 60 + 60
    assert len({(follow.leader, follow.follower) for follow in crew.follows}) == len(crew.follows)


def test_cast_fits_one_recording_and_one_follower(recordings: list[Recording]) -> None:
    crew = cast(recordings[:1], agents(1))
    assert [follow.leader for follow in crew.follows] == ["maker"]


def test_settings_file_reads_back_equal(recordings: list[Recording]) -> None:
    config = settings(cast(recordings, agents(25)))
    assert msgspec.convert(tomllib.loads(toml_text(config)), Config) == config


def test_opening_gives_leaders_their_first_positions_and_books_their_prices(recordings: list[Recording]) -> None:
    crew = cast(recordings, agents(3))
    prices = first_prices(play_order(recordings))
    ops = opening(recordings, crew, prices)
    held = {(op["address"], op["coin"]): op["size"] for op in ops if op["op"] == "set_position"}
    shorts = next(recording for recording in recordings if recording.name == "shorts")
    assert Decimal(held[shorts.address, "PUMP"]) == -11_676_987
    assert {op["coin"] for op in ops if op["op"] == "set_book"} == prices.keys()
    assert [op["op"] for op in ops].count("approve_agent") == 3
    assert prices["LTC"] < 100


def test_play_order_follows_recorded_time(recordings: list[Recording]) -> None:
    times = [group[0].time_ms for _, group in play_order(recordings)]
    assert times == sorted(times)
    assert len(times) == 1_821


def test_offsets_spread_evenly_or_keep_recorded_gaps() -> None:
    assert offsets([0, 5_000, 900_000], seconds=9, speed=None) == pytest.approx([0, 3, 6], abs=1e-4)
    assert offsets([1_000, 3_000, 9_000], seconds=9, speed=2) == [0, 1, 4]
    assert offsets([], seconds=9, speed=None) == []


def test_offsets_refuse_a_speed_that_does_not_fit() -> None:
    with pytest.raises(RecordingError, match=r"use --speed 11 or more"):
        offsets([0, 100_000], seconds=9, speed=1)


def test_offsets_hold_a_price_that_the_next_one_jumps_away_from() -> None:
    prices = [
        ("ETH", "100", "100"),
        ("SOL", "5", "5"),
        ("ETH", "101", "101"),
        ("ETH", "101", "101.1"),
        ("ETH", "101", "103"),
    ]
    after = jumps([(coin, Decimal(first), Decimal(last)) for coin, first, last in prices])
    assert after == [None, None, 0, None, 3]
    tight = offsets([0] * 5, seconds=0.125, speed=None, after=after)
    assert tight == sorted(tight)
    assert tight[2] - tight[0] == pytest.approx(HOLD_S)
    assert tight[4] - tight[3] == pytest.approx(HOLD_S)
    assert tight[4] < 0.125
    loose = offsets([0] * 5, seconds=5, speed=None, after=after)
    assert loose == pytest.approx([0, 1, 2, 3, 4], abs=1e-4)
