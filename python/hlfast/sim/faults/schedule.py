"""Schedules of faults: written in a file, sent to the control door, or drawn from a seed."""

from __future__ import annotations

import math
import random
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hlfast.sim.faults import answers, frames, market
from hlfast.sim.faults.injector import AnyFault, Faults
from hlfast.sim.faults.kinds import Fault, Span

MAX_FAULTS = 1_000  # of one schedule


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file holds: the seed of all draws, and the faults with their times from the start of the venue's clock."""

    faults: tuple[AnyFault, ...]
    seed: int = 0


def read_faults(sent: Any) -> tuple[AnyFault, ...]:
    """Return the faults of a decoded list.

    Raises:
        ValueError: something doesn't fit; the text names its place.
    """
    try:
        faults = msgspec.convert(sent, tuple[AnyFault, ...])
    except (msgspec.ValidationError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if len(faults) > MAX_FAULTS:
        raise ValueError(f"{len(faults)} faults are more than {MAX_FAULTS}")
    return faults


def load_faults(path: Path) -> Faults:
    """Read a schedule from a TOML or (by its ending) JSON file.

    Raises:
        OSError: the file can't be read.
        ValueError: it isn't TOML or JSON, or something in it doesn't fit.
    """
    return parse_faults(path.read_bytes(), is_json=path.suffix == ".json")


def parse_faults(data: bytes, *, is_json: bool) -> Faults:
    """Read a schedule from the bytes of its file.

    Raises:
        ValueError: it isn't TOML or JSON, or something in it doesn't fit.
    """
    raw = msgspec.json.decode(data) if is_json else tomllib.loads(data.decode())
    schedule = msgspec.convert(raw, Schedule)
    return Faults(schedule.seed, read_faults(msgspec.to_builtins(schedule.faults)))


def draw_faults(seed: int, horizon_ms: int, coins: Sequence[str] = ("BTC", "ETH", "SOL")) -> list[Fault]:
    """Draw a schedule: each kind is in with probability ½, its windows and strengths are drawn log-uniformly.

    Everything that can end ends before the horizon. What doesn't heal by itself (a delisting, a lost agent) is left
    out: name it in a schedule where the test knows how to live with it.

    Args:
        seed: the same seed draws the same schedule.
        horizon_ms: length of the time in which faults happen, above 1,000.
        coins: coins that halts and thin books may be about.
    """
    if horizon_ms <= 1_000:
        raise ValueError(f"horizon_ms must be above 1000, not {horizon_ms}")
    rng = random.Random(f"schedule {seed}")  # noqa: S311 - draws faults, hides nothing
    drawn: list[Fault] = []
    for make in _MAKERS:
        if rng.random() < 0.5:
            continue
        for _ in range(rng.randint(1, 3)):
            longest = max(2, horizon_ms // 4)
            for_ms = _log_uniform(rng, min(500, longest - 1), longest)
            drawn.append(make(rng, rng.randrange(horizon_ms - for_ms), for_ms, tuple(coins)))
    return drawn


def _log_uniform(rng: random.Random, least: int, most: int) -> int:
    return round(least * math.exp(math.log(most / least) * rng.random()))


def _share(rng: random.Random) -> float:
    return round(_log_uniform(rng, 10, 500) / 1_000, 3)


def _span(rng: random.Random, most: int) -> Span:
    return Span(0, _log_uniform(rng, 10, most))


_Maker = Callable[[random.Random, int, int, tuple[str, ...]], Fault]
_MAKERS: tuple[_Maker, ...] = (
    lambda rng, at, ms, _: frames.DropFrames(after_ms=at, for_ms=ms, share=_share(rng)),
    lambda rng, at, ms, _: frames.DropFrames(after_ms=at, for_ms=ms, share=_share(rng), way="in"),
    lambda rng, at, ms, _: frames.DelayFrames(after_ms=at, for_ms=ms, share=_share(rng), delay_ms=_span(rng, 5_000)),
    lambda rng, at, ms, _: frames.ReorderFrames(after_ms=at, for_ms=ms, share=_share(rng), delay_ms=_span(rng, 2_000)),
    lambda rng, at, ms, _: frames.DuplicateFrames(
        after_ms=at, for_ms=ms, share=_share(rng), apart_ms=_span(rng, 5_000)
    ),
    lambda rng, at, ms, _: frames.GarbleFrames(after_ms=at, for_ms=ms, share=_share(rng)),
    lambda rng, at, _ms, _: frames.CutSockets(after_ms=at, for_ms=1, share=rng.choice((0.5, 1.0))),
    lambda rng, at, ms, _: frames.CutSockets(after_ms=at, for_ms=ms, share=_share(rng) / 10, at="frame"),
    lambda rng, at, ms, _: frames.Stall(
        after_ms=at, for_ms=ms, way=rng.choice(("in", "out", "both")), share=0.5, then=rng.choice(("lose", "deliver"))
    ),
    lambda rng, at, ms, _: frames.Stall(
        after_ms=at, for_ms=ms, channel=rng.choice(("userFills", "orderUpdates", "trades", "post")), sockets="existing"
    ),
    lambda rng, at, ms, _: frames.RefuseSockets(after_ms=at, for_ms=ms, share=rng.choice((0.5, 1.0))),
    lambda rng, at, ms, _: answers.LateInclusion(
        after_ms=at, for_ms=ms, share=_share(rng), delay_ms=_span(rng, 600_000)
    ),
    lambda rng, at, ms, _: answers.DelayAnswers(
        after_ms=at, for_ms=ms, share=_share(rng), delay_ms=_span(rng, 30_000), door="both"
    ),
    lambda rng, at, ms, _: answers.LoseAnswers(
        after_ms=at, for_ms=ms, share=_share(rng), cut=rng.random() < 0.5, executes=0.5, late_ms=_span(rng, 60_000)
    ),
    lambda rng, at, ms, _: answers.ErrorAnswers(
        after_ms=at, for_ms=ms, share=_share(rng), statuses=(500, 502, 503, 504), executes=0.5, door="both"
    ),
    lambda rng, at, ms, _: answers.ErrorAnswers(after_ms=at, for_ms=ms, share=_share(rng), garbage=True, executes=0.5),
    lambda rng, at, ms, _: answers.ErrorAnswers(
        after_ms=at, for_ms=ms, share=_share(rng), statuses=(429,), executes=0.0, door="both"
    ),
    lambda rng, at, ms, _: answers.Outage(
        after_ms=at, for_ms=ms, late_ms=_span(rng, 600_000), sockets=rng.choice(("cut", "up"))
    ),
    lambda rng, at, ms, coins: market.Halt(after_ms=at, for_ms=ms, coins=rng.choice(((), (rng.choice(coins),)))),
    lambda _, at, ms, __: market.PostOnly(after_ms=at, for_ms=ms),
    lambda rng, at, ms, coins: market.ThinBooks(
        after_ms=at, for_ms=ms, coins=(rng.choice(coins),), depth_usd=rng.choice((0, _log_uniform(rng, 10, 10_000)))
    ),
    lambda rng, at, ms, _: market.Switches(
        after_ms=at,
        for_ms=ms,
        to=rng.choice(
            (
                {"repeated_cloid": "refuse"},
                {"repeated_cloid": "refuse_resting"},
                {"reply_first": True},
                {"partial_gtc": "filled"},
                {"asset_suffix": False},
                {"latency_ms": _log_uniform(rng, 10, 5_000)},
                {"max_users": 14},
            )
        ),
    ),
)
