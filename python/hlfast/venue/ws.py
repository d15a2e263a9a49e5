"""One WebSocket connection that stays up: frames out of a synchronous callback, bytes in without an await.

Nothing here parses a frame. Whoever owns the connection gets each text message inside the socket's own callback, so
that the way from frame to order needs no task switch. Everything runs on one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
import orjson
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport

from hlfast.venue.ports import REAL, Ports

Subscription = dict[str, Any]
FrameHandler = Callable[[bytes, int], None]

# A snapshot of 2,000 fills is about 700 kB and the largest other channel about 110 kB; 32 MiB leaves the judgement of
# an absurd frame to whoever parses it, and still bounds the memory one peer can take.
MAX_FRAME_BYTES: Final = 32 * 1024 * 1024
# The venue allows 30 new connections a minute from one address (2026-08); two are kept for a human beside us.
DIALS_PER_MINUTE: Final = 28
# Members of picows' enumeration are compared by identity on the hot path: their equality costs 100 ns.
_TEXT: Final = WSMsgType.TEXT
_MINUTE_NS: Final = 60_000_000_000
_MS_NS: Final = 1_000_000
_PING: Final = b'{"method":"ping"}'
# {"channel":"pong"} is 18 bytes; a little slack for spaces.
_PONG_MAX_BYTES: Final = 24
# A connection that lived this long had nothing wrong with it: the next attempt starts again from the shortest wait.
# With a larger budget of dials it is the time in which that earns one for each connection of a usual engine.
_HEALTHY_MS: Final = 10_000
_USUAL_CONNECTIONS: Final = 6

_log = logging.getLogger("hlfast.venue.ws")


class Down(msgspec.Struct, frozen=True, gc=False):
    """Why a connection ended, or why an attempt to open one did not succeed."""

    reason: str
    code: int | None  # the peer's close code; None when it said none (seen as 1006 elsewhere)
    lived_ms: int  # 0: it never came up
    was_up: bool


class DialBudget:
    """How often connections may be opened, shared by all connections of one source address.

    Args:
        per_minute: new connections in any 60 s.
        clock: monotonic nanoseconds.
    """

    def __init__(self, per_minute: int = DIALS_PER_MINUTE, *, clock: Callable[[], int] = REAL.monotonic_ns) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._dials: deque[int] = deque(maxlen=per_minute)

    def take(self) -> int:
        """Book one dial and return how many nanoseconds to wait before making it."""
        now = self._clock()
        full = len(self._dials) == self._dials.maxlen
        at = max(now, self._dials[0] + _MINUTE_NS) if full else now
        self._dials.append(at)
        return at - now


class Backoff:
    """Jittered exponential waits: uniform in [0, ceiling), the ceiling doubling from `first_ms` to `max_ms`."""

    def __init__(self, first_ms: int = 250, max_ms: int = 15_000, *, rng: random.Random | None = None) -> None:
        self._first_ms = first_ms
        self._max_ms = max_ms
        self._ceiling_ms = first_ms
        self._rng = rng or random.Random()  # noqa: S311 - spreads reconnects, guards nothing

    def reset(self) -> None:
        """Begin again at the shortest wait."""
        self._ceiling_ms = self._first_ms

    def next_s(self) -> float:
        """Return the next wait in seconds and raise the ceiling."""
        wait_ms = self._rng.uniform(0, self._ceiling_ms)
        self._ceiling_ms = min(self._ceiling_ms * 2, self._max_ms)
        return wait_ms / 1000


def canonical(subscription: Subscription) -> bytes:
    """Bytes under which a subscription is known: keys sorted, so that two spellings of one object are one."""
    return orjson.dumps(subscription, option=orjson.OPT_SORT_KEYS)


class WsConnection:
    """One connection to the venue's WebSocket, dialled again for as long as it is wanted.

    Args:
        url: `ws://…` or `wss://…` with its path.
        on_frame: called for each text message with (payload, monotonic ns of receipt) inside the socket's callback.
            Pongs of the venue's own ping are not passed on.
            An exception closes the connection (and it is dialled again).
        on_up: called when the connection is open, before subscriptions are sent again.
        on_down: called each time it is gone or an attempt to open it failed.
        on_pause, on_resume: the transport's buffer is above / below its high-water mark.
        ping_ms: interval of the venue's JSON ping. Two intervals without any byte end the connection: the venue itself
            closes after 60 s in which it sent nothing (2026-08).
        dials: budget shared with the other connections of this source address.
        local_address: source address to bind, for hosts with several.
        ports: how it dials, and its clock.

    Does not: parse, queue, count subscriptions against the venue's limits, or wait for acknowledgements.
    """

    def __init__(  # noqa: PLR0913 - all but two are keyword-only and have a default
        self,
        url: str,
        on_frame: FrameHandler,
        *,
        on_up: Callable[[], None] | None = None,
        on_down: Callable[[Down], None] | None = None,
        on_pause: Callable[[], None] | None = None,
        on_resume: Callable[[], None] | None = None,
        ping_ms: int = 10_000,
        open_ms: int = 5_000,
        dials: DialBudget | None = None,
        backoff: Backoff | None = None,
        ssl_context: ssl.SSLContext | None = None,
        local_address: str | None = None,
        ports: Ports = REAL,
    ) -> None:
        self.url = url
        self._on_frame = on_frame
        self._on_up = on_up
        self._on_down = on_down
        self._on_pause = on_pause
        self._on_resume = on_resume
        self._ping_ms = ping_ms
        self._open_s = open_ms / 1000
        self._ws_connect = ports.dial
        self._clock = ports.monotonic_ns
        self._dials = dials or DialBudget(clock=ports.monotonic_ns)
        self._backoff = backoff or Backoff(rng=ports.rng)
        self._healthy_ms = min(_HEALTHY_MS, _USUAL_CONNECTIONS * 60_000 // self._dials.per_minute)
        self._ssl = ssl_context
        self._local_address = local_address
        self._wanted: dict[bytes, Subscription] = {}
        self._listener: _Listener | None = None
        self._raw: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._drop_reason: str | None = None
        self.paused = False
        self.dials_made = 0

    # lifecycle

    def start(self) -> None:
        """Begin to dial. Call once, on the loop that owns the connection."""
        if self._task is not None:
            message = "the connection was started before"
            raise RuntimeError(message)
        self._task = asyncio.get_running_loop().create_task(self._keep_up(), name=f"ws {self.url}")

    async def close(self) -> None:
        """End the connection for good; `on_down` is called if it was up. Safe to call twice."""
        task, self._task = self._task, None
        if task is None:
            return
        self._drop_reason = "closed by us"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def reconnect(self, reason: str) -> None:
        """Drop the connection now and dial again. For watchdogs: a feed that is open but silent."""
        if self._listener is not None:
            self._drop_reason = reason
            self._listener.abort()

    # state

    @property
    def is_up(self) -> bool:
        """Whether bytes can be handed over now."""
        return self._raw is not None

    @property
    def subscriptions(self) -> list[Subscription]:
        """What is sent again after each reconnect, oldest first."""
        return list(self._wanted.values())

    def last_frame_ns(self) -> int:
        """Monotonic ns of the last frame of any kind; of the opening when none came yet; 0 when down."""
        return self._listener.last_frame_ns if self._listener is not None else 0

    def last_pong_ns(self) -> int:
        """Monotonic ns of the last pong; of the opening when none came yet; 0 when down."""
        return self._listener.last_pong_ns if self._listener is not None else 0

    def frame_age_ms(self) -> int | None:
        """Milliseconds since the last frame of any kind; None when down."""
        return (self._clock() - self._listener.last_frame_ns) // _MS_NS if self._listener is not None else None

    # sending

    def write(self, data: bytes) -> bool:
        """Hand ready WebSocket frames (header, mask and all) to the transport.

        Returns:
            False when the connection is down and nothing was handed over. True promises only that the transport has the
            bytes: whether the venue got them is known from its answer alone.
        """
        raw = self._raw
        if raw is None:
            return False
        raw.write(data)
        return True

    def send_text(self, payload: bytes) -> bool:
        """Frame, mask and send one text message; False when the connection is down."""
        listener = self._listener
        if listener is None or self._raw is None:
            return False
        listener.transport.send(WSMsgType.TEXT, payload)
        return True

    def subscribe(self, subscription: Subscription) -> bool:
        """Want a subscription from now on and across reconnects; False if it was wanted before.

        Nothing is refused here: the venue's refusal arrives as an `error` frame, or as a closed socket.
        """
        key = canonical(subscription)
        if key in self._wanted:
            return False
        self._wanted[key] = subscription
        self._send_method("subscribe", subscription)
        return True

    def unsubscribe(self, subscription: Subscription) -> bool:
        """Stop wanting a subscription; False if it was not wanted."""
        if self._wanted.pop(canonical(subscription), None) is None:
            return False
        self._send_method("unsubscribe", subscription)
        return True

    def forget(self, subscription: Subscription) -> None:
        """Stop wanting a subscription that the venue refused: it holds nothing that could be unsubscribed."""
        self._wanted.pop(canonical(subscription), None)

    def _send_method(self, method: str, subscription: Subscription) -> None:
        self.send_text(orjson.dumps({"method": method, "subscription": subscription}))

    # the dialling task

    async def _keep_up(self) -> None:
        while True:
            wait_ns = self._dials.take()
            if wait_ns:
                await asyncio.sleep(wait_ns / 1e9)
            self._drop_reason = None
            down = await self._live_once()
            if down.lived_ms >= self._healthy_ms:
                self._backoff.reset()
            if not down.was_up and self._on_down is not None:
                self._on_down(down)
            await asyncio.sleep(self._backoff.next_s())

    async def _live_once(self) -> Down:
        self.dials_made += 1
        listener = _Listener(self)
        try:
            # asyncio.timeout, not wait_for: the latter may swallow the cancellation of `close` (CPython before 3.12).
            async with asyncio.timeout(self._open_s * 2):
                transport = await self._dial(listener)
        except asyncio.CancelledError:
            listener.end()
            raise
        except (OSError, TimeoutError, ValueError, WSError) as error:
            return Down(f"cannot connect: {type(error).__name__}: {error}", None, 0, was_up=False)
        try:
            await transport.wait_disconnected()
        except asyncio.CancelledError:
            listener.end()
            raise
        except WSError as error:
            _log.warning("the peer broke the WebSocket protocol: %s", error)
        return listener.describe(self._drop_reason)

    async def _dial(self, listener: _Listener) -> WSTransport:
        options: dict[str, Any] = {}
        if self._local_address is not None:
            options["local_addr"] = (self._local_address, 0)
        transport, _ = await self._ws_connect(
            lambda: listener,
            self.url,
            ssl_context=self._ssl,
            websocket_handshake_timeout=self._open_s,
            logger_name="hlfast",
            max_frame_size=MAX_FRAME_BYTES,
            max_redirects=0,
            **options,
        )
        return transport

    # called by the listener, on the loop

    def _came_up(self, listener: _Listener) -> None:
        if self._task is None:  # closed while the handshake was under way
            listener.abort()
            return
        self._listener = listener
        self._raw = listener.transport.underlying_transport
        if self._on_up is not None:
            self._on_up()
        for subscription in self._wanted.values():
            self._send_method("subscribe", subscription)

    def _went_down(self, listener: _Listener) -> None:
        if self._listener is not listener:
            return
        self._listener = None
        self._raw = None
        self.paused = False
        if self._on_down is not None:
            self._on_down(listener.describe(self._drop_reason))

    def _set_paused(self, *, paused: bool) -> None:
        self.paused = paused
        callback = self._on_pause if paused else self._on_resume
        if callback is not None:
            callback()


class _Listener(WSListener):
    """The socket's callbacks of one life of a connection."""

    def __init__(self, owner: WsConnection) -> None:
        self._owner = owner
        self._on_frame = owner._on_frame  # noqa: SLF001 - one unit in two classes, split because picows owns this half
        self._ping_ms = owner._ping_ms  # noqa: SLF001
        self._clock = owner._clock  # noqa: SLF001
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._pings_unanswered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self.transport: WSTransport
        self.up_ns = 0
        self.last_frame_ns = 0
        self.last_pong_ns = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.up_ns = self.last_frame_ns = self.last_pong_ns = self._clock()
        self._arm()
        self._owner._came_up(self)  # noqa: SLF001

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        recv_ns = self._clock()
        self.last_frame_ns = recv_ns
        self._pings_unanswered = 0
        kind = frame.msg_type
        if kind is _TEXT and frame.fin:
            # A copy costs less than a view of a frame of the usual size, and the core reads it where it is.
            payload = frame.get_payload_as_bytes()
            if len(payload) <= _PONG_MAX_BYTES and b'"pong"' in payload:
                self.last_pong_ns = recv_ns
                return
            try:
                self._on_frame(payload, recv_ns)
            except Exception as error:  # noqa: BLE001 - root of the callback: recorded, logged and answered by a new connection
                self._failed(error)
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._gather(frame, recv_ns)

    def _gather(self, frame: WSFrame, recv_ns: int) -> None:
        """Join a fragmented message. The venue does not fragment today; a proxy between us may."""
        part = frame.get_payload_as_bytes()
        self._parts_bytes += len(part)
        if self._parts_bytes > MAX_FRAME_BYTES:
            self._owner.reconnect(f"a fragmented message of more than {MAX_FRAME_BYTES} bytes")
            return
        self._parts.append(part)
        if frame.fin:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._parts_bytes = 0
            try:
                self._on_frame(whole, recv_ns)
            except Exception as error:  # noqa: BLE001 - as above
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        """End this life: its owner's state may be half-way, and a new life begins with snapshots."""
        _log.error("a frame callback raised; the connection is dialled again", exc_info=error)
        self._error = error
        self._on_frame = _ignore
        self.abort()

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' signature
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owner._went_down(self)  # noqa: SLF001

    def pause_writing(self) -> None:
        self._owner._set_paused(paused=True)  # noqa: SLF001

    def resume_writing(self) -> None:
        self._owner._set_paused(paused=False)  # noqa: SLF001

    def abort(self) -> None:
        """Drop without waiting for the peer: a half-open socket would never answer a close frame."""
        self.transport.disconnect(graceful=False)

    def end(self) -> None:
        """Leave in good order, if this life had begun at all."""
        if self.up_ns:
            self.transport.disconnect(graceful=True)
            self.on_ws_disconnected(self.transport)

    def describe(self, dropped: str | None) -> Down:
        lived_ms = (self._clock() - self.up_ns) // _MS_NS
        close = self.transport.close_handshake
        said = close.recv if close is not None else None
        answered = close.sent if close is not None and not close.recv_then_sent else None
        if self._error is not None:
            reason = f"{type(self._error).__name__}: {self._error}"
        elif dropped is not None:
            reason = dropped
        elif answered is not None:
            reason = f"closed by us: {answered.reason or answered.code}"
        else:
            reason = (
                f"closed by the venue: {said.reason}" if said is not None and said.reason else "closed by the venue"
            )
        return Down(reason, int(said.code.value) if said is not None else None, lived_ms, was_up=True)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._ping_ms / 1000, self._ping)

    def _ping(self) -> None:
        if self._pings_unanswered >= 2:
            self._owner.reconnect(f"no byte for {2 * self._ping_ms} ms and two pings")
            return
        self._pings_unanswered += 1
        self.transport.send(WSMsgType.TEXT, _PING)
        self._arm()


def _ignore(payload: bytes, recv_ns: int) -> None:
    """Take the place of a handler that raised: frames already buffered belong to a life that is over."""
