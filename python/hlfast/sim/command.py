"""`hlfast sim`: start the test venue, say where it is, end cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import orjson
import typer
import uvloop

from hlfast.sim.control import ControlError
from hlfast.sim.port import Port
from hlfast.sim.server import Server
from hlfast.sim.settings import Settings

# Published test keys of well-known tool chains: never a place for real money.
TEST_KEYS = (
    (
        "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    ),
    (
        "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    ),
    (
        "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
        "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    ),
)
TEST_KEY_USDC = 100_000


def sim(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    host: Annotated[
        str, typer.Option(help="Address to listen on. The control door answers on loopback only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 lets the system pick a free one.")] = 3_001,
    auto_fund: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="USD",
            help="Fund any signer on first sight. For foreign clients only: a wrong hash recovers a random address, "
            "and this would hide it.",
        ),
    ] = 0,
    network: Annotated[
        str,
        typer.Option(
            help="Which signatures are right: testnet (what the official SDK makes for any other URL) or mainnet."
        ),
    ] = "testnet",
    limits: Annotated[
        str,
        typer.Option(
            help="venue: the documented limits per source address (127.0.0.x count as different ones); or off."
        ),
    ] = "off",
    block_ms: Annotated[int, typer.Option(min=0, help="Block period; 0 makes each action a block at once.")] = 20,
    latency_ms: Annotated[int, typer.Option(min=0, help="Age an action must reach before a block takes it.")] = 0,
    depth_usd: Annotated[
        int, typer.Option(min=0, help="Depth of the synthetic maker on each side of each book.")
    ] = 20_000_000,
    scenario: Annotated[
        Path | None, typer.Option(help="JSON list of control ops to run before the venue says that it is ready.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready, and nothing else.")
    ] = False,
) -> None:
    """Run a test venue that speaks Hyperliquid's protocol: /info, /exchange and /ws on one port.

    Every signature, nonce, tick, lot and minimum is checked and answered in the venue's own words. Point any client
    at the printed base URL; the official SDK works unmodified. Nothing here is real money.
    """
    try:
        settings = msgspec.convert(
            {
                "network": network,
                "limits": limits,
                "auto_fund_usd": auto_fund,
                "block_ms": block_ms,
                "latency_ms": latency_ms,
                "depth_usd": depth_usd,
            },
            Settings,
        )
        ops = orjson.loads(scenario.read_bytes()) if scenario is not None else []
    except (msgspec.ValidationError, orjson.JSONDecodeError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    try:
        uvloop.run(_serve(settings, host, port, ops, as_json=as_json))
    except (ControlError, OSError) as error:
        typer.echo(f"sim: {error}", err=True)
        raise typer.Exit(1) from None


async def _serve(settings: Settings, host: str, port: int, ops: object, *, as_json: bool) -> None:
    server = Server(settings)
    for address, _ in TEST_KEYS if not as_json else ():
        server.control.run({"op": "fund", "address": address, "usdc": str(TEST_KEY_USDC)})
    server.control.run_all(ops)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    door = Port(server)
    bound = await door.start(host, port)
    try:
        _announce(settings, host, bound, as_json=as_json)
        await stopped.wait()
    finally:
        await door.stop()


def _announce(settings: Settings, host: str, port: int, *, as_json: bool) -> None:
    shown = f"[{host}]" if ":" in host else host
    base = f"http://{shown}:{port}"
    if as_json:
        line = {"base_url": base, "ws_url": f"ws://{shown}:{port}/ws", "pid": os.getpid()}
        sys.stdout.write(orjson.dumps(line).decode() + "\n")
        sys.stdout.flush()
        return
    typer.secho("SIMULATED VENUE: no real market, no real money.", fg=typer.colors.YELLOW, bold=True)
    typer.echo(f"  base URL   {base}\n  WebSocket  ws://{shown}:{port}/ws\n  signatures {settings.network}")
    if settings.limits == "off":
        typer.echo("  limits     off (the real venue allows one address 1,200 weight a minute)")
    if settings.auto_fund_usd:
        typer.echo(f"  auto-fund  {settings.auto_fund_usd} USD to any signer on first sight: wrong hashes go unnoticed")
    typer.echo(f"  test keys, each with {TEST_KEY_USDC} USDC (published ones: never send them anything real):")
    for address, key in TEST_KEYS:
        typer.echo(f"    {address}  {key}")
    typer.echo("Stop with Ctrl-C.")


def main() -> None:
    """Run the command by itself."""
    typer.run(sim)
