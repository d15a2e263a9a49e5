"""Each recorded answer and frame beside the simulator's own: same keys, same types, every difference listed.

`tests/vectors/shapes.json` holds what was recorded, `shape_differences.json` what is known to differ and why. An unlisted
difference fails, and so does a listed one that is gone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests import shapes
from tests.shapes import Shape

from sim.stage import Stage

ROOT = Path(__file__).parents[3]
RECORDED = json.loads(shapes.FILE.read_text())
LISTED = json.loads((shapes.FILE.parent / "shape_differences.json").read_text())
SHARED = ROOT.parent / "shared/data"
WIRE = {"a": 5, "b": True, "p": "100.9", "s": "0.1", "r": False, "t": {"limit": {"tif": "Gtc"}}}
TRIGGER = {"t": {"trigger": {"isMarket": False, "triggerPx": "30", "tpsl": "tp"}}}
BUILDER = {"builder": {"b": "0x6530512a6c89c7cfcebc3ba7fcd9ada5f30827a6", "f": 10}}
# The recorded requests, each with a body of the same kind that the venue must read and pack alike.
ACTIONS: list[dict[str, Any]] = [
    {"type": "order", "orders": [WIRE, WIRE | TRIGGER], "grouping": "na"} | BUILDER,
    {"type": "order", "orders": [WIRE], "grouping": "normalTpsl"} | BUILDER,
    {"type": "batchModify", "modifies": [{"oid": 6_530_857_127, "order": WIRE}]},
    {"type": "cancel", "cancels": [{"a": 5, "o": 6_466_108_935}]},
    {"type": "scheduleCancel", "time": 1_748_964_667_611},
]


@pytest.fixture(scope="module")
def stage() -> Stage:
    stage = Stage()
    for row in RECORDED:
        kind, _, name = row["subject"].partition(" ")
        if kind == "info" and name in stage.desk.server.info.types:
            stage.ask(name)
    for action in ACTIONS:
        stage.repack(action)
    return stage


def differences(stage: Stage) -> set[tuple[str, str, str]]:
    found: set[tuple[str, str, str]] = set()
    for row in RECORDED:
        ours = stage.shapes.get(row["subject"])
        if ours is None:
            found.add((row["subject"], "", "never simulated"))
            continue
        found |= {(row["subject"], *one) for one in shapes.differences(Shape.load(row["shape"]), ours)}
    return found


def test_every_difference_is_listed_with_its_reason(stage: Stage) -> None:
    listed = {(row["subject"], row["path"], row["difference"]): row["reason"] for row in LISTED}
    assert len(listed) == len(LISTED)
    assert all(len(reason) > 15 for reason in listed.values())
    found = differences(stage)
    assert sorted(found - set(listed)) == []
    assert sorted(set(listed) - found) == []


def test_recordings_are_many() -> None:
    assert len(RECORDED) >= 100
    assert sum(row["records"] for row in RECORDED) > 3_000


def test_shapes_are_those_of_the_recordings() -> None:
    """Hold where the recordings lie beside the clone, as they do for whoever changes the file."""
    if SHARED.exists():
        assert shapes.recorded(SHARED) == RECORDED


@pytest.mark.parametrize(
    ("recorded", "found", "difference"),
    [
        ({"px": "1.5"}, {"px": 1.5}, (".px", "decimal recorded, float simulated")),
        ({"px": "1.5"}, {"px": "high"}, (".px", "decimal recorded, text simulated")),
        ({"px": "1.5", "sz": "1"}, {"px": "1.5"}, (".sz", "only recorded")),
        ({"px": "1.5"}, {"px": "1.5", "sz": "1"}, (".sz", "only simulated")),
        ([{"n": 1}], [], ("", "empty where rows are recorded")),
        ([{"n": 1}], [{"n": True}], ("[].n", "int recorded, bool simulated")),
        ({"hash": "0x" + "1" * 64}, {"hash": "0x" + "1" * 40}, (".hash", "hash recorded, address simulated")),
        ({"a": {}}, {"a": []}, (".a", "object only recorded")),
    ],
    ids=str,
)
def test_differences_are_seen(recorded: Any, found: Any, difference: tuple[str, str]) -> None:
    left, right = Shape(), Shape()
    left.add(recorded)
    right.add(found)
    assert difference in list(shapes.differences(Shape.load(left.dump()), right))


def test_options_that_only_some_rows_have_are_no_difference() -> None:
    left, right = Shape(), Shape()
    left.add([{"oid": 1}])
    right.add([{"oid": 1}, {"oid": 2, "cloid": "0x" + "1" * 32}])
    assert list(shapes.differences(left, right)) == []
