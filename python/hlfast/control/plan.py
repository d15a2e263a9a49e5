"""Every order that settings would send now, before anything is applied: the real core, real reads, and no hands.

The core begins where the journal ends, or from nothing without one. Reads go to the venue as the engine's own; orders
are filled at their limit by nobody, so that what follows from them is seen too. Nothing is written, signed or sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from hlfast._core import Rehearsal
from hlfast.config.model import Config, for_core
from hlfast.engine.markets import meta_requests
from hlfast.errors import HlfastError
from hlfast.feeds.backfill import Backfill

Read = Callable[[dict[str, Any]], Awaitable[tuple[int, bytes]]]

_STEP_MS: Final = 100
# Missed fills have 5 s before positions are compared, a difference is looked at again after 1 s, then fills are read.
_QUIET_MS: Final = 12_000
# A plan that never comes to rest is cut here; a minute of retries shows what there is to show.
_MOST_MS: Final = 120_000
_READS: Final = 8


class Planned(msgspec.Struct, frozen=True):
    """One order."""

    follower: str
    coin: str
    side: str  # "buy" or "sell"
    size: Decimal
    limit: Decimal | None  # None: the venue's TWAP, which has none
    reduce_only: bool
    kind: str  # "open", "reduce" or "stop"
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """What would be sent.

    Attributes:
        due: by the next start, under the settings that the journal knows.
        by_settings: because of the new settings.
        said: what the core says of the new settings; empty when they are the ones in force.
        is_ready: every account was read.
    """

    due: tuple[Planned, ...]
    by_settings: tuple[Planned, ...]
    said: tuple[str, ...]
    is_ready: bool


class _Ask(msgspec.Struct):
    token: int = 0
    request: dict[str, Any] | None = None


class PlanRefusedError(HlfastError):
    """The core does not take the settings; the text names what is wrong."""


async def plan(
    config: Config, read: Read, now_ms: int, *, directory: Path | None, parting: str = "reduce", from_file: bool = True
) -> Plan:
    """Rehearse.

    Args:
        config: the settings to be judged.
        read: posts a body to /info; status 0 when no answer came.
        now_ms: venue time.
        directory: the journal to begin from, if it has any record.
        parting: what becomes of follows that the settings leave out.
        from_file: whether they are to replace what the journal's file had; False: what is in force.

    Raises:
        PlanRefusedError: the core refuses them.
        JournalError: the journal can't be read.
    """
    settings = for_core(config)
    rehearsal = await asyncio.to_thread(Rehearsal, settings, str(directory) if directory else None, now_ms)
    clock = _Clock(now_ms)
    before = _status(rehearsal)
    for request in meta_requests(config.venue.dexs):
        status, body = await read(request)
        if status != 200:
            raise HlfastError(f"the venue's metadata could not be read (status {status}): try again")
        rehearsal.load_meta(body)
    rehearsal.start()
    await _settle(rehearsal, read, clock)
    settled = _status(rehearsal)
    due = _orders(rehearsal, before, settled)
    if directory is None or (from_file and rehearsal.changed(settings) is None and _in_force(rehearsal, config)):
        return Plan((), due, (), settled["ready"]) if directory is None else Plan(due, (), (), settled["ready"])
    said = _configure(rehearsal, settings, parting, from_file=from_file)
    await _settle(rehearsal, read, clock)
    after = _status(rehearsal)
    return Plan(due, _orders(rehearsal, settled, after), said, after["ready"])


class _Clock:
    """Venue time, moved by hand."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.end_ms = now_ms + _MOST_MS


async def _settle(rehearsal: Rehearsal, read: Read, clock: _Clock) -> None:
    """Let time pass until nothing is asked for and nothing is decided any more."""
    quiet_ms = 0
    one_at_a_time = asyncio.Semaphore(_READS)
    paged = Backfill(read, lambda _: True)

    async def answer(ask: _Ask) -> None:
        async with one_at_a_time:
            status, body = await paged.read(ask.request or {})
        rehearsal.on_info(ask.token, status, body)

    while quiet_ms < _QUIET_MS and clock.now_ms < clock.end_ms:
        asks = [msgspec.json.decode(raw, type=_Ask) for raw in rehearsal.take_requests()]
        await asyncio.gather(*(answer(ask) for ask in asks if ask.request is not None))
        clock.now_ms += _STEP_MS
        quiet_ms += _STEP_MS
        rehearsal.on_tick(clock.now_ms)


def _configure(rehearsal: Rehearsal, settings: bytes, parting: str, *, from_file: bool) -> tuple[str, ...]:
    request = {
        "do": "configure",
        "config": msgspec.Raw(settings),
        "revision": rehearsal.settings()[1],
        "parting": parting,
        "from_file": from_file,
    }
    answer = msgspec.json.decode(rehearsal.operate(msgspec.json.encode(request)))
    if not answer["ok"]:
        raise PlanRefusedError(f"{answer['refused']}: {answer['fix']}")
    return tuple(answer["said"])


def _in_force(rehearsal: Rehearsal, config: Config) -> bool:
    """Whether the settings name the people and follows in force: an operator may have changed them since the file."""
    live = msgspec.json.decode(rehearsal.settings()[0])
    wanted = msgspec.json.decode(for_core(config))
    return all(live[name] == wanted[name] for name in ("leaders", "followers", "follows"))


def _status(rehearsal: Rehearsal) -> dict[str, Any]:
    status: dict[str, Any] = msgspec.json.decode(rehearsal.status())
    return status


def _orders(rehearsal: Rehearsal, before: dict[str, Any], after: dict[str, Any]) -> tuple[Planned, ...]:
    rows = msgspec.json.decode(rehearsal.take_orders())
    return tuple(
        Planned(
            follower=row["follower"],
            coin=row["coin"],
            side="buy" if row["is_buy"] else "sell",
            size=Decimal(row["size"]),
            limit=None if row["limit"] is None else Decimal(row["limit"]),
            reduce_only=row["reduce_only"],
            kind=row["kind"],
            reason=_reason(row, before, after),
        )
        for row in rows
        if row["kind"] != "other"
    )


def _reason(row: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> str:
    """Say which follow's part moved, and why as far as the states tell."""
    if row["kind"] == "stop":
        return "a stop for what is held"
    reasons = []
    for edge in after["follows"]:
        if edge["follower"] != row["follower"]:
            continue
        then = next((one for one in before["follows"] if _same(one, edge)), None)
        had = Decimal(then["entitled"].get(row["coin"], "0")) if then else Decimal(0)
        has = Decimal(edge["entitled"].get(row["coin"], "0"))
        if had == has:
            continue
        if edge["removed"] and (then is None or not then["removed"]):
            reasons.append(f"{edge['leader']} is not followed any more")
        elif then and row["coin"] in then["ratios"] and _ratio(then, row) != _ratio(edge, row):
            reasons.append(f"takes another ratio to {edge['leader']}: {had.normalize():f} to {has.normalize():f}")
        elif abs(has) > abs(had):
            reasons.append(f"adopts {edge['leader']}'s position: {had.normalize():f} to {has.normalize():f}")
        else:
            reasons.append(f"{edge['leader']} holds less: {had.normalize():f} to {has.normalize():f}")
    return "; ".join(reasons) or "held and due were apart"


def _ratio(edge: dict[str, Any], row: dict[str, Any]) -> Any:
    return edge["ratios"].get(row["coin"])


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["leader"] == other["leader"] and one["follower"] == other["follower"])
