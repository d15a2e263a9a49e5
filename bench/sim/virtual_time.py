"""Orders a second through a venue in process, in virtual time, its signature checks off: what its own tests can do.

One client posts over one socket, `--window` in flight; each order fills against the synthetic maker, and the client's
fills are published to it. Prints one JSON object with the median of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time

from hlfast.sim.inprocess import InProcess
from hlfast.sim.settings import Settings
from hlfast.sim.virtual import VirtualLoop

ACCOUNTS = 20
ETH = 1


def claimed_posts(count: int, first_nonce: int) -> list[bytes]:
    """Return posts of orders whose `r` names their signer, taking turns between accounts and sides."""
    posts = []
    for index in range(count):
        is_buy = index // ACCOUNTS % 2 == 0
        order = {"a": ETH, "b": is_buy, "p": "9000" if is_buy else "1000", "s": "0.05", "r": False}
        action = {"type": "order", "orders": [order | {"t": {"limit": {"tif": "Ioc"}}}], "grouping": "na"}
        signature = {"r": hex(index % ACCOUNTS + 1), "s": "0x1", "v": 27}
        body = {"action": action, "nonce": first_nonce + index // ACCOUNTS, "signature": signature}
        post = {"method": "post", "id": index, "request": {"type": "action", "payload": body}}
        posts.append(json.dumps(post, separators=(",", ":")).encode())
    return posts


async def drive(venue: InProcess, posts: list[bytes], window: int) -> int:
    """Send all posts, at most `window` in flight; returns how many filled."""
    done = asyncio.get_running_loop().create_future()
    rest = iter(posts)
    filled = answered = 0

    def on_frame(frame: bytes) -> None:
        nonlocal filled, answered
        if not frame.startswith(b'{"channel":"post"'):
            return
        filled += b'"filled"' in frame
        answered += 1
        following = next(rest, None)
        if following is not None:
            socket.send(following)
        elif answered == len(posts):
            done.set_result(None)

    socket = venue.connect("127.0.0.1", on_frame, lambda _code: None)
    for account in (1, 2):
        user = f"0x{account:040x}"
        socket.send(json.dumps({"method": "subscribe", "subscription": {"type": "userFills", "user": user}}).encode())
    for _ in range(window):
        socket.send(next(rest))
    await done
    return filled


def one_round(count: int, window: int, block_ms: int) -> tuple[float, str]:
    """Return orders a second of real time, and the hash of the event log."""
    loop = VirtualLoop()
    try:
        venue = InProcess(Settings(verify=False, block_ms=block_ms), loop=loop, now_ms=loop.now_ms)
        for account in range(1, ACCOUNTS + 1):
            venue.server.control.run({"op": "fund", "address": f"0x{account:040x}", "usdc": "1000000"})
        posts = claimed_posts(count, loop.now_ms())
        started = time.perf_counter()
        filled = loop.run_until_complete(drive(venue, posts, window))
        elapsed = time.perf_counter() - started
        if filled != count:
            raise SystemExit(f"only {filled} of {count} orders filled")
        return count / elapsed, venue.server.venue.event_log.hexdigest()
    finally:
        loop.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--block-ms", type=int, default=70)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rounds = [one_round(arguments.orders, arguments.window, arguments.block_ms) for _ in range(arguments.rounds)]
    hashes = {log_hash for _, log_hash in rounds}
    if len(hashes) != 1:
        raise SystemExit(f"the rounds differ: {hashes}")
    rates = sorted(rate for rate, _ in rounds)
    print(
        json.dumps(
            {
                "orders_per_second": round(statistics.median(rates)),
                "slowest": round(rates[0]),
                "fastest": round(rates[-1]),
                "orders": arguments.orders,
                "event_log_hash": hashes.pop(),
            }
        )
    )


if __name__ == "__main__":
    main()
