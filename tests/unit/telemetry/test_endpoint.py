from __future__ import annotations

import asyncio
import threading
from typing import Self

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hlfast.telemetry.endpoint import Endpoint
from hlfast.telemetry.process import render_gauges, render_process

pytestmark = pytest.mark.asyncio


class Served:
    def __init__(self) -> None:
        self.rendered_in: list[str] = []
        self.prepared_in: list[str] = []
        self.endpoint = Endpoint(self.prepare, lambda: b'{"core":{}}', lambda: b'{"decide":{"p50":1.5}}')

    def prepare(self):
        self.prepared_in.append(threading.current_thread().name)

        def render() -> bytes:
            self.rendered_in.append(threading.current_thread().name)
            return render_gauges({"hlfast_shell_x": ("gauge", "An x.", 2.5)}) + render_process()

        return render

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


async def test_endpoint_serves_a_parsable_exposition_rendered_off_the_loop() -> None:
    async with Served() as served:
        status, text = await served.get("/metrics")
        assert status == 200
        families = {each.name: each for each in text_string_to_metric_families(text)}
        assert families["hlfast_shell_x"].samples[0].value == 2.5
        assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
        assert families["process_open_fds"].samples[0].value >= 3
        assert families["process_cpu_seconds"].type == "counter"
        assert served.prepared_in == [threading.current_thread().name]
        assert served.rendered_in[0].startswith("hlfast-metrics")


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
