"""`hlfast follow`, `unfollow`, `limits`: settings changed while the engine runs, each as one journaled request."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from hlfast.cli.engine import AsJson, SocketPath, request_or_exit
from hlfast.cli.line import EXIT_CANNOT, refuse
from hlfast.cli.settings import DEFAULT_PATH, ConfigPath
from hlfast.config.checks import check
from hlfast.config.model import Config, Follow, Follower, Leader
from hlfast.config.problems import suggestion
from hlfast.control.settings import configure, in_force

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="A setting, as docs/configuration.md names it; VALUE none: no limit."
    ),
]
_Row = TypeVar("_Row", bound=msgspec.Struct)
# Who a row is, rather than what it may do.
_IDENTITY = {Follower: {"name", "account", "agent", "vault"}, Follow: {"leader", "follower"}}


def follow(  # noqa: PLR0913, PLR0917 # one parameter an option of the command line
    leader: Annotated[str, typer.Argument(help="A leader's name; a new one with --address.")],
    follower: Annotated[str, typer.Argument(help="A follower's name; a new one with --account and --agent.")],
    ratio: Annotated[str | None, typer.Option(help="Copy this share of the leader's size.")] = None,
    weight: Annotated[str | None, typer.Option(help="Copy this times follower equity ÷ leader equity.")] = None,
    notional_usd: Annotated[str | None, typer.Option(help="Copy each position with this value.")] = None,
    risk_bps: Annotated[
        int | None, typer.Option(help="Size each position so that a usual day moves this much of the equity.")
    ] = None,
    existing: Annotated[str, typer.Option(help="What the leader holds now: ignore, adopt, adopt_within.")] = "ignore",
    address: Annotated[str | None, typer.Option(help="Of a leader that is not in the settings yet.")] = None,
    account: Annotated[str | None, typer.Option(help="Of a follower that is not in the settings yet.")] = None,
    agent: Annotated[str | None, typer.Option(help="Its API wallet; the key must be where keys are read.")] = None,
    settings: Settings = None,
    config: ConfigPath = DEFAULT_PATH,
    socket: SocketPath = None,
    as_json: AsJson = False,
) -> None:
    """Begin to copy: a follow of the running engine, kept over restarts.

      hlfast follow whale main --ratio 0.1
      hlfast follow new main --notional-usd 250 --address 0x… --set max_position_usd=1000
      hlfast follow whale second --weight 1 --account 0x… --agent 0x… --existing adopt

    What the leader holds already is ignored until flat or flipped, unless you say otherwise. The settings file is not
    written: add the lines that this prints, or the next [bold]hlfast reload[/bold] takes them back.
    """
    now, revision = _in_force(config, socket)
    sizes = {"ratio": ratio, "equity": weight, "notional": notional_usd, "risk": risk_bps}
    mode = [name for name, value in sizes.items() if value is not None]
    if len(mode) != 1:
        refuse("the size is not clear", "give one of --ratio, --weight, --notional-usd, --risk-bps")
    fields: dict[str, Any] = {"leader": leader, "follower": follower, "mode": mode[0], "ratio": ratio, "weight": weight}
    fields |= {"notional_usd": notional_usd, "risk_bps": risk_bps, "existing": existing, **_values(Follow, settings)}
    leaders, followers = now.leaders, now.followers
    rows: list[tuple[str, dict[str, Any]]] = []
    if address is not None:
        leaders = (*leaders, Leader(name=leader, address=address))
        rows.append(("leaders", {"name": leader, "address": address}))
    if account is not None or agent is not None:
        if account is None or agent is None:
            refuse("a new follower needs both", "give --account and --agent")
        followers = (*followers, Follower(name=follower, account=account, agent=agent))
        rows.append(("followers", {"name": follower, "account": account, "agent": agent}))
    edge = _converted(fields, Follow)
    rows.append(("follows", {name: value for name, value in fields.items() if value is not None}))
    wanted = msgspec.structs.replace(now, leaders=leaders, followers=followers, follows=(*now.follows, edge))
    _put(_checked(wanted), revision, config, socket, as_json=as_json)
    if not as_json:
        _tell_file(rows)


def unfollow(
    leader: Annotated[str, typer.Argument(help="A leader's name.")],
    follower: Annotated[str, typer.Argument(help="A follower's name.")],
    close: Annotated[bool, typer.Option("--close", help="Close what the follow holds, now.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep it as your own position; nobody reduces it then.")] = False,
    config: ConfigPath = DEFAULT_PATH,
    socket: SocketPath = None,
    as_json: AsJson = False,
) -> None:
    """End a follow. What it holds goes as the leader reduces it.

    [bold]--close[/bold] closes it at once, [bold]--keep[/bold] makes it your own position. Other leaders' parts of the
    same account are not touched. Until it is over, increases end as [italic]blocked: unfollowed[/italic].
    """
    if close and keep:
        refuse("--close and --keep contradict each other", "keep one of them")
    now, revision = _in_force(config, socket)
    left = tuple(edge for edge in now.follows if (edge.leader, edge.follower) != (leader, follower))
    if len(left) == len(now.follows):
        known = sorted(f"{edge.leader} {edge.follower}" for edge in now.follows)
        refuse(f"{follower} does not follow {leader}", suggestion(f"{leader} {follower}", known))
    parting = "close" if close else "keep" if keep else "reduce"
    _put(msgspec.structs.replace(now, follows=left), revision, config, socket, as_json=as_json, parting=parting)
    if not as_json:
        typer.echo("take the follow out of the settings file too, or the next reload brings it back", err=True)


def limits(
    follower: Annotated[str | None, typer.Argument(help="A follower's name; left out: all.")] = None,
    leader: Annotated[str | None, typer.Option("--leader", "-l", help="With --set: of this follow only.")] = None,
    settings: Settings = None,
    config: ConfigPath = DEFAULT_PATH,
    socket: SocketPath = None,
    as_json: AsJson = False,
) -> None:
    """Show what accounts and follows may do, or change it.

      hlfast limits
      hlfast limits main --set max_position_usd=5000
      hlfast limits main -l whale --set max_position_usd=none

    A changed limit counts from the next entry; it alone sends no order.
    """
    now, revision = _in_force(config, socket)
    if not settings:
        _show_limits(now, follower, as_json=as_json)
        return
    if follower is None:
        refuse("--set needs to know whose", "name the follower first: hlfast limits main --set …")
    if leader is None:
        _known(follower, [one.name for one in now.followers], "follower")
        values = _values(Follower, settings)
        people = tuple(_changed(one, values) if one.name == follower else one for one in now.followers)
        wanted = msgspec.structs.replace(now, followers=people)
    else:
        _known(leader, [edge.leader for edge in now.follows if edge.follower == follower], "leader that it follows")
        values = _values(Follow, settings)
        pair = (leader, follower)
        edges = tuple(_changed(one, values) if (one.leader, one.follower) == pair else one for one in now.follows)
        wanted = msgspec.structs.replace(now, follows=edges)
    _put(_checked(wanted), revision, config, socket, as_json=as_json)
    if not as_json:
        typer.echo("write it into the settings file too, or the next reload takes it back", err=True)


def _in_force(config: Path, socket: Path | None) -> tuple[Config, int]:
    answer = request_or_exit(config, socket, {"do": "settings"}, as_json=False)
    return in_force(answer)


def _checked(wanted: Config) -> Config:
    checked, problems = check(wanted)
    if problems:
        for problem in problems:
            typer.echo(problem.line(), err=True)
        raise typer.Exit(EXIT_CANNOT)
    return checked


def _put(
    wanted: Config, revision: int, config: Path, socket: Path | None, *, as_json: bool, parting: str = "reduce"
) -> None:
    answer = request_or_exit(config, socket, configure(wanted, revision, parting=parting), as_json=as_json)
    if not as_json:
        for line in answer["said"]:
            typer.echo(line)


def _values(of: type[msgspec.Struct], pairs: list[str] | None) -> dict[str, Any]:
    """Read NAME=VALUE pairs by the types of a settings table."""
    hints = get_type_hints(of)
    known = set(hints) - _IDENTITY[of]
    values: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals or name not in known:
            refuse(f"--set {pair}: no such setting of a {of.__name__.lower()}", suggestion(name, known))
        values[name] = _value(text, str(hints[name]))
    return values


def _value(text: str, hint: str) -> Any:
    if text == "none":
        return None
    if "tuple" in hint:
        return [part for part in text.split(",") if part]
    if "str" in hint and "Literal" not in hint:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _changed(row: _Row, values: dict[str, Any]) -> _Row:
    return _converted({**msgspec.to_builtins(row), **values}, type(row))


def _converted(fields: dict[str, Any], of: type[_Row]) -> _Row:
    try:
        return msgspec.convert(fields, of)
    except msgspec.ValidationError as error:
        refuse(f"{of.__name__.lower()}: {error}", "docs/configuration.md lists every setting")


def _known(name: str, names: list[str], what: str) -> None:
    if name not in names:
        refuse(f'"{name}" is no {what}', suggestion(name, names))


def _show_limits(now: Config, follower: str | None, *, as_json: bool) -> None:
    if follower is not None:
        _known(follower, [one.name for one in now.followers], "follower")
    rows: list[tuple[str, str, Any]] = []
    for one in now.followers:
        rows += [(one.name, name, value) for name, value in _given(one)]
        edges = [edge for edge in now.follows if edge.follower == one.name]
        rows += [(f"{one.name} of {edge.leader}", name, value) for edge in edges for name, value in _given(edge)]
    rows = [row for row in rows if follower is None or row[0].partition(" of ")[0] == follower]
    if as_json:
        typer.echo(json.dumps([{"of": of, "setting": name, "value": value} for of, name, value in rows]))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("of", "setting", "value"):
        table.add_column(column, overflow="fold")
    for of, name, value in rows:
        table.add_row(of, name, str(value))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _given(row: msgspec.Struct) -> list[tuple[str, Any]]:
    """Settings of a row that are not left out, without who it is."""
    values: dict[str, Any] = msgspec.to_builtins(row)
    empty: tuple[Any, ...] = (None, [], False)
    return [(name, value) for name, value in values.items() if name not in _IDENTITY[type(row)] and value not in empty]


def _tell_file(rows: list[tuple[str, dict[str, Any]]]) -> None:
    typer.echo("write this into the settings file too, or the next reload takes it back:", err=True)
    for table, row in rows:
        lines = [f"[[{table}]]", *(f"{name} = {json.dumps(value)}" for name, value in row.items())]
        typer.echo("\n" + "\n".join(lines), err=True)
