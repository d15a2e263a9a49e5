from __future__ import annotations

from decimal import Decimal

from hlfast.config.model import Part, Strategy
from hlfast.research.earnings import Earned
from hlfast.research.strategies import performance

STRATEGY = Strategy(
    name="three",
    follower="f",
    kind="mirror",
    parts=(Part(leader="a", allocation="0.5"), Part(leader="b", allocation="0.25"), Part(leader="c", allocation="0.1")),
)


def row(leader: str, follower: str, coin: str, net: int) -> Earned:
    return Earned(
        leader=leader,
        follower=follower,
        coin=coin,
        position=Decimal(1),
        volume_usd=Decimal(100),
        closed_usd=Decimal(net + 1),
        open_usd=Decimal(0),
        fees_usd=Decimal(1),
        funding_usd=Decimal(0),
        net_usd=Decimal(net),
    )


def test_a_strategy_earns_what_its_leaders_earn_in_its_account() -> None:
    rows = [row("a", "f", "BTC", -5), row("a", "f", "ETH", 2), row("b", "f", "BTC", 7)]
    # Another account, and what nobody of the strategy did in its own.
    rows += [row("a", "g", "BTC", 100), row("manual", "f", "BTC", 50)]
    found = performance(STRATEGY, rows)
    assert [(part.leader, part.net_usd) for part in found.parts] == [("b", 7), ("c", 0), ("a", -3)]
    assert (found.net_usd, found.closed_usd, found.fees_usd, found.volume_usd) == (4, 7, 3, 300)
    assert [part.allocation for part in found.parts] == [Decimal("0.25"), Decimal("0.1"), Decimal("0.5")]


def test_a_strategy_that_traded_nothing_earned_nothing() -> None:
    found = performance(STRATEGY, [])
    assert (found.net_usd, found.volume_usd, len(found.parts)) == (0, 0, 3)
