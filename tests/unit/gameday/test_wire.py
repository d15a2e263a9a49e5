from __future__ import annotations

import os

import orjson
import pytest

from hlfast.gameday.network import forgetful, garbled, wrong_statuses
from hlfast.gameday.wire import unmask


def frame(payload: bytes) -> bytes:
    size, mask = len(payload), os.urandom(4)
    head = b"\x81\xff" + size.to_bytes(8, "big")
    if size <= 0xFFFF:
        head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def test_unmask_gives_back_every_message_of_a_write() -> None:
    messages = [b"", b"x", b"a" * 125, b"b" * 126, os.urandom(70_000)]
    assert list(unmask(b"".join(frame(each) for each in messages))) == messages


def test_unmask_refuses_what_is_no_whole_masked_text() -> None:
    with pytest.raises(ValueError, match="cut short"):
        list(unmask(frame(b"abcdef")[:-1]))
    with pytest.raises(ValueError, match="masked"):
        list(unmask(b"\x81\x01a"))


def test_faulty_answers_are_what_their_names_say() -> None:
    answer = orjson.dumps({"status": "ok", "response": {"type": "order", "data": {"statuses": [{"error": "x"}]}}})
    assert len(orjson.loads(wrong_statuses(answer, 0.1))["response"]["data"]["statuses"]) == 2
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(wrong_statuses(answer, 0.9))
    status = orjson.dumps({"status": "order", "order": {"order": {"timestamp": 1_000}}})
    assert forgetful(status, 2_000) == b'{"status":"unknownOid"}'
    assert forgetful(status, 60_000) == status
    assert garbled(b"0123456789", 0.3) == b"012"
