"""Signed orders a second that `hlfast sim` accepts over one WebSocket, signature check included, beside its client.

Orders are signed before the clock starts; at most `--window` are in flight, as the venue allows. Prints one JSON object with
the medians of interleaved rounds: block clock and immediate blocks. Beside each figure: one address of the real venue is
allowed 1,200 actions a minute.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import coincurve
import orjson
import uvloop

from hlfast.sim import signatures
from hlfast.sim.actions import convert_envelope

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS = 20
ETH = 1
FORMS = {"block clock 20 ms": ("--block-ms", "20"), "immediate": ("--block-ms", "0")}


def signed_posts(count: int, first_nonce: int) -> tuple[list[str], list[str]]:
    """Return the accounts' addresses and the posts, orders taking turns between accounts and sides."""
    keys = [coincurve.PrivateKey((index + 1).to_bytes(32, "big")) for index in range(ACCOUNTS)]
    posts = []
    for index in range(count):
        turn, is_buy = divmod(index, ACCOUNTS)[0], index // ACCOUNTS % 2 == 0
        order = {"a": ETH, "b": is_buy, "p": "9000" if is_buy else "1000", "s": "0.05", "r": False}
        action = {"type": "order", "orders": [order | {"t": {"limit": {"tif": "Ioc"}}}], "grouping": "na"}
        body: dict[str, Any] = {"action": action, "nonce": first_nonce + turn}
        unsigned = convert_envelope(body | {"signature": {"r": "0x1", "s": "0x1", "v": 27}})
        hashed = signatures.digest_of(unsigned, "testnet")
        assert hashed is not None
        raw = keys[index % ACCOUNTS].sign_recoverable(hashed[1], hasher=None)
        body["signature"] = {"r": "0x" + raw[:32].hex(), "s": "0x" + raw[32:64].hex(), "v": 27 + raw[64]}
        request = {"type": "action", "payload": body}
        posts.append(orjson.dumps({"method": "post", "id": index, "request": request}).decode())
    addresses = [signatures.address_of(key.public_key.format(compressed=False)[1:]) for key in keys]
    return addresses, posts


async def measure(base_url: str, count: int, window: int) -> float:
    """Return accepted orders a second; every one must have filled."""
    addresses, posts = signed_posts(count, time.time_ns() // 1_000_000)
    async with aiohttp.ClientSession() as session:
        for address in addresses:
            fund = {"op": "fund", "address": address, "usdc": "1000000"}
            async with session.post(base_url + "/control", json=fund) as answer:
                answer.raise_for_status()
        async with session.ws_connect(base_url + "/ws") as socket:
            started = time.perf_counter()
            sent = filled = 0
            for received in range(count):
                while sent < count and sent - received < window:
                    await socket.send_str(posts[sent])
                    sent += 1
                filled += '"filled"' in await socket.receive_str()
            elapsed = time.perf_counter() - started
    if filled != count:
        raise SystemExit(f"only {filled} of {count} orders filled")
    return count / elapsed


def one_round(options: tuple[str, ...], count: int, window: int) -> float:
    """Start a venue of its own, measure, end it."""
    command = [sys.executable, "-m", "hlfast.sim", "--port", "0", "--json", *options]
    env = {"PYTHONPATH": str(ROOT / "python")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        base_url = json.loads(process.stdout.readline())["base_url"]
        try:
            return uvloop.run(measure(base_url, count, window))
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=6_000)
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in FORMS}
    for _ in range(arguments.rounds):
        for name, options in FORMS.items():
            rates[name].append(one_round(options, arguments.orders, arguments.window))
    medians = {name: round(statistics.median(values)) for name, values in rates.items()}
    print(json.dumps({"orders_per_second": medians, "orders": arguments.orders, "one_address_per_minute": 1_200}))


if __name__ == "__main__":
    main()
