"""Which action of a block comes first, and what a priority fee buys.

By the venue's page on latency (August 2026): in a block, actions without GTC or IOC come first, then cancels, then
takers; takers also wait some blocks longer. A priority fee of up to 8 bps brings an IOC forward by 45 ms a bp; what is
paid above that only orders a block (`priority` charges it).
"""

from __future__ import annotations

from hlfast.sim import actions as act
from hlfast.sim.actions import Priority

# (0 without takers, 1 cancels, 2 takers; less what it pays, in 1e-8 of its notional): the lower the earlier.
Rank = tuple[int, int]
CANCELS = (act.CancelAction, act.CancelByCloidAction)
BP = 10_000  # of the wire's rate, which counts 1e-8
LINEAR_BPS = 8
MS_PER_BP = 45


def rank(action: act.AnyAction) -> Rank:
    """Return where in its block an action goes. Modifies go by the new order."""
    if isinstance(action, act.OrderAction):
        paid = action.grouping.p if isinstance(action.grouping, Priority) else 0
        return _rank_of(action.orders), -paid
    if isinstance(action, CANCELS):
        return 1, 0
    if isinstance(action, act.ModifyAction):
        return _rank_of([action.order]), 0
    if isinstance(action, act.BatchModifyAction):
        return _rank_of([row.order for row in action.modifies]), 0
    return 0, 0


def _rank_of(orders: list[act.OrderWire]) -> int:
    for order in orders:
        if order.t.limit is None or order.t.limit.tif != "Alo":
            return 2
    return 0


def delay_ms(rank: Rank, taker_delay_ms: int) -> int:
    """Return how much longer than makers and cancels an action waits."""
    place, unpaid = rank
    if place < 2:
        return 0
    return max(0, taker_delay_ms - min(-unpaid, LINEAR_BPS * BP) * MS_PER_BP // BP)
