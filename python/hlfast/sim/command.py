"""`hlfast sim`: start the test venue, say where it is, end cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import orjson
import typer
import uvloop

from hlfast.sim.control import ControlError
from hlfast.sim.life.files import leader_op, life_op, with_files
from hlfast.sim.port import Front, Port, S
from hlfast.sim.server import wall_ms
from hlfast.sim.sessions.head import Head
from hlfast.sim.sessions.recorder import Recorder
from hlfast.sim.sessions.replay import DifferenceError, Replay, summary
from hlfast.sim.settings import Settings
from hlfast.sim.timers import Timers

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
MARKET, WORLD, LIFE, SESSIONS, START = "The venue", "The world around it", "Life", "Sessions", "Start"


def sim(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. The page and the control door answer on loopback only.", rich_help_panel=START
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port; 0 lets the system pick a free one.", rich_help_panel=START)
    ] = 3_001,
    scenario: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON list of control ops to run before the venue says that it is ready.",
            rich_help_panel=START,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one line of JSON when ready, and nothing else.", rich_help_panel=START),
    ] = False,
    network: Annotated[
        str,
        typer.Option(
            metavar="testnet|mainnet",
            help="Which signatures are right: testnet (what the official SDK makes for any other URL) or mainnet.",
            rich_help_panel=MARKET,
        ),
    ] = "testnet",
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write down all that clients send and are told, with times and addresses. No key is in it, but "
            "signatures are.",
            rich_help_panel=SESSIONS,
        ),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Start nothing: let a recorded session happen again as fast as it goes, and tell whether every answer "
            "and frame is equal (exit code 0) or what differs first (1). Other options don't matter.",
            rich_help_panel=SESSIONS,
        ),
    ] = None,
    auto_fund: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="USD",
            help="Fund any signer on first sight. For foreign clients only: a wrong hash recovers a random address, "
            "and this would hide it.",
            rich_help_panel=MARKET,
        ),
    ] = 0,
    depth_usd: Annotated[
        int,
        typer.Option(min=0, help="Depth of the synthetic maker on each side of each book.", rich_help_panel=MARKET),
    ] = 20_000_000,
    limits: Annotated[
        str,
        typer.Option(
            metavar="off|venue",
            help="venue: the documented limits per source address (127.0.0.x count as different ones); or off.",
            rich_help_panel=WORLD,
        ),
    ] = "off",
    block_ms: Annotated[
        int,
        typer.Option(min=0, help="Block period; 0 makes each action a block at once.", rich_help_panel=WORLD),
    ] = 20,
    latency_ms: Annotated[
        int,
        typer.Option(min=0, help="Age an action must reach before a block takes it.", rich_help_panel=WORLD),
    ] = 0,
    faults: Annotated[
        Path | None,
        typer.Option(
            help="Schedule of faults, TOML or JSON, that starts with the venue's clock.", rich_help_panel=WORLD
        ),
    ] = None,
    life: Annotated[
        str | None,
        typer.Option(
            metavar="walk|capture|FILE",
            help="Let prices move and strangers trade: a random walk with jumps, recorded mainnet books and trades, or "
            "a file of your own (frames of a WebSocket capture, or candleSnapshot rows; JSON or JSON lines, .gz too).",
            rich_help_panel=LIFE,
        ),
    ] = None,
    coins: Annotated[
        str, typer.Option(metavar="BTC,ETH,…", help="Coins of --life; default: a few.", rich_help_panel=LIFE)
    ] = "",
    seed: Annotated[
        int, typer.Option(help="Seed of the walk: the same seed is the same market.", rich_help_panel=LIFE)
    ] = 1,
    speed: Annotated[
        str, typer.Option(help="Pace of --life, in times of the recorded one.", rich_help_panel=LIFE)
    ] = "1",
    leader: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ADDRESS=]FILE[@SPEED]",
            help="Let recorded fills (userFills rows) happen again for an address, which gets 10,000,000 USDC; without "
            "an address one is made from the name. Instead of a file: leader_acc2, leader_acc3, leader_acc5, "
            "leader_acc6 or leader_acc10 (real traders, packaged). May be given many times.",
            rich_help_panel=LIFE,
        ),
    ] = None,
) -> None:
    """Run a test venue that speaks Hyperliquid's protocol: /info, /exchange and /ws on one port.

    Every signature, nonce, tick, lot and minimum is checked and answered in
    the venue's own words. Point any client at the printed base URL; the
    official SDK works unmodified. The base URL in a browser shows the live
    book, fills and accounts, and the switches that make the venue misbehave.
    Nothing here is real money.

    Examples:
      hlfast sim --life walk                 a market that moves
      hlfast sim --life capture --speed 2    recorded mainnet, twice as fast
      hlfast sim --leader leader_acc6@60     a real trader's fills, to copy
      hlfast sim --limits venue --latency-ms 300    as strict as the real one
    """
    if replay is not None:
        _replay(replay)
        return
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
        ops = [] if scenario is None else _read_scenario(scenario)
        if not as_json:
            ops += [{"op": "fund", "address": address, "usdc": str(TEST_KEY_USDC)} for address, _ in TEST_KEYS]
        chosen = [coin for coin in coins.split(",") if coin]
        if life is not None:
            ops.append(life_op(life, seed=seed, speed=speed, coins=chosen))
        ops += [leader_op(text) for text in leader or ()]
        head = Head(
            start_ms=wall_ms(),
            settings=msgspec.to_builtins(settings),
            ops=ops,
            faults=faults.read_text() if faults is not None else None,
            faults_are_json=faults is not None and faults.suffix == ".json",
        )
        served: Coroutine[Any, Any, None]
        if record is None:
            server = head.server(wall_ms, time.monotonic)
            served = _serve(server, partial(head.begin, server), (settings, ops), (host, port), as_json=as_json)
        else:
            recorder = Recorder(record, head, wall_ms)
            served = _serve(recorder, recorder.run, (settings, ops), (host, port), as_json=as_json)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    try:
        uvloop.run(served)
    except (ControlError, OSError) as error:
        typer.echo(f"sim: {error}", err=True)
        raise typer.Exit(1) from None


def _read_scenario(path: Path) -> list[Any]:
    ops = with_files(orjson.loads(path.read_bytes()), path.parent)
    if not isinstance(ops, list):
        raise ValueError(f"{path}: a scenario is a JSON list of ops")  # noqa: TRY004 - bad data from outside
    return ops


async def _serve(
    front: Front[S],
    begin: Callable[[Timers], None],
    told: tuple[Settings, list[Any]],
    address: tuple[str, int],
    *,
    as_json: bool,
) -> None:
    loop = asyncio.get_running_loop()
    begin(loop)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    door = Port(front)
    bound = await door.start(*address)
    settings, ops = told
    leaders = [str(op["address"]) for op in ops if isinstance(op, dict) and op.get("what") == "fills"]
    try:
        _announce(settings, address[0], bound, leaders, as_json=as_json)
        await stopped.wait()
    finally:
        await door.stop()


def _replay(path: Path) -> None:
    try:
        counts = asyncio.run(Replay(path).run())
    except DifferenceError as error:
        typer.echo(str(error))
        raise typer.Exit(1) from None
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--replay") from None
    typer.echo(summary(counts))


def _announce(settings: Settings, host: str, port: int, leaders: list[str], *, as_json: bool) -> None:
    shown = f"[{host}]" if ":" in host else host
    base = f"http://{shown}:{port}"
    if as_json:
        line = {"base_url": base, "ws_url": f"ws://{shown}:{port}/ws", "pid": os.getpid()}
        sys.stdout.write(orjson.dumps(line).decode() + "\n")
        sys.stdout.flush()
        return
    typer.secho("SIMULATED VENUE: no real market, no real money.", fg=typer.colors.YELLOW, bold=True)
    typer.echo(f"  base URL   {base}   (in a browser: the live page)\n  WebSocket  ws://{shown}:{port}/ws")
    typer.echo(f"  signatures {settings.network}")
    if settings.limits == "off":
        typer.echo("  limits     off (the real venue allows one address 1,200 weight a minute)")
    if settings.auto_fund_usd:
        typer.echo(f"  auto-fund  {settings.auto_fund_usd} USD to any signer on first sight: wrong hashes go unnoticed")
    for address in leaders:
        typer.echo(f"  leader     {address}")
    typer.echo(f"  test keys, each with {TEST_KEY_USDC} USDC (published ones: never send them anything real):")
    for address, key in TEST_KEYS:
        typer.echo(f"    {address}  {key}")
    typer.echo("Stop with Ctrl-C.")


def main() -> None:
    """Run the command by itself."""
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command()(sim)
    app()
