"""One follower's trouble is nobody else's (I12): the same world twice, once with a follower that fails."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hlfast.gameday.world import Options, World

_HURT_AFTER_S: Final = 60.0
# What a receipt says beside times and counters that are the whole engine's.
_SAID: Final = ("coin", "tid", "outcome", "reason", "ordered", "filled", "entitled_before", "entitled_after")


class _Beside(World):
    """A world without faults, but for what happens to its last follower."""

    hurts = False

    async def _chaos(self) -> None:
        await asyncio.sleep(_HURT_AFTER_S)
        if self.hurts:
            last = self.cast.followers[-1]
            self.trouble.revoked.add(last.name)
            self.control(op="revoke_agent", agent=last.agent)
        await asyncio.sleep(self.options.seconds - _HURT_AFTER_S)


def _told(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Follower → what it traded and what its receipts say, but for the last one."""
    evidence = world.last_evidence
    names = {follower.account: follower.name for follower in evidence.config.followers[:-1]}
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in names.values()}
    for row in evidence.ledger["fills"]:
        if row["user"] in names:
            found[names[row["user"]]].append((row["coin"], row["side"], row["sz"], row["px"]))
    for row in evidence.objects("receipt"):
        if row["follower"] < len(names):
            name = evidence.config.followers[row["follower"]].name
            found[name].append(tuple(row[each] for each in _SAID))
    return found


def isolation(seed: int, seconds: float, followers: int = 5) -> Iterator[str]:
    """Play a seed with and without a follower that fails; yields who else did something else because of it."""
    told = []
    for hurts in (False, True):
        with tempfile.TemporaryDirectory(prefix="hlfast-gameday-") as directory:
            options = Options(seed=seed, seconds=seconds, only=frozenset(), followers=followers)
            world = _Beside(options, Path(directory))
            world.hurts = hurts
            result = world.run()
            yield from (f"{each.invariant}: {each.text}" for each in result.violations)
            told.append(_told(world))
    sound, hurt = told
    for name, rows in sound.items():
        if rows != hurt[name]:
            first = next((pair for pair in zip(rows, hurt[name], strict=False) if pair[0] != pair[1]), None)
            yield f"{name} did something else: {first or (len(rows), len(hurt[name]))}"
