"""A double of the core that keeps the boundary's contract and remembers what it was told.

It "decides" one post per follower for each streamed userFills frame, in chunks as the real core does, so that the shell can be tested
from frame to bytes. It knows nothing of sizes, prices or signatures.
"""

from __future__ import annotations

import json
import struct
from collections import deque

from hlfast._core import FRAME_ACK, FRAME_BAD, FRAME_ERROR, FRAME_OTHER

_CLASSES = {"subscriptionResponse": FRAME_ACK, "error": FRAME_ERROR}
_TAKEN = {"userFills", "trades", "bbo", "user", "orderUpdates"}


def masked(payload: bytes) -> bytes:
    """A client's text frame with a mask of zeros, which leaves the payload as it is."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0x80 | 126)) + struct.pack(">H", size)
    return head + b"\0\0\0\0" + payload


class FakeMetrics:
    def render(self) -> bytes:
        return b"# HELP fake A number.\n# TYPE fake gauge\nfake 1\n"

    def latency(self) -> bytes:
        return b"{}"


class FakeCore:
    def __init__(self, followers: int = 1, chunk: int = 2) -> None:
        self.followers = followers
        self.leaders: tuple[str, ...] = ()
        self.chunk = chunk
        self.heard: list[tuple] = []
        self.lanes: list[int] = []
        self.http_lanes: list[int] = []
        self.posts_answered: list[int] = []
        self.requests: deque[bytes] = deque()
        self.alerts: list[bytes] = []
        self.now_ms = 0
        self.unresolved = 0
        self.ready = True
        self.broken: BaseException | None = None
        self.flushed = 0
        self.lags: list[int] = []
        self.written: list[int] = []
        self.metas: list[bytes] = []
        self.budget = 1_000_000
        self._next_post = 0
        self._rest: list[tuple[int, int, bytes]] = []

    def on_frame(self, source, frame, recv_ns, now_ms):
        self._at(now_ms)
        try:
            message = json.loads(bytes(frame))
            channel = message["channel"]
        except (ValueError, KeyError, TypeError):
            return FRAME_BAD
        self.heard.append(("frame", source, channel))
        if channel in _CLASSES:
            return _CLASSES[channel]
        if channel == "post":
            self.posts_answered.append(message["data"]["id"])
            self.unresolved -= 1
            return None
        if channel == "userFills" and not message["data"].get("isSnapshot"):
            return self._fan_out()
        return None if channel in _TAKEN else FRAME_OTHER

    def _fan_out(self):
        for _ in range(self.followers):
            self._next_post += 1
            self.unresolved += 1
            body = json.dumps(
                {"method": "post", "id": self._next_post, "request": {"type": "action", "payload": {}}}
            ).encode()
            if self.lanes:
                self._rest.append((self.lanes[self._next_post % len(self.lanes)], 0, masked(body)))
            else:
                self._rest.append((self.http_lanes[0], self._next_post, body))
        return self._take(1)

    def _take(self, count):
        now, self._rest = self._rest[:count], self._rest[count:]
        return now or None

    def next_chunk(self, now_ms):
        self._at(now_ms)
        return self._take(self.chunk)

    def on_http_answer(self, post_id, status, body, now_ms):
        self._at(now_ms)
        self.heard.append(("http", post_id, status))
        self.unresolved -= 1

    def on_tick(self, now_ms):
        self._at(now_ms)
        self.heard.append(("tick",))

    def operate(self, request, now_ms):
        self._at(now_ms)
        self.heard.append(("operate", json.loads(request)))
        return b'{"ok":true}', self._fan_out()

    def source_up(self, source, kind, now_ms):
        self._at(now_ms)
        self.heard.append(("up", source, kind))
        if kind == "lane":
            self.lanes.append(source)

    def source_down(self, source, now_ms):
        self._at(now_ms)
        self.heard.append(("down", source))
        if source in self.lanes:
            self.lanes.remove(source)

    def http_lane_up(self, lane, now_ms):
        self.heard.append(("http_lane", lane))
        self.http_lanes.append(lane)

    def start(self, now_ms):
        self.heard.append(("start",))

    def on_info(self, token, status, body, now_ms):
        self._at(now_ms)
        self.heard.append(("info", token, status, body))

    def settings(self):
        return b"{}", 0

    def watched(self):
        return list(self.leaders)

    def load_meta(self, body, now_ms):
        self.heard.append(("meta",))
        self.metas.append(body)

    def take_requests(self):
        taken = list(self.requests)
        self.requests.clear()
        return taken

    def take_alerts(self):
        taken, self.alerts = self.alerts, []
        return taken

    def status(self):
        return json.dumps({"ready": self.ready, "in_flight": self.unresolved, "more": {"x": 1}}).encode()

    def reserve_weight(self, weight, now_ms):
        self.budget -= weight
        return self.budget >= 0

    def observe_loop_lag(self, lag_ns):
        self.lags.append(lag_ns)

    def observe_written(self, written_ns):
        self.written.append(written_ns)

    def flush(self):
        self.flushed += 1

    def metrics(self):
        return FakeMetrics()

    def _at(self, now_ms):
        if self.broken is not None:
            raise self.broken
        assert now_ms >= self.now_ms, "time ran back"
        self.now_ms = now_ms

    def kinds(self) -> list[str]:
        return [each[0] for each in self.heard]
