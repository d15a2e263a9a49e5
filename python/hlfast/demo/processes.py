"""The two processes of the demo: the simulated exchange and the engine, each with one ready line of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

READY_S = 45.0
# The engine waits up to 10 s for orders in flight when it is told to stop.
STOP_S = 12.0
TAIL_LINES = 15


class ProcessError(RuntimeError):
    """A process of the demo didn't get ready or didn't end well; carries the end of what it said."""


class Child:
    """One child process; its standard error goes to a file beside the journal."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log
        self.ready: dict[str, Any] = {}
        self._rest: asyncio.Task[None] | None = None

    @classmethod
    async def spawn(
        cls, name: str, *arguments: str, directory: Path, environment: Mapping[str, str] | None = None
    ) -> Child:
        """Run `python -m …` and don't wait; `environment` is added to this process's own."""
        log = directory / f"{name}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(environment or {})},
            )
        return cls(name, process, log)

    @classmethod
    async def start(cls, name: str, *arguments: str, directory: Path) -> Child:
        """Run `python -m …` and wait for its ready line.

        Raises:
            ProcessError: it ended, stayed silent, or said something else.
        """
        child = await cls.spawn(name, *arguments, directory=directory)
        await child.wait_ready()
        return child

    async def wait_ready(self, seconds: float = READY_S) -> None:
        """Wait for the ready line; end the process if it doesn't come.

        Raises:
            ProcessError: it ended, stayed silent, or said something else.
        """
        try:
            await asyncio.wait_for(self._get_ready(), seconds)
        except (TimeoutError, ValueError) as why:
            await self.kill()
            raise ProcessError(f"{self.name} wasn't ready within {seconds:.0f} s: {why}\n{self.tail()}") from why
        self._rest = asyncio.create_task(self._discard())

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.returncode is None

    async def _get_ready(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        line = await self.process.stdout.readline()
        if not line:
            await self.process.wait()
            raise ValueError(f"it ended with exit code {self.process.returncode}")
        try:
            self.ready = dict(json.loads(line))
        except (ValueError, TypeError) as why:
            raise ValueError(f"expected one JSON object, got {line[:200]!r}") from why

    async def said_ready(self) -> bool:
        """Whether the ready line has come; doesn't wait for it."""
        if self.ready:
            return True
        with contextlib.suppress(TimeoutError, ValueError):
            await asyncio.wait_for(self._get_ready(), 0.01)
        return bool(self.ready)

    async def _discard(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        while await self.process.stdout.read(65_536):
            pass

    async def stop(self) -> int:
        """Ask it to end (SIGTERM) and wait; kill it after STOP_S. Returns the exit code, negative for a signal."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), STOP_S)
            except TimeoutError:
                await self.kill()
        await self._finish()
        return self.process.returncode if self.process.returncode is not None else -1

    async def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.process.wait()
        await self._finish()

    async def _finish(self) -> None:
        if self._rest is not None:
            await self._rest
            self._rest = None

    def tail(self) -> str:
        """The last lines it wrote to standard error."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-TAIL_LINES:])


class Simulator:
    """The control door of a running simulator, over one kept connection."""

    def __init__(self, child: Child, session: Any) -> None:
        self.child = child
        self.base_url = str(child.ready["base_url"])
        self._session = session

    async def control(self, op: str, **fields: Any) -> dict[str, Any]:
        """Run one control operation.

        Raises:
            ProcessError: the simulator refused it; says why.
        """
        answer: dict[str, Any] = await self._post("/control", {"op": op, **fields})
        return answer

    async def info(self, **body: Any) -> Any:
        """Ask `/info` as any client would."""
        return await self._post("/info", body)

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        async with self._session.post(self.base_url + path, json=body) as answer:
            text = await answer.read()
            if answer.status != 200:
                raise ProcessError(
                    f"the simulator refused {body.get('op') or body.get('type')}: {text[:300].decode(errors='replace')}"
                )
            return json.loads(text)
