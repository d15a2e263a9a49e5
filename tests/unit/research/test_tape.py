from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlfast.research.sketch import Sketch, parse_addresses
from hlfast.research.tape import Tape


def address(number: int) -> str:
    return f"0x{number:040x}"


def added(sketch: Sketch, numbers: list[int], cents: list[int]) -> None:
    count = len(numbers)
    sketch.add([address(n) for n in numbers], np.array(cents), np.zeros(count, dtype=bool), np.arange(count))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 1000)), min_size=1, max_size=60), max_size=8),
    st.integers(1, 12),
)
def test_sketch_counts_are_never_too_high_and_never_too_low_by_more_than_its_bound(
    batches: list[list[tuple[int, int]]], capacity: int
) -> None:
    sketch, exact = Sketch(capacity, seed=3), Counter[int]()
    for batch in batches:
        added(sketch, [n for n, _ in batch], [c for _, c in batch])
        for number, cents in batch:
            exact[number] += cents
    kept = {hitter.address: hitter.volume_cents for hitter in sketch.heaviest(capacity)}
    assert len(kept) <= capacity
    bound = sum(exact.values()) / (capacity + 1)
    assert sketch.total_cents == sum(exact.values())
    for number, cents in exact.items():
        assert cents - bound <= kept.get(address(number), 0) <= cents


def test_sketch_keeps_the_heavy_among_a_flood_of_others() -> None:
    sketch = Sketch(200, seed=1)
    for start in range(0, 100_000, 10_000):
        numbers = [*range(1000 + start, 1000 + start + 10_000), *range(20)]
        added(sketch, numbers, [1] * 10_000 + [500] * 20)
    assert {hitter.address for hitter in sketch.heaviest(20)} == {address(n) for n in range(20)}
    assert sketch.distinct() == pytest.approx(100_020, rel=0.03)


def frame(*rows: dict[str, Any], channel: str = "trades") -> bytes:
    return orjson.dumps({"channel": channel, "data": list(rows)})


def trade(buyer: str, seller: str, *, side: str = "B", px: str = "100", sz: str = "2") -> dict[str, Any]:
    return {
        "coin": "BTC",
        "side": side,
        "px": px,
        "sz": sz,
        "time": 7,
        "hash": "0x0",
        "tid": 1,
        "users": [buyer, seller],
    }


def test_tape_tells_who_took() -> None:
    tape = Tape(seed=1)
    tape.take(frame(trade(address(1), address(2)), trade(address(1), address(2), side="A", px="50")))
    by = {hitter.address: hitter for hitter in tape.heaviest(5)}
    assert (by[address(1)].volume_cents, by[address(1)].taken_cents, by[address(1)].trades) == (30_000, 20_000, 2)
    assert (by[address(2)].taken_cents, by[address(2)].last_ms) == (10_000, 7)


def test_tape_finds_watched_leaders_in_any_case() -> None:
    leader = "0x" + "Ab" * 20
    tape = Tape([leader], seed=1)
    tape.take(frame(trade(leader.lower(), address(2)), trade(address(3), address(2))))
    tape.flush()
    assert tape.seen() == {leader.lower(): 1}


def test_tape_counts_what_is_damaged_and_goes_on() -> None:
    tape = Tape(seed=1)
    tape.take(b'{"channel":"trades","data":[{"px":1}]}')
    tape.take(b"\xff\xfe")
    tape.take(frame(trade(address(1), address(2)), channel="bbo"))
    odd = [trade("0x12", address(5)), trade(address(6), "0x" + "é" * 40), trade(address(7), address(8), px="x")]
    tape.take(frame(*odd, trade(address(9), address(10), px="1e300"), trade(address(11), address(12), sz="-1")))
    tape.flush()
    assert (tape.bad_frames, tape.bad_rows, tape.sketch.bad, tape.trades) == (1, 2, 2, 4)
    assert {address(5), address(6)} <= {hitter.address for hitter in tape.heaviest(9)}


def test_addresses_are_decoded_whole() -> None:
    raw, good = parse_addresses(["0x" + "0123456789abcdefABCD" * 2, "0X" + "1" * 40, "0x" + "g" * 40])
    assert raw[0].tobytes().hex() == "0123456789abcdefabcd" * 2
    assert good.tolist() == [True, False, False]
