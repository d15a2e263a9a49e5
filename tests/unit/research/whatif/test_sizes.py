from __future__ import annotations

from decimal import Decimal

import pytest
from tests.fakes.traders import trips
from tests.unit.research.rows import fill

from hlfast.research.history import history_from_rows
from hlfast.research.whatif.model import Market, Model
from hlfast.research.whatif.run import what_if
from hlfast.research.whatif.sizes import LADDER, copies_of

LEADER = Decimal(20_000)
# From sizes of whole coins alone, a lot would be taken for a whole one.
BTC = {"BTC": Market(size_decimals=5)}
HISTORY = history_from_rows("good", trips(50, 4))


def test_copies_are_those_of_a_what_if_at_each_size() -> None:
    """Orders of 1,000 USD on 20,000: a follower of 250 USD reaches the venue's minimum, one of 100 does not."""
    copies = copies_of(HISTORY, LEADER, [Decimal(250)], BTC)
    assert [one.follower_usd for one in copies] == sorted([*LADDER, Decimal(250)])
    assert [one.follower_usd for one in copies if not one.volume_usd] == [10, 30, 100]
    for one in copies:
        model = Model(equity_usd=one.follower_usd, leader_equity_usd=LEADER)
        whole = what_if(HISTORY, model=model, markets=BTC, latencies_ms=(), wanted=None)
        assert one.net_usd == whole.money.net_usd
        assert one.volume_usd == whole.copied.volume_usd
        # The ideal copy of one size serves all: what it earned on the way compounds a little differently.
        if one.volume_usd:
            assert float(one.edge_usd) == pytest.approx(float(whole.money.edge_usd), rel=0.03)
            assert float(one.ideal_usd) == pytest.approx(float(whole.copied.ideal_usd), rel=0.03)


def test_larger_followers_lose_more_to_their_own_size() -> None:
    kept = {one.follower_usd: one.net_usd / one.edge_usd for one in copies_of(HISTORY, LEADER, markets=BTC)}
    assert kept[Decimal(1_000)] > kept[Decimal(100_000)] > kept[Decimal(10**6)]


def test_a_record_without_a_perpetual_has_no_copies() -> None:
    rows = [fill("@107", "1", "100", "0", oid=1)]
    assert copies_of(history_from_rows("a", rows), LEADER) == ()


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="equity_usd"):
        copies_of(HISTORY, LEADER, [Decimal(0)])
