"""The latest middles of some coins by the venue's own time, for asking how a price moved after a fill."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict

import msgspec

# Best prices change in about seven blocks a second at most, so this reaches back two minutes and more.
_MOST_QUOTES = 1_500
# Coins that leaders traded last; the oldest gives way.
MOST_COINS = 50


class _Level(msgspec.Struct, gc=False):
    px: str


class _Best(msgspec.Struct, gc=False):
    coin: str
    time: int
    bbo: tuple[_Level | None, _Level | None]


class _Frame(msgspec.Struct, gc=False):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


_frames = msgspec.json.Decoder(_Frame)
_bests = msgspec.json.Decoder(_Best)


class Quotes:
    """Takes `bbo` frames and remembers the middle of each block in which it changed."""

    def __init__(self) -> None:
        # Times and middles of each coin, oldest first; the coin wanted last stands last.
        self._coins: OrderedDict[str, tuple[list[int], list[float]]] = OrderedDict()

    def want(self, coin: str) -> str | None:
        """Keep a coin's quotes from now on; returns the coin that gives way to it, if one does."""
        self._coins.setdefault(coin, ([], []))
        self._coins.move_to_end(coin)
        return self._coins.popitem(last=False)[0] if len(self._coins) > MOST_COINS else None

    def coins(self) -> list[str]:
        """Return the coins kept."""
        return list(self._coins)

    def take(self, frame: bytes) -> None:
        """Take one frame; other channels, one-sided books and damaged frames are passed over."""
        try:
            decoded = _frames.decode(frame)
            if decoded.channel != "bbo":
                return
            best = _bests.decode(decoded.data)
            bid, ask = best.bbo
            middle = None if bid is None or ask is None else (float(bid.px) + float(ask.px)) / 2
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
            return
        kept = self._coins.get(best.coin)
        if kept is None or middle is None:
            return
        times, middles = kept
        if times and best.time < times[-1]:
            return  # a quote that was overtaken says nothing new
        times.append(best.time)
        middles.append(middle)
        if len(times) > _MOST_QUOTES:
            del times[: _MOST_QUOTES // 5], middles[: _MOST_QUOTES // 5]

    def middle_at(self, coin: str, time_ms: int) -> float | None:
        """Return the middle that stood at a time; None before the first quote kept."""
        times, middles = self._coins.get(coin, ([], []))
        at = bisect_right(times, time_ms) - 1
        return middles[at] if at >= 0 else None
