"""The native engine's boundary: what it takes, what it gives back, and how it refuses."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from hlfast import _core
from hlfast.config import model

NOW_MS = 1_795_161_600_000
PONG = b'{"channel":"pong"}'


def config(ratio: str = "0.5") -> bytes:
    return model.for_core(
        model.Config(
            network="testnet",
            venue=model.Venue(base_url="http://127.0.0.1:1", limits="off"),
            journal=model.Journal(directory="unused", durability="relaxed"),
            leaders=(model.Leader(name="lead", address="0x" + "11" * 20),),
            followers=(model.Follower(name="one", account="0x" + "22" * 20, agent="0x" + "33" * 20),),
            follows=(model.Follow(leader="lead", follower="one", mode="ratio", ratio=ratio),),
        )
    )


@pytest.fixture
def engine(tmp_path: Path) -> _core.Engine:
    return _core.Engine(config(), str(tmp_path), NOW_MS)


@pytest.mark.parametrize("frame", [PONG, bytearray(PONG), memoryview(bytearray(PONG)), memoryview(PONG)[:]])
def test_on_frame_takes_any_buffer(engine: _core.Engine, frame: bytes | bytearray | memoryview) -> None:
    assert engine.on_frame(1, frame, 1, NOW_MS) == _core.FRAME_PONG


def test_on_frame_names_frames_of_no_concern(engine: _core.Engine) -> None:
    ack = b'{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}}'
    assert engine.on_frame(1, ack, 1, NOW_MS) == _core.FRAME_ACK
    assert engine.on_frame(1, b'{"channel":"error","data":"no"}', 1, NOW_MS) == _core.FRAME_ERROR
    assert engine.on_frame(1, b"\x00", 1, NOW_MS) == _core.FRAME_BAD


def test_on_frame_refuses_text(engine: _core.Engine) -> None:
    with pytest.raises((TypeError, BufferError)):
        engine.on_frame(1, "text", 1, NOW_MS)  # type: ignore[arg-type]


def test_source_up_refuses_an_unknown_kind(engine: _core.Engine) -> None:
    with pytest.raises(ValueError, match='"user", "tape" or "lane", not "feed"'):
        engine.source_up(1, "feed", NOW_MS)


def test_a_wrong_setting_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(_core.ConfigError, match="ratio"):
        _core.Engine(config(ratio="0"), str(tmp_path), NOW_MS)


def test_a_second_engine_is_refused_by_the_firsts_pid(engine: _core.Engine, tmp_path: Path) -> None:
    with pytest.raises(_core.JournalError, match=f"written by process {os.getpid()}"):
        _core.Engine(config(), str(tmp_path), NOW_MS)
    assert engine.missing_keys() == ["0x" + "33" * 20]


def test_a_dropped_engine_has_let_go_of_its_directory(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    for _ in range(10):
        journal.mkdir()
        for _ in range(2):
            _core.Engine(config(), str(journal), NOW_MS)  # dropped at once: the lock is free and its threads have ended
        shutil.rmtree(journal)  # fails when a thread still makes files


def test_other_policies_than_the_journals_are_refused_by_name(tmp_path: Path) -> None:
    _core.Engine(config(), str(tmp_path), NOW_MS).flush()
    with pytest.raises(_core.JournalError, match=r"follows\[0\].ratio differs"):
        _core.Engine(config(ratio="0.6"), str(tmp_path), NOW_MS)


def test_read_journal_goes_on_after_a_sequence(engine: _core.Engine, tmp_path: Path) -> None:
    engine.source_up(7, "user", NOW_MS)
    engine.start(NOW_MS)
    engine.flush()
    objects = [json.loads(item) for item in _core.read_journal(str(tmp_path), 0, 1_000)]
    settings = objects[0].pop("config")
    assert settings == json.loads(config())
    assert objects[0] | {"version": ""} == {
        "sequence": 1,
        "kind": "start",
        "epoch": 1,
        "now_ms": NOW_MS,
        "version": "",
    }
    events = [item["event"] for item in objects if item["kind"] == "input"]
    assert events[:3] == ["reopen", "source_up", "stop_signer"]
    last = objects[-1]["sequence"]
    assert _core.read_journal(str(tmp_path), last, 1_000) == []
    first = _core.read_journal(str(tmp_path), 0, 1)
    assert [json.loads(item)["sequence"] for item in first] == [1]


def test_read_journal_refuses_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(_core.JournalError, match="missing"):
        _core.read_journal(str(tmp_path / "missing"), 0, 1)


def test_metrics_outlive_the_engine_and_count(tmp_path: Path) -> None:
    engine = _core.Engine(config(), str(tmp_path), NOW_MS)
    metrics = engine.metrics()
    engine.source_up(1, "user", NOW_MS)
    engine.on_frame(1, PONG, 1, NOW_MS)
    engine.on_tick(NOW_MS + 20)
    engine.observe_loop_lag(2_000_000)
    del engine
    page = metrics.render().decode()
    assert 'hlfast_feed_age_seconds{kind="user"}' in page
    assert "hlfast_engine_loop_lag_seconds_count 1" in page
    assert len([line for line in page.splitlines() if not line.startswith("#")]) <= 1_500
    decide = json.loads(metrics.latency())["decide"]
    assert decide["count"] >= 3
    assert decide["p50"] <= decide["p99"] <= decide["max"]
