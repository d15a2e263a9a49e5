"""The optional bucket and the venue's table of weights."""

from __future__ import annotations

import asyncio

import pytest

from hlfast.venue.limits import WeightBudget, action_weight, info_weight, row_weight


def test_weights_are_the_venue_s() -> None:
    assert [info_weight(name) for name in ("l2Book", "exchangeStatus", "userRole", "meta", "anything")] == [
        2,
        2,
        60,
        20,
        20,
    ]
    assert [row_weight("userFills", rows) for rows in (0, 19, 20, 2_000)] == [0, 0, 1, 100]
    assert row_weight("candleSnapshot", 120) == 2
    assert [action_weight(items) for items in (1, 39, 40, 80)] == [1, 1, 2, 3]


@pytest.mark.asyncio
async def test_budget_lets_a_burst_through_then_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(round(seconds, 6))
        now += seconds

    budget = WeightBudget(60, clock=lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(3):
        await budget.take(20)
    assert waits == []
    await budget.take(20)
    assert waits == [20.0]
    budget.spend(10)
    assert budget.left() == -10
    await budget.take(1_000)
    assert waits == [20.0, 70.0], "more than the whole budget waits for all of it, then owes the rest"
    assert budget.left() == -940


@pytest.mark.asyncio
async def test_budget_saves_up_no_more_than_its_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    now, spent = 0.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    budget = WeightBudget(60, burst=10, clock=lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(20):
        await budget.take(10)
        spent.append(now)
        if len(spent) == 10:
            now += 1_000.0  # a long quiet time
    worst = max(sum(10 for at in spent if start <= at < start + 60) for start in spent)
    assert worst <= 70
