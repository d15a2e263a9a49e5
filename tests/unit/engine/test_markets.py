from __future__ import annotations

import json

import msgspec
import pytest

from hlfast.engine.markets import meta_requests, parse_live_coins, parse_spot_pairs

MAIN = {"universe": [{"name": "BTC", "szDecimals": 5}, {"name": "OLD", "isDelisted": True}, {"name": "ETH"}]}
XYZ = {"universe": [{"name": "xyz:TSLA"}]}


def test_markets_reads_the_main_dex_and_leaves_delisted_coins_out() -> None:
    assert meta_requests(()) == [{"type": "meta", "dex": ""}, {"type": "spotMeta"}]
    assert parse_live_coins(json.dumps(MAIN).encode(), ()) == ["BTC", "ETH"]


@pytest.mark.parametrize("answer", [[MAIN, XYZ], [[MAIN, [{}]], [XYZ, [{}]]]])
def test_markets_reads_all_dexs_in_both_shapes_that_sources_name(answer: list) -> None:
    assert meta_requests(("xyz",))[0] == {"type": "allPerpMetas"}
    assert parse_live_coins(json.dumps(answer).encode(), ("xyz",)) == ["BTC", "ETH", "xyz:TSLA"]
    assert parse_live_coins(json.dumps(answer).encode(), ("abc",)) == ["BTC", "ETH"]


@pytest.mark.parametrize("answer", [b"", b"null", b'{"universe":[{"nom":"BTC"}]}', b"[[]]", b"7"])
def test_markets_refuses_what_is_no_metadata(answer: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_live_coins(answer, ())


def test_spot_pairs_are_named_as_in_feeds() -> None:
    pairs = [{"name": "PURR/USDC", "tokens": [1, 0], "index": 0}, {"name": "@107", "tokens": [150, 0], "index": 107}]
    assert parse_spot_pairs(json.dumps({"universe": pairs, "tokens": []}).encode()) == ["PURR/USDC", "@107"]
    with pytest.raises(msgspec.DecodeError):
        parse_spot_pairs(b"[]")
