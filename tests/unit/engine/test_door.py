from __future__ import annotations

import json
from time import monotonic_ns

import pytest
from tests.fakes.core import FakeCore

from hlfast._core import FRAME_ACK, FRAME_BAD
from hlfast.engine.clock import VenueClock
from hlfast.engine.door import Door
from hlfast.errors import HlfastError

FILL = json.dumps({"channel": "userFills", "data": {"user": "0xa", "fills": [{}]}}).encode()


class Owner:
    def __init__(self) -> None:
        self.data_ns = 0
        self.noticed: list[tuple[int, bytes]] = []

    def notice(self, frame_class: int, payload: bytes) -> None:
        self.noticed.append((frame_class, payload))


def make(core: FakeCore) -> tuple[Door, list[BaseException], list[tuple[int, int, bytes]]]:
    fatal: list[BaseException] = []
    written: list[tuple[int, int, bytes]] = []
    door = Door(core, VenueClock(), fatal.append)
    for lane in (1, 2):
        door.attach(lane, lambda post, data, lane=lane: written.append((lane, post, data)))
    core.lanes = [1, 2]
    return door, fatal, written


def test_door_writes_every_chunk_of_a_fan_out_within_the_callback() -> None:
    core = FakeCore(followers=7, chunk=3)
    door, fatal, written = make(core)
    owner = Owner()
    door.frames(9, owner)(FILL, recv := monotonic_ns())
    assert len(written) == 7
    assert {lane for lane, _, _ in written} == {1, 2}
    assert owner.data_ns == recv
    assert len(core.written) == 1, "the core is told once, after the last chunk"
    assert not fatal


def test_door_hands_what_the_core_does_not_take_to_the_owner() -> None:
    core = FakeCore()
    door, _, written = make(core)
    owner = Owner()
    on_frame = door.frames(9, owner)
    ack = b'{"channel":"subscriptionResponse","data":{}}'
    on_frame(ack, monotonic_ns())
    on_frame(b"nonsense", monotonic_ns())
    assert owner.noticed == [(FRAME_ACK, ack), (FRAME_BAD, b"nonsense")]
    assert owner.data_ns == 0, "an acknowledgement is not data"
    assert not written


class Panic(BaseException):
    """What a panic of the native half looks like: no Exception."""


@pytest.mark.parametrize("error", [ValueError("x"), Panic("y")])
def test_door_tells_the_first_failure_of_the_core_and_lets_nothing_out(error: BaseException) -> None:
    core = FakeCore()
    door, fatal, written = make(core)
    on_frame = door.frames(9, Owner())
    core.broken = error
    on_frame(FILL, monotonic_ns())
    on_frame(FILL, monotonic_ns())
    door.tick()
    assert fatal == [error]
    assert door.failures == 3
    assert not written


def test_door_counts_a_write_that_the_lane_did_not_take() -> None:
    core = FakeCore(followers=2)
    door, fatal, _ = make(core)
    door.attach(1, lambda post, data: False)
    door.frames(9, Owner())(FILL, monotonic_ns())
    assert door.unwritten == 1
    assert not fatal


def test_door_says_nothing_to_the_core_once_closed() -> None:
    core = FakeCore()
    door, _, _ = make(core)
    door.close()
    door.tick()
    door.source_down(3)
    assert core.heard == []


def test_door_answers_an_operator_and_writes_what_follows() -> None:
    core = FakeCore(followers=3, chunk=2)
    door, fatal, written = make(core)
    assert door.operate(b'{"do":"kill"}') == b'{"ok":true}'
    assert core.heard == [("operate", {"do": "kill"})]
    assert len(written) == 3
    door.close()
    with pytest.raises(HlfastError, match="stopping"):
        door.operate(b'{"do":"kill"}')
    assert not fatal


def test_door_tells_the_core_which_connections_come_and_go() -> None:
    core = FakeCore()
    door, fatal, _ = make(core)
    door.source_up(4, "lane")
    door.source_down(4)
    assert core.heard == [("up", 4, "lane"), ("down", 4)]
    assert not fatal
