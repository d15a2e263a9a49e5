"""The page on `/` in a real browser: what it shows is the venue's, and its switches work."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

import pytest
from sim_browser import Tab, open_tab

LEADER = "0x" + "1e" * 20
CLIENT = 7
FILL = {"coin": "BTC", "px": "70700", "sz": "0.25", "side": "B", "time": 1, "startPosition": "0"}


def texts(selector: str) -> str:
    return f"[...document.querySelectorAll({selector!r})].map((node) => node.textContent)"


def checked(switch: str) -> str:
    return f"document.getElementById('switch-{switch}').getAttribute('aria-checked')"


def on_page(url: str, steps: Callable[[Tab], Coroutine[Any, Any, None]]) -> None:
    """Run steps in a browser on the page; at the end it must have complained about nothing."""

    async def run() -> None:
        async with open_tab(url + "/") as tab:
            await tab.until("document.body?.dataset.ready === 'yes'")
            await steps(tab)
            assert tab.complaints == []

    asyncio.run(run())


@pytest.fixture(scope="module")
def process(start: Callable[..., Any]) -> Any:
    return start("--auto-fund", "10000")


def test_book_trades_fills_accounts_and_requests_are_shown(process: Any, sign: Callable[..., Any]) -> None:
    order = {"a": 0, "b": True, "p": "71000", "s": "0.001", "r": False, "t": {"limit": {"tif": "Ioc"}}}
    status, body = process.post("/exchange", sign(CLIENT, {"type": "order", "orders": [order], "grouping": "na"}))
    assert (status, b"filled" in body) == (200, True), body
    process.control(op="leader_fills", address=LEADER, rows=[FILL])
    levels = process.info("l2Book", coin="BTC")["levels"]

    async def steps(tab: Tab) -> None:
        assert await tab.value("getComputedStyle(document.querySelector('.mark')).display") != "none"
        assert "SIMULATED" in await tab.value("document.querySelector('header').innerText")
        await tab.until("document.querySelectorAll('#trades tr').length === 2")
        bids, asks = await tab.value(texts("#bids td:first-child")), await tab.value(texts("#asks td:first-child"))
        assert bids == [row["px"].removesuffix(".0") for row in levels[0]]
        assert asks == [row["px"].removesuffix(".0") for row in reversed(levels[1])]
        fills = await tab.value("[...document.querySelectorAll('#fills tr')].map((row) => row.innerText.split('\\t'))")
        assert [row[2:] for row in fills] == [
            ["BTC", "buy", "70700", "0.25", "recording"],
            ["BTC", "buy", fills[1][4], "0.001", "own key"],
        ]
        assert f"{LEADER[:6]}…{LEADER[-4:]}" in await tab.value(texts("#accounts td:first-child"))
        (request,) = await tab.value(texts("#requests td:last-child"))
        assert '"filled"' in request

    on_page(process.base_url, steps)


def test_a_clicked_rule_holds_and_is_seen_by_clients(process: Any, sign: Callable[..., Any]) -> None:
    async def steps(tab: Tab) -> None:
        assert await tab.value(checked("halted")) == "false"
        await tab.click("#switch-halted")
        await tab.until(f"{checked('halted')} === 'true'")
        order = {"a": 0, "b": True, "p": "71000", "s": "0.001", "r": False, "t": {"limit": {"tif": "Ioc"}}}
        _, body = process.post("/exchange", sign(CLIENT, {"type": "order", "orders": [order], "grouping": "na"}))
        assert b"Trading is halted" in body
        await tab.until(f"{texts('#requests td:last-child')}.some((text) => text.includes('Trading is halted'))")
        await tab.click("#switch-halted")
        await tab.until(f"{checked('halted')} === 'false'")

    on_page(process.base_url, steps)


def test_every_switch_goes_on_and_off(process: Any) -> None:
    async def steps(tab: Tab) -> None:
        names = await tab.value("[...document.querySelectorAll('[role=switch]')].map((node) => node.id)")
        assert len(names) >= 19
        for name in names:
            before = await tab.value(checked(name.removeprefix("switch-")))
            for wanted in ("false" if before == "true" else "true", before):
                await tab.value(f"document.getElementById('{name}').click()")
                await tab.until(f"{checked(name.removeprefix('switch-'))} === '{wanted}'")
        assert await tab.value("document.getElementById('said').className") != "wrong"
        await tab.until("document.getElementById('live').dataset.state === 'up'")
        # What the faults themselves provoked in the browser (refused sockets, errors) is no fault of the page.
        tab.complaints.clear()

    on_page(process.base_url, steps)
    state = process.control(op="faults")
    assert all(row["state"] == "over" for row in state["faults"])
    assert len(state["faults"]) >= 10
    assert all(row["done"] for row in process.control(op="plays")["plays"])


def test_every_choice_is_taken(process: Any) -> None:
    async def steps(tab: Tab) -> None:
        await tab.until("state.book")
        count = await tab.value("document.querySelectorAll('.options button').length")
        assert count >= 20
        for index in range(count):
            await tab.value(f"document.querySelectorAll('.options button')[{index}].click()")
            await tab.until("!state.busy")
        assert await tab.value("document.getElementById('said').className") != "wrong"
        tab.complaints.clear()  # one of them cuts all sockets

    on_page(process.base_url, steps)
    settings = process.control(op="config")["settings"]
    assert (settings["block_ms"], settings["latency_ms"]) == (500, 60_000)
    process.control(op="config", block_ms=20, latency_ms=0)


def test_an_emptied_book_is_said(process: Any) -> None:
    async def steps(tab: Tab) -> None:
        await tab.until("state.book")
        await tab.click("#switch-depth button")
        await tab.until("!document.getElementById('book-empty').hidden")
        assert await tab.value("document.querySelectorAll('.ladder tbody tr').length") == 0
        await tab.click("#switch-depth button:last-child")
        await tab.until("document.querySelectorAll('.ladder tbody tr').length > 10")

    on_page(process.base_url, steps)


def test_another_market_and_the_other_theme(process: Any) -> None:
    async def steps(tab: Tab) -> None:
        await tab.value("at('coin').value = 'xyz:CL'; at('coin').onchange()")
        await tab.until("state.book?.coin === 'xyz:CL' && Number(at('mid').textContent) > 0")
        dark = await tab.value("getComputedStyle(document.body).backgroundColor")
        await tab.click("#theme")
        assert await tab.value("getComputedStyle(document.body).backgroundColor") != dark

    on_page(process.base_url, steps)


def test_a_stalled_socket_is_seen_as_stale(process: Any) -> None:
    async def steps(tab: Tab) -> None:
        await tab.until("document.getElementById('live').dataset.state === 'up'")
        await tab.click("#switch-stall")
        await tab.until("document.getElementById('live').textContent.startsWith('silent for')")
        await tab.click("#switch-stall")

    on_page(process.base_url, steps)


def ask(base_url: str, method: str, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=10)
    try:
        connection.request(method, path, b'{"op":"plays"}' if method == "POST" else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/control")])
def test_pages_of_other_sites_are_kept_out(process: Any, method: str, path: str) -> None:
    port = urlsplit(process.base_url).port
    assert ask(process.base_url, method, path)[0] == 200
    assert ask(process.base_url, method, path, Host=f"localhost:{port}")[0] == 200
    assert ask(process.base_url, method, path, Origin=process.base_url)[0] == 200
    for headers in (
        {"Host": f"rebound.example:{port}"},
        {"Host": "127.0.0.1.rebound.example"},
        {"Host": ""},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{port}1"},
    ):
        assert ask(process.base_url, method, path, **headers)[0] == 403, headers


def test_the_page_loads_nothing_from_elsewhere(process: Any) -> None:
    status, html = ask(process.base_url, "GET", "/")
    assert status == 200
    assert b"http://" not in html.replace(b"`ws://${location.host}/ws`", b"")
    assert b"https://" not in html
    assert b"//cdn" not in html
