"""`hlfast pause`, `resume`, `kill`, `flatten`: what an operator tells a running engine to do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hlfast.cli.engine import AsJson, SocketPath, request_or_exit
from hlfast.cli.line import refuse
from hlfast.cli.settings import DEFAULT_PATH, ConfigPath

Leader = Annotated[
    str | None, typer.Option("--leader", "-l", help="A leader, by name or address: for all who follow it.")
]
Follower = Annotated[
    str | None, typer.Option("--follower", "-f", help="A follower, by name or account. With --leader: that one follow.")
]
All = Annotated[bool, typer.Option("--all", help="Everything.")]
Why = Annotated[str, typer.Option("--why", help="For the record: shown in status and alerts.")]
Flatten = Annotated[bool, typer.Option("--flatten", help="Also close what was copied.")]
Freeze = Annotated[bool, typer.Option("--freeze", help="Send nothing at all, reductions neither.")]


def pause(  # noqa: PLR0913, PLR0917 # one parameter an option of the command line
    leader: Leader = None,
    follower: Follower = None,
    everything: All = False,
    flatten: Flatten = False,
    freeze: Freeze = False,
    why: Why = "",
    config: ConfigPath = DEFAULT_PATH,
    socket: SocketPath = None,
    as_json: AsJson = False,
) -> None:
    """Stop entries of a leader, a follower, one follow, or everything. Exits go on. Kept over restarts.

    Without an option: [bold]close-only[/bold]. Increases end as [italic]blocked: paused[/italic], reductions are
    copied as ever. [bold]--flatten[/bold] also closes what is held; [bold]--freeze[/bold] sends nothing, and what the
    leader reduces meanwhile is reduced when you resume.

      hlfast pause -l whale                     nobody enters after whale
      hlfast pause -f main --flatten            main closes its copied positions
      hlfast pause -l whale -f main --freeze    one follow stands still
    """
    request = {"do": "pause", "kind": _kind(flatten=flatten, freeze=freeze), **_scope(leader, follower, everything)}
    _print_said(request_or_exit(config, socket, {**request, "why": why}, as_json=as_json), as_json)


def resume(
    leader: Leader = None,
    follower: Follower = None,
    everything: All = False,
    kill_switch: Annotated[bool, typer.Option("--kill", help="Lift the kill switch.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Also reset a latch that a loss has set.")] = False,
    config: ConfigPath = DEFAULT_PATH,
    socket: SocketPath = None,
    as_json: AsJson = False,
) -> None:
    """Take a pause back, of exactly what was paused. Missed increases are not taken later.

    A leader that was liquidated is paused too, and resumed here. The kill switch is lifted by
    [bold]hlfast resume --kill[/bold] alone; a latch of a loss by [bold]--reset[/bold].
    """
    if kill_switch:
        if leader or follower or everything or reset:
            refuse("--kill goes with nothing else", "hlfast resume --kill")
        request: dict[str, Any] = {"do": "resume", "kill": True}
    else:
        request = {"do": "resume", "reset": reset, **_scope(leader, follower, everything)}
    _print_said(request_or_exit(config, socket, request, as_json=as_json), as_json)


def kill(
    flatten: Flatten = False,
    freeze: Freeze = False,
    why: Why = "",
    config: ConfigPath = DEFAULT_PATH,
    socket: SocketPath = None,
    as_json: AsJson = False,
) -> None:
    """The kill switch: no increases anywhere, at once. Reductions go on, stops at the venue stay.

    It stays on over restarts, until [bold]hlfast resume --kill[/bold]. [bold]--flatten[/bold] also closes everything
    that was copied; [bold]--freeze[/bold] sends nothing more.
    """
    request = {"do": "kill", "kind": _kind(flatten=flatten, freeze=freeze), "why": why}
    _print_said(request_or_exit(config, socket, request, as_json=as_json), as_json)


def flatten(
    follower: Annotated[str, typer.Argument(help="A follower, by name or account.")],
    coin: Annotated[str | None, typer.Argument(help="One coin; left out: all.")] = None,
    config: ConfigPath = DEFAULT_PATH,
    socket: SocketPath = None,
    as_json: AsJson = False,
) -> None:
    """Close what a follower copied, on one coin or all, now. Your own positions stay.

    The leaders' next increases are copied again: to stay out, [bold]hlfast pause -f FOLLOWER --flatten[/bold].
    """
    request = {"do": "flatten", "follower": follower, "coin": coin}
    _print_said(request_or_exit(config, socket, request, as_json=as_json), as_json)


def _kind(*, flatten: bool, freeze: bool) -> str:
    if flatten and freeze:
        refuse("--flatten and --freeze contradict each other", "keep one of them")
    return "flatten" if flatten else "freeze" if freeze else "close_only"


def _scope(leader: str | None, follower: str | None, everything: bool) -> dict[str, Any]:
    if everything == bool(leader or follower):
        refuse("say whom", "name --leader, --follower, both for one follow, or --all")
    return {"leader": leader, "follower": follower, "all": everything}


def _print_said(answer: dict[str, Any], as_json: bool) -> None:
    if not as_json:
        for line in answer["said"]:
            typer.echo(line)
