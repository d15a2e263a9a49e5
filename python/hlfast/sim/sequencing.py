"""Which action of a block comes first, and what a priority fee buys.

By the venue's page on latency (August 2026): in a block, actions without GTC or IOC come first, then cancels, then
takers; takers also wait some blocks longer. A priority fee of up to 8 bps brings an IOC forward by 45 ms a bp; what is
paid above that only orders a block (`priority` charges it).
"""

from __future__ import annotations

from hlfast.sim import actions as act
from hlfast.sim.actions import Priority

BP = 10_000  # of the wire's rate, which counts 1e-8
LINEAR_BPS = 8
MS_PER_BP = 45


def rank(action: act.AnyAction) -> int:
    """Return the class of an action: 0 without takers, 1 cancels, 2 takers. Modifies go by the new order."""
    if isinstance(action, act.CancelAction | act.CancelByCloidAction):
        return 1
    if isinstance(action, act.OrderAction):
        orders = action.orders
    elif isinstance(action, act.ModifyAction):
        orders = [action.order]
    elif isinstance(action, act.BatchModifyAction):
        orders = [row.order for row in action.modifies]
    else:
        return 0
    limits = [order.t.limit for order in orders]
    return 2 if any(limit is None or limit.tif != "Alo" for limit in limits) else 0


def paid(action: act.AnyAction) -> int:
    """Return the priority rate of an action, in 1e-8 of its notional; 0 for all without one."""
    return action.grouping.p if isinstance(action, act.OrderAction) and isinstance(action.grouping, Priority) else 0


def delay_ms(action: act.AnyAction, taker_delay_ms: int) -> int:
    """Return how much longer than makers and cancels an action waits."""
    if taker_delay_ms == 0 or rank(action) < 2:
        return 0
    return max(0, taker_delay_ms - min(paid(action), LINEAR_BPS * BP) * MS_PER_BP // BP)
