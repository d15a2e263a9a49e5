"""What copying the present leaders has brought so far, in sentences with numbers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from hlfast.store.reads import LeaderOutcome

# Fewer receipts than this say nothing of a leader.
_FEWEST = 20
# Shares and costs from which on a sentence is worth reading.
_OFTEN = 0.2
_DEAR_BPS = 15.0
# Of these reasons the follower's size or the leader's style is the cause, so there is something to do about it.
_ADVICE = {
    "below_minimum": "his orders are too small at this ratio: raise it, or follow somebody else",
    "price_beyond_band": "the price has left before the order could be placed: he is too fast, or the band too narrow",
    "too_old": "fills come too late to be copied: look at the feeds' lag",
    "cap": "a cap is in the way: raise it, or lower the ratio",
    "no_match": "the book had nothing at the limit price: his coins are thin, or the band too narrow",
    "margin": "the account has not enough margin for him",
    "coin_filtered": "the follow's coin list leaves most of him out",
}
_COPIED = ("filled", "partly_filled")


def insights(outcomes: Iterable[LeaderOutcome]) -> tuple[str, ...]:
    """Say of each leader how much of him is copied, what stands in the way, and what it costs.

    Args:
        outcomes: sorted by leader, as the store gives them.
    """
    said: list[str] = []
    for leader, rows in groupby(outcomes, key=lambda row: row.leader):
        said += _of_leader(leader, list(rows))
    return tuple(said)


def _of_leader(leader: str, rows: list[LeaderOutcome]) -> list[str]:
    total = sum(row.count for row in rows)
    if total < _FEWEST:
        return [f"{leader}: {total} receipts, too few to say anything"]
    filled = [row for row in rows if row.outcome in _COPIED]
    copied = sum(row.count for row in filled)
    costs = [(row.count, row.slippage_bps) for row in filled if row.slippage_bps is not None]
    text = f"{leader}: {copied / total:.0%} of {total:,} receipts were filled"
    weight = sum(count for count, _ in costs)
    cost = sum(count * bps for count, bps in costs) / weight if weight else None
    if cost is not None:
        text += f", at {cost:.1f} bps from his prices on average"
    said = [text]
    if cost is not None and cost > _DEAR_BPS:
        said.append(f"{leader}: {cost:.1f} bps a side eat any edge below {2 * cost:.0f} bps a trip")
    for reason, advice in _ADVICE.items():
        share = sum(row.count for row in rows if row.reason == reason and row.outcome not in _COPIED) / total
        if share >= _OFTEN:
            said.append(f"{leader}: {share:.0%} were not copied ({reason}): {advice}")
    return said
