"""Why one leader fill was copied to one follower as it was, or was not: sentences with the numbers of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from hlfast.control import bounds

# What each reason of the core means. A test holds this table to every reason that the core knows.
REASONS = {
    "none": "nothing stood in the way",
    "unknown_coin": "the coin is not in the market table",
    "not_a_perp": "the follow copies perps alone (markets)",
    "not_spot": "the follow copies spot alone (markets)",
    "spot_pair": "the pair is not its token's own against dollars",
    "outcome_market": "outcome markets are not copied",
    "thin_book": "the book offers less than the follow's min_depth_usd",
    "impact": "max_depth_percent or the leader's impact_percent left no room",
    "book_unread": "there is no fresh book to judge by",
    "twap_ended": "the venue's TWAP ended before all of it was executed",
    "delisted": "the coin is delisted: nothing new is opened",
    "coin_filtered": "the follow's coin list excludes it",
    "below_min_value": "the leader's position is below the follow's min_value_usd",
    "above_max_value": "the leader's position is above the follow's max_value_usd",
    "existing_position": "the leader held it before copying began; ignored until flat or flipped",
    "add_ignored": "mode notional takes no adds (scale_adds is off)",
    "no_change": "the fills decided together cancel each other out",
    "nothing_held": "the follower holds nothing of this leader's to reduce",
    "cap": "a cap left no room",
    "equity_unreadable": "an equity that sizing needs was unread, zero or negative",
    "below_minimum": "too small to send: below a lot or the venue's 10 USD; kept as residual",
    "price_beyond_band": "the best opposite quote was beyond the entry band",
    "too_old": "the entry was older than max_age_ms",
    "leader_dirty": "the leader's record had a gap; entries waited for the backfill",
    "manual_position": "the follower holds a position here that the engine did not make",
    "signer_stopped": "the follower's signer is stopped",
    "follower_stopped": "the venue refused the follower's agent or account",
    "breaker": "the venue saw another signer than ours: no entries until a restart",
    "margin": "the venue has not enough margin for it",
    "venue_limit": "the venue's open-interest or position limits",
    "price_too_far": "the price is too far from the venue's reference",
    "reduce_only": "the order would have increased the position it should reduce",
    "invalid": "the venue found fault with the order itself",
    "no_match": "the book had nothing at the limit price",
    "unknown_text": "the venue answered with a text that nobody knows",
    "out_of_range": "a number left the range of the arithmetic",
    "superseded": "a newer decision took its place",
    "venue_busy": "the account or its budget took no actions just then",
    "leader_paused": "the leader was liquidated: nothing is opened after him until hlfast resume",
    "leverage_refused": "the venue would not set the leverage or margin mode that the entry needs",
    "request_budget": "the account's requests at the venue are kept for reductions",
    "paused": "an operator had paused the leader, the follower, this follow or everything",
    "frozen": "a freeze was on: nothing is sent, and what the leader reduced goes when it ends",
    "killed": "the kill switch was on",
    "flattened": "an operator had the position closed",
    "daily_loss": "the account or follow lost what it may in a day, until hlfast resume --reset",
    "drawdown": "the account or follow lost what it may from its best, until hlfast resume --reset",
    "losses_unread": "what the account lost can't be told, and there is a limit of it",
    "unfollowed": "the follow was ended; what it holds goes as the leader reduces it",
    "side_filtered": "side: the leader's position is on the other side",
    "outside_hours": "the entry came outside the follow's hours",
    "leader_leverage": "the leader's positions were above max_leader_leverage times its equity",
    "leader_quality": "the leader made no money, or fell too deep, over quality_window",
    "quality_unread": "the leader's past could not be told, or was read more than an hour ago",
    "market_too_young": "the coin had traded for less than min_listed_days",
    "low_volume": "the coin's volume of 24 hours was below min_day_volume_usd",
    "low_open_interest": "the coin's open interest was below min_open_interest_usd",
    "market_unread": "a figure of the market that a filter needs was unread or too old",
    "volatility_unread": "the coin's usual move of a day could not be told; mode risk sizes by it",
    "delayed": "the opening half of a flip waits for delay_ms",
    "leader_left": "the leader left before a delayed entry was due",
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened: when (Unix ms, None if it has no moment of its own), and in words."""

    what: str
    text: str
    at_ms: int | None = None


class Slippage(msgspec.Struct, frozen=True, kw_only=True):
    """Average price against the leader's, in USD of the filled size; positive costs the follower.

    `price_usd` = delay + spread + impact, to the last digit. They are None where no quote of both sides is known.

    Attributes:
        delay_usd: from the leader's price to the middle when the order was planned: the market moved meanwhile.
        spread_usd: from that middle to the best price on the other side.
        impact_usd: from there to the average price: what it took beyond the best, and moves until it executed.
        rounding_usd: value of what was due and not ordered, at the leader's price: size, not price, beside the sum.
    """

    price_usd: Decimal
    bps: Decimal
    rounding_usd: Decimal
    delay_usd: Decimal | None = None
    spread_usd: Decimal | None = None
    impact_usd: Decimal | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt in words."""

    number: int
    verdict: str
    steps: tuple[Step, ...]
    slippage: Slippage | None = None


def explain(receipt: Mapping[str, Any], beside: Mapping[str, Any]) -> Explanation:
    """Explain a receipt.

    Args:
        receipt: a row of receipts.
        beside: `fill`, `attempts`, `cloids`, `quote`, `policy` and `account`, as the store's `belongings` gives them;
            and `portions`.
    """
    steps = [_leader(receipt, beside["fill"])]
    if receipt["merged_into"] is None:
        steps += [*_bounds(receipt, beside), _entitled(receipt)]
    else:
        text = f"decided together with other fills: receipt {receipt['merged_into']} carries the order and its numbers"
        steps.append(Step(what="merged", text=text, at_ms=receipt["decided_ms"]))
    steps += _order(receipt, beside)
    steps += [_portion(row) for row in beside.get("portions", ())]
    steps.append(_end(receipt))
    return Explanation(
        number=receipt["number"],
        verdict=_verdict(receipt),
        steps=tuple(steps),
        slippage=slippage_of(receipt, beside.get("quote")),
    )


def _leader(receipt: Mapping[str, Any], fill: Mapping[str, Any] | None) -> Step:
    before, after = _n(receipt["leader_before"]), _n(receipt["leader_after"])
    text = f"{receipt['leader']} went from {before} to {after} {receipt['coin']} at {_n(receipt['leader_price'])}"
    if receipt["merged_into"] is not None:
        text = f"{receipt['leader']} traded {receipt['coin']}"
    if fill is None:
        text += f" (fill {receipt['tid']}; seen on the public tape or in a snapshot of the account)"
    else:
        side = "bought" if fill["side"] == "B" else "sold"
        role = {True: "taker", False: "maker", None: "role unknown"}[fill["crossed"]]
        text += f" (fill {receipt['tid']}: {side} {_n(fill['size'])} at {_n(fill['price'])}, {role})"
    return Step(what="leader", text=text, at_ms=receipt["time_ms"])


def _bounds(receipt: Mapping[str, Any], beside: Mapping[str, Any]) -> list[Step]:
    policy, account = beside.get("policy") or {}, beside.get("account") or {}
    steps = []
    if bounds.increases(receipt):
        told = "; ".join(bounds.filters(receipt, policy))
    else:
        told = "none: the leader's position shrank, and no filter holds an exit back" if policy else ""
    if told:
        steps.append(Step(what="filters", text=told))
    if bounds.increases(receipt) or receipt["reason"] == "cap":
        told = "; ".join(bounds.caps(receipt, policy, account))
        steps += [Step(what="caps", text=told)] if told else []
    return steps


def _entitled(receipt: Mapping[str, Any]) -> Step:
    before, after = receipt["entitled_before"], receipt["entitled_after"]
    text = f"{receipt['follower']}'s entitled position stays {_n(after)}"
    if before != after:
        text = f"{receipt['follower']}'s entitled position went from {_n(before)} to {_n(after)}"
    return Step(what="entitled", text=text, at_ms=receipt["decided_ms"])


def _order(receipt: Mapping[str, Any], beside: Mapping[str, Any]) -> list[Step]:
    steps = []
    if receipt["ordered"]:
        # The venue's own TWAP has no limit.
        limit = f"with limit {_n(receipt['limit_price'])}" if receipt["limit_price"] else "as the venue's TWAP"
        text = f"ordered {_n(receipt['ordered'])} {limit}, nonce {receipt['nonce']}"
        steps.append(Step(what="order", text=text, at_ms=receipt["planned_ms"] or None))
        band = bounds.band(receipt, beside.get("policy") or {})
        if band is not None:
            steps.append(Step(what="limit", text=band))
    for attempt in beside["attempts"]:
        way = f"{attempt['does']} over {attempt['road']} lane {attempt['lane']}, post {attempt['post_id']}"
        text = f"{way}, digest {attempt['digest']}"
        steps.append(Step(what="sent", text=text, at_ms=attempt["at_ms"]))
    if beside["cloids"]:
        steps.append(Step(what="client ids", text=", ".join(beside["cloids"])))
    return steps


def _portion(row: Mapping[str, Any]) -> Step:
    text = f"{_n(row['filled'])} at {_n(row['average_price'])}"
    is_native = row["cloid"] is None
    if is_native:
        text += " by the venue's TWAP" if row["twap_id"] is None else f" by the venue's TWAP {row['twap_id']}"
    if row["bid"] is not None:
        text += f", {'read' if is_native else 'planned'} at {_n(row['bid'])} to {_n(row['ask'])}"
    if row["settled_ms"] is None:
        text += ", told as a sum when it was over"
    return Step(what="portion", text=text, at_ms=row["settled_ms"])


def _end(receipt: Mapping[str, Any]) -> Step:
    text = f"{receipt['outcome']}: {_why(receipt)}"
    if receipt["filled"]:
        text += f"; filled {_n(receipt['filled'])} at {_n(receipt['average_price'])} on average"
    if receipt["was_unknown"]:
        text += "; the answer was missing for a while, and the venue was asked what became of it"
    return Step(what="end", text=text, at_ms=receipt["settled_ms"])


def _why(receipt: Mapping[str, Any]) -> str:
    if (receipt["outcome"], receipt["reason"]) == ("carried", "none"):
        return "the account stood where it should already, so that no order was needed"
    return REASONS.get(receipt["reason"], str(receipt["reason"]))


def _verdict(receipt: Mapping[str, Any]) -> str:
    took = receipt["settled_ms"] - receipt["time_ms"]
    return f"{receipt['outcome'].replace('_', ' ')}: {_why(receipt)} ({took:,} ms after the leader's fill)"


def slippage_of(receipt: Mapping[str, Any], quote: Mapping[str, Any] | None = None) -> Slippage | None:
    """Return what the filled part cost against the leader's price; None where nothing was filled.

    Args:
        receipt: a row of receipts.
        quote: bid and ask that its last order was planned by.
    """
    filled, price, average = (Decimal(receipt[name]) for name in ("filled", "leader_price", "average_price"))
    if not filled or not price:
        return None
    due = Decimal(receipt["entitled_after"]) - Decimal(receipt["entitled_before"])
    sign = 1 if Decimal(receipt["ordered"] or due) > 0 else -1
    worse = (average - price) * sign
    found = Slippage(
        price_usd=_micro(worse * abs(filled)),
        bps=(worse / price * 10_000).quantize(Decimal("0.01")),
        rounding_usd=_micro((abs(due) - abs(Decimal(receipt["ordered"]))) * price),
    )
    bid, ask = (Decimal(quote[side]) if quote else Decimal(0) for side in ("bid", "ask"))
    if bid <= 0 or ask <= 0:
        return found
    middle, best = (bid + ask) / 2, ask if sign > 0 else bid
    delay, spread = _micro((middle - price) * sign * abs(filled)), _micro((best - middle) * sign * abs(filled))
    # The rest, so that the parts are the whole to the last digit.
    impact = found.price_usd - delay - spread
    return msgspec.structs.replace(found, delay_usd=delay, spread_usd=spread, impact_usd=impact)


def _micro(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.000001"))


def _n(value: Any) -> str:
    return f"{Decimal(value).normalize():f}"
