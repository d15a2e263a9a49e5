"""`hlfast what-if`: what a follower would have got of a leader."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hlfast.cli.line import EXIT_WRONG, refuse
from hlfast.cli.settings import load_or_exit
from hlfast.cli.traders import WHAT_TO_NAME, write_page
from hlfast.config.follows import MODE_FIELD, check_follows
from hlfast.config.model import Follow, Follower, Leader
from hlfast.errors import ConfigError
from hlfast.research.files import ADDRESS, FileRefusedError, history_from_file
from hlfast.research.history import History
from hlfast.research.pages import money, percent
from hlfast.research.whatif import Market, Model, Policy, Result, what_if
from hlfast.research.whatif.fetch import fetched
from hlfast.research.whatif.markets import markets_from_files
from hlfast.research.whatif.page import policy_of, render

_MAINNET = "https://api.hyperliquid.xyz"
_POLICY, _MODEL = "How the follower copies", "What is assumed of the venue"
_QUICK = "Leave out the latency curve and the search for the least equity."
_FILLS = "Fills of the address: rows of userFills as JSON or JSON lines, .gz too. Without it the venue is asked."
_FOLLOW_CONFIG = "Take the policy from a follow of this hlfast.toml."
_SET = "A setting of the follow, as in hlfast.toml: coins_allow=BTC,ETH; of the account: follower.max_gross_usd=500."
_MARKET = (
    "Answers of metaAndAssetCtxs, candleSnapshot, fundingHistory, or frames of l2Book and trades. May be repeated."
)


@dataclass(frozen=True, slots=True)
class _Money:
    """Texts of options that are USD or a rate, by their names."""

    texts: dict[str, str | None]

    def get(self, name: str) -> Decimal | None:
        text = self.texts[name]
        if text is None:
            return None
        try:
            value = Decimal(text)
        except ArithmeticError:
            value = Decimal("NaN")
        if not value.is_finite():
            refuse(f'--{name} is "{text}"', "write a number, such as 25000 or 4.5")
        return value


def what_if_command(  # noqa: PLR0913, PLR0917 - one argument an option
    target: Annotated[str, typer.Argument(metavar="ADDRESS|FILE", help="The leader: an address, or a file of fills.")],
    fills: Annotated[Path | None, typer.Option(help=_FILLS)] = None,
    equity: Annotated[str, typer.Option(rich_help_panel=_POLICY, help="USD that the follower begins with.")] = "10000",
    mode: Annotated[
        str | None, typer.Option(rich_help_panel=_POLICY, help="ratio, equity, notional or risk; equity by default.")
    ] = None,
    ratio: Annotated[
        str | None, typer.Option(rich_help_panel=_POLICY, help="Mode ratio: share of the leader's size.")
    ] = None,
    weight: Annotated[
        str | None, typer.Option(rich_help_panel=_POLICY, help="Mode equity: times follower's equity ÷ leader's.")
    ] = None,
    notional: Annotated[
        str | None, typer.Option(rich_help_panel=_POLICY, help="Mode notional: USD per leader position.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", rich_help_panel=_POLICY, help=_SET)
    ] = None,
    follow_config: Annotated[Path | None, typer.Option(rich_help_panel=_POLICY, help=_FOLLOW_CONFIG)] = None,
    edge: Annotated[
        str | None, typer.Option(metavar="LEADER/FOLLOWER", rich_help_panel=_POLICY, help="Which of its follows.")
    ] = None,
    latency: Annotated[
        int, typer.Option(rich_help_panel=_MODEL, help="Milliseconds from the leader's fill to ours.")
    ] = 700,
    fee_tier: Annotated[int, typer.Option(rich_help_panel=_MODEL, help="Of the follower's 14-day volume, 0 to 6.")] = 0,
    taker_bps: Annotated[
        str | None, typer.Option(rich_help_panel=_MODEL, help="Taker fee in basis points, instead of a tier.")
    ] = None,
    leverage: Annotated[
        int, typer.Option(rich_help_panel=_MODEL, help="Of every position, as far as the coin allows.")
    ] = 10,
    leader_equity: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_MODEL,
            help="USD of the leader at the beginning; default: his portfolio, else his largest exposure.",
        ),
    ] = None,
    funding_rate: Annotated[
        str, typer.Option(rich_help_panel=_MODEL, help="Hourly rate where none was recorded.")
    ] = "0.0000125",
    market: Annotated[list[Path] | None, typer.Option(rich_help_panel=_MODEL, help=_MARKET)] = None,
    seed: Annotated[
        int, typer.Option(rich_help_panel=_MODEL, help="Of what the engine draws: the jitter of portions.")
    ] = 1,
    venue: Annotated[str, typer.Option(help="Base URL for addresses.")] = _MAINNET,
    quick: Annotated[bool, typer.Option("--quick", help=_QUICK)] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots; it loads nothing.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with every figure.")] = False,
) -> None:
    """Replay a leader's fills through the real engine and tell what a follower would have kept.

    The engine's core decides as it would live: sizing, filters, caps, minimum orders, retries. The venue around it is
    a model; the output says what is measured and what assumed. The same input gives the same output.

      hlfast what-if 0x… --equity 5000                 in proportion to the equities
      hlfast what-if fills.jsonl --ratio 0.1           a tenth of everything
      hlfast what-if 0x… --fills saved.json --html page.html
      hlfast what-if 0x… --follow-config hlfast.toml --edge whale/main
      hlfast what-if 0x… --set min_value_usd=500 --set follower.max_gross_usd=2000

    Formulas and the model: docs/what-if.md.
    """
    numbers = _Money(
        {
            "equity": equity,
            "taker-bps": taker_bps,
            "leader-equity": leader_equity,
            "funding-rate": funding_rate,
        }
    )
    policy = _policy(
        follow_config, edge, {"mode": mode, "ratio": ratio, "weight": weight, "notional_usd": notional}, setting or []
    )
    try:
        known = markets_from_files(market or [])
        history, known, found_equity = _history(target, fills, known, venue)
    except FileRefusedError as error:
        typer.echo(f"{error}\n  → {WHAT_TO_NAME}", err=True)
        raise typer.Exit(EXIT_WRONG) from None
    model = Model(
        latency_ms=latency,
        fee_tier=fee_tier,
        taker_bps=numbers.get("taker-bps"),
        equity_usd=numbers.get("equity") or Decimal(0),
        leader_equity_usd=numbers.get("leader-equity") or found_equity,
        leverage=leverage,
        seed=seed,
        funding_rate=numbers.get("funding-rate") or Decimal(0),
    )
    result = _run(history, policy, model, known, quick=quick, shown=not as_json)
    if html is not None:
        write_page(html, render(result))
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
    else:
        show(result)


def _run(
    history: History, policy: Policy, model: Model, known: dict[str, Market], *, quick: bool, shown: bool
) -> Result:
    more: dict[str, Any] = {"latencies_ms": (), "wanted": None} if quick else {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as progress:
        task = progress.add_task("replaying", total=None)
        try:
            return what_if(
                history,
                policy,
                model,
                known,
                told=lambda done, total: progress.update(task, completed=done, total=total),
                **more,
            )
        except (ValueError, ConfigError) as error:
            refuse(str(error), "see hlfast what-if --help")


def _history(
    target: str, fills: Path | None, known: dict[str, Market], venue: str
) -> tuple[History, dict[str, Market], Decimal | None]:
    if not ADDRESS.fullmatch(target):
        if fills is not None:
            refuse(f'"{target}" is no address, and --fills names a file', "name the address, or the file alone")
        return history_from_file(Path(target)), known, None
    address = target.lower()
    if fills is not None:
        history = history_from_file(fills)
        return msgspec.structs.replace(history, name=address), known, None
    history, found, equity = fetched(address, venue)
    if not history.fills.height:
        raise FileRefusedError(f"{target}: the venue knows no fills of it (an agent's address has none)")
    # What a file says was chosen by the user.
    return history, {**found, **known}, equity


def _policy(config: Path | None, edge: str | None, given: dict[str, str | None], settings: list[str]) -> Policy:
    if config is None:
        if edge is not None:
            refuse("--edge chooses among the follows of a file", "add --follow-config hlfast.toml")
        base = Policy()
    else:
        base = _edge(config, edge)
    chosen = base.follow
    changes: dict[str, Any] = {name: text for name, text in given.items() if text is not None}
    told = [_setting(text) for text in settings]
    changes.update((name, value) for kind, name, value in told if kind is Follow)
    mode = changes.get("mode") or next((name for name, field in MODE_FIELD.items() if field in changes), chosen.mode)
    if mode != chosen.mode:
        changes["mode"] = mode
        # The other mode's size does not stay behind.
        changes.update({field: None for field in MODE_FIELD.values() if field not in changes})
        if mode == "equity" and changes.get("weight") is None:
            changes["weight"] = "1"
    account = {name: value for kind, name, value in told if kind is Follower}
    made, kept = _checked(chosen, base.account or _ACCOUNT, changes, account)
    return msgspec.structs.replace(base, follow=made, account=kept)


def _edge(path: Path, edge: str | None) -> Policy:
    config = load_or_exit(path)
    names = [f"{follow.leader}/{follow.follower}" for follow in config.follows]
    if edge is None and len(names) == 1:
        edge = names[0]
    if edge not in names:
        said = "has several follows" if edge is None else f"has no follow {edge}"
        refuse(f"{path} {said}", f"choose one: --edge {' | '.join(names)}")
    follow = config.follows[names.index(edge)]
    account = next(one for one in config.followers if one.name == follow.follower)
    return Policy(follow=follow, account=account, builder=config.builder)


# Whose these are does not matter here.
_ACCOUNT = Follower(name="follower", account="0x" + "2" * 40, agent="0x" + "3" * 40)
_NAMES = ("leader", "follower", "name", "account", "agent", "vault")


def _setting(text: str) -> tuple[type[Follow | Follower], str, Any]:
    """One `--set`: of the follow, or with `follower.` in front of the account."""
    name, found, value = text.partition("=")
    kind: type[Follow | Follower] = Follower if name.startswith("follower.") else Follow
    name = name.removeprefix("follower.")
    known = {field.name: str(field.type) for field in msgspec.structs.fields(kind) if field.name not in _NAMES}
    if not found or name not in known:
        refuse(f'--set "{text}" sets nothing', f"write NAME=VALUE with one of: {', '.join(sorted(known))}")
    if "tuple" in known[name]:
        return kind, name, [part.strip() for part in value.split(",") if part.strip()]
    if value.startswith("{"):
        try:
            return kind, name, msgspec.json.decode(value.encode())
        except msgspec.DecodeError as error:
            refuse(f'--set "{text}": {error}', "write a table as JSON")
    return kind, name, value


def _checked(
    follow: Follow, account: Follower, changes: dict[str, Any], own: dict[str, Any]
) -> tuple[Follow, Follower]:
    """The settings as the configuration file would take them, refused in its words; the core judges the account's."""
    try:
        made = msgspec.convert({**msgspec.structs.asdict(follow), **changes}, Follow, strict=False)
        kept = msgspec.convert({**msgspec.to_builtins(account), **own}, Follower, strict=False)
    except msgspec.ValidationError as error:
        refuse(f"the policy: {error}", "see docs/configuration.md for each setting")
    problems: list[Any] = []
    leaders = (Leader(name=made.leader, address="0x" + "1" * 40),)
    check_follows(problems, (made,), leaders, (msgspec.structs.replace(kept, name=made.follower),))
    if problems:
        refuse("; ".join(problem.line().replace("follows[0].", "") for problem in problems), "change these settings")
    return made, kept


def show(result: Result) -> None:
    """Print what fits a terminal."""
    found, copied, error = result.money, result.copied, result.error
    policy = policy_of(result)
    typer.echo(f"{result.name}: {result.fills:,} fills copied with {money(result.equity_usd)} USD ({policy})")
    costs = f"not copied {money(-found.missed_usd)}, drift {money(-found.drift_usd)}, spread {money(-found.spread_usd)}"
    more = f"impact {money(-found.impact_usd)}, fees {money(-found.fees_usd)}, funding {money(found.funding_usd)}"
    causes = ", ".join(f"{one.cause} {percent(one.share)}" for one in error.causes if one.usd_hours)
    ending = ", ".join(f"{name.removesuffix(': none')} {count:,}" for name, count in list(copied.endings.items())[:4])
    rows = [
        (
            "net",
            f"{money(found.net_usd)} USD ({percent(result.return_share)}), drawdown {percent(result.max_drawdown)}",
        ),
        ("edge", f"{money(found.edge_usd)} USD for an ideal copy; kept {percent(found.kept_share)}"),
        ("between", f"{costs}, {more}"),
        ("copied", f"{percent(copied.share)} of {money(copied.ideal_usd)} USD in {copied.orders:,} orders"),
        ("receipts", ending),
        ("tracking", f"{percent(error.share)} of the exposure was off: {causes or 'nothing'}"),
    ]
    if result.latencies:
        points = ", ".join(f"{one.latency_ms:,} ms {percent(one.kept_share)}" for one in result.latencies[::2])
        rows.append(("latency", f"kept at {points}"))
    if result.least is not None:
        least = result.least.equity_usd
        text = "no equity tried" if least is None else f"{money(least)} USD"
        rows.append(("least", f"{text} copies {result.least.wanted * 100:g} % of the volume"))
    for name, text in rows:
        typer.echo(f"  {name:<9} {text}")
    for name, texts in (("measured", result.measured), ("assumed", result.assumed)):
        for text in texts:
            typer.echo(f"  {name:<9} {text}")
    for issue in result.issues:
        count = f"{issue.count:,} {issue.kind}: " if issue.count > 1 else ""
        typer.echo(f"  note      {count}{issue.text}")
