"""The list of commands. Each is imported when it is run, so that `hlfast --help` answers at once."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

# What ended a command, for scripts.
EXIT_OK = 0
EXIT_WRONG = 1  # it ran, and what it found or did is not right
EXIT_CANNOT = 2  # it could not begin: usage, settings, keys, files

# name → where its function lives. The one-line help below is all that is known of it until it runs.
_PLACES = {
    "demo": "hlfast.demo.command:demo",
    "run": "hlfast.cli.run:run",
    "check": "hlfast.cli.check:check",
    "sim": "hlfast.sim.command:sim",
    "keys": "hlfast.cli.keys:app",
    "testnet-probe": "hlfast.cli.testnet_probe:probe",
    "project": "hlfast.cli.records:project",
    "receipts": "hlfast.cli.records:receipts",
    "explain": "hlfast.cli.records:explain",
    "earnings": "hlfast.cli.earnings:earnings",
    "strategies": "hlfast.cli.strategies:strategies",
    "tracking": "hlfast.cli.earnings:tracking",
    "trader": "hlfast.cli.traders:trader",
    "traders": "hlfast.cli.traders:traders",
    "discover": "hlfast.cli.discover:discover",
    "recommend": "hlfast.cli.recommend:recommend",
    "report": "hlfast.cli.report:report",
    "what-if": "hlfast.cli.what_if:what_if_command",
    "journal": "hlfast.cli.journal:app",
    "gameday": "hlfast.gameday.command:gameday",
    "followers": "hlfast.cli.shown:followers",
    "leaders": "hlfast.cli.shown:leaders",
    "positions": "hlfast.cli.shown:positions",
    "pause": "hlfast.cli.operate:pause",
    "resume": "hlfast.cli.operate:resume",
    "flatten": "hlfast.cli.operate:flatten",
    "kill": "hlfast.cli.operate:kill",
    "follow": "hlfast.cli.change:follow",
    "unfollow": "hlfast.cli.change:unfollow",
    "limits": "hlfast.cli.change:limits",
    "plan": "hlfast.cli.plan:plan",
    "reload": "hlfast.cli.plan:reload",
}
_HELP = """Copy any Hyperliquid trader into any number of accounts.

[bold]First steps[/bold]

  hlfast demo                    see it work, without network, account or key
  hlfast sim                     a test venue for your own client
  hlfast keys new                make an agent key
  hlfast check -c hlfast.toml    find trouble before money does
  hlfast testnet-probe --list    what is assumed of the venue; asks it too
  hlfast run -c hlfast.toml      copy
  hlfast gameday --seeds 20      see it survive simulated disasters

[bold]While it runs[/bold]

  hlfast positions               what is held, and whose part it is
  hlfast pause --leader whale    no more entries after whale; exits go on
  hlfast kill                    no more entries at all, until you lift it
"""
_EPILOG = """Settings: one TOML file, then variables HLFAST_SECTION__FIELD, which win over it.

Exit codes: 0 fine · 1 it ran and something is not right · 2 it could not begin (usage, settings, keys)."""


class CommandLine(TyperGroup):
    """A group whose commands are stubs until one is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Swap the stub of the chosen command for the real one."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, (_real(name) if name in _PLACES else command), rest


app = typer.Typer(
    cls=CommandLine,
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    # A traceback with local variables could print what nobody may see.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"hlfast {version('hlfast')}")
        except PackageNotFoundError:
            typer.echo("hlfast, run from its source tree")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command("demo", help="Replay recorded traders on the simulated exchange, copy them, and judge the result.")
def _demo() -> None:
    pass


@app.command("check", help="Check settings, keys, agents, clock and limits; one line each, with what to do.")
def _check() -> None:
    pass


@app.command("run", help="Copy: the engine, until it is stopped.")
def _run() -> None:
    pass


@app.command("sim", help="Run the simulated exchange by itself.")
def _sim() -> None:
    pass


@app.command("journal", help="Verify, repair or archive a journal.")
def _journal() -> None:
    pass


@app.command("keys", help="Make agent keys: hlfast keys new.")
def _keys() -> None:
    pass


@app.command("testnet-probe", help="Ask the testnet what hlfast takes for granted of the venue, and compare.")
def _testnet_probe() -> None:
    pass


@app.command("followers", help="List the followers of the running engine: whether they copy, whom, and what they hold.")
def _followers() -> None:
    pass


@app.command("leaders", help="List the leaders of the running engine, and what they hold.")
def _leaders() -> None:
    pass


@app.command("positions", help="List what each follower holds, should hold, and whose part that is.")
def _positions() -> None:
    pass


@app.command("follow", help="Begin to copy: a follow of the running engine.")
def _follow() -> None:
    pass


@app.command("unfollow", help="End a follow; what it holds goes as the leader reduces it, is closed, or kept.")
def _unfollow() -> None:
    pass


@app.command("limits", help="Show what accounts and follows may do, or change it.")
def _limits() -> None:
    pass


@app.command("plan", help="Show every order that settings would send now, before anything is applied.")
def _plan() -> None:
    pass


@app.command("reload", help="Bring the running engine to what the settings file says now.")
def _reload() -> None:
    pass


@app.command("pause", help="Stop entries of a leader, a follower, one follow or everything; exits go on.")
def _pause() -> None:
    pass


@app.command("resume", help="Take a pause back, or lift the kill switch.")
def _resume() -> None:
    pass


@app.command("flatten", help="Close what a follower copied, on one coin or all.")
def _flatten() -> None:
    pass


@app.command("kill", help="The kill switch: no increases anywhere, until it is lifted.")
def _kill() -> None:
    pass


@app.command("gameday", help="Run the engine through simulated disasters, the same each time by their seed.")
def _gameday() -> None:
    pass


@app.command("project", help="Write the journal into a database, exactly once.")
def _project() -> None:
    pass


@app.command("receipts", help="List what became of each leader fill for each follower.")
def _receipts() -> None:
    pass


@app.command("explain", help="Tell one receipt in words, with its numbers.")
def _explain() -> None:
    pass


@app.command("earnings", help="What each leader, follower and coin earned: trades, fees, funding.")
def _earnings() -> None:
    pass


@app.command("strategies", help="What each strategy earned, and its leaders' parts of that.")
def _strategies() -> None:
    pass


@app.command("tracking", help="How far followers were from their leaders' moves, and why.")
def _tracking() -> None:
    pass


@app.command("trader", help="Show one trader by his fills: profit, risk, habits; an address or a file.")
def _trader() -> None:
    pass


@app.command("traders", help="Compare traders by their fills, or list those that discover judged.")
def _traders() -> None:
    pass


@app.command("report", help="Write one page: what copying earned and cost, or who a trader is.")
def _report() -> None:
    pass


@app.command("recommend", help="Whom to copy with how much, and why: from what discover found.")
def _recommend() -> None:
    pass


@app.command("discover", help="Find traders worth copying, judge them, keep the results.")
def _discover() -> None:
    pass


@app.command("what-if", help="Replay a leader's fills through the engine: what a follower would have kept.")
def _what_if() -> None:
    pass


def _real(name: str) -> Any:
    module, _, function = _PLACES[name].partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except ImportError as error:
        refuse(f"hlfast {name} cannot start: {error}", "install hlfast with its dependencies (make setup, or pip)")
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)


def refuse(what: str, fix: str) -> NoReturn:
    """Print what is wrong and what to do next, and end with `EXIT_CANNOT`."""
    typer.echo(f"{what}\n  → {fix}", err=True)
    raise typer.Exit(EXIT_CANNOT)


def main() -> None:
    """Run the command line and end the process."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not _is_ours(error):
            raise
        typer.echo(f"hlfast: {error}", err=True)
        sys.exit(EXIT_CANNOT)


def _is_ours(error: Exception) -> bool:
    """Tell a refusal of ours from a defect. `hlfast.errors` loads the extension, so it is not imported before."""
    errors = sys.modules.get("hlfast.errors")
    return errors is not None and isinstance(error, errors.HlfastError)
