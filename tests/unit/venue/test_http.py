"""The REST road: what came back, verbatim; and status 0 when nothing did."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web

from hlfast.venue import http
from hlfast.venue.exchange import Exchange
from hlfast.venue.http import HttpRoad
from hlfast.venue.info import Info

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/{path}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.Response(status=int(request.headers.get("X-Status", "200")), body=request.path.encode() + b" " + body)


async def test_raw_reads_and_actions_return_what_came() -> None:
    async with serving(echo) as url, HttpRoad(url + "/") as road:
        assert await Info(road).raw({"type": "meta", "dex": ""}) == (200, b'/info {"type":"meta","dex":""}')
        assert await Exchange(road).raw(b'{"action":{}}') == (200, b'/exchange {"action":{}}')


@pytest.mark.parametrize("status", [302, 400, 422, 429, 500, 502])
async def test_any_status_is_a_value(status: int) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="as it is", headers={"Location": "/elsewhere"})

    async with serving(refuse) as url, HttpRoad(url) as road:
        assert await road.post("/info", b"{}") == (status, b"as it is")


async def test_a_refused_connection_is_no_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with HttpRoad(f"http://127.0.0.1:{taken.getsockname()[1]}") as road:
            status, reason = await road.post("/exchange", b"{}")
    assert status == 0
    assert b"Connect" in reason


async def test_a_late_answer_is_no_answer() -> None:
    release = asyncio.Event()

    async def late(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with serving(late) as url, HttpRoad(url) as road:
        status, reason = await road.post("/exchange", b"{}", deadline_ms=30)
        assert status == 0
        assert b"Timeout" in reason
        release.set()


async def test_an_answer_cut_off_is_no_answer() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(cut) as url, HttpRoad(url) as road:
        status, _ = await road.post("/exchange", b"{}")
        assert status == 0


async def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 1000)

    async def long(_request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(["x" * 1000]))

    async with serving(long) as url, HttpRoad(url) as road:
        status, reason = await road.post("/info", b"{}")
        assert status == 0
        assert b"more than 1000 bytes" in reason
