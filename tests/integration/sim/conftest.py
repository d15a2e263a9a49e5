"""The simulator as a process of its own, the way every client meets it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import coincurve
import pytest

from hlfast.sim import signatures
from hlfast.sim.actions import convert_envelope

ROOT = Path(__file__).parents[3]


class Process:
    """A running `python -m hlfast.sim --json`."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hlfast.sim", "--port", "0", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT / "python")},
        )
        assert self._process.stdout is not None
        self.ready = self._process.stdout.readline()
        self.base_url = str(json.loads(self.ready)["base_url"])

    def post(self, path: str, body: Any) -> tuple[int, bytes]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def control(self, **request: Any) -> dict[str, Any]:
        status, body = self.post("/control", request)
        assert status == 200, body
        return dict(json.loads(body))

    def info(self, kind: str, **fields: Any) -> Any:
        status, body = self.post("/info", {"type": kind} | fields)
        assert status == 200, body
        return json.loads(body)

    def stop(self) -> tuple[int, str, str]:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        out, err = self._process.communicate(timeout=10)
        return self._process.returncode, out, err


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def begin(*options: str) -> Process:
        running.append(Process(*options))
        return running[-1]

    yield begin
    for process in running:
        process.stop()


def signed(secret: int, action: dict[str, Any], **outer: Any) -> dict[str, Any]:
    """Sign an action for testnet, as a client does."""
    nonce = outer.pop("nonce", time.time_ns() // 1_000_000)
    body: dict[str, Any] = {"action": action, "nonce": nonce, "signature": {"r": "0x1", "s": "0x1", "v": 27}} | outer
    hashed = signatures.digest_of(convert_envelope(body), "testnet")
    assert hashed is not None
    packed = coincurve.PrivateKey(secret.to_bytes(32, "big")).sign_recoverable(hashed[1], hasher=None)
    numbers = {"r": hex(int.from_bytes(packed[:32])), "s": hex(int.from_bytes(packed[32:64])), "v": 27 + packed[64]}
    return body | {"signature": numbers}


@pytest.fixture(scope="session")
def sign() -> Callable[..., dict[str, Any]]:
    return signed
