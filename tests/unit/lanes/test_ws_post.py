from __future__ import annotations

from hlfast._core import FRAME_ERROR
from hlfast.lanes.ws_post import WsPostLane
from hlfast.venue.ws import Down


class Connection:
    def __init__(self) -> None:
        self.up = True
        self.written: list[bytes] = []

    def write(self, data: bytes) -> bool:
        if self.up:
            self.written.append(data)
        return self.up


class Watcher:
    def __init__(self) -> None:
        self.told: list[tuple] = []

    def lane_up(self, lane) -> None:
        self.told.append(("up", lane.number))

    def lane_down(self, lane, reason) -> None:
        self.told.append(("down", reason))

    def lane_error(self, lane, text) -> None:
        self.told.append(("error", text))


def make() -> tuple[WsPostLane, Connection, Watcher]:
    watcher, connection = Watcher(), Connection()
    lane = WsPostLane(4, watcher)
    lane.attach(connection)
    return lane, connection, watcher


def test_ws_lane_writes_what_it_is_given_and_says_when_it_could_not() -> None:
    lane, connection, _ = make()
    assert lane.write(0, b"frames")
    connection.up = False
    assert lane.write(0, b"more") is False
    assert connection.written == [b"frames"]


def test_ws_lane_tells_ups_and_downs_but_not_attempts() -> None:
    lane, _, watcher = make()
    lane.went_down(Down("cannot connect", None, 0, was_up=False))
    lane.went_up()
    assert lane.up_ns > 0
    lane.went_down(Down("reset", 1006, 5, was_up=True))
    assert lane.up_ns == 0
    assert watcher.told == [("up", 4), ("down", "reset")]


def test_ws_lane_shows_back_pressure_until_it_is_gone() -> None:
    lane, _, _ = make()
    lane.pause()
    assert lane.paused
    lane.resume()
    assert not lane.paused
    lane.pause()
    lane.went_down(Down("reset", None, 5, was_up=True))
    assert not lane.paused, "a new socket is empty"
    assert lane.pauses == 2


def test_ws_lane_surfaces_an_error_text_in_bounded_length() -> None:
    lane, _, watcher = make()
    lane.notice(FRAME_ERROR, b'{"channel":"error","data":"' + b"\xff" * 1_000 + b'"}')
    kind, text = watcher.told[0]
    assert kind == "error"
    assert len(text) == 300
