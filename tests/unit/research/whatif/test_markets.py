from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hlfast.research.files import FileRefusedError
from hlfast.research.whatif.markets import markets_from_files
from hlfast.research.whatif.model import Model, assumed_liquidity, check, measured_liquidity


def written(path: Path, rows: Any) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) if path.suffix == ".jsonl" else json.dumps(rows))
    return path


def book(at: int, bid: str, ask: str) -> dict[str, Any]:
    levels = [[{"px": bid, "sz": "10", "n": 1}], [{"px": ask, "sz": "30", "n": 1}]]
    return {"channel": "l2Book", "data": {"coin": "SOL", "time": at, "levels": levels}}


def test_markets_read_contexts_candles_funding_and_frames(tmp_path: Path) -> None:
    meta = {
        "universe": [
            {"name": "SOL", "szDecimals": 2, "maxLeverage": 20},
            {"name": "OLD", "szDecimals": 0, "maxLeverage": 3},
        ]
    }
    contexts = [
        {"midPx": "100", "impactPxs": ["99.99", "100.01"], "dayNtlVlm": "5000", "openInterest": "7"},
        {"midPx": None, "impactPxs": None},
    ]
    found = markets_from_files(
        [
            written(tmp_path / "contexts.json", [meta, contexts]),
            written(tmp_path / "candles.json", [{"t": 0, "T": 59_999, "s": "SOL", "i": "1m", "o": "1", "c": "101.5"}]),
            written(
                tmp_path / "funding.json",
                [{"coin": "SOL", "fundingRate": "0.0000125", "premium": "0", "time": 3_600_000}],
            ),
            written(
                tmp_path / "frames.jsonl",
                [{"channel": "trades", "data": [{"coin": "SOL", "px": "99", "time": 70_000}]}],
            ),
            written(tmp_path / "days.json", [{"t": 0, "T": 86_399_999, "s": "SOL", "i": "1d", "o": "1", "c": "98"}]),
            written(
                tmp_path / "own.jsonl",
                [
                    {
                        "time": 7_200_000,
                        "hash": "0x0",
                        "delta": {"type": "funding", "coin": "SOL", "usdc": "1", "szi": "1", "fundingRate": "0.1"},
                    }
                ],
            ),
        ]
    )
    sol = found["SOL"]
    assert (sol.size_decimals, sol.max_leverage, found["OLD"].liquidity) == (2, 20, None)
    assert (sol.activity, sol.days) == ((5000, 700), ((0, Decimal(98)),))
    assert sol.prices == ((59_999, Decimal("101.5")), (70_000, Decimal(99)))
    assert sol.funding == ((3_600_000, Decimal("0.0000125")), (7_200_000, Decimal("0.1")))
    # One basis point at 6,000 USD: half of it spread, the other half what 6,000 USD walk on average.
    assert sol.liquidity is not None
    assert (sol.liquidity.half_spread_bps, sol.liquidity.depth_usd) == (Decimal("0.5"), 60_000)


def test_books_give_the_median_spread_and_depth_when_there_are_enough(tmp_path: Path) -> None:
    few = markets_from_files([written(tmp_path / "few.jsonl", [book(at, "99.9", "100.1") for at in range(4)])])
    assert few["SOL"].liquidity is None
    assert len(few["SOL"].books) == 4
    many = markets_from_files([written(tmp_path / "many.jsonl", [book(at, "99.9", "100.1") for at in range(9)])])
    liquidity = many["SOL"].liquidity
    assert liquidity is not None
    assert (liquidity.half_spread_bps, liquidity.measured) == (Decimal(10), True)
    assert liquidity.depth_usd == (Decimal("99.9") * 10 + Decimal("100.1") * 30) / 2


@pytest.mark.parametrize(
    ("text", "said"),
    [("{}", "nothing in it"), ('[{"coin": "SOL", "fundingRate": "x", "time": 1}]', "not of the venue's shape")],
)
def test_a_file_without_markets_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(FileRefusedError, match=rf"odd\.json.*{said}"):
        markets_from_files([path])


def test_assumptions_are_by_coin_and_dex() -> None:
    assert assumed_liquidity("BTC").half_spread_bps < assumed_liquidity("WIF").half_spread_bps
    assert assumed_liquidity("xyz:BTC").depth_usd < assumed_liquidity("WIF").depth_usd
    assert measured_liquidity("BTC", Decimal(100), (Decimal(100), Decimal(100))).half_spread_bps > 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency_ms", -1),
        ("fee_tier", 9),
        ("equity_usd", Decimal(0)),
        ("leverage", 0),
        ("taker_bps", Decimal(2_000)),
        ("funding_rate", Decimal(1)),
    ],
)
def test_a_model_names_the_number_that_makes_no_sense(field: str, value: Any) -> None:
    with pytest.raises((ValueError, IndexError), match=field):
        check(Model(**{field: value}))
