"""A seed is a run: the event log's hash repeats, and any difference shows in it."""

from __future__ import annotations

import pytest
from bench.sim.workload import Day

from hlfast.sim.blocks import Block
from hlfast.sim.eventlog import EventLog


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_repeats_itself_under_faults(seed: int) -> None:
    first, second = Day(seed, 30), Day(seed, 30)
    assert first.run() == second.run()
    server = first.venue.server
    assert server.venue.event_log.entries > 200
    assert server.control.run({"op": "ledger"})["counters"]["event_log_hash"] == server.venue.event_log.hexdigest()
    assert first.seen == second.seen


def test_other_seeds_and_switches_have_other_hashes() -> None:
    hashes = {Day(1, 20).run(), Day(2, 20).run(), Day(1, 20, reply_first=True).run(), Day(1, 20, block_ms=71).run()}
    assert len(hashes) == 4


def test_the_log_sees_every_byte_and_its_place() -> None:
    def hashed(*entries: tuple[bytes, bytes]) -> str:
        log = EventLog()
        for kind, content in entries:
            log.add(kind, content)
        return log.hexdigest()

    logs = [
        hashed((b"frame 1", b"ab")),
        hashed((b"frame 1", b"aB")),
        hashed((b"frame 1a", b"b")),
        hashed((b"frame 1", b"a"), (b"frame 1", b"b")),
        hashed((b"frame 1", b"b"), (b"frame 1", b"a")),
    ]
    assert len(set(logs)) == len(logs)


def test_a_blocks_coins_count_but_not_the_order_of_their_set() -> None:
    def hashed(coins: list[str]) -> str:
        log, block = EventLog(), Block(1, 1)
        for coin in coins:
            block.coins.add(coin)
        log.add_block(block)
        return log.hexdigest()

    many = [f"COIN{number}" for number in range(50)]
    assert hashed(many) == hashed(many[::-1])
    assert hashed(many) != hashed(many[1:])
