"""What the shell must know of the markets: which coins are live, so that the tape asks for these alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

META_WEIGHT: Final = 20


class _Asset(msgspec.Struct, rename={"is_delisted": "isDelisted"}):
    name: str
    is_delisted: bool = False


class _Meta(msgspec.Struct):
    universe: list[_Asset]


def meta_requests(dexs: Sequence[str]) -> list[dict[str, Any]]:
    """Bodies of the /info reads whose answers the core takes as metadata, the one with the perps first."""
    perps = {"type": "allPerpMetas"} if dexs else {"type": "meta", "dex": ""}
    return [perps, {"type": "spotMeta"}]


def parse_live_coins(perps: bytes, dexs: Sequence[str]) -> list[str]:
    """Perp coins that can be traded, of the main dex and of `dexs`.

    Args:
        perps: answer of `meta` or `allPerpMetas`; the latter as metas or as [meta, contexts] pairs (sources disagree,
            2026-08).
        dexs: builder-deployed dexs wanted; their coins are named `dex:COIN`.

    Raises:
        msgspec.DecodeError: it is none of these.
    """
    answer = msgspec.json.decode(perps)
    metas = answer if isinstance(answer, list) else [answer]
    coins: list[str] = []
    for each in metas:
        meta = msgspec.convert(each[0] if isinstance(each, list) and each else each, _Meta)
        coins += [asset.name for asset in meta.universe if not asset.is_delisted and _is_wanted(asset.name, dexs)]
    return coins


def parse_spot_pairs(spot: bytes) -> list[str]:
    """Spot pairs by their names in feeds.

    Args:
        spot: answer of `spotMeta`.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return [pair.name for pair in msgspec.json.decode(spot, type=_Meta).universe]


def _is_wanted(coin: str, dexs: Sequence[str]) -> bool:
    dex, colon, _ = coin.partition(":")
    return not colon or dex in dexs
