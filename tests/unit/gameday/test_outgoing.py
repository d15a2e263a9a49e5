"""What an order may make of an account, in the worst case."""

from __future__ import annotations

from decimal import Decimal

from hlfast.config.model import Follower
from hlfast.gameday.outgoing import Account, Open, _leaves

SCALE = 10**8
NOW_MS = 1_790_000_389_874


def said(size: str) -> list[str]:
    """With 1,439 dollars of another coin and 79 of this one, under a cap of 1,500."""
    account = Account(Follower(name="f", account="0x01", agent="0x02", max_gross_usd="1500"), edges=2)
    for coin, held in (("ETH", "-0.718"), ("ARB", "1056.9")):
        account.held[coin] = int(Decimal(held) * SCALE)
    prices = {"ETH": [(NOW_MS, Decimal("2004.2"))], "ARB": [(NOW_MS, Decimal("0.07488"))]}
    order = Open("f", "ARB", int(Decimal(size) * SCALE), 1, NOW_MS + 3_000)
    return list(_leaves(account, order, prices, NOW_MS))


def test_flip_to_less_makes_an_account_that_others_prices_filled_no_fuller() -> None:
    assert not said("-769.1")
    assert "gross" in said("-1300")[0]
    assert "gross" in said("1")[0]
