from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import sqlalchemy as sa
from tests.fakes import journal, postgres

from hlfast.config.model import Config, Part, Store, Strategy
from hlfast.control.projector import Projector, render
from hlfast.store import tables
from hlfast.store.database import opened
from hlfast.store.writes import Batch, Writer

BENCH = Path(__file__).parents[3] / "bench" / "research" / "projector.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("projector_bench", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def back_up(url: str, path: Path) -> None:
    """Copy a database that nobody has open, as its operators do."""
    if url.startswith("sqlite"):
        shutil.copy(url.removeprefix("sqlite:///"), path)
    else:
        postgres.dump(url, path)


def restore(url: str, path: Path) -> None:
    if url.startswith("sqlite"):
        shutil.copy(path, url.removeprefix("sqlite:///"))
    else:
        postgres.restore(url, path)


@pytest.mark.asyncio
async def test_projector_writes_each_row_once_however_it_is_cut(url: str, bench: ModuleType) -> None:
    for records, chunk in ((7, 1), (7, 50), (60, 13), (200, 20_000)):
        async with opened(url) as engine:
            await Projector(engine, Path("/"), journal.config(), read=journal.reader(records)).catch_up(chunk)
    await bench.check(url, 200)


@pytest.mark.asyncio
async def test_database_restored_from_an_older_backup_is_filled_again(
    url: str, tmp_path: Path, bench: ModuleType
) -> None:
    async def project(records: int) -> int:
        async with opened(url) as engine:
            projector = Projector(engine, Path("/"), journal.config(), read=journal.reader(records))
            await projector.catch_up(13)
            return projector.progress.receipts

    await project(40)
    back_up(url, tmp_path / "backup")
    await project(100)
    restore(url, tmp_path / "backup")
    await bench.check(url, 40)
    assert await project(130) == 90 * journal.PER_RECORD
    await bench.check(url, 130)


@pytest.mark.timeout(300)
def test_projector_killed_loses_and_doubles_nothing(url: str, bench: ModuleType) -> None:
    assert bench.kill_often(url, 600, 6, seed=3) > 0
    asyncio.run(bench.check(url, 600))


@pytest.mark.asyncio
async def test_two_projectors_of_one_journal_double_nothing(url: str, bench: ModuleType) -> None:
    async with opened(url) as engine:
        both = [Projector(engine, Path("/"), journal.config(), read=journal.reader(120)) for _ in range(2)]
        await asyncio.gather(*(one.catch_up(40) for one in both))
        assert sum(one.progress.receipts for one in both) == 120 * journal.PER_RECORD
    await bench.check(url, 120)


@pytest.mark.asyncio
async def test_batch_whose_write_fails_moves_no_cursor(url: str) -> None:
    async with opened(url) as engine:
        writer = Writer(engine, "j")
        good = ("a", journal.START_MS, "1", "0")
        broken = Batch(sequence=5, rows={"equity": [good, ("a", journal.START_MS + 1, None, "0")]})
        with pytest.raises((sa.exc.DBAPIError, sa.exc.StatementError, Exception), match=r"(?i)null"):
            await writer.write(broken, after=0, now_ms=1)
        assert await writer.cursor() == 0
        async with engine.connect() as connection:
            assert await connection.scalar(sa.select(sa.func.count()).select_from(tables.equity)) == 0


@pytest.mark.asyncio
async def test_people_and_entitled_positions_are_there(url: str) -> None:
    async with opened(url) as engine:
        await Projector(engine, Path("/"), journal.config(), read=journal.reader(9)).catch_up()
        async with engine.connect() as connection:
            assert (await connection.scalars(sa.select(tables.leaders.c.address))).all() == ["0x" + "aa" * 20]
            policy = await connection.scalar(sa.select(tables.follows.c.policy).limit(1))
            held = sa.select(tables.positions.c.entitled).where(
                (tables.positions.c.follower == "f2") & (tables.positions.c.coin == "ETH")
            )
            assert str(await connection.scalar(held)) == "1.0"
    assert policy["ratio"] == "0.1"


@pytest.mark.asyncio
async def test_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """Nothing of it reaches the engine: the projector says so, counts, and goes on when it is back."""
    said: list[str] = []
    fails = 2

    def read(directory: str, after: int, limit: int) -> list[bytes]:
        nonlocal fails
        if fails:
            fails -= 1
            raise OSError("disk is away")
        if after == 5:
            loop.call_soon_threadsafe(there.set)
        return journal.reader(5)(directory, after, limit)

    stop, there, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    async with opened(f"sqlite:///{tmp_path}/x.db") as engine:
        projector = Projector(engine, Path("/"), journal.config(), read=read, pause_s=0)
        following = asyncio.create_task(projector.follow(stop, said.append))
        await asyncio.wait_for(there.wait(), 30)
        stop.set()
        await following
    assert projector.progress.failures == 2
    assert [line.rpartition(": ")[2] for line in said] == ["disk is away"] * 2
    assert b"hlfast_projector_failures_total 2" in render(projector.progress)


@pytest.mark.asyncio
async def test_strategies_are_those_of_the_settings_and_keep_their_first_time(url: str) -> None:
    def config(allocation: str) -> Config:
        part = Part(leader="lead", allocation=allocation)
        strategy = Strategy(name="one", follower="f0", kind="mirror", parts=(part,))
        return msgspec.structs.replace(journal.config(), strategies=(strategy,))

    async with opened(url) as engine:
        for records, allocation in ((3, "0.1"), (9, "0.4")):
            await Projector(engine, Path("/"), config(allocation), read=journal.reader(records)).catch_up()
        async with engine.connect() as connection:
            [row] = (await connection.execute(sa.select(tables.strategies))).all()
    assert (row.name, row.kind, row.settings["parts"]) == ("one", "mirror", [{"leader": "lead", "allocation": "0.4"}])
    assert row.since_ms == journal.START_MS + 3 * 5_000


@pytest.mark.asyncio
async def test_what_is_older_than_it_is_kept_for_is_forgotten_once_a_day_and_not_projected_again(url: str) -> None:
    day_ms = 86_400_000
    now = [journal.START_MS + 5_000]
    kept = msgspec.structs.replace(journal.config(), store=Store(url=url, keep_days=31))

    async def receipts() -> int:
        async with engine.connect() as connection:
            return int(await connection.scalar(sa.select(sa.func.count()).select_from(tables.receipts)) or 0)

    async with opened(url) as engine:
        projector = Projector(engine, Path("/"), kept, clock_ms=lambda: now[0], read=journal.reader(10))
        await projector.catch_up()
        assert not any((await projector.forget_old()).values())
        assert await receipts() == 10 * journal.PER_RECORD
        now[0] += day_ms // 2
        assert await projector.forget_old() == {}, "once a day"
        now[0] += 70 * day_ms
        assert (await projector.forget_old())["receipts"] > 0
        assert await receipts() == 0
        await projector.catch_up()
        assert await receipts() == 0
        for_ever = Projector(engine, Path("/"), journal.config(), clock_ms=lambda: now[0], read=journal.reader(10))
        assert await for_ever.forget_old() == {}
