"""Wrong gates and sizes of an edge are refused by name; zones become tables that agree with the tz database."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from hlfast._core import Engine
from hlfast.config.follows import check_follows
from hlfast.config.load import SettingsRefusedError, load
from hlfast.config.model import Config, Follow, for_core
from hlfast.config.problems import Problem
from hlfast.config.zones import zone_tables

EDGE: dict[str, Any] = {"leader": "a", "follower": "b", "mode": "ratio", "ratio": "0.5"}
RISK: dict[str, Any] = {"mode": "risk", "ratio": None, "risk_bps": 100}

BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"hours": ()}, "hours", "nothing would ever be entered"),
    ({"hours": ("9:00-17:00",)}, "hours[0]", "no window of hours"),
    ({"hours": ("09:00-10:00", "09:00-24:01")}, "hours[1]", "no window of hours"),
    ({"hours": ("24:00-02:00",)}, "hours[0]", "no window of hours"),
    ({"hours": ("09:00-09:00",)}, "hours[0]", "all day or never"),
    ({"hours": ("00:00-24:00",)}, "hours[0]", "all day or never"),
    ({"hours": ("09:00-10:00", "09:00-10:00")}, "hours[1]", "same window"),
    ({"hours_zone": "UTC"}, "hours_zone", "belongs to hours"),
    ({"hours": ("09:00-10:00",), "hours_zone": "Europe/Berlim"}, "hours_zone", "no zone of the tz database"),
    ({"hours": ("09:00-10:00",), "hours_zone": "../etc/passwd"}, "hours_zone", "no zone of the tz database"),
    ({"delay_ms": 0}, "delay_ms", "write 1 to 3600000"),
    ({"min_listed_days": 366}, "min_listed_days", "write 1 to 365"),
    ({"max_leader_leverage": "0"}, "max_leader_leverage", "is zero"),
    ({"min_day_volume_usd": "0"}, "min_day_volume_usd", "is zero"),
    ({"min_open_interest_usd": "x"}, "min_open_interest_usd", "no decimal number"),
    ({"only_profitable": True}, "quality_window", "is missing"),
    ({"max_leader_drawdown_bps": 100}, "quality_window", "is missing"),
    ({"quality_window": "week"}, "quality_window", "judges nothing"),
    ({"quality_window": "week", "max_leader_drawdown_bps": 10_001}, "max_leader_drawdown_bps", "write 1 to 10000"),
    ({"risk_bps": 100}, "risk_bps", 'belongs to mode "risk"'),
    ({"volatility_days": 30}, "volatility_days", 'belongs to mode "risk"'),
    ({"risk_max_leverage": "2"}, "risk_max_leverage", 'belongs to mode "risk"'),
    (RISK | {"risk_bps": None}, "risk_bps", "is missing"),
    (RISK | {"risk_bps": 2_001}, "risk_bps", "write 1 to 2000"),
    (RISK | {"volatility_days": 6}, "volatility_days", "write 7 to 90"),
    (RISK | {"risk_max_leverage": "0"}, "risk_max_leverage", "is zero"),
    ({"round_up": True}, "round_up_max_usd", "is missing"),
    ({"round_up_max_usd": "5"}, "round_up_max_usd", "belongs to round_up"),
    ({"round_up": True, "round_up_max_usd": "0"}, "round_up_max_usd", "is zero"),
]


def problems_of(change: dict[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    check_follows(problems, (Follow(**EDGE | change),), (), ())
    return problems


@pytest.mark.parametrize(("change", "setting", "said"), BAD)
def test_follows_refuse_by_name(change: dict[str, Any], setting: str, said: str) -> None:
    named = [problem for problem in problems_of(change) if problem.setting == f"follows[0].{setting}"]
    assert any(said in problem.line() for problem in named), problems_of(change)


GOOD: list[dict[str, Any]] = [
    {"hours": ("22:00-06:00", "12:00-24:00"), "hours_zone": "America/New_York"},
    {"side": "short", "delay_ms": 1, "max_leader_leverage": "2.5", "min_listed_days": 7, "inverse": True},
    {"min_day_volume_usd": "1000000", "min_open_interest_usd": "0.5", "round_up": True, "round_up_max_usd": "8"},
    {"quality_window": "month", "only_profitable": True, "max_leader_drawdown_bps": 2_000},
    RISK | {"volatility_days": 7, "risk_max_leverage": "1", "scale_adds": True},
    RISK,
]


def whole(tmp_path: Path, change: dict[str, Any]) -> Config:
    """Settings read from a file, as a user writes them."""
    edge = {name: value for name, value in (EDGE | change).items() if value is not None}
    rows = "\n".join(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in edge.items())
    address = "0x" + "1" * 39
    path = tmp_path / "hlfast.toml"
    path.write_text(f"""network = "testnet"
[venue]
base_url = "http://gameday.invalid"
[journal]
directory = "journal"
[keys]
credentials_directory = "keys"
[[leaders]]
name = "a"
address = "{address}1"
[[followers]]
name = "b"
account = "{address}2"
agent = "{address}3"
[[follows]]
{rows}
""")
    return load(path)


@pytest.mark.parametrize("change", GOOD)
def test_what_the_loader_accepts_the_core_accepts(change: dict[str, Any], tmp_path: Path) -> None:
    config = whole(tmp_path, change)
    Engine.simulated(for_core(config), str(tmp_path / "journal"), 1_795_161_600_000, 1)


def test_zones_are_made_by_the_loader_and_by_nobody_else(tmp_path: Path) -> None:
    config = whole(tmp_path, GOOD[0])
    assert [zone.name for zone in config.zones] == ["America/New_York"]
    assert whole(tmp_path, {"hours": ("01:00-02:00",), "hours_zone": "UTC"}).zones == ()
    path = tmp_path / "hlfast.toml"
    path.write_text(path.read_text() + '[[zones]]\nname = "UTC"\noffsets = [[0, 0]]\n')
    with pytest.raises(SettingsRefusedError, match=r"zones: is worked out from hours_zone"):
        load(path)


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_a_zones_table_agrees_with_the_tz_database_at_any_second(name: str) -> None:
    (zone,) = zone_tables((Follow(**EDGE, hours=("01:00-02:00",), hours_zone=name),))
    chance = random.Random(name)
    moments = [chance.randrange(1_704_067_200, 2_840_140_800) for _ in range(2_000)]
    moments += [second + delta for second, _ in zone.offsets[1:] for delta in (-1, 0)]
    for moment in moments:
        table = next(offset for start, offset in reversed(zone.offsets) if start <= moment)
        offset = datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(name)).utcoffset()
        assert offset is not None
        assert table == offset.total_seconds(), datetime.fromtimestamp(moment, UTC)
