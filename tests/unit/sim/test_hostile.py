"""Hostile bodies: every door answers in its own way and nothing else happens."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlfast.sim.actions import ParseError, parse_envelope
from hlfast.sim.connection import Connection
from hlfast.sim.control import ControlError
from hlfast.sim.info import BadRequestError
from sim.desk import Desk, Listener, Wallet

USER = Wallet(1).address
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "ETH", "xyz", "@107", "eth", "1m", USER, "0x" + "1" * 32, "²", "-0", "9" * 50, "1e9"])
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
INFO_FIELDS = st.sampled_from(
    [
        "user",
        "coin",
        "dex",
        "oid",
        "startTime",
        "endTime",
        "req",
        "nSigFigs",
        "mantissa",
        "aggregateByTime",
        "interval",
        "builder",
        "reversed",
    ]
)


class Wire:
    """A socket that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_cut = False

    def is_closing(self) -> bool:
        return self.is_cut

    def backlog(self) -> int:
        return 0

    def send(self, payload: bytes) -> None:
        self.written.append(payload)

    def abort(self) -> None:
        self.is_cut = True


@pytest.fixture(scope="module")
def desk() -> Desk:
    desk = Desk()
    wallet = desk.wallet(1)
    desk.order(wallet, "ETH", "B", "2500", "1", c="0x" + "1" * 32)
    desk.order(wallet, "ETH", "B", "1900", "1", tif="Gtc")
    return desk


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_info_answers_or_refuses(desk: Desk, data: st.DataObject) -> None:
    body: Any = data.draw(st.dictionaries(INFO_FIELDS, VALUES, max_size=5))
    body |= {"type": data.draw(st.sampled_from(sorted(desk.server.info.types)))}
    if data.draw(st.booleans()):
        body |= {"user": USER, "coin": "ETH"}
    with contextlib.suppress(BadRequestError):
        msgspec.json.encode(desk.server.info.answer(body))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_control_answers_or_refuses(desk: Desk, data: st.DataObject) -> None:
    ops = [
        "fund",
        "approve_agent",
        "revoke_agent",
        "create_vault",
        "set_position",
        "set_book",
        "leader_fills",
        "ledger",
        "x",
    ]
    fields = st.sampled_from(
        ["address", "usdc", "master", "agent", "coin", "size", "entry_px", "mid", "rows", "since", "name", "depth_usd"]
    )
    body = data.draw(st.dictionaries(fields, VALUES, max_size=5)) | {"op": data.draw(st.sampled_from(ops))}
    row = st.dictionaries(
        st.sampled_from(["coin", "px", "sz", "side", "oid", "fee", "startPosition", "hash"]), VALUES, max_size=6
    )
    if data.draw(st.booleans()):
        body |= {
            "address": USER,
            "coin": "ETH",
            "rows": [data.draw(row) | {"coin": "ETH", "px": "2000", "sz": "1", "side": "B"}],
        }
    with contextlib.suppress(ControlError):
        msgspec.json.encode(desk.server.control.run(body))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_sockets_survive_any_text(desk: Desk, data: st.DataObject) -> None:
    wire = Wire()
    connection = Connection(desk.server, wire, "127.0.0.9", desk.server.limits.source("127.0.0.9"))
    kinds = ["trades", "l2Book", "candle", "userFills", "activeAssetData", "clearinghouseState", "allMids", "webData3"]
    subscription: Any = data.draw(st.dictionaries(INFO_FIELDS, VALUES, max_size=4)) | {
        "type": data.draw(st.sampled_from(kinds))
    }
    if data.draw(st.booleans()):
        subscription |= {"user": USER, "coin": "ETH"}
    request = {"type": data.draw(st.sampled_from(["info", "action", "x"])), "payload": data.draw(VALUES)}
    frames = [
        {"method": "subscribe", "subscription": subscription},
        {"method": "post", "id": data.draw(SCALARS), "request": request},
        data.draw(VALUES),
    ]
    for sent in [json.dumps(frame) for frame in frames] + [
        data.draw(st.text(max_size=30)),
        '{"method":"post","id":1,"request":{"type":"info","payload":"\\ud800"}}',
    ]:
        connection.receive(sent)
        assert wire.written or wire.is_cut
    connection.close()


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_actions_are_answered_in_words(desk: Desk, data: st.DataObject) -> None:
    number = st.sampled_from(["0", "1", "0.1", "2000", "2000.05", "1e5", "-1", "9" * 39, "0.00000001", "00012"])
    row = {
        "a": data.draw(st.sampled_from([0, 1, 10_000, 10_107, 110_001, 999_999, 2**32 - 1])),
        "b": data.draw(st.booleans()),
        "p": data.draw(number),
        "s": data.draw(number),
        "r": data.draw(st.booleans()),
        "t": data.draw(
            st.sampled_from(
                [
                    {"limit": {"tif": "Ioc"}},
                    {"limit": {"tif": "Gtc"}},
                    {"trigger": {"isMarket": True, "triggerPx": "1500", "tpsl": "sl"}},
                    {"trigger": {"isMarket": False, "triggerPx": "0", "tpsl": "tp"}},
                ]
            )
        ),
    }
    action = data.draw(
        st.sampled_from(
            [
                {"type": "order", "orders": [row, row], "grouping": "na"},
                {"type": "order", "orders": [row, row], "grouping": "normalTpsl"},
                {"type": "order", "orders": [row], "grouping": "positionTpsl"},
                {"type": "order", "orders": [row], "grouping": {"p": 10}},
                {"type": "modify", "oid": "x", "order": row, "a": True},
                {"type": "batchModify", "modifies": [{"oid": 1, "order": row}]},
                {"type": "updateLeverage", "asset": row["a"], "isCross": row["b"], "leverage": 3},
                {"type": "updateIsolatedMargin", "asset": row["a"], "isBuy": True, "ntli": -5},
            ]
        )
    )
    try:
        body = desk.body(Wallet(1), action)
    except ParseError:
        return
    before = desk.venue.total()
    answer = desk.post(body)
    assert answer["status"] in ("ok", "err")
    msgspec.json.encode(answer)
    assert desk.venue.total() == before


@pytest.mark.parametrize(
    "text",
    [
        '{"method":"post","id":' + "9" * 40 + ',"request":{"type":"info","payload":{"type":"exchangeStatus"}}}',
        '{"method":"subscribe","subscription":{"type":"userFills","user":' + "9" * 40 + "}}",
        '{"method":"subscribe","subscription":{"type":"activeAssetData","user":"'
        + USER
        + '","coin":"@107","x":'
        + "9" * 40
        + "}}",
    ],
)
def test_numbers_beyond_64_bits_are_told_on_the_error_channel(desk: Desk, text: str) -> None:
    wire = Wire()
    connection = Connection(desk.server, wire, "127.0.0.9", desk.server.limits.source("127.0.0.9"))
    connection.receive(text)
    assert [json.loads(frame)["channel"] for frame in wire.written] == ["error"]
    connection.close()


def test_signatures_beyond_64_bits_are_a_misfit() -> None:
    # A multi-sig action is packed with the signatures inside it.
    with pytest.raises(ParseError):
        parse_envelope('{"action":{"type":"noop"},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":' + "9" * 40 + "}}")


def test_margin_beyond_64_bits_is_a_misfit() -> None:
    action = '{"type":"updateIsolatedMargin","asset":5,"isBuy":true,"ntli":18446744073709551616}'
    with pytest.raises(ParseError):
        parse_envelope('{"action":' + action + ',"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}}')


@pytest.mark.parametrize("size", [10, 5_000])
def test_deep_nesting_is_a_misfit(desk: Desk, size: int) -> None:
    with pytest.raises(ParseError):
        parse_envelope("[" * size)
    with pytest.raises(BadRequestError):
        desk.server.info.answer([])


def test_slow_reader_is_cut_off(desk: Desk) -> None:
    wire = Wire()
    wire.backlog = lambda: 33 * 1024 * 1024  # type: ignore[method-assign]
    desk.server.attach(wire, "127.0.0.9").send(b"{}")
    assert wire.is_cut
    assert not wire.written


def test_frames_of_one_user_reach_nobody_else() -> None:
    # A venue of its own: the shared one is in whatever state the drawn requests left its book and balances.
    desk = Desk()
    desk.wallet(1)
    other = desk.listen("userFills", user="0x" + "9" * 40)
    mine: Listener = desk.listen("userFills", user=USER)
    desk.order(Wallet(1), "ETH", "B", "2500", "0.1")
    assert mine.of("userFills")
    assert other.frames == []
