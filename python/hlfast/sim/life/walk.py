"""A seeded random walk with jumps, and a crowd that trades along."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from hlfast.sim.life.cues import Act, Cue, Cues, Deal, Drift
from hlfast.sim.numbers import SCALE, ratio
from hlfast.sim.universe import Asset

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
BPS = 100_000  # parts in 1e9
# A third of the trades below go to the smallest size and none above $6,400: like the recorded tape's many crumbs.
SMALLEST_USD, DOUBLINGS = 25, 9


class Walk(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Terms of a walk; each is per coin."""

    seed: int = 1
    step_ms: Annotated[int, Meta(ge=10, le=MINUTE_MS)] = 250
    volatility_bps: Annotated[int, Meta(ge=0, le=1_000)] = 6  # standard deviation of one minute's move
    jumps_per_hour: Annotated[int, Meta(ge=0, le=3_600)] = 6
    jump_bps: Annotated[int, Meta(ge=0, le=5_000)] = 40  # a jump is between half and one and a half of this
    trades_per_minute: Annotated[int, Meta(ge=0, le=6_000)] = 60


def walk(terms: Walk, assets: Sequence[Asset]) -> Cues:
    """Yield steps for ever, one cue a step, all coins in it. Integers only: the same on every machine."""
    dice = random.Random(terms.seed)  # noqa: S311 - repeatable by purpose, nothing secret
    # The sum of three uniform draws from -h..h has the standard deviation sqrt(h(h+1)).
    reach = math.isqrt((terms.volatility_bps * BPS) ** 2 * terms.step_ms // MINUTE_MS)
    at_ms = 0
    while True:
        at_ms += terms.step_ms
        acts: list[Act] = []
        for asset in assets:
            parts = sum(dice.randint(-reach, reach) for _ in range(3))
            if dice.randrange(HOUR_MS) < terms.jumps_per_hour * terms.step_ms:
                parts += dice.choice((-1, 1)) * terms.jump_bps * BPS * dice.randint(50, 150) // 100
            acts.append(Drift(asset.coin, parts))
            trades, rest = divmod(terms.trades_per_minute * terms.step_ms, MINUTE_MS)
            trades += dice.randrange(MINUTE_MS) < rest
            acts.extend(_deal(dice, asset, rising=parts > 0) for _ in range(trades))
        yield Cue(at_ms, tuple(acts))


def _deal(dice: random.Random, asset: Asset, *, rising: bool) -> Deal:
    notional = SMALLEST_USD * dice.randint(100, 199) * (1 << dice.randrange(DOUBLINGS)) * SCALE // 100
    size = ratio(notional, asset.mid) // asset.lot * asset.lot
    follows = dice.randrange(100) < 65
    return Deal(asset.coin, rising == follows, max(size, asset.lot))
