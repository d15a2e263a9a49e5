"""Heavy hitters of the public trade tape in bounded memory, however many addresses trade.

A mergeable Misra-Gries summary (Agarwal et al. 2012): `capacity` counters; a batch is added, then the (capacity + 1)th
largest count is taken off all. No count is too high, and none is too low by more than total / (capacity + 1): whoever
trades more than that share is kept, whatever the order of the tape. Distinct addresses are counted by HyperLogLog.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

ADDRESS_BYTES = 20
_TEXT_BYTES = 42
_REGISTER_BITS = 14
_HEX = np.full(256, 255, dtype=np.uint8)
_HEX[[ord(digit) for digit in "0123456789abcdef"]] = range(16)
_HEX[[ord(digit) for digit in "ABCDEF"]] = range(10, 16)

_Keys = npt.NDArray[np.uint64]
_Ints = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]


class Hitter(msgspec.Struct, frozen=True, kw_only=True):
    """A kept address. Volume is in cents and a lower bound; the others count since it was kept."""

    address: str
    volume_cents: int
    trades: int
    taken_cents: int  # as the side that crossed
    last_ms: int


class Sketch:
    """Adds batches of (address, value) and keeps the heaviest.

    Args:
        capacity: addresses kept; about 90 bytes each, and as much again while a batch is added.
        seed: of the hash; random by default, so that nobody can make addresses that meet in it.
    """

    def __init__(self, capacity: int = 65_536, *, seed: int | None = None) -> None:
        self.capacity = capacity
        generator = np.random.default_rng(secrets.randbits(64) if seed is None else seed)
        self._odd = generator.integers(1, 1 << 63, 3, dtype=np.uint64) | np.uint64(1)
        self._registers = np.zeros(1 << _REGISTER_BITS, dtype=np.uint8)
        self._keys: _Keys = np.zeros(0, dtype=np.uint64)
        self._addresses: _Bytes = np.zeros((0, ADDRESS_BYTES), dtype=np.uint8)
        # volume, trades, taken, last time: one row each.
        self._counts: _Ints = np.zeros((4, 0), dtype=np.int64)
        self.total_cents = 0
        self.taken_off_cents = 0
        self.bad = 0

    def add(self, addresses: Sequence[str], cents: _Ints, taken: npt.NDArray[np.bool_], times_ms: _Ints) -> _Keys:
        """Add one batch; returns the hash of each address, zero where it is none (these are counted in `bad`)."""
        raw, good = parse_addresses(addresses)
        keys = np.where(good, self._hash(raw), np.uint64(0))
        self.bad += int((~good).sum())
        if good.all():
            self._take(keys, raw, cents, taken, times_ms)
        else:
            self._take(keys[good], raw[good], cents[good], taken[good], times_ms[good])
        return keys

    def keys_of(self, addresses: Sequence[str]) -> _Keys:
        """Return the hashes by which these addresses are found in what `add` returns."""
        raw, good = parse_addresses(addresses)
        return np.where(good, self._hash(raw), np.uint64(0))

    def _hash(self, raw: _Bytes) -> _Keys:
        """Multiply three words by odd secrets and mix: 64 bits of which no address's maker knows the result."""
        words = np.zeros((len(raw), 24), dtype=np.uint8)
        words[:, :ADDRESS_BYTES] = raw
        parts = words.view(np.uint64)
        mixed = (parts[:, 0] * self._odd[0]) ^ (parts[:, 1] * self._odd[1]) ^ (parts[:, 2] * self._odd[2])
        mixed ^= mixed >> np.uint64(32)
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        return np.asarray(mixed | np.uint64(1), dtype=np.uint64)

    def _take(self, keys: _Keys, raw: _Bytes, cents: _Ints, taken: npt.NDArray[np.bool_], times_ms: _Ints) -> None:
        self._see(keys)
        self.total_cents += int(cents.sum())
        joined = np.concatenate((self._keys, keys))
        unique, first, inverse = np.unique(joined, return_index=True, return_inverse=True)
        ones = np.ones(len(keys), dtype=np.int64)
        added = np.stack((cents, ones, np.where(taken, cents, 0), times_ms))
        counts = np.zeros((4, len(unique)), dtype=np.int64)
        values = np.concatenate((self._counts, added), axis=1)
        for row in range(3):
            np.add.at(counts[row], inverse, values[row])
        np.maximum.at(counts[3], inverse, values[3])
        self._keys, self._counts = unique, counts
        old = len(self._addresses)
        addresses = np.empty((len(unique), ADDRESS_BYTES), dtype=np.uint8)
        kept = first < old
        addresses[kept] = self._addresses[first[kept]]
        addresses[~kept] = raw[first[~kept] - old]
        self._addresses = addresses
        self._shrink()

    def _shrink(self) -> None:
        if len(self._keys) <= self.capacity:
            return
        volume = self._counts[0]
        cut = int(np.partition(volume, len(volume) - self.capacity - 1)[len(volume) - self.capacity - 1])
        keep = volume > cut
        self._keys, self._addresses = self._keys[keep], self._addresses[keep]
        self._counts = self._counts[:, keep]
        self._counts[0] -= cut
        self.taken_off_cents += cut

    def _see(self, keys: _Keys) -> None:
        """HyperLogLog: the first bits choose a register, which keeps the longest run of zeros of the others."""
        register = (keys >> np.uint64(64 - _REGISTER_BITS)).astype(np.int64)
        rest = (keys << np.uint64(_REGISTER_BITS)) | np.uint64((1 << _REGISTER_BITS) - 1)
        rank = (65 - np.ceil(np.log2(rest.astype(np.float64) + 1))).astype(np.uint8)
        np.maximum.at(self._registers, register, rank)

    def distinct(self) -> int:
        """Estimate how many addresses were seen; within about 1 %."""
        size = len(self._registers)
        estimate = 0.7213 / (1 + 1.079 / size) * size * size / float(np.sum(2.0 ** -self._registers.astype(np.float64)))
        empty = int((self._registers == 0).sum())
        return round(size * np.log(size / empty) if estimate <= 2.5 * size and empty else estimate)

    def heaviest(self, count: int) -> list[Hitter]:
        """Return the kept addresses with most volume, heaviest first."""
        order = np.argsort(-self._counts[0], kind="stable")[:count]
        return [
            Hitter(
                address="0x" + self._addresses[at].tobytes().hex(),
                volume_cents=int(self._counts[0][at]),
                trades=int(self._counts[1][at]),
                taken_cents=int(self._counts[2][at]),
                last_ms=int(self._counts[3][at]),
            )
            for at in order
        ]


def parse_addresses(addresses: Sequence[str]) -> tuple[_Bytes, npt.NDArray[np.bool_]]:
    """Decode `0x` texts into rows of 20 bytes; the second array says which were addresses (others are zeros)."""
    if not addresses:
        return np.zeros((0, ADDRESS_BYTES), dtype=np.uint8), np.zeros(0, dtype=np.bool_)
    joined = _joined(addresses)
    text = np.frombuffer(joined, dtype=np.uint8).reshape(-1, _TEXT_BYTES)
    digits = _HEX[text[:, 2:]]
    good = (digits != 255).all(axis=1) & (text[:, 0] == ord("0")) & (text[:, 1] == ord("x"))
    raw = ((digits[:, ::2] << 4) | (digits[:, 1::2] & 15)).astype(np.uint8)
    raw[~good] = 0
    return raw, good


def _joined(addresses: Iterable[str]) -> bytes:
    """All texts in one; what has another length becomes one that is no address."""
    try:
        joined = "".join(addresses).encode("ascii")
    except UnicodeEncodeError:
        joined = b""
    if len(joined) == _TEXT_BYTES * len(list(addresses)) and all(len(text) == _TEXT_BYTES for text in addresses):
        return joined
    odd = "-" * _TEXT_BYTES
    return "".join(text if len(text) == _TEXT_BYTES and text.isascii() else odd for text in addresses).encode("ascii")
