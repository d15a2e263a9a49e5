"""What `hlfast check` asks, and what it makes of the answers. Reads only: no order, no signature, no journal."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

from hlfast._core import Engine
from hlfast.cli.finding import Finding, ok, warning, wrong
from hlfast.cli.permissions import check_permissions
from hlfast.config.model import Config, Follower, for_core
from hlfast.errors import HlfastError, KeyFileError
from hlfast.feeds.user_fills import WATCHED_USERS
from hlfast.keys import LoadedKeys, load_keys
from hlfast.venue.accounts import ExtraAgent, Role
from hlfast.venue.info import Info
from hlfast.venue.metadata import Assets, UnknownCoinError

# Orders carry an expiry of one to three seconds after their making; a clock this far off makes them stillborn.
_SKEW_WRONG_MS: Final = 1_000
_SKEW_WARNING_MS: Final = 250
_AGENT_WARNING_MS: Final = 7 * 86_400_000
_BUDGET_WARNING: Final = 1_000
_SUBSCRIPTIONS: Final = 1_000  # of one source address (2026-08)


async def examine(config: Config, info: Info, tell: Callable[[Finding], None]) -> None:
    """Look at everything that a file alone cannot tell, and tell each finding as it is made."""
    tell(check_journal(config))
    for finding in check_keys(config):
        tell(finding)
    reached = await _guarded("venue", check_clock(info))
    tell(reached[0])
    if reached[0].level == "wrong" and reached[0].about == "venue":
        return  # nothing more can be asked
    for about, question in _questions(config, info):
        for finding in await _guarded(about, question):
            tell(finding)


def _questions(config: Config, info: Info) -> Iterator[tuple[str, Awaitable[list[Finding]]]]:
    yield "coins", check_coins(config, info)
    for leader in config.leaders:
        yield f"leader {leader.name}", check_leader(info, leader.name, leader.address)
    for follower in config.followers:
        yield f"follower {follower.name}", check_follower(info, follower, int(time.time() * 1000))
        yield f"follower {follower.name}", check_permissions(config, info, follower)


async def _guarded(about: str, question: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await question
    except HlfastError as error:
        fix = "check venue.base_url and the network to it, then try again"
        return [wrong(about, f"could not be asked: {error}", fix)]


def check_journal(config: Config) -> Finding:
    """See whether the journal's directory can be written."""
    path = Path(config.journal.directory)
    nearest = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        return wrong("journal", f"{nearest} is no directory", "set journal.directory to a directory")
    if not os.access(nearest, os.W_OK | os.X_OK):
        return wrong("journal", f"{nearest} cannot be written", "give this user the right, or set journal.directory")
    return ok("journal", f"{path} {'is there' if path.exists() else 'will be created'}, {config.journal.durability}")


def check_keys(config: Config) -> list[Finding]:
    """Have the keys read in Rust, by an engine of its own that is thrown away, and name what is missing."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = _read_keys(config, scratch)
        except KeyFileError as error:
            return [wrong("keys", str(error), "mend or remove that file")]
        except HlfastError as error:
            return [wrong("settings", str(error), "change that setting")]
    where = config.keys.credentials_directory or "keys.credentials_directory"
    owner = {follower.agent: follower.name for follower in config.followers}
    if not found.missing:
        return [ok("keys", f"{len(found.loaded)} loaded, one for each of {len(config.followers)} followers")]
    return [
        wrong(f"key {owner.get(agent, agent)}", f"no key for agent {agent}", f"put it into {where}, or fix the address")
        for agent in found.missing
    ]


def _read_keys(config: Config, scratch: str) -> LoadedKeys:
    # The engine's last reference goes with this frame, and its threads are joined then: nobody writes into `scratch`
    # any more when the caller removes it.
    return load_keys(Engine(for_core(config), scratch, int(time.time() * 1000)), config.keys)


async def check_clock(info: Info) -> list[Finding]:
    """Compare this host's clock with the venue's."""
    sent = time.time_ns()
    venue_ms = (await info.exchange_status()).time
    received = time.time_ns()
    round_trip_ms = (received - sent) // 1_000_000
    skew_ms = venue_ms - (sent + received) // 2_000_000
    direction = "ahead of" if skew_ms > 0 else "behind"
    text = f"venue is {abs(skew_ms)} ms {direction} this clock, round trip {round_trip_ms} ms"
    # Half the round trip is what this measurement cannot know.
    certain_ms = max(abs(skew_ms) - round_trip_ms // 2, 0)
    if certain_ms > _SKEW_WRONG_MS:
        return [wrong("clock", text, "set this host's clock (chrony or ntpd): orders would expire or be refused")]
    if certain_ms > _SKEW_WARNING_MS:
        return [warning("clock", text, "keep this host's clock by NTP; the engine allows for the difference")]
    return [ok("clock", text)]


async def check_coins(config: Config, info: Info) -> list[Finding]:
    """See whether every coin named in a list exists, and whether the subscriptions fit the venue's limits."""
    try:
        assets = await Assets.load(info, config.venue.dexs)
    except UnknownCoinError as error:
        return [wrong("venue.dexs", str(error), "correct the name")]
    found: list[Finding] = []
    for at, follow in enumerate(config.follows):
        for field in ("coins_allow", "coins_block"):
            for coin in getattr(follow, field) or ():
                about = f"follows[{at}].{field}"
                try:
                    asset = assets[coin]
                except UnknownCoinError as error:
                    dex = coin.partition(":")[0] if ":" in coin else ""
                    known_dex = not dex or dex in config.venue.dexs
                    found.append(wrong(about, str(error), "correct it" if known_dex else f'add "{dex}" to venue.dexs'))
                    continue
                if asset.is_delisted and field == "coins_allow":
                    found.append(warning(about, f"{coin} is delisted: nothing new is opened there", "leave it out"))
    live = sum(1 for coin in assets.coins() if not assets[coin].is_delisted)
    return [*(found or [ok("coins", f"{live} live; every listed coin exists")]), check_limits(config, live)]


def check_limits(config: Config, live_coins: int) -> Finding:
    """Compare the subscriptions that will be wanted with what one address may hold."""
    if config.venue.limits == "off":
        return warning("limits", "off: the venue's limits are not kept", 'for simulators only; else write "venue"')
    watched = min(len(config.leaders), WATCHED_USERS)
    wanted = config.engine.user_connections * (watched * 3 + 3) + (live_coins if config.engine.tape else 0)
    text = f"{wanted} of {_SUBSCRIPTIONS} subscriptions, {watched} of {WATCHED_USERS} watched users"
    if len(config.leaders) > WATCHED_USERS and not config.engine.tape:
        unseen = len(config.leaders) - WATCHED_USERS
        return wrong("limits", f"{text}; {unseen} leaders would be seen nowhere", "set engine.tape = true")
    if wanted > _SUBSCRIPTIONS:
        fix = "name fewer venue.dexs, or use fewer user_connections"
        return warning("limits", f"{text}: some coins' trades would not be followed", fix)
    if len(config.leaders) > WATCHED_USERS:
        rest = len(config.leaders) - WATCHED_USERS
        return warning("limits", f"{text}; {rest} leaders are seen on the public tape only", "or run a second address")
    return ok("limits", text)


async def check_leader(info: Info, name: str, address: str) -> list[Finding]:
    """See whether a leader trades here. An agent looks like an empty account, so an empty one is asked about."""
    state = await info.clearinghouse_state(address)
    about = f"leader {name}"
    if state.asset_positions or state.margin_summary.account_value:
        return [ok(about, f"{len(state.asset_positions)} positions, {state.margin_summary.account_value:.0f} USD")]
    role = await info.user_role(address)
    if role.role == "agent":
        master = role.data.user if role.data is not None else None
        return [wrong(about, f"{address} is an agent and has no trades of its own", f"follow its account {master}")]
    if role.role == "missing":
        return [wrong(about, f"{address} was never seen on this venue", "correct the address, or the network")]
    return [warning(about, "holds nothing on the main perps now", "nothing to do if it trades elsewhere or later")]


async def check_follower(info: Info, follower: Follower, now_ms: int) -> list[Finding]:
    """See whether a follower's agent may act for it, until when, with what money and how many requests left."""
    about = f"follower {follower.name}"
    master = follower.account
    if follower.vault:
        owner = await _owner_of(info, follower.account)
        if owner is None:
            return [
                wrong(about, f"{follower.account} is no sub-account and no vault", "set vault = false, or correct it")
            ]
        master = owner
    found = [await _agent_finding(info, follower, master, now_ms), *await _money_findings(info, follower)]
    return [finding for finding in found if finding.level != "ok"] or [ok(about, "; ".join(one.text for one in found))]


async def _owner_of(info: Info, account: str) -> str | None:
    role = await info.user_role(account)
    if role.role == "subAccount" and role.data is not None:
        return role.data.master
    if role.role == "vault":
        details = await info.ask(dict, "vaultDetails", vaultAddress=account)
        return str(details.get("leader", "")).lower() or None
    return None


async def _agent_finding(info: Info, follower: Follower, master: str, now_ms: int) -> Finding:
    about = f"follower {follower.name}"
    approve = f"approve {follower.agent} as an API wallet of {master}"
    named = {agent.address.lower(): agent for agent in await info.extra_agents(master)}
    if follower.agent in named:
        return _expiry_finding(about, named[follower.agent], now_ms)
    role = await info.user_role(follower.agent)  # the unnamed agent is not listed
    return _role_finding(about, role, follower, master, approve)


def _expiry_finding(about: str, agent: ExtraAgent, now_ms: int) -> Finding:
    left_ms = (agent.valid_until - now_ms) if agent.valid_until is not None else None
    if left_ms is None:
        return ok(about, f"agent {agent.name} approved")
    if left_ms <= 0:
        return wrong(about, f"the approval of agent {agent.name} has expired", "approve a new agent, never the old key")
    text = f"agent {agent.name} approved for {left_ms // 86_400_000} days"
    if left_ms < _AGENT_WARNING_MS:
        return warning(about, text, "approve a new agent before it ends")
    return ok(about, text)


def _role_finding(about: str, role: Role, follower: Follower, master: str, approve: str) -> Finding:
    belongs = role.data.user.lower() if role.role == "agent" and role.data is not None and role.data.user else None
    if belongs == master:
        return ok(about, "agent approved")
    if belongs is not None:
        return wrong(about, f"agent {follower.agent} belongs to {belongs}", approve)
    if role.role != "missing":
        what = f"{follower.agent} is an account of its own ({role.role}), not an agent; its key must not be here"
        return wrong(about, what, "create a new agent for the follower")
    return wrong(about, f"agent {follower.agent} is not approved", approve)


async def _money_findings(info: Info, follower: Follower) -> list[Finding]:
    about = f"follower {follower.name}"
    state = await info.clearinghouse_state(follower.account)
    equity = state.margin_summary.account_value
    if not equity:
        # Unified accounts keep their equity in spot.
        spot = await info.spot_state(follower.account)
        equity = sum((balance.total for balance in spot.balances if balance.coin == "USDC"), start=equity)
    limit = await info.user_rate_limit(follower.account)
    left = limit.n_requests_cap + limit.n_requests_surplus - limit.n_requests_used
    money = (
        ok(about, f"{equity:.2f} USD")
        if equity > 0
        else wrong(about, f"{follower.account} holds no money", "deposit USDC, or correct the address")
    )
    if left <= 0:
        fix = "trade some volume by hand, or buy requests: the venue answers one action in 10 s until then"
        return [money, wrong(about, "has no requests left at the venue", fix)]
    if left < _BUDGET_WARNING:
        return [money, warning(about, f"{left} requests left", "each USD traded earns one; avoid many tiny orders")]
    return [money, ok(about, f"{left} requests left")]
