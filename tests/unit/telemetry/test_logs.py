from __future__ import annotations

import io
import json
import os

from hlfast.telemetry.logs import EventLog, minute


def lines(stream: io.BytesIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_logs_write_events_as_json_lines_with_their_own_time() -> None:
    stream = io.BytesIO()
    log = EventLog(stream)
    log.info("feed up", source=3)
    log.error("fatal", error="JournalError: disk")
    assert stream.getvalue() == b"", "nothing is formatted where the event happens"
    log.drain()
    first, second = lines(stream)
    assert first["event"] == "feed up"
    assert first["level"] == "info"
    assert first["source"] == 3
    assert first["at_ms"] <= second["at_ms"]
    assert second["level"] == "error"


def test_logs_keep_the_newest_and_say_how_many_were_lost() -> None:
    stream = io.BytesIO()
    log = EventLog(stream, capacity=3)
    for number in range(10):
        log.warning("event", number=number)
    log.drain()
    written = lines(stream)
    assert [each["number"] for each in written[:3]] == [7, 8, 9]
    assert written[3]["lost"] == 7
    assert log.lost == 7
    log.info("later")
    log.drain()
    assert "lost" not in lines(stream)[-1]


def test_logs_write_the_rest_at_the_end() -> None:
    stream = io.BytesIO()
    log = EventLog(stream)
    log.start()
    log.info("last")
    log.close()
    log.close()
    assert lines(stream)[-1]["event"] == "last"


def test_logs_let_nobody_wait_for_a_pipe_that_nobody_reads() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb", buffering=0) as pipe, os.fdopen(read_end, "rb", buffering=0) as reader:
        log = EventLog(pipe, capacity=64)
        log.start()
        for number in range(5_000):
            log.warning("event", number=number, text="x" * 1_000)
        # All were taken at once, though a pipe holds 64 kB; whoever reads again is told how many are missing.
        os.set_blocking(reader.fileno(), False)
        text = b""
        while b"log events lost" not in text:
            text += reader.read(1 << 20) or b""
        os.set_blocking(pipe.fileno(), False)
        log.close()
    assert log.lost > 4_000


def test_minute_writes_any_time() -> None:
    assert minute(1_800_000_059_999) == "2027-01-15 08:00 UTC"
    assert minute(-(10**18)) == "-1000000000000000000 ms"
