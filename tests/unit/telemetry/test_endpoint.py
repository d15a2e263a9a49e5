from __future__ import annotations

import asyncio
import time
from typing import Self

import aiohttp
import pytest
import uvloop
from prometheus_client.parser import text_string_to_metric_families

from hlfast.telemetry import endpoint
from hlfast.telemetry.endpoint import Endpoint
from hlfast.telemetry.process import render_gauges, render_process

pytestmark = pytest.mark.asyncio


class Served:
    def __init__(self) -> None:
        self.endpoint = Endpoint(self.metrics, lambda: b'{"core":{}}', lambda: b'{"decide":{"p50":1.5}}')

    @staticmethod
    def metrics() -> bytes:
        return render_gauges({"hlfast_shell_x": ("gauge", "An x.", 2.5)}) + render_process()

    async def __aenter__(self) -> Self:
        self.url = await self.endpoint.start("127.0.0.1", 0)
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_error) -> None:
        await self.session.close()
        await self.endpoint.close()
        await self.endpoint.close()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.text()


async def test_endpoint_serves_a_parsable_exposition() -> None:
    async with Served() as served:
        status, text = await served.get("/metrics")
        assert status == 200
        families = {each.name: each for each in text_string_to_metric_families(text)}
        assert families["hlfast_shell_x"].samples[0].value == 2.5
        assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
        assert families["process_open_fds"].samples[0].value >= 3
        assert families["process_cpu_seconds"].type == "counter"
        assert families["process_start_time_seconds"].samples[0].value == pytest.approx(time.time(), abs=86_400)


async def test_endpoint_serves_on_the_engines_loop_too() -> None:
    async def main() -> str:
        async with Served() as served:
            return (await served.get("/metrics"))[1]

    def on_uvloop() -> str:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())

    assert "process_cpu_seconds_total" in await asyncio.to_thread(on_uvloop)


async def test_endpoint_serves_health_and_refuses_the_rest() -> None:
    async with Served() as served:
        assert await served.get("/health?x=1") == (200, '{"core":{}}')
        assert (await served.get("/"))[0] == 404
        async with served.session.post(served.url + "/metrics") as answer:
            assert answer.status == 405


async def test_endpoint_serves_percentiles_by_stage() -> None:
    async with Served() as served:
        assert await served.get("/latency") == (200, '{"decide":{"p50":1.5}}')


async def test_endpoint_survives_clients_that_send_nonsense_or_nothing() -> None:
    async with Served() as served:
        host, port = served.url.removeprefix("http://").split(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\xff" * 20_000)
        assert await reader.read() == b""
        writer.close()
        assert (await served.get("/health"))[0] == 200
        for _, each in idle:
            each.close()


async def test_endpoint_takes_a_head_in_pieces_and_answers_once() -> None:
    async with Served() as served:
        host, port = served.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for piece in (b"GET /hea", b"lth HTTP/1.1\r\n", b"Host: x\r\n\r\n", b"GET /health HTTP/1.1\r\n\r\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.read()).count(b"200 OK") == 1
        writer.close()


async def test_endpoint_ends_what_takes_too_long_and_holds_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_LIFE_S", 0.2)
    async with Served() as served:
        host, port = served.url.removeprefix("http://").split(":")
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(20)]
        ends = await asyncio.gather(*(reader.read() for reader, _ in opened), return_exceptions=True)
        assert all(end == b"" or isinstance(end, ConnectionError) for end in ends)
        assert len(served.endpoint.connections) == 0
        assert (await served.get("/health"))[0] == 200
        for _, writer in opened:
            writer.close()
