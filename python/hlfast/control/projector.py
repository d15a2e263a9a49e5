"""Tails a journal into a database: exactly once, restartable at any instruction, never in the engine's way.

The cursor is a row of the same database and moves in the same transaction as the rows. A projector that dies in between
leaves neither; one that starts again reads on behind the cursor. Two of them on one journal do not double anything: the
second finds the cursor moved, writes nothing and reads on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from hlfast._core import read_journal
from hlfast.config.model import Config
from hlfast.control.roster import Roster
from hlfast.control.rows import Translator, strategies_of
from hlfast.errors import JournalError
from hlfast.store.partitions import forget_before
from hlfast.store.writes import Batch, Writer

# Objects a transaction: large enough to make its commit cheap, small enough to hold in memory (about 30 MiB).
CHUNK = 20_000
_LONGEST_PAUSE_S = 30.0
_DAY_MS = 86_400_000


class Progress(msgspec.Struct):
    """How far the projector is; what its metrics show."""

    sequence: int = 0
    rows: int = 0
    receipts: int = 0
    lag_ms: int = 0  # age of the newest projected record; 0 when nothing waits
    failures: int = 0


class Projector:
    """One journal, one database.

    Args:
        engine: of `store.opened`.
        directory: the journal; it may not exist yet.
        config: the settings it is written under.
        clock_ms: Unix milliseconds.
        read: gives whole records behind a sequence, as JSON objects; another one for tests.
        pause_s: between looks at a journal that had nothing new.
        seen: called with each batch once it is written.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        directory: Path,
        config: Config,
        *,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        read: Callable[[str, int, int], list[bytes]] = read_journal,
        pause_s: float = 0.25,
        seen: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        self._directory = str(directory)
        self._journal = str(directory.resolve())
        self._config = config
        self._clock_ms = clock_ms
        self._read = read
        self._pause_s = pause_s
        self._seen = seen
        self._engine = engine
        self._writer = Writer(engine, self._journal)
        self._forgot_ms = 0
        self.progress = Progress()

    async def catch_up(self, chunk: int = CHUNK) -> Progress:
        """Project everything the journal holds now."""
        after = await self._writer.cursor()
        # A new one for each run: what it carries between batches must begin where the cursor stands.
        kept = await self._writer.roster()
        roster = None if kept is None else msgspec.convert(kept, Roster)
        translator, is_first = Translator(self._journal, self._config, roster), True
        while await asyncio.to_thread(self._is_there):
            objects = await asyncio.to_thread(self._read, self._directory, after, chunk)
            if not objects:
                break
            batch = translator.batch(objects, after)
            if after == 0 and not batch.people:
                batch.people = translator.people()
            if is_first:
                # The engine is told follows alone: strategies are in the settings, and in no journal.
                batch.people = batch.people | {"strategies": strategies_of(self._config, translator.now_ms)}
            if await self._writer.write(batch, after=after, now_ms=self._clock_ms()):
                self._count(batch, translator.now_ms)
                self._seen(batch)
                after, is_first = batch.sequence, False
            else:
                after = await self._writer.cursor()
        self.progress.sequence, self.progress.lag_ms = after, 0
        return self.progress

    async def forget_old(self) -> dict[str, int]:
        """Forget what is older than `store.keep_days`, at most once a day; returns what was dropped, by table.

        The cursor is behind it: what is dropped is not projected again. The journal keeps all until it is archived.
        """
        now_ms, days = self._clock_ms(), self._config.store.keep_days
        if not days or now_ms - self._forgot_ms < _DAY_MS:
            return {}
        dropped = await forget_before(self._engine, now_ms - days * _DAY_MS)
        self._forgot_ms = now_ms
        return dropped

    def _is_there(self) -> bool:
        return Path(self._directory).exists()

    def _count(self, batch: Batch, newest_ms: int) -> None:
        self.progress.sequence = batch.sequence
        self.progress.rows += batch.count()
        self.progress.receipts += len(batch.rows["receipts"])
        self.progress.lag_ms = max(0, self._clock_ms() - newest_ms)

    async def follow(self, stop: asyncio.Event, told: Callable[[str], None]) -> None:
        """Project until `stop`. A database that is away is waited for, at most 30 s at a time: the journal keeps all.

        Args:
            stop: set it to end behind the present batch.
            told: gets one line for each new trouble.
        """
        pause = self._pause_s
        while not stop.is_set():
            try:
                await self.catch_up()
                await self.forget_old()
                pause = self._pause_s
            except (sa.exc.DBAPIError, OSError, JournalError) as error:
                self.progress.failures += 1
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                told(f"nothing is lost, trying again in {pause:g} s: {str(error).splitlines()[0]}")
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue


def render(progress: Progress) -> bytes:
    """Return the progress as Prometheus text."""
    lines = []
    for name, kind, about, value in (
        ("hlfast_projector_lag_ms", "gauge", "Age of the newest projected record while more wait.", progress.lag_ms),
        ("hlfast_projector_sequence", "gauge", "Last journal record in the database.", progress.sequence),
        ("hlfast_projector_receipts_total", "counter", "Receipts written since the start.", progress.receipts),
        ("hlfast_projector_failures_total", "counter", "Tries that the database refused.", progress.failures),
    ):
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}", f"{name} {value}"]
    return ("\n".join(lines) + "\n").encode()
