"""Steps of the SDK's WebSocket."""

from __future__ import annotations

import time
from typing import Any

from tour import Tour, step


def heard(tour: Tour) -> list[Any]:
    """Return the messages of the tour's one subscription."""
    messages: list[Any] = tour.notes.setdefault("heard", [])
    return messages


def wait_for(tour: Tour, count: int) -> None:
    """Wait until so many messages came, for five seconds at most."""
    deadline = time.monotonic() + 5
    while len(heard(tour)) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(heard(tour)) >= count


@step("Info.subscribe", "userFills: snapshot, then a fill")
def subscribe(tour: Tour) -> None:
    sub = {"type": "userFills", "user": tour.user}
    tour.notes["id"] = tour.info.subscribe(sub, heard(tour).append)
    wait_for(tour, 1)
    assert heard(tour)[0]["data"]["isSnapshot"] is True
    tour.exchange.market_open("ETH", True, 0.1)
    wait_for(tour, 2)
    assert "isSnapshot" not in heard(tour)[1]["data"]


@step("Info.unsubscribe", "user_fills has the next fill, the channel is silent")
def unsubscribe(tour: Tour) -> None:
    assert tour.info.unsubscribe({"type": "userFills", "user": tour.user}, tour.notes["id"])
    count, known = len(heard(tour)), len(tour.info.user_fills(tour.user))
    tour.exchange.market_open("ETH", True, 0.1)
    assert len(tour.info.user_fills(tour.user)) > known
    assert len(heard(tour)) == count


@step("Info.disconnect_websocket", "the socket's thread ends")
def disconnect_websocket(tour: Tour) -> None:
    tour.info.disconnect_websocket()
    # The SDK's own reader may look at its closed socket only after ten seconds.
    tour.info.ws_manager.join(15)
    assert not tour.info.ws_manager.is_alive()
