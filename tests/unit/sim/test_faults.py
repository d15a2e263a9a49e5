"""Faults on command: each does what it says, is counted, and is undone when it ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, get_args

import coincurve
import pytest

from hlfast.sim import signatures
from hlfast.sim.control import ControlError
from hlfast.sim.faults import AnyFault, Faults
from hlfast.sim.faults.schedule import draw_faults, load_faults, read_faults
from hlfast.sim.inprocess import Socket
from hlfast.sim.virtual import VirtualLoop
from sim.desk import Desk
from sim.talk import ADDRESS, SOURCE, Client, post, run, subscribe

PING = b'{"method":"ping"}'


async def pinged(client: Client, count: int = 10, every_s: float = 0.1) -> Socket:
    """Send numbered info posts, whose answers come in order unless a fault sees to it."""
    socket = client.connect()
    for number in range(count):
        socket.send(post(number, "info", {"type": "exchangeStatus"}))
        await asyncio.sleep(every_s)
    return socket


def ids(client: Client) -> list[int]:
    return [data["id"] for data in client.of("post")]


def struck(client: Client) -> dict[str, int]:
    return dict(client.control(op="faults")["struck"])


@pytest.mark.parametrize("way", ["in", "out"])
def test_dropped_frames_never_come(way: str) -> None:
    async def talk(client: Client) -> None:
        (number,) = client.add({"kind": "drop_frames", "way": way, "share": 0.5, "channel": "post"})
        await pinged(client, 100, 0.01)
        lost = 100 - len(client.frames)
        assert 30 < lost < 70
        assert struck(client) == {"drop_frames": lost}
        client.control(op="clear_faults", number=number)
        await pinged(client, 10)
        assert len(client.frames) == 110 - lost

    run(talk)


def test_delayed_frames_keep_their_order() -> None:
    async def talk(client: Client) -> None:
        client.add({"kind": "delay_frames", "share": 0.5, "delay_ms": {"least": 50, "most": 900}})
        await pinged(client)
        await asyncio.sleep(3)
        assert ids(client) == list(range(10))
        assert struck(client)["delay_frames"] > 0

    run(talk)


def test_reordered_frames_are_overtaken() -> None:
    async def talk(client: Client) -> None:
        client.add({"kind": "reorder_frames", "share": 0.5, "delay_ms": {"least": 150, "most": 150}})
        await pinged(client)
        await asyncio.sleep(1)
        assert sorted(ids(client)) == list(range(10))
        assert ids(client) != list(range(10))

    run(talk)


def test_duplicated_frames_come_again() -> None:
    async def talk(client: Client) -> None:
        client.add({"kind": "duplicate_frames", "copies": 2, "apart_ms": {"least": 5, "most": 20}, "channel": "post"})
        socket = await pinged(client, 3)
        socket.send(PING)
        await asyncio.sleep(1)
        assert ids(client) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert client.frames[-1] == {"channel": "pong"}

    run(talk)


def test_garbled_frames_end_early() -> None:
    async def talk(client: Client) -> None:
        client.add({"kind": "garble_frames"})
        await pinged(client, 3)
        assert [frame["channel"] for frame in client.frames] == ["garbage"] * 3
        assert client.closed == []

    run(talk)


def test_sockets_are_cut_once_or_at_a_frame() -> None:
    async def talk(client: Client) -> None:
        first = await pinged(client, 1)
        client.connect("127.0.0.2")
        client.add({"kind": "cut_sockets", "source": SOURCE})
        await asyncio.sleep(0.01)
        assert client.closed == [1006]
        first.send(PING)
        client.add({"kind": "cut_sockets", "at": "frame", "channel": "post"})
        client.connect().send(PING)
        await pinged(client, 1)
        assert client.closed == [1006, 1006]
        assert [frame["channel"] for frame in client.frames] == ["post", "pong"]

    run(talk)


@pytest.mark.parametrize("then", ["lose", "deliver"])
def test_a_stalled_socket_stays_open_and_a_new_one_heals(then: str) -> None:
    async def talk(client: Client) -> None:
        old = await pinged(client, 1)
        client.add({"kind": "stall", "then": then, "for_ms": 2_000})
        old.send(post(1, "info", {"type": "meta"}))
        client.connect().send(post(2, "info", {"type": "meta"}))
        await asyncio.sleep(1.9)
        assert ids(client) == [0, 2]
        await asyncio.sleep(0.2)
        assert ids(client) == ([0, 2, 1] if then == "deliver" else [0, 2])
        old.send(post(3, "info", {"type": "meta"}))
        await asyncio.sleep(0.1)
        assert ids(client)[-1] == 3
        assert client.closed == []

    run(talk)


def test_one_channel_of_one_user_stalls_alone() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        socket = client.connect()
        for kind in ("userFills", "orderUpdates"):
            socket.send(subscribe(type=kind, user=ADDRESS))
        await asyncio.sleep(0.1)
        client.add({"kind": "stall", "channel": "userFills", "user": ADDRESS, "sockets": "all"})
        client.add({"kind": "stall", "channel": "orderUpdates", "user": "0x" + "9" * 40, "sockets": "all"})
        await client.post("/exchange", client.order())
        await asyncio.sleep(0.1)
        assert len(client.of("userFills")) == 1
        assert len(client.of("orderUpdates")) == 1

    run(talk)


@pytest.mark.parametrize("kind", ["stall", "cut_sockets"])
def test_sockets_are_chosen_by_what_they_carry(kind: str) -> None:
    async def talk(client: Client) -> None:
        client.fund()
        sockets = [client.connect() for _ in range(4)]
        for socket in sockets[1:]:
            socket.send(subscribe(type="userFills", user=ADDRESS))
        await asyncio.sleep(0.1)
        client.add({"kind": kind, "carries": "userFills", "most": 2})
        await asyncio.sleep(0.1)
        await client.post("/exchange", client.order())
        await asyncio.sleep(0.1)
        live = [frame for frame in client.of("userFills") if not frame.get("isSnapshot")]
        assert len(live) == 1
        assert len(client.closed) == (2 if kind == "cut_sockets" else 0)

    run(talk)


def test_clearing_a_stall_delivers_at_once() -> None:
    async def talk(client: Client) -> None:
        socket = await pinged(client, 1)
        client.add({"kind": "stall", "then": "deliver", "way": "in"})
        socket.send(post(1, "info", {"type": "meta"}))
        await asyncio.sleep(30)
        assert ids(client) == [0]
        client.control(op="clear_faults")
        await asyncio.sleep(0.01)
        assert ids(client) == [0, 1]

    run(talk)


def test_sockets_are_refused_for_a_while() -> None:
    async def talk(client: Client) -> None:
        client.add({"kind": "refuse_sockets", "for_ms": 1_000})
        with pytest.raises(ConnectionRefusedError, match="503"):
            client.connect()
        await asyncio.sleep(1.1)
        client.connect()

    run(talk)


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ({"kind": "error_answers", "statuses": [502]}, (502, "502 Bad Gateway")),
        ({"kind": "error_answers", "statuses": [429]}, (429, "null")),
        ({"kind": "error_answers", "garbage": True}, (200, "<html>")),
    ],
)
def test_errors_in_the_place_of_answers_while_the_order_executes(fault: dict[str, Any], answer: Any) -> None:
    async def talk(client: Client) -> None:
        client.fund()
        client.add(fault)
        status, body = await client.venue.request(SOURCE, "POST", "/exchange", json.dumps(client.order()).encode())
        assert status == answer[0]
        assert body.decode().startswith(answer[1])
        socket = client.connect()
        socket.send(post(7, "action", client.order()))
        await asyncio.sleep(0.1)
        assert client.fills() == 2
        if "garbage" in fault:
            assert client.frames[0]["channel"] == "garbage"
        else:
            (told,) = client.of("post")
            assert told["response"]["type"] == "error"
            assert told["response"]["payload"].startswith(str(answer[0]))

    run(talk)


def test_answers_are_lost_or_cut_while_the_order_executes() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        (silence,) = client.add({"kind": "lose_answers"})
        body = json.dumps(client.order()).encode()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.venue.request(SOURCE, "POST", "/exchange", body), 60)
        client.connect().send(post(1, "action", client.order()))
        await asyncio.sleep(1)
        assert client.fills() == 2
        assert client.frames == []
        client.control(op="clear_faults", number=silence)
        client.add({"kind": "lose_answers", "cut": True, "door": "both"})
        for path, sent in (("/exchange", client.order()), ("/info", {"type": "meta"})):
            with pytest.raises(ConnectionResetError):
                await client.post(path, sent)
        client.connect().send(post(2, "action", client.order()))
        await asyncio.sleep(1)
        assert client.closed == [1006]
        assert client.fills() == 4
        assert client.venue.server.limits.source(SOURCE).posts == 0

    run(talk)


def test_lost_answers_of_actions_that_never_happen() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        client.add({"kind": "lose_answers", "executes": 0.0, "cut": True})
        with pytest.raises(ConnectionResetError):
            await client.post("/exchange", client.order())
        await asyncio.sleep(60)
        assert client.fills() == 0
        assert client.venue.server.venue.record.counters["actions"] == 0

    run(talk)


def test_delayed_answers_come_late_though_the_order_is_done() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        client.add({"kind": "delay_answers", "delay_ms": {"least": 5_000, "most": 5_000}, "door": "both"})
        start = client.loop.time()
        client.connect().send(post(1, "action", client.order()))
        client.connect().send(post(2, "info", {"type": "meta"}))
        await asyncio.sleep(1)
        assert client.fills() == 1
        assert client.frames == []
        await client.post("/info", {"type": "meta"})
        assert client.loop.time() == pytest.approx(start + 6)
        assert sorted(ids(client)) == [1, 2]

    run(talk)


def test_late_inclusion_holds_actions_for_minutes_and_expiry_refuses_them() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        client.add({"kind": "late_inclusion", "delay_ms": {"least": 120_000, "most": 120_000}, "for_ms": 1})
        start = client.loop.now_ms()
        held = asyncio.create_task(client.post("/exchange", client.order()))
        expired = asyncio.create_task(client.post("/exchange", client.order(expiresAfter=start + 60_000)))
        await asyncio.sleep(1)
        _, quick = await client.post("/exchange", client.order())
        assert quick["status"] == "ok"
        assert client.loop.now_ms() - start < 1_100
        assert (await held)[1]["status"] == "ok"
        assert (await expired)[1]["response"] == "Action already expired"
        assert 120_000 <= client.loop.now_ms() - start < 120_100

    run(talk)


def test_outage_of_37_minutes() -> None:
    orders = 400

    async def talk(client: Client) -> None:
        client.fund("100000000")
        socket = await pinged(client, 1)
        client.add({"kind": "outage"})
        await asyncio.sleep(0.01)
        assert client.closed == [1006]
        socket.send(PING)
        with pytest.raises(ConnectionRefusedError):
            client.connect()
        statuses = set()
        for _ in range(orders):
            statuses.add((await client.post("/exchange", client.order()))[0])
            statuses.add((await client.post("/info", {"type": "meta"}))[0])
            await asyncio.sleep(36.9 * 60 / orders)
        assert statuses <= {500, 502, 503, 504}
        await asyncio.sleep(60)
        assert (await client.post("/info", {"type": "meta"}))[0] == 200
        client.connect()
        await asyncio.sleep(600)
        executed = client.fills()
        assert executed == pytest.approx(0.6 * orders, rel=0.12)
        late = [row.time - row.received for row in client.venue.server.venue.record.actions]
        assert min(late) >= 1_000
        assert max(late) > 400_000
        nonces = [row.nonce for row in client.venue.server.venue.record.actions]
        assert len(set(nonces)) == len(nonces) == executed

    run(talk)


def test_outage_that_leaves_sockets_up_answers_posts_with_errors() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        client.add({"kind": "outage", "sockets": "up", "executes": 1.0, "late_ms": {"least": 500, "most": 500}})
        client.connect().send(post(1, "action", client.order()))
        await asyncio.sleep(0.1)
        assert client.of("post")[0]["response"]["type"] == "error"
        assert client.fills() == 0
        await asyncio.sleep(1)
        assert client.fills() == 1

    run(talk)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"kind": "halt"}, "Trading is halted. asset=1"),
        ({"kind": "halt", "coins": ["ETH"]}, "Trading is halted. asset=1"),
        ({"kind": "halt", "coins": ["BTC"]}, None),
        ({"kind": "post_only"}, "Only post-only orders allowed immediately after a network upgrade asset=1"),
        (
            {"kind": "thin_books", "coins": ["ETH"]},
            "Order could not immediately match against any resting orders. asset=1",
        ),
    ],
)
def test_the_market_refuses_and_recovers(fault: dict[str, Any], text: str | None) -> None:
    async def talk(client: Client) -> None:
        client.fund()
        client.add(fault | {"for_ms": 5_000})
        item = (await client.post("/exchange", client.order()))[1]["response"]["data"]["statuses"][0]
        assert item.get("error") == text
        await asyncio.sleep(6)
        item = (await client.post("/exchange", client.order()))[1]["response"]["data"]["statuses"][0]
        assert "filled" in item

    run(talk)


def test_a_delisted_coin_settles_and_stays_away() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        await client.post("/exchange", client.order())
        client.add(
            {"kind": "delist", "coin": "ETH"}, {"kind": "delist", "coin": "ETH"}, {"kind": "delist", "coin": "?"}
        )
        item = (await client.post("/exchange", client.order()))[1]["response"]["data"]["statuses"][0]
        assert item["error"].startswith("Trading is halted.")
        state = (await client.post("/info", {"type": "clearinghouseState", "user": ADDRESS}))[1]
        assert state["assetPositions"] == []
        assert struck(client) == {"delist": 1}

    run(talk)


def test_thin_books_fill_takers_in_part() -> None:
    async def talk(client: Client) -> None:
        client.fund()
        client.add({"kind": "thin_books", "coins": ["ETH"], "depth_usd": 1_000, "for_ms": 1_000})
        item = (await client.post("/exchange", client.order(row={"s": "5"})))[1]["response"]["data"]["statuses"][0]
        assert 0 < float(item["filled"]["totalSz"]) < 1

    run(talk)


def test_agents_are_revoked_and_nonces_forgotten() -> None:
    agent = coincurve.PrivateKey((9).to_bytes(32, "big"))

    async def talk(client: Client) -> None:
        client.fund()
        body = client.order()
        assert (await client.post("/exchange", body))[1]["status"] == "ok"
        assert "duplicate nonce" in (await client.post("/exchange", body))[1]["response"]
        client.add({"kind": "prune_nonces", "signer": ADDRESS})
        assert (await client.post("/exchange", body))[1]["status"] == "ok"
        address = signatures.address_of(agent.public_key.format(compressed=False)[1:])
        client.control(op="approve_agent", master=ADDRESS, agent=address, name="copy")
        assert (await client.post("/exchange", client.order(key=agent)))[1]["status"] == "ok"
        client.add({"kind": "revoke_agent"})
        refused = (await client.post("/exchange", client.order(key=agent)))[1]
        assert refused["response"] == f"User or API Wallet {address} does not exist."
        assert struck(client) == {"prune_nonces": 1, "revoke_agent": 1}

    run(talk)


def test_overlapping_switches_give_way_to_each_other_and_to_the_base() -> None:
    async def talk(client: Client) -> None:
        settings = client.venue.server.settings
        (first,) = client.add({"kind": "switches", "to": {"latency_ms": 100, "post_only": True}})
        (second,) = client.add({"kind": "switches", "to": {"latency_ms": 200}})
        assert settings.latency_ms == 200
        client.control(op="clear_faults", number=first)
        assert (settings.latency_ms, settings.post_only) == (200, False)
        client.control(op="clear_faults", number=second)
        assert settings.latency_ms == 7
        (third,) = client.add({"kind": "switches", "to": {"latency_ms": 300}})
        client.control(op="clear_faults", number=third)
        assert settings.latency_ms == 7

    run(talk, latency_ms=7)


@pytest.mark.parametrize(("mode", "expected"), [("accept", 2), ("refuse", 1), ("refuse_resting", 2)])
def test_modes_of_repeated_cloids(mode: str, expected: int) -> None:
    cloid = "0x" + "1" * 32
    resting = {"p": "1500", "t": {"limit": {"tif": "Gtc"}}, "c": "0x" + "2" * 32}

    async def talk(client: Client) -> None:
        client.fund()
        client.add({"kind": "switches", "to": {"repeated_cloid": mode}})
        for _ in range(2):
            await client.post("/exchange", client.order(row={"c": cloid}))
        assert client.fills() == expected
        await client.post("/exchange", client.order(row=resting))
        again = (await client.post("/exchange", client.order(row=resting)))[1]["response"]["data"]["statuses"][0]
        assert ("resting" in again) == (mode == "accept")

    run(talk)


@pytest.mark.parametrize(
    ("faults", "text"),
    [
        ([{"kind": "meteor"}], r"Invalid value 'meteor' - at `\$\[0\].kind`"),
        ([{"kind": "halt", "coin": "ETH"}], "unknown field `coin`"),
        ([{"kind": "drop_frames", "share": 1.5}], r"`\$\[0\].share`"),
        ([{"kind": "delay_frames", "delay_ms": {"least": 5, "most": 4}}], "least 5 is above most 4"),
        ([{"kind": "switches", "to": {"network": "mainnet"}}], "'network' is no switch"),
        ([{"kind": "duplicate_frames", "copies": 0}], "copies must be"),
        ("all of them", "Expected `array`"),
    ],
)
def test_faults_that_do_not_fit_are_named(faults: Any, text: str) -> None:
    async def talk(client: Client) -> None:
        with pytest.raises(ControlError, match=text):
            client.control(op="add_faults", faults=faults)

    run(talk)


def test_waiting_faults_are_listed_and_cleared_before_they_begin() -> None:
    async def talk(client: Client) -> None:
        client.add({"kind": "halt", "after_ms": 1_000, "for_ms": 1_000}, {"kind": "post_only", "after_ms": 1_000})
        rows = client.control(op="faults")["faults"]
        assert [row["state"] for row in rows] == ["waiting", "waiting"]
        client.control(op="clear_faults", number=2)
        await asyncio.sleep(1.5)
        rows = client.control(op="faults")["faults"]
        assert [(row["state"], row["count"]) for row in rows] == [("active", 1), ("over", 0)]
        await asyncio.sleep(1)
        assert client.control(op="faults")["faults"][0]["state"] == "over"
        assert not client.venue.server.settings.halted

    run(talk)


@pytest.mark.parametrize("name", ["plan.toml", "plan.json"])
def test_a_schedule_comes_from_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("toml"):
        path.write_text('seed = 4\n[[faults]]\nkind = "halt"\nafter_ms = 500\nfor_ms = 500\n')
    else:
        path.write_text('{"seed": 4, "faults": [{"kind": "halt", "after_ms": 500, "for_ms": 500}]}')

    async def talk(client: Client) -> None:
        seen = []
        for _ in range(3):
            await asyncio.sleep(0.4)
            seen.append(client.venue.server.settings.halted)
        assert seen == [False, True, False]

    run(talk, load_faults(path))


def test_faults_of_a_scenario_wait_for_the_clock() -> None:
    desk = Desk(block_ms=20)
    desk.control(op="add_faults", faults=[{"kind": "halt", "for_ms": 500}, {"kind": "post_only"}])
    assert [row["state"] for row in desk.control(op="faults")["faults"]] == ["waiting", "active"]
    loop = VirtualLoop()
    desk.server.run(loop)
    assert desk.server.settings.halted
    loop.run_until_complete(asyncio.sleep(1))
    assert not desk.server.settings.halted
    desk.server.stop()
    loop.close()


def test_drawn_schedules_repeat_end_in_time_and_cover_every_kind() -> None:
    kinds = set()
    for seed in range(60):
        drawn = draw_faults(seed, 600_000)
        assert drawn == draw_faults(seed, 600_000)
        assert all(fault.for_ms > 0 and fault.after_ms + fault.for_ms <= 600_000 for fault in drawn)
        kinds |= {str(fault.__struct_config__.tag) for fault in drawn}
    assert draw_faults(1, 600_000) != draw_faults(2, 600_000)
    tags = {str(kind.__struct_config__.tag) for kind in get_args(AnyFault)}
    assert kinds == tags - {"delist", "revoke_agent", "prune_nonces"}, "what doesn't heal by itself is never drawn"
    with pytest.raises(ValueError, match="horizon_ms"):
        draw_faults(1, 1_000)


def test_removing_a_fault_changes_nothing_for_the_others() -> None:
    def lost(*faults: dict[str, Any]) -> list[int]:
        async def talk(client: Client) -> None:
            await pinged(client, 50, 0.01)

        return ids(run(talk, Faults(3, read_faults(list(faults)))))

    drop = {"kind": "drop_frames", "share": 0.5}
    assert lost(drop) == lost(drop, {"kind": "delay_frames", "delay_ms": {"least": 1, "most": 3}})
