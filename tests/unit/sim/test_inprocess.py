"""The venue in process: the same doors by calls, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from hlfast.sim.control import ControlError
from hlfast.sim.port import Port
from hlfast.sim.server import Server
from hlfast.sim.settings import Settings
from hlfast.sim.virtual import StuckError, VirtualLoop
from sim.talk import ADDRESS, SOURCE, Client, post, run, subscribe


def test_order_over_http_is_answered_with_its_block() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        before = client.loop.now_ms()
        status, answer = await client.post("/exchange", client.order())
        assert (status, answer["status"]) == (200, "ok"), answer
        assert "filled" in answer["response"]["data"]["statuses"][0]
        # Blocks stand on multiples of their period.
        assert client.loop.now_ms() == before // 70 * 70 + 70

    run(talk, block_ms=70)


def test_post_and_feed_frames_arrive_in_order() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        socket = client.connect()
        socket.send(subscribe(type="userFills", user=ADDRESS))
        socket.send(post(4, "action", client.order()))
        assert client.frames == []
        await asyncio.sleep(1)
        assert [frame["channel"] for frame in client.frames] == [
            "subscriptionResponse",
            "userFills",
            "userFills",
            "post",
        ]

    run(talk)


def test_states_are_pushed_and_silent_sockets_closed_in_virtual_time() -> None:
    async def talk(client: Client) -> None:
        client.connect().send(subscribe(type="l2Book", coin="ETH"))
        silent = client.connect()
        await asyncio.sleep(59.9)
        assert client.closed == []
        assert len(client.frames) == 2 + 11
        await asyncio.sleep(0.3)
        assert client.closed == [1006]
        silent.send(subscribe(type="l2Book", coin="ETH"))
        silent.close()
        await asyncio.sleep(1)
        assert client.closed == [1006]

    run(talk)


@pytest.mark.parametrize(("frame", "code"), [(b"\xff\xfe", 1007), (b" " * (4 * 1024 * 1024 + 1), 1009)])
def test_frames_that_no_server_takes_end_the_socket(frame: bytes, code: int) -> None:
    async def talk(client: Client) -> None:
        client.connect().send(frame)
        await asyncio.sleep(0.01)
        assert client.closed == [code]
        assert client.frames == []

    run(talk)


def test_close_is_told_once_and_gives_the_connection_back() -> None:
    async def talk(client: Client) -> None:
        sockets = [client.connect() for _ in range(10)]
        with pytest.raises(ConnectionRefusedError):
            client.connect()
        client.connect("127.0.0.2")
        for socket in sockets:
            socket.close()
            socket.close()
        await asyncio.sleep(0.01)
        assert client.closed == [1000] * 10
        client.connect()

    client = run(talk, limits="venue")
    assert client.closed == [1000] * 10 + [1006] * 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/info", b"", 405),
        ("POST", "/nowhere", b"{}", 404),
        ("POST", "/info", b"{", 422),
        ("POST", "/exchange", b"\xff", 422),
        ("POST", "/control", b'{"op":"dance"}', 400),
    ],
)
def test_bad_requests_are_answered_in_plain_text(method: str, path: str, body: bytes, status: int) -> None:
    async def talk(client: Client) -> None:
        assert (await client.venue.request(SOURCE, method, path, body))[0] == status

    run(talk)


def test_unverified_requests_name_their_signer_and_keep_their_hash() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        body = client.order() | {"signature": {"r": ADDRESS, "s": "0x1", "v": 27}}
        assert (await client.post("/exchange", body))[1]["status"] == "ok"
        assert "duplicate nonce" in (await client.post("/exchange", body))[1]["response"]
        first, second = client.venue.server.venue.record.actions
        assert first.signer == ADDRESS
        assert first.digest == second.digest
        for r in ("0x0", "0x" + "1" * 64, "me"):
            answer = (await client.post("/exchange", body | {"signature": {"r": r, "s": "0x1", "v": 27}}))[1]
            assert answer["response"] == "Unable to recover signer."

    run(talk, verify=False)


def test_a_port_always_checks_signatures() -> None:
    server = Server(Settings(verify=False))
    with pytest.raises(ValueError, match="verify"):
        asyncio.run(Port(server).start("127.0.0.1", 0))
    with pytest.raises(ControlError, match="'verify' is no switch"):
        server.control.run({"op": "config", "verify": True})


def test_control_door_opens_on_loopback_only() -> None:
    async def talk(client: Client) -> None:
        assert (await client.venue.request("10.0.0.1", "POST", "/control", b'{"op":"ledger"}'))[0] == 403

    run(talk)


def test_a_wait_that_nothing_can_end_is_named() -> None:
    loop = VirtualLoop()
    with pytest.raises(StuckError):
        loop.run_until_complete(loop.create_future())
    loop.close()
