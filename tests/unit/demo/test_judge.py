"""The judge passes a follower that is right and catches every way of being wrong that is planted here."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from hlfast.config.model import Follow
from hlfast.demo.judge import Verdict, judge

from .toy import Toy, config


def _policies() -> list[Follow]:
    return [
        Follow(leader="ann", follower="half", mode="ratio", ratio="0.5"),
        Follow(leader="ann", follower="fixed", mode="notional", notional_usd="300"),
        Follow(leader="ann", follower="scaled", mode="notional", notional_usd="300", scale_adds=True),
        Follow(leader="ann", follower="share", mode="equity", weight="2"),
        Follow(leader="ann", follower="capped", mode="ratio", ratio="1", max_position_usd="700", max_order_usd="300"),
        Follow(leader="ann", follower="eth_only", mode="ratio", ratio="1", coins_allow=("ETH",)),
        Follow(leader="ann", follower="no_sol", mode="ratio", ratio="1", coins_block=("SOL",)),
        Follow(leader="ann", follower="big", mode="ratio", ratio="0.2", min_value_usd="450"),
        Follow(leader="ann", follower="small", mode="ratio", ratio="0.2", max_value_usd="900"),
        Follow(leader="ann", follower="adopts", mode="ratio", ratio="0.3", existing="adopt"),
        Follow(leader="ann", follower="both", mode="ratio", ratio="0.5"),
        Follow(leader="bob", follower="both", mode="ratio", ratio="0.25"),
        Follow(leader="bob", follower="tiny", mode="ratio", ratio="0.02"),
    ]


def _play(bug: str = "", *, expire_late: bool = False) -> Verdict:
    """Two leaders: opens, adds, partial exits, flips, a position from before the start, sizes below the least order."""
    toy = Toy(config(_policies()), bug=bug)
    toy.start_with("ann", "SOL", "8", "100")
    toy.start_with("bob", "ETH", "-3", "200")
    for _ in range(3):
        toy.leader_event("ann", "ETH", ["1", "1"], "200")
        toy.leader_event("bob", "SOL", ["4"], "101")
        toy.leader_event("ann", "SOL", ["2"], "102")
        toy.leader_event("ann", "ETH", ["1.5"], "198")
        toy.leader_event("bob", "ETH", ["1"], "199")
        toy.leader_event("ann", "ETH", ["0.75"], "197")
        toy.leader_event("ann", "ETH", ["-2"], "204")
        toy.leader_event("bob", "SOL", ["0.4"], "100")
        toy.leader_event("bob", "SOL", ["0.6"], "100")
        toy.leader_event("ann", "ETH", ["1"], "199")
        toy.leader_event("bob", "SOL", ["-3"], "103")
        toy.leader_event("ann", "ETH", ["-4.25"], "210")
        toy.leader_event("bob", "SOL", ["-4"], "103")
        toy.leader_event("ann", "SOL", ["-6", "-6"], "99")
        toy.leader_event("bob", "SOL", ["2"], "98")
        toy.leader_event("ann", "SOL", ["2", "8"], "99")
        toy.leader_event("ann", "ETH", ["2", "0.5"], "200")
        toy.leader_event("ann", "ETH", ["-2"], "201")
    toy.leader_event("ann", "AVAX", ["10"], "20")
    toy.leader_event("bob", "AVAX", ["-30"], "20")
    toy.leader_event("bob", "AVAX", ["30"], "20")
    toy.leader_event("ann", "ETH", ["4"], "200")
    toy.leader_event("ann", "ETH", ["0.5"], "200", expire=expire_late or bug == "expiry_keeps_e")
    for _ in range(30):
        toy.leader_event("bob", "LTC", ["1"], "100")
    toy.leader_event("ann", "ETH", ["-2"], "200")
    return judge(toy.evidence())


def test_judge_passes_a_right_follower() -> None:
    verdict = _play()
    assert verdict.mismatches == []
    assert verdict.positions >= 20
    assert verdict.exact == verdict.positions


def test_judge_accepts_expired_entries_that_gave_their_part_back() -> None:
    verdict = _play(expire_late=True)
    assert verdict.mismatches == []
    assert verdict.expired > 0


@pytest.mark.parametrize(
    ("bug", "said"),
    [
        ("dropped_fill", "its policy says"),
        ("doubled_fill", "beyond every target"),
        ("order_sent_twice", "executed 2 times"),
        ("healed_double", "its targets moved by"),
        ("wrong_side_on_close", "beyond every target"),
        ("sign_lost", "beyond every target"),
        ("position_cap_ignored", "its targets moved by"),
        ("order_cap_ignored", "beyond every target"),
        ("filters_off", "but the policy keeps it out"),
        ("filter_blocks_exit", "exits are never stopped"),
        ("snapshot_traded", "beyond every target"),
        ("existing_followed", "but the policy keeps it out"),
        ("residual_lost", "its policy says"),
        ("reduce_by_amount", "its policy says"),
        ("exit_ignored", "its policy says"),
        ("exit_too_big", "beyond every target"),
        ("flip_only_closes", "its policy says"),
        ("net_flip_dropped", "holds 0 AVAX, its policy says 5"),
        ("notional_adds", "but the policy keeps it out"),
        ("ratio_refreshed", "its policy says"),
        ("receipt_lost", "no receipt for"),
        ("receipt_twice", "second receipt"),
        ("claims_filter", "every gate of the policy lets it in"),
        ("false_expiry", "nothing in the ledger supports"),
        ("expires_all", "entries expired"),
        ("expiry_keeps_e", "its policy says"),
        ("cloid_reused", "client order id"),
        ("nonce_reused", "different actions"),
    ],
)
def test_judge_catches_planted_bug(bug: str, said: str) -> None:
    verdict = _play(bug)
    assert not verdict.ok
    assert any(said in mismatch for mismatch in verdict.mismatches), verdict.mismatches[:10]


def test_judge_refuses_unknown_signers() -> None:
    toy = Toy(config([Follow(leader="ann", follower="half", mode="ratio", ratio="0.5")]), unknown_signers=1)
    toy.leader_event("ann", "ETH", ["1"], "200")
    assert judge(toy.evidence()).mismatches == ["the simulator saw 1 signatures of signers it does not know"]


def test_judge_refuses_a_leader_without_orders() -> None:
    toy = Toy(config([Follow(leader="ann", follower="half", mode="ratio", ratio="0.5", coins_block=("ETH",))]))
    toy.leader_event("ann", "ETH", ["1"], "200")
    assert "ann: no follower of this leader traded" in judge(toy.evidence()).mismatches


@pytest.mark.parametrize(("bug", "ok"), [("", True), ("account_cap_ignored", False)])
def test_judge_holds_account_caps(bug: str, ok: bool) -> None:
    follows = [Follow(leader=name, follower="both", mode="ratio", ratio="1") for name in ("ann", "bob")]
    toy = Toy(config(follows, max_position_usd="500"), bug=bug)
    for leader in ("ann", "bob"):
        toy.leader_event(leader, "ETH", ["2"], "200")
    toy.leader_event("bob", "SOL", ["1"], "100")
    toy.leader_event("bob", "BTC", ["0.1"], "1000")
    toy.leader_event("bob", "LTC", ["1"], "50")
    toy.leader_event("ann", "ETH", ["-1"], "210")
    verdict = judge(toy.evidence())
    assert verdict.ok is ok, verdict.mismatches


def test_judge_holds_the_adoption_band() -> None:
    follow = Follow(
        leader="ann", follower="near", mode="ratio", ratio="0.5", existing="adopt_within", adopt_band_bps=100
    )
    toy = Toy(config([follow]))
    toy.start_with("ann", "ETH", "2", "200")
    toy.leader_event("ann", "ETH", ["1"], "201")
    assert judge(toy.evidence()).ok
    outside = toy.evidence().holdings["ann", "ETH"]
    toy.holdings["ann", "ETH"] = type(outside)(outside.position, Decimal(150), outside.price)
    assert not judge(toy.evidence()).ok


def test_judge_lets_nothing_open_in_a_delisted_coin() -> None:
    toy = Toy(config([Follow(leader="ann", follower="half", mode="ratio", ratio="0.5")]))
    toy.leader_event("ann", "MATIC", ["100"], "1")
    assert judge(toy.evidence()).ok
    mismatches = judge(replace(toy.evidence(), delisted=frozenset({"MATIC"}))).mismatches
    assert any("the policy keeps it out (delisted)" in mismatch for mismatch in mismatches)


@pytest.mark.parametrize(("price", "ok"), [("203", True), ("200.1", False)])
def test_judge_accepts_an_unfilled_entry_that_a_later_event_took_over_only_if_the_price_left(
    price: str, ok: bool
) -> None:
    toy = Toy(config([Follow(leader="ann", follower="half", mode="ratio", ratio="0.5")]))
    toy.leader_event("ann", "ETH", ["1"], "200")
    toy.leader_event("ann", "ETH", ["-0.5"], price)
    seen = toy.evidence()
    entry, exit_ = seen.receipts
    taken_over = replace(entry, outcome="merged_into", merged_into=exit_.decision)
    nothing = replace(exit_, outcome="skipped", reason="nothing")
    empty = replace(seen.ledger, executions=(), actions=(), positions={})
    mismatches = judge(replace(seen, receipts=(taken_over, nothing), ledger=empty)).mismatches
    blamed = any("its policy says" in mismatch or "exits are never" in mismatch for mismatch in mismatches)
    assert blamed is not ok


def test_judge_of_an_interrupted_run_still_holds_positions_and_double_orders() -> None:
    follows = [Follow(leader="ann", follower="half", mode="ratio", ratio="0.5")]
    for bug, said in (
        ("", ""),
        ("order_sent_twice", "executed 2 times"),
        ("sign_lost", "its policy says"),
        ("receipt_lost", "no receipt"),
    ):
        toy = Toy(config(follows), bug=bug)
        for size in ("1", "1", "-0.5", "-4"):
            toy.leader_event("ann", "ETH", [size], "200")
        mismatches = judge(replace(toy.evidence(), interrupted=True)).mismatches
        assert any(said in mismatch for mismatch in mismatches) if said else mismatches == []
