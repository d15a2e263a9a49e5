"""A follower that the venue liquidates: the real service and the simulated venue, as processes."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.operator import Market, Operator
from tests.fakes.service import Service, Sim, account, wait_for


def test_liquidated_follower_takes_nothing_more_until_it_is_resumed(tmp_path: Path) -> None:
    with (
        Sim(tmp_path) as sim,
        Service(tmp_path, sim, followers=2, funds={0: "300"}, reconcile_ms=4_000) as service,
    ):
        hlfast, market = Operator(service), Market(sim)
        market.trades(10)
        market.wait(1.0, 1.0)
        sim.control("set_book", coin="ETH", mid="2740")  # 260 of its 300 dollars are gone; it needs 55
        market.wait(0.0, 1.0)
        wait_for(lambda: "close-only (the venue liquidated this account)" in hlfast("followers"))
        market.trades(10)
        market.wait(0.0, 2.0)
        sim.control("fund", address=account(0), usdc="10000")
        hlfast("resume", "-f", "f0")
        market.trades(10)
        market.wait(1.0, 3.0)
        market.trades(-15)
        market.wait(0.5, 1.5)
        counters = sim.control("ledger")["counters"]
        assert (counters["rejected_orders"], counters["duplicate_nonces"]) == (0, 0), "what was gone was not sold again"
