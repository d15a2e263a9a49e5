from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from hlfast.config.model import Follow
from hlfast.research.tracking import CAUSES, Executed, Receipt, Tracking, cause_of, track

HOUR = 3_600_000
ROOT = Path(__file__).parents[3]


def receipt(
    at_h: float,
    before: str,
    after: str,
    entitled: tuple[str, str],
    outcome: str = "filled",
    reason: str = "none",
    **more: object,
) -> Receipt:
    """A decision `at_h` hours in; it settles at once unless told otherwise, and trades at 100."""
    number = int(at_h * 1000) + 1
    fields: dict[str, object] = {
        "follower": 0,
        "leader": 0,
        "coin": "SOL",
        "number": number,
        "decision": number,
        "time_ms": int(at_h * HOUR),
        "tid": number,
        "merged_into": None,
        "outcome": outcome,
        "reason": reason,
        "leader_before": Decimal(before),
        "leader_after": Decimal(after),
        "leader_price": Decimal(100),
        "entitled_before": Decimal(entitled[0]),
        "entitled_after": Decimal(entitled[1]),
        "ordered": Decimal(0),
        "filled": Decimal(0),
        "decided_ms": int(at_h * HOUR),
        "settled_ms": int(at_h * HOUR),
    }
    return Receipt(**{**fields, **more})  # type: ignore[arg-type] # made from names


def fill(at_h: float, size: str, **more: object) -> Executed:
    fields: dict[str, object] = {"time_ms": int(at_h * HOUR), "follower": 0, "coin": "SOL", "size": Decimal(size)}
    return Executed(**{**fields, **more})  # type: ignore[arg-type]


HALF = Follow(leader="l", follower="f", mode="ratio", ratio="0.5")


def half(receipts: list[Receipt], executed: list[Executed], until_h: float) -> Tracking:
    return track(receipts, executed, {(0, 0): HALF}, lambda _: Decimal("0.5"), int(until_h * HOUR))


def causes(found: Tracking) -> dict[str, Decimal]:
    assert sum(found.causes.values()) == found.error_usd_hours
    return {cause: amount for cause, amount in found.causes.items() if amount}


def test_tracking_is_zero_when_everything_is_held_at_once() -> None:
    found = half([receipt(0, "0", "10", ("0", "5"))], [fill(0, "5")], 2)
    assert (found.ideal_usd_hours, found.error_usd_hours, found.share) == (1000, 0, 0.0)
    assert found.ideal["SOL"].traded_usd == -500


def test_tracking_counts_the_wait_for_an_order_as_latency() -> None:
    # Five coins at 100 for half an hour.
    slow = receipt(0, "0", "10", ("0", "5"), settled_ms=HOUR // 2)
    found = half([slow], [fill(0.5, "5")], 2)
    assert causes(found) == {"latency": 250}


def test_tracking_counts_a_filtered_entry_until_the_leader_leaves() -> None:
    # Half of the position is refused; it stays missing, in proportion, until the leader is flat.
    found = half(
        [
            receipt(0, "0", "10", ("0", "5")),
            receipt(1, "10", "20", ("5", "5"), "skipped", "above_max_value"),
            receipt(2, "20", "10", ("5", "2.5")),
            receipt(3, "10", "0", ("2.5", "0")),
        ],
        [fill(0, "5"), fill(2, "-2.5"), fill(3, "-2.5")],
        9,
    )
    # Hour 1 to 2: five coins; hour 2 to 3: two and a half.
    assert causes(found) == {"filter": 500 + 250}


def test_tracking_counts_what_waits_below_the_minimum() -> None:
    small = receipt(0, "0", "0.1", ("0", "0.05"), "carried", "below_minimum")
    assert causes(half([small], [], 4)) == {"minimum": 20}


def test_tracking_counts_a_cut_increase_as_a_cap_although_its_receipt_was_filled() -> None:
    found = half([receipt(0, "0", "10", ("0", "3"))], [fill(0, "3")], 1)
    assert causes(found) == {"caps": 200}


def test_tracking_keeps_the_reason_of_an_entry_that_gave_its_part_back() -> None:
    expired = receipt(0, "0", "10", ("0", "5"), "expired", "too_old", settled_ms=HOUR)
    # The next receipt says that E fell to zero meanwhile; the add itself passes.
    add = receipt(2, "10", "12", ("0", "1"))
    found = half([expired, add], [fill(2, "1")], 3)
    assert causes(found) == {"latency": 500 + 500 + 500}
    refused = receipt(0, "0", "10", ("0", "5"), "rejected", "margin", settled_ms=HOUR)
    assert causes(half([refused, add], [fill(2, "1")], 3)) == {"latency": 500, "margin": 500 + 500}


def test_tracking_shares_a_moment_among_causes_by_their_sizes() -> None:
    # Four coins filtered and, of the six entitled, two not bought: the minimum.
    found = half(
        [
            receipt(0, "0", "12", ("0", "6"), "carried", "below_minimum"),
            receipt(0.5, "12", "20", ("6", "6"), "skipped", "coin_filtered"),
        ],
        [fill(0, "4")],
        1.5,
    )
    # Half an hour of two coins; then an hour of six, a third and two thirds.
    assert causes(found) == {"minimum": 100, "filter": 600}


def test_tracking_of_a_flip_begins_anew_on_the_other_side() -> None:
    flip = receipt(1, "10", "-4", ("5", "0"), "expired", "price_beyond_band")
    found = half([receipt(0, "0", "10", ("0", "5")), flip], [fill(0, "5"), fill(1, "-5")], 2)
    assert causes(found) == {"latency": 200}
    assert found.ideal["SOL"].position == -2


def test_tracking_nets_leaders_of_one_follower() -> None:
    # Two leaders, +5 and -3; the account holds the two coins.
    other = receipt(0, "0", "-6", ("0", "-3"), leader=1, number=2, decision=2)
    found = half([receipt(0, "0", "10", ("0", "5")), other], [fill(0, "2")], 1)
    assert causes(found) == {}
    assert found.ideal["SOL"].position == 2


def test_tracking_leaves_a_position_from_before_to_the_policy() -> None:
    ignored = receipt(0, "10", "20", ("0", "0"), "skipped", "existing_position")
    assert half([ignored], [], 5).ideal_usd_hours == 0
    # Adopted before its first receipt: five coins for ten of the leader's.
    adopted = receipt(1, "10", "20", ("5", "10"))
    found = half([adopted], [fill(0, "5"), fill(1, "5")], 2)
    assert (found.ideal["SOL"].position, found.error_usd_hours) == (10, 0)


def test_tracking_of_notional_without_adds_wants_no_adds() -> None:
    follow = Follow(leader="l", follower="f", mode="notional", notional_usd="500")
    add = receipt(1, "10", "20", ("5", "5"), "skipped", "add_ignored")
    found = track(
        [receipt(0, "0", "10", ("0", "5")), add], [fill(0, "5")], {(0, 0): follow}, lambda _: Decimal("0.5"), 2 * HOUR
    )
    assert found.error_usd_hours == 0


def test_tracking_counts_openings_whose_ratio_nobody_knows() -> None:
    found = track([receipt(0, "0", "10", ("0", "0"), "blocked", "equity_unreadable")], [], {}, lambda _: None, HOUR)
    assert (found.unsized, found.ideal_usd_hours) == (1, 0)


@pytest.mark.parametrize(
    ("outcome", "reason", "cause"),
    [
        ("filled", "none", ""),
        ("skipped", "coin_filtered", "filter"),
        ("skipped", "a_filter_of_tomorrow", "filter"),
        ("blocked", "a_gate_of_tomorrow", "blocked"),
        ("expired", "something", "latency"),
        ("rejected", "margin", "margin"),
    ],
)
def test_cause_of_an_ending(outcome: str, reason: str, cause: str) -> None:
    assert cause_of(outcome, reason) == cause
    assert cause == "" or cause in CAUSES


def test_every_reason_of_the_core_has_a_cause_of_its_own() -> None:
    from hlfast.research.tracking import _CAUSE_OF_REASON

    source = (ROOT / "rust/core/src/commands.rs").read_text()
    reasons = re.findall(r'^    [A-Z]\w+ = "(\w+)",', source, re.MULTILINE)
    assert len(reasons) > 30
    assert set(reasons) - set(_CAUSE_OF_REASON) == set(), "name their cause in research/tracking.py and docs/what-if.md"
