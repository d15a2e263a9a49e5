from __future__ import annotations

from hlfast.research.insights import insights
from hlfast.store.reads import LeaderOutcome


def row(leader: str, outcome: str, reason: str, count: int, bps: float | None = None) -> LeaderOutcome:
    return LeaderOutcome(leader=leader, outcome=outcome, reason=reason, count=count, slippage_bps=bps)


def test_insights_say_what_was_copied_what_it_cost_and_what_stood_in_the_way() -> None:
    said = insights(
        [
            row("a", "filled", "none", 60, 2.0),
            row("a", "partly_filled", "none", 20, 6.0),
            row("a", "carried", "below_minimum", 20),
            row("b", "filled", "none", 50, 30.0),
            row("b", "skipped", "existing_position", 50),
            row("c", "filled", "none", 19, 1.0),
        ]
    )
    assert said == (
        "a: 80% of 100 receipts were filled, at 3.0 bps from his prices on average",
        "a: 20% were not copied (below_minimum): his orders are too small at this ratio: raise it, or follow somebody else",
        "b: 50% of 100 receipts were filled, at 30.0 bps from his prices on average",
        "b: 30.0 bps a side eat any edge below 60 bps a trip",
        "c: 19 receipts, too few to say anything",
    )
    assert insights([]) == ()
