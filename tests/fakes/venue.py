"""A small WebSocket venue: acknowledges subscriptions, answers posts, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import json
from typing import Self

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server


class _Client(WSListener):
    def __init__(self, venue: FakeVenue) -> None:
        self.venue = venue
        self.transport: WSTransport
        self.subscriptions: list[dict] = []

    def on_ws_connected(self, transport):
        self.transport = transport
        self.venue.clients.append(self)

    def on_ws_disconnected(self, transport):
        self.venue.clients.remove(self)

    def on_ws_frame(self, transport, frame: WSFrame):
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            self.venue.on_message(self, json.loads(frame.get_payload_as_bytes()))

    def send(self, message: dict) -> None:
        self.transport.send(WSMsgType.TEXT, json.dumps(message).encode())


class FakeVenue:
    """Switches: `deaf` answers nothing at all; `dataless` answers pings and posts but sends no channel; `most_users` refuses more."""

    def __init__(self) -> None:
        self.clients: list[_Client] = []
        self.messages: list[dict] = []
        self.posts: list[dict] = []
        self.deaf = False
        self.dataless = False
        self.answers_posts = True
        self.most_users = 1_000_000
        self.server: asyncio.Server
        self.url = ""
        self.changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.server = await ws_create_server(lambda request: _Client(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_error) -> None:
        self.server.close()
        self.drop()
        await until(lambda: not self.clients)
        await self.server.wait_closed()

    def drop(self) -> None:
        for client in list(self.clients):
            client.transport.disconnect(graceful=False)

    def publish(self, message: dict) -> None:
        """Send to each connection that subscribed the channel."""
        for client in list(self.clients):
            if any(each["type"] == message["channel"] for each in client.subscriptions):
                client.send(message)

    def users(self) -> set[str]:
        return {sub["user"] for client in self.clients for sub in client.subscriptions if "user" in sub}

    def on_message(self, client: _Client, message: dict) -> None:
        self.messages.append(message)
        if self.deaf:
            return
        match message["method"]:
            case "ping":
                client.send({"channel": "pong"})
            case "subscribe":
                self._subscribe(client, message["subscription"])
            case "unsubscribe":
                client.subscriptions = [each for each in client.subscriptions if each != message["subscription"]]
                client.send({"channel": "subscriptionResponse", "data": message})
            case "post":
                self.posts.append(message)
                if self.answers_posts:
                    client.send(
                        {
                            "channel": "post",
                            "data": {"id": message["id"], "response": {"type": "action", "payload": {}}},
                        }
                    )

    def _subscribe(self, client: _Client, subscription: dict) -> None:
        user = subscription.get("user")
        if user is not None and user not in self.users() and len(self.users()) >= self.most_users:
            client.send({"channel": "error", "data": f"Cannot track more than {self.most_users} total users."})
            return
        client.subscriptions.append(subscription)
        client.send({"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": subscription}})
        if not self.dataless and subscription["type"] == "bbo":
            client.send({"channel": "bbo", "data": {"coin": subscription["coin"], "time": 1, "bbo": [None, None]}})
        if not self.dataless and subscription["type"] == "userFills":
            client.send({"channel": "userFills", "data": {"user": user, "isSnapshot": True, "fills": []}})


async def until(condition, seconds: float = 5.0) -> None:
    """Wait for a condition on the loop; fail by name when it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions here are about several objects
            await asyncio.sleep(0.002)
