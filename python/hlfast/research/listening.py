"""Listens to the public trades for a bounded time and keeps who trades most."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from hlfast.research.tape import Tape
from hlfast.venue.info import Info
from hlfast.venue.ws import Down, WsConnection

# Of one source address the venue takes 1,000 subscriptions (2026-08); the engine may hold most of them.
MOST_COINS = 200
BUSIEST = 50
_OPEN_S = 15.0
# Sorting a batch takes milliseconds; between frames the loop must come to its other work.
_FLUSH_S = 1.0


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """How complete the listening was. Trades of a time without connection are missing; nobody can repeat them."""

    coins: int
    trades: int
    addresses: int  # distinct ones, estimated within about 1 %
    bad_frames: int
    bad_rows: int
    interruptions: int
    connected: bool


async def busiest(info: Info, count: int = BUSIEST) -> tuple[str, ...]:
    """Return the live main perps with most volume of the day, most first.

    Raises:
        VenueError, NoAnswerError: as `Info`.
    """
    meta, contexts = await info.meta_and_contexts()
    volumes = {
        perp.name: context.day_ntl_vlm
        for perp, context in zip(meta.universe, contexts, strict=False)
        if not perp.is_delisted
    }
    return tuple(sorted(volumes, key=lambda coin: (-volumes[coin], coin))[:count])


async def listen(url: str, coins: Sequence[str], seconds: float, tape: Tape) -> Heard:
    """Take the trades of these coins into `tape` for so long, through reconnects.

    The first frame of each coin holds trades from before: they are real and count too. A coin the venue does not know
    makes it close the socket without a word, so take names from its metadata.

    Args:
        url: the WebSocket.
        coins: at most 200.
        seconds: from the opening on; 15 s are given to the first opening.
        tape: filled.
    """
    up = asyncio.Event()
    interruptions = 0

    def on_down(down: Down) -> None:
        nonlocal interruptions
        interruptions += down.was_up

    connection = WsConnection(url, lambda frame, _: tape.take(bytes(frame)), on_up=up.set, on_down=on_down)
    for coin in coins[:MOST_COINS]:
        connection.subscribe({"type": "trades", "coin": coin})
    connection.start()
    try:
        await asyncio.wait_for(up.wait(), _OPEN_S)
        await _until(seconds, tape)
    except TimeoutError:
        pass  # said by `connected`
    finally:
        # Our own closing is no interruption.
        heard = interruptions
        await connection.close()
        tape.flush()
    return Heard(
        coins=len(coins[:MOST_COINS]),
        trades=tape.trades,
        addresses=tape.sketch.distinct(),
        bad_frames=tape.bad_frames,
        bad_rows=tape.bad_rows + tape.sketch.bad,
        interruptions=heard,
        connected=up.is_set(),
    )


async def _until(seconds: float, tape: Tape) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0:
        await asyncio.sleep(min(left, _FLUSH_S))
        tape.flush()
