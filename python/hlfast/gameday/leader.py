"""A leader that opens, adds, cuts, closes and turns positions at random, in one fill or in several."""

from __future__ import annotations

import asyncio
import math
import random
from typing import TYPE_CHECKING, Any, Final

from hlfast.sim.book import round_price

if TYPE_CHECKING:
    from hlfast.gameday.world import World

_SCALE: Final = 10**8
_MEAN_S: Final = 9.0
_LEAST_USD: Final = 4_000
_MOST_USD: Final = 60_000


class LeaderBot:
    """One leader; its fills reach the venue through the control door.

    Args:
        world: where it trades.
        index: which leader.
    """

    def __init__(self, world: World, index: int) -> None:
        self._world = world
        self._rng = random.Random(f"{world.options.seed}/leader {index}")  # noqa: S311 - to be repeated
        self.address = world.cast.leaders[index].address
        self.positions = dict.fromkeys(world.cast.coins, 0)
        self._oid = 0

    def begin(self) -> None:
        """Take over what it starts with."""
        for (address, coin), (size, _) in self._world.cast.holdings.items():
            if address == self.address:
                self.positions[coin] = int(size * _SCALE)

    async def play(self) -> None:
        """Trade until cancelled."""
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / _MEAN_S))
            coin = self._rng.choice(tuple(self.positions))
            self._wander(coin)
            self._trade(coin, self._next(coin))
            if self._rng.random() < 0.2:
                await asyncio.sleep(self._rng.uniform(0.02, 0.5))
                if coin in self.positions:
                    self._trade(coin, self._next(coin))

    def leave(self, coin: str) -> None:
        """Trade a coin no more: the venue has settled what there was of it."""
        del self.positions[coin]

    def act(self, what: str) -> None:
        """Do one thing on every coin."""
        for coin, held in list(self.positions.items()):
            targets = {
                "halve": held // 2,
                "flat": 0,
                "open": self._size(coin, 30_000),
                "add": held + self._size(coin, 12_000),
                "flip": -held,
                "third": held - int(held * 2 / 3),
            }
            self._trade(coin, self._whole(coin, targets[what]))

    def _whole(self, coin: str, size: int) -> int:
        lot = self._world.cast.lots[coin]
        return int(size / lot) * lot

    def _size(self, coin: str, usd: float) -> int:
        return self._whole(coin, int(usd / self._price(coin) * _SCALE * _SCALE))

    def _price(self, coin: str) -> int:
        venue = self._world.venue.server.venue
        return venue.mark(venue.universe.by_coin[coin])

    def _wander(self, coin: str) -> None:
        venue = self._world.venue.server.venue
        asset = venue.universe.by_coin[coin]
        mid = round_price(asset, int(self._price(coin) * math.exp(self._rng.gauss(0, 0.0006))), up=False)
        self._world.control(op="set_book", coin=coin, mid=_text(mid))

    def _next(self, coin: str) -> int:
        held = self.positions[coin]
        usd = math.exp(self._rng.uniform(math.log(_LEAST_USD), math.log(_MOST_USD)))
        if held == 0:
            return self._size(coin, usd) * self._rng.choice((1, -1))
        draw = self._rng.random()
        if draw < 0.35:
            return held + self._size(coin, usd) * (1 if held > 0 else -1)
        if draw < 0.65:
            return self._whole(coin, int(held * self._rng.uniform(0.05, 0.95)))
        if draw < 0.85:
            return 0
        return self._size(coin, usd) * (-1 if held > 0 else 1)

    def _trade(self, coin: str, target: int) -> None:
        change = target - self.positions[coin]
        if change == 0:
            return
        asset = self._world.venue.server.venue.universe.by_coin[coin]
        lot, pieces = self._world.cast.lots[coin], self._rng.choice((1, 1, 2, 4))
        self._oid += 1
        rows: list[dict[str, Any]] = []
        left, start = abs(change), self.positions[coin]
        price = round_price(asset, self._price(coin), up=False)
        for piece in range(pieces):
            size = left if piece == pieces - 1 else max(lot, int(left / (pieces - piece) / lot) * lot)
            size = min(size, left)
            if size == 0:
                break
            side = "B" if change > 0 else "A"
            rows.append(
                {
                    "coin": coin,
                    "px": _text(price),
                    "sz": _text(size),
                    "side": side,
                    "startPosition": _text(start),
                    "oid": self._oid,
                    "crossed": True,
                }
            )
            start += size if change > 0 else -size
            left -= size
        self._world.control(op="leader_fills", address=self.address, rows=rows)
        self.positions[coin] = target


def _text(units: int) -> str:
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), _SCALE)
    return f"{sign}{whole}.{part:08d}".rstrip("0").rstrip(".")
