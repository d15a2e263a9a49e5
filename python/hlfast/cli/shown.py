"""`hlfast followers`, `leaders`, `positions`: what a running engine knows now."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hlfast.cli.engine import AsJson, SocketPath, request_or_exit
from hlfast.cli.settings import DEFAULT_PATH, ConfigPath


def followers(config: ConfigPath = DEFAULT_PATH, socket: SocketPath = None, as_json: AsJson = False) -> None:
    """List the followers: whether they copy, whom, and what they hold."""
    core = _core(config, socket)
    if as_json:
        typer.echo(json.dumps(core["followers"]))
        return
    table = _table("follower", "state", "equity, USD", "positions", "follows")
    for follower in core["followers"]:
        mine = [edge for edge in core["follows"] if edge["follower"] == follower["name"]]
        held = sum(Decimal(lot["own"]) != 0 for lot in follower["positions"].values())
        follows = ", ".join(edge["leader"] + _short(edge["held_back"]) for edge in mine)
        equity = follower["equity_usd"] or "not read"
        table.add_row(follower["name"], _follower_state(core, follower), equity, str(held), follows)
    _print(core, table)


def leaders(config: ConfigPath = DEFAULT_PATH, socket: SocketPath = None, as_json: AsJson = False) -> None:
    """List the leaders: whether they are copied, whether their ledger is whole, and what they hold."""
    core = _core(config, socket)
    if as_json:
        typer.echo(json.dumps(core["leaders"]))
        return
    table = _table("leader", "state", "equity, USD", "positions", "followers")
    for leader in core["leaders"]:
        count = sum(edge["leader"] == leader["name"] for edge in core["follows"])
        positions = ", ".join(f"{size} {coin}" for coin, size in sorted(leader["positions"].items())) or "none"
        equity = leader["equity_usd"] or "not read"
        table.add_row(leader["name"], _leader_state(leader), equity, positions, str(count))
    _print(core, table)


def positions(
    follower: Annotated[str | None, typer.Argument(help="One follower, by name; left out: all.")] = None,
    config: ConfigPath = DEFAULT_PATH,
    socket: SocketPath = None,
    as_json: AsJson = False,
) -> None:
    """List what each follower holds, what it should hold, and whose part that is.

    [italic]held[/italic] is the engine's part, [italic]yours[/italic] what you or somebody else traded on the same
    account. Target and parts may differ from it by a lot and the venue's 10 USD.
    """
    core = _core(config, socket)
    rows = [row for row in _position_rows(core) if follower is None or row["follower"].lower() == follower.lower()]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        typer.echo("no positions")
        return
    table = _table("follower", "coin", "held", "target", "yours", "parts", "on its way")
    for row in rows:
        parts = ", ".join(f"{leader} {size}" for leader, size in row["parts"].items())
        moving = "order sent" if row["in_flight"] else "outcome unknown" if row["unknown"] else ""
        table.add_row(row["follower"], row["coin"], row["own"], row["target"], row["manual"], parts, moving)
    _print(core, table)


def _core(config: Any, socket: Any) -> dict[str, Any]:
    answer = request_or_exit(config, socket, {"do": "status"}, as_json=False)
    core: dict[str, Any] = answer["status"]["core"]
    return core


def _position_rows(core: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for follower in core["followers"]:
        name = follower["name"]
        mine = [edge for edge in core["follows"] if edge["follower"] == name]
        for coin, lot in sorted(follower["positions"].items()):
            parts = {edge["leader"]: edge["held"][coin] for edge in mine if coin in edge["held"]}
            if parts or any(Decimal(lot[key]) for key in ("own", "manual", "target")):
                rows.append({"follower": name, "coin": coin, **lot, "parts": parts})
    return rows


def _follower_state(core: dict[str, Any], follower: dict[str, Any]) -> str:
    if follower["stopped"]:
        return f"stopped: {follower['stopped']}"
    for what, pause in (("killed", core["kill"]), ("paused", core["pause"]), ("paused", follower["pause"])):
        if pause:
            return what + _kind(pause)
    trip = (follower["losses"] or {}).get("trip")
    if trip:
        return f"lost {trip['lost_usd']} USD ({trip['latch']}): hlfast resume --reset"
    if follower["losses_unread"]:
        return "losses not read: entries wait"
    return "copies" if follower["read"] else "not read yet"


def _leader_state(leader: dict[str, Any]) -> str:
    if leader["pause"]:
        return "paused" + _kind(leader["pause"])
    if leader["liquidated"]:
        return "liquidated or deleveraged: hlfast resume"
    if leader["dirty"]:
        return "gap: entries wait"
    return "copied" if leader["seeded"] else "not read yet"


def _kind(pause: dict[str, Any]) -> str:
    why = f" ({pause['why']})" if pause["why"] else ""
    return f", {pause['kind'].replace('_', '-')}{why}"


def _short(hold: dict[str, Any] | None) -> str:
    return f" ({hold['reason']})" if hold else ""


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _print(core: dict[str, Any], table: Table) -> None:
    if core["kill"]:
        typer.echo(f"the kill switch is on{_kind(core['kill'])}: hlfast resume --kill lifts it")
    # A pipe has no width: nothing is cut there.
    Console(width=None if sys.stdout.isatty() else 200).print(table)
