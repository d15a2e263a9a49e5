from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hlfast.research.earnings import MANUAL, NOBODY, Earned, Payment, Trade, earned, summed
from hlfast.research.tracking import Receipt

D = Decimal


def wants(at: int, leader: str, entitled: str, coin: str = "SOL") -> Receipt:
    return Receipt(
        follower="main",
        leader=leader,
        coin=coin,
        number=at,
        decision=at,
        time_ms=at,
        tid=at,
        merged_into=None,
        outcome="filled",
        reason="none",
        leader_before=D(0),
        leader_after=D(1),
        leader_price=D(100),
        entitled_before=D(0),
        entitled_after=D(entitled),
        ordered=D(0),
        filled=D(0),
        decided_ms=at,
        settled_ms=at,
    )


def trade(at: int, size: str, price: str, asked: str | None, fee: str = "0", coin: str = "SOL") -> Trade:
    return Trade(time_ms=at, follower="main", coin=coin, size=D(size), price=D(price), fee_usd=D(fee), asked=asked)


def paid(at: int, usd: str) -> Payment:
    return Payment(time_ms=at, follower="main", coin="SOL", usd=D(usd))


def by_leader(rows: tuple[Earned, ...]) -> dict[str, Earned]:
    return {row.leader: row for row in rows}


def test_one_leader_earns_what_the_account_earns() -> None:
    rows = earned(
        [wants(1, "a", "10"), wants(5, "a", "4")],
        [trade(2, "10", "100", "a", "0.45"), trade(6, "-6", "110", "a", "0.3")],
        [paid(4, "-0.2")],
        {"SOL": D(105)},
    )
    [row] = rows
    assert (row.position, row.closed_usd, row.open_usd) == (4, 60, 20)
    assert (row.fees_usd, row.funding_usd, row.net_usd) == (D("0.75"), D("-0.2"), D("79.05"))
    assert row.volume_usd == 1660


def test_an_order_for_two_leaders_is_shared_by_what_each_lacked() -> None:
    # One wants six, the other three; six of nine are executed.
    rows = by_leader(
        earned([wants(1, "a", "6"), wants(2, "b", "3")], [trade(3, "6", "100", "b", "0.9")], [paid(4, "3")])
    )
    assert (rows["a"].position, rows["b"].position) == (4, 2)
    assert (rows["a"].fees_usd, rows["b"].fees_usd) == (D("0.6"), D("0.3"))
    assert (rows["a"].funding_usd, rows["b"].funding_usd) == (2, 1)


def test_leaders_on_opposite_sides_cross_inside_at_the_leaders_price() -> None:
    # a holds ten; then a leaves and b wants eight, at 100: eight change hands, and the account sells two, at 110.
    rows = by_leader(
        earned(
            [wants(1, "a", "10"), wants(3, "a", "0"), wants(4, "b", "8")],
            [trade(2, "10", "100", "a"), trade(5, "-2", "110", "a", "0.18")],
            [],
            {"SOL": D(110)},
        )
    )
    assert (rows["a"].position, rows["a"].closed_usd, rows["a"].fees_usd) == (0, 20, D("0.18"))
    assert (rows["b"].position, rows["b"].net_usd) == (8, 80)


def test_a_reduction_goes_to_the_leader_that_asked() -> None:
    rows = by_leader(
        earned(
            [wants(1, "a", "5"), wants(2, "b", "5"), wants(4, "a", "1")],
            [trade(3, "10", "100", "b"), trade(5, "-4", "90", "a")],
            [],
        )
    )
    assert (rows["a"].position, rows["b"].position) == (1, 5)
    assert (rows["a"].closed_usd, rows["b"].closed_usd) == (-40, 0)


def test_what_the_minimum_made_larger_belongs_to_who_asked() -> None:
    rows = by_leader(
        earned(
            [wants(1, "a", "5"), wants(2, "b", "5"), wants(4, "a", "4.95")],
            [trade(3, "10", "100", "b"), trade(5, "-0.11", "100", "a")],
            [],
        )
    )
    assert (rows["a"].position, rows["b"].position) == (D("4.89"), 5)


def test_what_the_engine_did_not_order_is_the_manual_part() -> None:
    rows = by_leader(
        earned(
            [wants(1, "a", "5")],
            [trade(2, "5", "100", "a"), trade(3, "2", "100", None, "0.1")],
            [paid(4, "7")],
            {"SOL": D(101)},
        )
    )
    assert (rows["a"].position, rows[MANUAL].position) == (5, 2)
    assert (rows["a"].net_usd, rows[MANUAL].net_usd) == (10, D("3.9"))


def test_a_stop_and_a_close_by_hand_take_from_all_parts_alike() -> None:
    for nobody in (NOBODY, None):
        wanted = [wants(1, "a", "6"), wants(2, "b", "3")]
        rows = by_leader(earned(wanted, [trade(3, "9", "100", "b"), trade(4, "-3", "90", nobody, "0.9")], []))
        assert (rows["a"].position, rows["b"].position) == (4, 2)
        assert (rows["a"].closed_usd, rows["b"].fees_usd) == (-20, D("0.3"))
        assert MANUAL not in rows


def test_beside_a_manual_position_a_foreign_sale_is_manual() -> None:
    history = [trade(3, "6", "100", "a"), trade(4, "5", "100", None), trade(5, "-3", "90", None)]
    rows = by_leader(earned([wants(1, "a", "6")], history, []))
    assert (rows["a"].position, rows[MANUAL].position) == (6, 2)


def test_more_than_anybody_wanted_is_the_askers_as_far_as_it_holds_it_then_the_others() -> None:
    # The core's own examples: one of both wants to leave; forty of its thirty are closed.
    both = [wants(1, "a", "50"), wants(2, "b", "50")]
    history = [trade(3, "100", "100", "b"), trade(5, "-20", "100", "a"), trade(6, "-40", "100", "a")]
    rows = by_leader(earned([*both, wants(4, "a", "0")], history, []))
    assert (rows["a"].position, rows["b"].position) == (0, 40)


def test_a_flip_closes_one_side_and_opens_the_other() -> None:
    [row] = earned(
        [wants(1, "a", "5"), wants(3, "a", "-3")],
        [trade(2, "5", "100", "a"), trade(4, "-8", "90", "a")],
        [],
        {"SOL": D(80)},
    )
    assert (row.position, row.closed_usd, row.open_usd) == (-3, -50, 30)


def test_sums_by_any_of_leader_follower_and_coin() -> None:
    rows = earned(
        [wants(1, "a", "5"), wants(1, "a", "2", "ETH"), wants(2, "b", "5")],
        [trade(3, "10", "100", "b", "1"), trade(3, "2", "1000", "a", "2", "ETH")],
        [],
    )
    by = {(row.leader, row.coin): row for row in summed(rows, ("leader",))}
    assert by["a", "all"].fees_usd == D("2.5")
    [whole] = summed(rows, ())
    assert (whole.leader, whole.fees_usd, whole.volume_usd) == ("all", 3, 3000)


moves = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(-9, 9),
        st.integers(-9, 9).filter(bool),
        st.integers(50, 150),
        st.sampled_from(["a", "b", NOBODY, None]),
    ),
    min_size=1,
    max_size=30,
)


@given(moves)
def test_the_parts_are_the_account_and_its_money_after_any_history(
    history: list[tuple[str, int, int, int, str | None]],
) -> None:
    receipts, trades, payments = [], [], []
    for at, (leader, entitled, size, price, asked) in enumerate(history):
        receipts.append(wants(at * 10, leader, str(entitled)))
        trades.append(trade(at * 10 + 1, str(size), str(price), asked, "0.5"))
        payments.append(paid(at * 10 + 2, "0.25"))
    rows = earned(receipts, trades, payments, {"SOL": D(100)})
    position = sum(one.size for one in trades)
    cash = -sum(one.size * one.price for one in trades)
    net = cash + position * 100 - sum(one.fee_usd for one in trades) + sum(one.usd for one in payments)
    near = D("1e-15")
    assert abs(sum(row.position for row in rows) - position) < near
    assert abs(sum(row.net_usd for row in rows) - net) < near
    assert abs(sum(row.fees_usd for row in rows) - len(history) * D("0.5")) < near
