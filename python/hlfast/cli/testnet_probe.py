"""`hlfast testnet-probe`."""

from __future__ import annotations

import asyncio
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from time import monotonic_ns
from typing import Annotated, Any, Final

import msgspec
import typer

from hlfast.cli.line import EXIT_CANNOT, EXIT_WRONG, refuse
from hlfast.cli.stopping import stopping
from hlfast.config.model import Keys, Keystore, Venue
from hlfast.errors import HlfastError
from hlfast.keys.lease import SignerLease
from hlfast.keys.signers import open_signers
from hlfast.probe.catalogue import QUESTIONS
from hlfast.probe.desk import RESTING_USD, Clock, Desk, Lane
from hlfast.probe.question import Finding, Question
from hlfast.probe.session import SESSION_S, Conclusion, ask_all
from hlfast.probe.subject import RefusedError, Subject, examine, require_testnet
from hlfast.signing import Signer
from hlfast.venue.http import HttpRoad, Road
from hlfast.venue.info import Info
from hlfast.venue.limits import WeightBudget
from hlfast.venue.stream import Streams

TESTNET_URL: Final = "https://api.hyperliquid-testnet.xyz"
_COLOURS: Final = {"as assumed": typer.colors.GREEN, "differs": typer.colors.RED, "not asked": typer.colors.YELLOW}
_VERDICT_WIDTH: Final = 11
_NAME_WIDTH: Final = 20
_DIAL_S: Final = 20
_KEYS, _QUESTIONS = "The agent's key", "What is asked"


def probe(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    credentials: Annotated[
        Path | None,
        typer.Option("--credentials", "-d", help="Directory of agent keys (hlfast keys new).", rich_help_panel=_KEYS),
    ] = None,
    keystore: Annotated[
        Path | None, typer.Option(help="An Ethereum keystore V3 instead.", rich_help_panel=_KEYS)
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="The file of its passphrase.", rich_help_panel=_KEYS)
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="The agent's address, where there are several keys.", rich_help_panel=_KEYS)
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Ask this question; may be given many times.", rich_help_panel=_QUESTIONS),
    ] = None,
    trade: Annotated[
        bool,
        typer.Option(
            "--trade",
            help="Ask those that need executions too: some 12 to 24 USD, closed at once.",
            rich_help_panel=_QUESTIONS,
        ),
    ] = False,
    coin: Annotated[
        str,
        typer.Option(help="The perp that is asked with; the account must hold none of it.", rich_help_panel=_QUESTIONS),
    ] = "ETH",
    listed: Annotated[
        bool,
        typer.Option(
            "--list", help="List the questions and what hlfast assumes; send nothing.", rich_help_panel=_QUESTIONS
        ),
    ] = False,
    url: Annotated[str, typer.Option(help="Where the venue is: the testnet, or a simulator.")] = TESTNET_URL,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Begin without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; needs --yes.")] = False,
) -> None:
    """Ask the testnet what the venue's documents leave open, and compare it with what hlfast assumes.

    Sends signed actions of a [bold]throwaway testnet agent[/bold]: no-ops, and the smallest orders at half the market's
    price, cancelled at once. With [bold]--trade[/bold] also a few of 12 to 24 USD that execute and are closed. Says
    what it will send and asks before it begins. Cancels and closes what is its own in every case, Ctrl-C too. Refuses
    mainnet by name; its signatures are the testnet's alone.

    Each line: as assumed, differs (and what to change), or not asked (and why). docs/testnet.md tells what depends on
    each. Exit code 0: all as assumed; 1: something differs; 2: something could not be asked or cleaned up.

      hlfast keys new -d probe-key                  then approve its address on the testnet
      hlfast testnet-probe -d probe-key
      hlfast testnet-probe -d probe-key --trade --json --yes > answers.json
      hlfast testnet-probe -d probe-key --only fence-before --only resend
    """
    questions = _chosen(only or [], trade=trade, listed=listed)
    if listed:
        _list(questions, as_json=as_json)
        return
    if as_json and not yes:
        refuse("--json asks nobody whether to begin", "add --yes, after a look at what is sent without --json")
    try:
        require_testnet(url)
        signer = _signer(credentials, keystore, passphrase_file, agent)
        lease = SignerLease(url, [signer.address])
        try:
            code = asyncio.run(_probe(url, signer, coin, questions, yes=yes, as_json=as_json))
        finally:
            lease.release()
    except RefusedError as error:
        refuse(f"hlfast testnet-probe: {error.what}", error.fix)
    except HlfastError as error:
        refuse(f"hlfast testnet-probe: {error}", "mend that, then try again")
    raise typer.Exit(code)


def _chosen(only: Sequence[str], *, trade: bool, listed: bool) -> tuple[Question, ...]:
    known = {question.name: question for question in QUESTIONS}
    unknown = [name for name in only if name not in known]
    if unknown:
        refuse(f"no question is called {unknown[0]!r}", "hlfast testnet-probe --list names them")
    if only:
        trading = [name for name in only if known[name].trades]
        if trading and not (trade or listed):
            refuse(f"{trading[0]} needs executions", "add --trade")
        return tuple(known[name] for name in dict.fromkeys(only))
    return tuple(question for question in QUESTIONS if trade or listed or not question.trades)


def _list(questions: Sequence[Question], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {name: getattr(question, name) for name in ("name", "asks", "assumes", "otherwise", "trades")}
            for question in questions
        ]
        typer.echo(msgspec.json.encode(rows).decode())
        return
    for question in questions:
        trades = " (--trade)" if question.trades else ""
        _print_hanging(f"{question.name:<{_NAME_WIDTH}}", f"{question.asks}{trades}", question.assumes)


def _signer(credentials: Path | None, keystore: Path | None, passphrase: Path | None, agent: str | None) -> Signer:
    if (credentials is None) == (keystore is None) or (keystore is None) != (passphrase is None):
        fix = "--credentials DIRECTORY, or --keystore FILE with --passphrase-file FILE"
        raise RefusedError("name one place of the agent's key", fix)
    stores = () if keystore is None else (Keystore(path=str(keystore), passphrase_file=str(passphrase)),)
    directory = None if credentials is None else str(credentials)
    signers = open_signers(Keys(credentials_directory=directory, keystores=stores))
    chosen = [signer for signer in signers if agent is None or signer.address == agent.lower()]
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        raise RefusedError(f"no key of {agent or 'any agent'} is there", "make one with hlfast keys new")
    raise RefusedError(f"{len(chosen)} keys are there", "say whose with --agent ADDRESS")


async def _probe(
    url: str, signer: Signer, coin: str, questions: Sequence[Question], *, yes: bool, as_json: bool
) -> int:
    limiter = WeightBudget()
    async with HttpRoad(url) as road:
        info = Info(road, limiter=limiter)
        clock = Clock(lambda: monotonic_ns() // 1_000_000)
        await clock.compare(info)
        subject = await examine(info, signer.address, coin)
        if not as_json:
            _announce(url, subject, questions)
        if not yes:
            _confirm()
        # Opened afterwards: nobody answers the venue's pings while a person thinks.
        async with Streams(Venue(base_url=url).stream_url) as streams:
            try:
                await asyncio.wait_for(streams.wait_up(), _DIAL_S)
            except TimeoutError:
                raise RefusedError("the venue's WebSocket does not open", "see whether /ws can be reached") from None
            roads: dict[Lane, Road] = {"ws": streams, "http": road}
            desk = Desk(subject, signer, roads=roads, info=info, clock=clock, limiter=limiter)
            findings: list[Finding] = []

            def tell(finding: Finding) -> None:
                findings.append(finding)
                if not as_json:
                    _print(finding)

            async with stopping() as stop:
                ended = asyncio.ensure_future(_say_when(stop))
                conclusion = await ask_all(desk, questions, tell, stop)
                ended.cancel()
    return _conclude(url, desk, findings, conclusion, len(questions), as_json=as_json)


def _confirm() -> None:
    try:
        confirmed = sys.stdin.isatty() and typer.confirm("begin?", err=True)
    except typer.Abort:
        confirmed = False
    if not confirmed:
        raise RefusedError("nothing was sent", "confirm, or add --yes")


async def _say_when(stop: asyncio.Event) -> None:
    await stop.wait()
    typer.echo("stopping: cancels and closes what is its own first (again: leaves things as they are)", err=True)


def _announce(url: str, subject: Subject, questions: Sequence[Question]) -> None:
    trading = sum(question.trades for question in questions)
    actions = sum(question.actions for question in questions)
    coin = subject.asset.coin
    lines = {
        "venue": url,
        "account": f"{subject.account}, {subject.equity:.2f} USD",
        "agent": subject.agent,
        "asks": f"{len(questions)} in all, some seconds each; {SESSION_S / 60:.0f} minutes at most",
        "sends": f"at most {actions} actions besides cleaning up: no-ops, and buys of {RESTING_USD} USD of {coin} at "
        f"half its price of {subject.mid.normalize():f}",
        "trades": f"12 to 24 USD of {coin} for {trading} of them, sold again at once" if trading else "nothing",
        "leaves": "nothing: what rests is cancelled, what is held is closed with reduce-only orders",
    }
    if subject.strays:
        lines["found"] = f"{subject.strays} orders of an earlier probe, cancelled first"
    for name, text in lines.items():
        _print_hanging(f"{name:<9}", text)


def _print(finding: Finding) -> None:
    verdict = "DIFFERS" if finding.verdict == "differs" else finding.verdict
    colour = _COLOURS[finding.verdict]
    word = typer.style(f"{verdict:<{_VERDICT_WIDTH}}", fg=colour, bold=finding.verdict != "as assumed")
    # In a terminal each answer is easier to find on a line of its own; elsewhere a finding is one line.
    is_terminal = sys.stdout.isatty()
    texts = [finding.asked, *finding.answers] if is_terminal else [f"{finding.asked}: {' · '.join(finding.answers)}"]
    if finding.verdict == "differs":
        texts += [f"assumed: {finding.assumed}", f"→ {finding.change}"]
    _print_hanging(f"{word} {finding.question:<{_NAME_WIDTH}}", *texts, width=_VERDICT_WIDTH + 1 + _NAME_WIDTH)


def _print_hanging(head: str, *texts: str, width: int | None = None) -> None:
    """Print texts under each other behind a head; in a terminal their lines hang there, elsewhere each is one line."""
    indent = (len(head) if width is None else width) + 1
    is_terminal = sys.stdout.isatty()
    room = max(shutil.get_terminal_size().columns - indent, 30) if is_terminal else None
    lines = [line for text in texts for line in (textwrap.wrap(text, room, break_on_hyphens=False) if room else [text])]
    typer.echo(f"{head} {lines[0]}", color=is_terminal or None)
    for line in lines[1:]:
        typer.echo(" " * indent + line)


def _conclude(
    url: str, desk: Desk, findings: Sequence[Finding], ended: Conclusion, asked: int, *, as_json: bool
) -> int:
    count = {verdict: sum(one.verdict == verdict for one in findings) for verdict in _COLOURS}
    unasked = asked - count["as assumed"] - count["differs"]
    code = EXIT_WRONG if count["differs"] else EXIT_CANNOT if unasked else 0
    if ended.left:
        code = EXIT_CANNOT
    if as_json:
        body: dict[str, Any] = {
            "ok": code == 0,
            "url": url,
            "account": desk.subject.account,
            "agent": desk.subject.agent,
            "coin": desk.subject.asset.coin,
            "ending": ended.ending,
            "findings": findings,
            "actions": desk.sent,
            "left_behind": ended.left,
        }
        typer.echo(msgspec.json.encode(body).decode())
        return code
    counts = f"{count['as assumed']} as assumed, {count['differs']} differ, {unasked} not asked"
    ending = "" if ended.ending == "all asked" else f"{ended.ending}: "
    typer.echo(f"{ending}{counts}; {desk.sent} actions sent")
    for line in ended.left:
        typer.secho(f"LEFT BEHIND: {line}", fg=typer.colors.RED, bold=True)
    if not ended.left:
        typer.echo("nothing rests and nothing is held")
    return code
