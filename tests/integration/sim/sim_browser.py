"""A real browser over its DevTools protocol: open a page, run expressions in it, read what it complained about."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
)
DEADLINE_S = 60  # a cold start on a busy machine takes a while


class Tab:
    """One page. `complaints` holds console errors, uncaught exceptions and refused loads."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.complaints: list[str] = []

    async def listen(self) -> None:
        async for message in self._socket:
            said = orjson.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(said["params"]["exceptionDetails"]))
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.complaints.append(str(said["params"]["entry"]))
            elif said["method"] == "Runtime.consoleAPICalled" and said["params"]["type"] in ("error", "warning"):
                self.complaints.append(str(said["params"]["args"]))

    async def call(self, method: str, **params: Any) -> Any:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        request = {"id": self._number, "method": method, "params": params}
        await self._socket.send_str(orjson.dumps(request).decode())
        said = await asyncio.wait_for(answer, DEADLINE_S)
        assert "error" not in said, said
        return said["result"]

    async def value(self, expression: str) -> Any:
        """Return what a JavaScript expression is in the page."""
        said = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until an expression is truthy in the page, and return it."""
        end = time.monotonic() + DEADLINE_S
        while not (found := await self.value(expression)):
            assert time.monotonic() < end, f"never true in the page: {expression}"
            await asyncio.sleep(0.05)
        return found

    async def click(self, selector: str) -> None:
        """Click as a hand does: with the pointer, at the middle of what the selector finds."""
        await self.value(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        box = f"(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();"
        x, y = await self.value(box + " return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def screenshot(self) -> bytes:
        """Return what the page shows as a PNG."""
        said = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(said["data"])


def launch(profile: str, size: tuple[int, int]) -> subprocess.Popen[bytes]:
    program = shutil.which("chromium")
    assert program, "these tests need the Debian package chromium"
    window = f"--window-size={size[0]},{size[1]}"
    command = [program, *FLAGS, window, f"--user-data-dir={profile}", "about:blank"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextlib.asynccontextmanager
async def open_tab(url: str, *, size: tuple[int, int] = (1440, 900)) -> AsyncIterator[Tab]:
    """Start a browser of its own, with an empty profile, on a page; it ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = launch(profile, size)
        try:
            port = await _port(Path(profile), process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    target = next(row for row in await answer.json(content_type=None) if row["type"] == "page")
                async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    tab = Tab(socket)
                    listener = asyncio.create_task(tab.listen())
                    for domain in ("Runtime", "Log", "Page"):
                        await tab.call(f"{domain}.enable")
                    await tab.call(
                        "Emulation.setDeviceMetricsOverride",
                        width=size[0],
                        height=size[1],
                        deviceScaleFactor=1,
                        mobile=False,
                    )
                    await tab.call("Page.navigate", url=url)
                    yield tab
                    listener.cancel()
        finally:
            process.terminate()
            process.wait(20)


async def _port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + DEADLINE_S
    told = profile / "DevToolsActivePort"
    while not told.exists() or not told.read_text().strip():
        assert process.poll() is None, f"the browser ended with {process.returncode}"
        assert time.monotonic() < end, "the browser never opened its DevTools port"
        await asyncio.sleep(0.05)
    return int(told.read_text().splitlines()[0])
