"""A trader of the recorded tape, copied through the recorded books: every execution walked once more by hand."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_right
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

import hlfast.sim
from hlfast.config.model import Follow
from hlfast.research.history import History, history_from_rows
from hlfast.research.whatif import Markets, Model, Policy
from hlfast.research.whatif.markets import markets_from_files
from hlfast.research.whatif.record import UNIT, prepare
from hlfast.research.whatif.run import Bench

RECORDED = Path(hlfast.sim.__file__).parent / "data" / "market_2026-07-22.jsonl.gz"


def trades() -> list[dict[str, Any]]:
    with gzip.open(RECORDED, "rt") as lines:
        frames = [json.loads(line) for line in lines]
    return [trade for frame in frames if frame["channel"] == "trades" for trade in frame["data"]]


def busiest(coin: str) -> History:
    """The address that traded the coin most, with positions counted from flat."""
    tape = [trade for trade in trades() if trade["coin"] == coin]
    who, _ = Counter(user for trade in tape for user in set(trade["users"])).most_common(1)[0]
    position, rows = Decimal(0), []
    for trade in sorted(tape, key=lambda trade: trade["time"]):
        if who not in trade["users"] or trade["users"][0] == trade["users"][1]:
            continue
        buys = trade["users"][0] == who
        taker = (trade["side"] == "B") == buys
        rows.append(
            {
                **trade,
                "side": "B" if buys else "A",
                "startPosition": f"{position:f}",
                "crossed": taker,
                "oid": trade["tid"],
            }
        )
        position += Decimal(trade["sz"]) if buys else -Decimal(trade["sz"])
    return history_from_rows(who, rows)


def walked(markets: Markets, coin: str, at_ms: int, size: Decimal) -> Decimal:
    books = markets[coin].books
    _, bids, asks = books[bisect_right(books, at_ms, key=lambda book: book[0]) - 1]
    left, paid = abs(size), Decimal(0)
    for price, there in asks if size > 0 else bids:
        taken = min(left, there)
        paid += taken * price
        left -= taken
    assert not left, "the recorded levels were enough"
    return (paid / abs(size)).quantize(Decimal("0.00000001"), ROUND_HALF_UP)


@pytest.mark.parametrize("coin", ["BTC", "xyz:CL"])
def test_executions_pay_what_the_recorded_book_asks(coin: str) -> None:
    markets = markets_from_files([RECORDED])
    history = busiest(coin)
    assert history.fills.height > 20
    prepared = prepare(history, markets)
    assert prepared.book_coins == (coin,)
    follow = Follow(leader="l", follower="f", mode="ratio", ratio="0.05", entry_band_bps=200)
    bench = Bench(prepared, Policy(follow=follow), Model(equity_usd=Decimal(10_000_000)))
    run = bench.run(bench.policy, bench.model, keep=True)
    books = [at_ms for at_ms, _, _ in markets[coin].books]
    # The tape's first trades are older than the first book: these go by the model.
    executions = [row for row in run.outcome["executions"] if any(0 <= row[0] - at_ms <= 10_000 for at_ms in books)]
    assert len(executions) > 3
    for at_ms, _, size, price, *_ in executions:
        assert walked(markets, coin, at_ms, Decimal(size) / UNIT) == Decimal(price) / UNIT
