"""Child processes: a ready line or a clear error, a truthful exit code, nothing left running."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hlfast.demo.processes import Child, ProcessError

READY = """\
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print('{"base_url": "http://x"}', flush=True)
time.sleep(60)
"""

Module = Callable[[str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """Write a module that `python -m` finds; returns its name."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(code: str) -> str:
        (tmp_path / "stand_in.py").write_text(code)
        return "stand_in"

    return write


@pytest.mark.asyncio
async def test_child_gives_its_ready_line_and_ends_cleanly(module: Module, tmp_path: Path) -> None:
    child = await Child.start("sim", module(READY), directory=tmp_path)
    assert child.ready == {"base_url": "http://x"}
    assert child.running
    assert await child.stop() == 0
    assert not child.running


@pytest.mark.asyncio
async def test_child_that_ends_before_it_is_ready_says_why(module: Module, tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match=r"(?s)exit code 3.*no such key"):
        await Child.start(
            "engine", module("import sys\nprint('no such key', file=sys.stderr)\nsys.exit(3)"), directory=tmp_path
        )


@pytest.mark.asyncio
async def test_child_that_says_something_else_is_refused(module: Module, tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="expected one JSON object"):
        await Child.start("engine", module("print('hello')"), directory=tmp_path)


@pytest.mark.asyncio
async def test_child_that_stays_silent_is_killed(module: Module, tmp_path: Path) -> None:
    child = await Child.spawn("engine", module("import time\ntime.sleep(60)"), directory=tmp_path)
    assert not await child.said_ready()
    with pytest.raises(ProcessError, match="wasn't ready"):
        await child.wait_ready(0.3)
    assert not child.running


@pytest.mark.asyncio
async def test_killed_child_has_a_signal_as_exit_code(module: Module, tmp_path: Path) -> None:
    child = await Child.start("engine", module(READY), directory=tmp_path)
    await child.kill()
    assert await child.stop() == -9
