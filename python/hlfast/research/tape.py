"""Reads the public trade tape: who trades, how much, and whether a watched leader is among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from hlfast.research.sketch import Hitter, Sketch

# Rows a batch: sorting one costs about as much for each row at any size, and a watched leader waits for no batch.
BATCH_ROWS = 65_536


class _Trade(msgspec.Struct, gc=False):
    px: str
    sz: str
    side: str
    time: int
    users: tuple[str, str]


class _Frame(msgspec.Struct, gc=False):
    channel: str
    data: list[_Trade] = []


_decoder = msgspec.json.Decoder(_Frame)


class Tape:
    """Takes `trades` frames as bytes, in any order, and keeps heavy hitters and watched addresses.

    Args:
        watched: addresses whose trades are counted one by one.
        capacity: of the sketch.
    """

    def __init__(self, watched: Iterable[str] = (), capacity: int = 65_536, *, seed: int | None = None) -> None:
        self.sketch = Sketch(capacity, seed=seed)
        self._watched = {address.lower(): 0 for address in watched}
        self._keys = self.sketch.keys_of(list(self._watched))
        self._names = list(self._watched)
        self._rows: list[_Trade] = []
        self.trades = 0
        self.bad_frames = 0
        self.bad_rows = 0

    def take(self, frame: bytes) -> None:
        """Take one frame; another channel's is passed over, a damaged one counted."""
        try:
            decoded = _decoder.decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if b'"trades"' in frame:
                self.bad_frames += 1
            return
        if decoded.channel == "trades":
            self._rows += decoded.data
            if len(self._rows) >= BATCH_ROWS:
                self.flush()

    def flush(self) -> None:
        """Count what waits."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            cents = _cents(rows)
        except (ValueError, OverflowError):
            rows = [row for row in rows if _is_number(row.px) and _is_number(row.sz)]
            cents = _cents(rows)
        self.trades += len(rows)
        good = (cents > 0) & (cents < 1e15)
        self.bad_rows += int((~good).sum())
        # Each trade has a buyer and a seller; the side tells which of them crossed.
        addresses = [user for row in rows for user in row.users]
        bought = np.fromiter((row.side == "B" for row in rows), dtype=np.bool_, count=len(rows))
        taken = np.stack((bought, ~bought), axis=1).ravel()
        times = np.fromiter((row.time for row in rows), dtype=np.int64, count=len(rows)).repeat(2)
        value = np.where(good, cents, 0).astype(np.int64).repeat(2)
        keys = self.sketch.add(addresses, value, taken, times)
        for at in np.flatnonzero(np.isin(self._keys, keys)):
            self._watched[self._names[at]] += int((keys == self._keys[at]).sum())

    def seen(self) -> dict[str, int]:
        """Return how many trades each watched address had."""
        return dict(self._watched)

    def heaviest(self, count: int) -> list[Hitter]:
        """Return the heaviest, up to the last frame."""
        self.flush()
        return self.sketch.heaviest(count)


def _cents(rows: Sequence[_Trade]) -> np.typing.NDArray[np.float64]:
    """Values for ranking: cents from floats, never money that is paid."""
    prices = np.array([row.px for row in rows], dtype=np.float64)
    sizes = np.array([row.sz for row in rows], dtype=np.float64)
    return np.asarray(np.rint(prices * sizes * 100), dtype=np.float64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
