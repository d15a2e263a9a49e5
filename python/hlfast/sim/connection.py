"""One WebSocket of a client: its requests, its subscriptions, its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
import orjson

from hlfast.sim.actions import ParseError, parse_envelope
from hlfast.sim.channels import InvalidError, UnknownCoinError, UnreadableError, read_subscription
from hlfast.sim.faults.answers import CUT, GARBAGE, LOST, Failure
from hlfast.sim.hub import frame
from hlfast.sim.info import BadRequestError
from hlfast.sim.limits import POSTS_IN_FLIGHT, SUBSCRIPTIONS, Source, action_weight, info_weight, row_weight
from hlfast.sim.verdicts import Answer

if TYPE_CHECKING:
    from hlfast.sim.server import Server

MAX_FRAME = 4 * 1024 * 1024
PONG = b'{"channel":"pong"}'


# Wider ids fit in no frame that answers them.
PostId = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class PostRequest(msgspec.Struct, gc=False):
    """What a post asks for; the payload is decoded once its type is known."""

    type: str
    payload: msgspec.Raw


class ClientFrame(msgspec.Struct, gc=False):
    """Any message of a client."""

    method: str
    subscription: Any = None
    id: PostId | None = None
    request: PostRequest | None = None


_decoder = msgspec.json.Decoder(ClientFrame)
_encode = msgspec.json.Encoder().encode


class Outlet(Protocol):
    """The way to the client."""

    def send(self, payload: bytes) -> None:
        """Write one text frame."""

    def abort(self) -> None:
        """Drop the socket without a close frame: the client sees code 1006."""


class Wire(Outlet, Protocol):
    """What carries a socket's frames: a TCP transport, or a queue in the client's own process."""

    def is_closing(self) -> bool:
        """Tell whether the socket is gone or going."""

    def backlog(self) -> int:
        """Return the bytes that the client hasn't taken yet."""


class Connection:
    """The venue's side of one socket, whatever carries it."""

    def __init__(self, server: Server, outlet: Outlet, address: str, source: Source) -> None:
        self._server = server
        self._limits = server.limits
        self._outlet = outlet
        self._address = address
        self._source = source
        self._subs: dict[bytes, dict[str, Any]] = {}

    def send(self, payload: bytes) -> None:
        """Write one text frame."""
        self._outlet.send(payload)

    def abort(self) -> None:
        """Drop the socket without a close frame: the client sees code 1006."""
        self._outlet.abort()

    def carries(self, kind: str) -> bool:
        """Tell whether the client has a subscription of this type."""
        return any(sub["type"] == kind for sub in self._subs.values())

    def close(self) -> None:
        """Forget everything that this socket held."""
        for sub in list(self._subs.values()):
            self._drop(sub)

    def receive(self, text: str) -> None:
        """Take one message of the client."""
        if not self._limits.may_send(self._source):
            self._error("Too many messages.")
            return
        try:
            sent = _decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self._unparsed(text)
            return
        if sent.method == "ping":
            self.send(PONG)
        elif sent.method == "post" and sent.id is not None and sent.request is not None:
            self._post(sent.id, sent.request, text)
        elif sent.method in ("subscribe", "unsubscribe"):
            self._subscription(sent.method, sent.subscription, text)
        else:
            self._unparsed(text)

    def _error(self, text: str) -> None:
        self.send(frame("error", text))

    def _unparsed(self, text: str) -> None:
        self._error(f"Error parsing JSON into valid websocket request: {text}")

    def _subscription(self, method: str, sent: Any, text: str) -> None:
        try:
            sub = read_subscription(sent, self._server.venue)
        except UnreadableError:
            self._unparsed(text)
            return
        except InvalidError:
            self._error(f"Invalid subscription {msgspec.json.encode(sent).decode()}")
            return
        except UnknownCoinError:
            self.abort()
            return
        spelled = orjson.dumps(sub)
        if method == "unsubscribe":
            self._unsubscribe(sub, spelled)
        else:
            self._subscribe(sub, spelled)

    def _unsubscribe(self, sub: dict[str, Any], spelled: bytes) -> None:
        if spelled not in self._subs:
            self._error(f"Already unsubscribed: {spelled.decode()}")
            return
        self._drop(sub)
        self._acknowledge("unsubscribe", sub)

    def _subscribe(self, sub: dict[str, Any], spelled: bytes) -> None:
        if spelled in self._subs:
            self._error(f"Already subscribed: {spelled.decode()}")
            return
        refusal = self._refusal(sub)
        if refusal is not None:
            self._error(refusal)
            return
        self._take(sub, spelled)
        self._acknowledge("subscribe", sub)
        first = self._server.hub.snapshots.first(sub)
        if first is not None:
            self.send(frame(*first))

    def _acknowledge(self, method: str, sub: dict[str, Any]) -> None:
        self.send(frame("subscriptionResponse", {"method": method, "subscription": sub}))

    def _refusal(self, sub: dict[str, Any]) -> str | None:
        if not self._limits.is_enforced:
            return None
        if self._source.subscriptions >= SUBSCRIPTIONS:
            return f"Cannot subscribe to more than {SUBSCRIPTIONS} channels."
        user = sub.get("user")
        most = self._server.settings.max_users
        if user is not None and user not in self._source.users and len(self._source.users) >= most:
            return f"Cannot track more than {most} total users."
        return None

    def _take(self, sub: dict[str, Any], spelled: bytes) -> None:
        self._subs[spelled] = sub
        self._source.subscriptions += 1
        if "user" in sub:
            self._source.users[sub["user"]] += 1
        self._server.hub.join(self, sub)

    def _drop(self, sub: dict[str, Any]) -> None:
        del self._subs[orjson.dumps(sub)]
        self._source.subscriptions -= 1
        user = sub.get("user")
        if user is not None:
            self._source.users[user] -= 1
            if not self._source.users[user]:
                del self._source.users[user]
        self._server.hub.leave(self, sub)

    def _post(self, post_id: int, request: PostRequest, text: str) -> None:
        if self._limits.is_enforced and self._source.posts >= POSTS_IN_FLIGHT:
            self._error(f"too many pending post requests id={post_id}")
            return
        if request.type == "info":
            self._post_info(post_id, request.payload, text)
        elif request.type == "action":
            self._post_action(post_id, request.payload, text)
        else:
            self._unparsed(text)

    def _reply(self, post_id: int, kind: str, payload: Any) -> None:
        self.send(frame("post", {"id": post_id, "response": {"type": kind, "payload": payload}}))

    def _limited(self, post_id: int) -> None:
        self._server.venue.record.counters["rate_limited"] += 1
        self._reply(post_id, "error", self._server.settings.too_many_post)

    def _post_info(self, post_id: int, payload: msgspec.Raw, text: str) -> None:
        try:
            body = orjson.loads(bytes(payload))
        except orjson.JSONDecodeError:
            body = None
        kind = body.get("type") if isinstance(body, dict) else None
        if not isinstance(kind, str) or kind not in self._server.info.types:
            self._unparsed(text)
            return
        if not self._limits.spend(self._source, info_weight(kind)):
            self._limited(post_id)
            return
        try:
            answer = self._server.info.answer(body)
        except BadRequestError:
            self._unparsed(text)
            return
        self._limits.charge(self._source, row_weight(kind, answer))
        fate = self._server.faults.fate(self._address, "info")
        if fate is None:
            self._reply(post_id, "info", {"type": kind, "data": answer})
        elif fate.failure is not None:
            self._fail(post_id, fate.failure)
        else:
            self._server.after(fate.delay_ms, lambda: self._reply(post_id, "info", {"type": kind, "data": answer}))

    def _fail(self, post_id: int, failure: Failure) -> None:
        """Give the client what a fault put in an answer's place."""
        if failure.status == CUT:
            self.abort()
        elif failure.status == GARBAGE:
            self.send(failure.body)
        elif failure.status != LOST:
            self._reply(post_id, "error", failure.text())

    def _post_action(self, post_id: int, payload: msgspec.Raw, text: str) -> None:
        try:
            envelope = parse_envelope(bytes(payload))
        except ParseError:
            self._unparsed(text)
            return
        if not self._limits.spend(self._source, action_weight(envelope.action.requests())):
            self._limited(post_id)
            return
        self._source.posts += 1

        def reply(answer: Answer | Failure) -> None:
            self._source.posts -= 1
            if isinstance(answer, Failure):
                self._fail(post_id, answer)
                return
            data = {"id": post_id, "response": {"type": "action", "payload": answer}}
            self.send(_encode({"channel": "post", "data": data}))

        self._server.submit(envelope, self._address, reply)
