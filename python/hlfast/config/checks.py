"""What one setting says against another. Returns the configuration with addresses in lower case, and every finding."""

from __future__ import annotations

import re

import msgspec

from hlfast.config import values
from hlfast.config.beside import check_beside
from hlfast.config.execution import check_execution
from hlfast.config.filters import MOST_PERCENT
from hlfast.config.follows import check_follows
from hlfast.config.losses import check_crowds, check_losses
from hlfast.config.markets import check_watched
from hlfast.config.model import Config, Follower, Keys, Leader
from hlfast.config.portions import check_portions
from hlfast.config.problems import Problem, redact
from hlfast.config.strategies import bound, in_its_words, unfold
from hlfast.config.values import Problems, venue_network
from hlfast.config.zones import zone_tables

# Of one source address (protocol notes, 2026-08).
VENUE_CONNECTIONS = 10
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(config: Config) -> tuple[Config, list[Problem]]:
    """Check everything that needs more than one field or a range; runs after the types are known to be right."""
    problems: Problems = []
    _check_venue(problems, config)
    _check_engine(problems, config, within_limits=config.venue.limits == "venue")
    values.whole(problems, "journal.snapshot_every", config.journal.snapshot_every, 100, 100_000_000)
    if not config.journal.directory.strip():
        problems.append(Problem("journal.directory", "is empty", "name a directory on a local disk"))
    _check_keys(problems, config.keys, config.network)
    values.whole(problems, "metrics.port", config.metrics.port, 0, 65_535)
    if not config.metrics.host.strip():
        problems.append(Problem("metrics.host", "is empty", 'write "127.0.0.1", or the address to listen on'))
    leaders = tuple(_leader(problems, f"leaders[{at}]", leader) for at, leader in enumerate(config.leaders))
    followers = tuple(_follower(problems, f"followers[{at}]", one) for at, one in enumerate(config.followers))
    _check_identities(problems, leaders, followers)
    follows, places = unfold(problems, config)
    check_follows(problems, follows, leaders, followers, places)
    check_watched(problems, config, follows, places)
    check_crowds(problems, leaders, follows)
    followers = tuple(bound(one, config.strategies) for one in followers) if not problems else followers
    check_beside(problems, config)
    check_execution(problems, config)
    if config.zones:
        what = "is worked out from hours_zone and the tz database"
        problems.append(Problem("zones", what, "leave it out"))
    zones = zone_tables(follows)
    builder = config.builder and msgspec.structs.replace(config.builder, address=config.builder.address.lower())
    config = msgspec.structs.replace(
        config, leaders=leaders, followers=followers, follows=follows, zones=zones, builder=builder
    )
    # Each part of a strategy has the same policy: what is wrong with that is told once.
    return config, list(dict.fromkeys(in_its_words(problem) for problem in problems))


def _check_venue(problems: Problems, config: Config) -> None:
    venue = config.venue
    host = values.url(problems, "venue.base_url", venue.base_url, ("http", "https"))
    ws_host = host
    if venue.ws_url is not None:
        ws_host = values.url(problems, "venue.ws_url", venue.ws_url, ("ws", "wss"))
    for setting, one in (("venue.base_url", host), ("venue.ws_url", ws_host)):
        belongs = venue_network(one)
        if belongs is not None and belongs != config.network:
            what = f'is "{config.network}" while {setting} is the venue\'s {belongs}'
            problems.append(Problem("network", what, f'write network = "{belongs}" or change the address'))
            break
    real = [venue_network(one) is not None for one in (host, ws_host) if one is not None]
    if len(real) == 2 and real[0] != real[1]:
        what = "and venue.base_url are two different venues"
        problems.append(Problem("venue.ws_url", what, "leave it out: it follows from base_url"))
    if venue.limits == "off" and any(real):
        what = '"off" is refused on the real venue: one address would be shut out within seconds'
        problems.append(Problem("venue.limits", what, 'write "venue"'))
    settings = [(f"venue.dexs[{at}]", dex) for at, dex in enumerate(venue.dexs)]
    for setting, dex in settings:
        if not re.fullmatch(r"[a-z0-9]{1,16}", dex):
            problems.append(Problem(setting, f"{dex[:40]!r} is no dex name", 'write it as the venue does, as in "xyz"'))
    values.no_repeats(problems, settings, "is the same dex", "leave it out")


def _check_engine(problems: Problems, config: Config, *, within_limits: bool) -> None:
    engine = config.engine
    for field, least, most in (
        ("user_connections", 1, 100),
        ("tape_connections", 1, 100),
        ("lane_connections", 1, 100),
        ("pool_depth", 1, 4096),
        # The venue closes a socket on which it sent nothing for 60 s; a ping makes it answer.
        ("ping_ms", 100, 50_000),
        ("stall_ms", 50, 600_000),
        ("reconcile_ms", 1_000, 3_600_000),
    ):
        values.whole(problems, f"engine.{field}", getattr(engine, field), least, most)
    total = engine.user_connections + engine.lane_connections + (engine.tape_connections if engine.tape else 0)
    total += config.discovery.enabled and config.discovery.tape_s > 0
    if within_limits and total > VENUE_CONNECTIONS:
        sorts = "user, tape, lane and discovery's" if config.discovery.enabled else "user, tape and lane"
        what = f"{sorts} connections are {total} together; the venue allows {VENUE_CONNECTIONS} an address"
        problems.append(Problem("engine.user_connections", what, "use fewer connections"))


def _check_keys(problems: Problems, keys: Keys, network: str) -> None:
    if keys.credentials_directory is None and not keys.keystores and not keys.env:
        fix = "set keys.credentials_directory to a directory of agent keys, or list keys.keystores"
        problems.append(Problem("keys", "name no place to read agent keys from", fix))
    if keys.credentials_directory is not None and not keys.credentials_directory.strip():
        problems.append(Problem("keys.credentials_directory", "is empty", "name the directory, or leave it out"))
    paths = [(f"keys.keystores[{at}].path", keystore.path) for at, keystore in enumerate(keys.keystores)]
    values.no_repeats(problems, paths, "is the same file", "leave one out")
    for at, keystore in enumerate(keys.keystores):
        for field in ("path", "passphrase_file"):
            if not getattr(keystore, field).strip():
                problems.append(Problem(f"keys.keystores[{at}].{field}", "is empty", "name the file"))
    variables = [(f"keys.env[{at}]", variable) for at, variable in enumerate(keys.env)]
    for setting, variable in variables:
        if not _VARIABLE.fullmatch(variable) or redact(variable) != variable:
            what = "is no name of a variable"
            problems.append(Problem(setting, what, "write the variable's name here, never the key itself"))
    values.no_repeats(problems, variables, "is the same variable", "leave it out")
    if keys.env and network == "mainnet" and not keys.force_env_on_mainnet:
        what = "holds raw keys in the environment, which is refused on mainnet"
        fix = "use keys.credentials_directory or keys.keystores (keys.force_env_on_mainnet = true insists)"
        problems.append(Problem("keys.env", what, fix))


def _leader(problems: Problems, at: str, leader: Leader) -> Leader:
    values.name(problems, f"{at}.name", leader.name)
    lower = values.address(problems, f"{at}.address", leader.address)
    if leader.impact_percent is not None:
        values.whole(problems, f"{at}.impact_percent", leader.impact_percent, 1, MOST_PERCENT)
    return msgspec.structs.replace(leader, address=lower)


def _follower(problems: Problems, at: str, follower: Follower) -> Follower:
    values.name(problems, f"{at}.name", follower.name)
    account = values.address(problems, f"{at}.account", follower.account)
    agent = values.address(problems, f"{at}.agent", follower.agent)
    order = values.usd(problems, f"{at}.max_order_usd", follower.max_order_usd, least=values.MIN_ORDER_USD)
    position = values.usd(problems, f"{at}.max_position_usd", follower.max_position_usd, least=values.MIN_ORDER_USD)
    gross = values.usd(problems, f"{at}.max_gross_usd", follower.max_gross_usd, least=values.MIN_ORDER_USD)
    values.factor(problems, f"{at}.max_gross_leverage", follower.max_gross_leverage)
    if position is not None and gross is not None and position > gross:
        what = "is more than max_gross_usd, which it can never reach"
        problems.append(Problem(f"{at}.max_position_usd", what, "lower it to max_gross_usd or raise that"))
    if order is not None and position is not None and order > 2 * position:
        what = "is more than twice max_position_usd: no order can be that large"
        problems.append(Problem(f"{at}.max_order_usd", what, "lower it"))
    if follower.disaster_stop_bps is not None:
        values.whole(problems, f"{at}.disaster_stop_bps", follower.disaster_stop_bps, 100, 9000)
    check_losses(problems, at, follower)
    if follower.execution is not None:
        check_portions(problems, f"{at}.execution", follower.execution)
    if account == agent:
        what = "is the account itself; a master key is never used"
        fix = "approve an API wallet (agent) for the account and write its address"
        problems.append(Problem(f"{at}.agent", what, fix))
    return msgspec.structs.replace(follower, account=account, agent=agent)


def _check_identities(problems: Problems, leaders: tuple[Leader, ...], followers: tuple[Follower, ...]) -> None:
    if not leaders:
        problems.append(Problem("leaders", "is empty", "write at least one [[leaders]] with name and address"))
    if not followers:
        problems.append(
            Problem("followers", "is empty", "write at least one [[followers]] with name, account and agent")
        )
    repeated = "give each one a name of its own"
    for names in (
        [(f"leaders[{at}].name", leader.name) for at, leader in enumerate(leaders)],
        [(f"followers[{at}].name", follower.name) for at, follower in enumerate(followers)],
    ):
        values.no_repeats(problems, names, "is the same name", repeated)
    addresses = [(f"leaders[{at}].address", leader.address) for at, leader in enumerate(leaders)]
    values.no_repeats(problems, addresses, "is the same trader", "keep one of them")
    accounts = [(f"followers[{at}].account", one.account) for at, one in enumerate(followers)]
    values.no_repeats(problems, accounts, "is the same account", "one follower can follow several leaders: merge them")
    agents = [(f"followers[{at}].agent", one.agent) for at, one in enumerate(followers)]
    fix = "approve an agent of its own for each follower: nonces are counted per agent"
    values.no_repeats(problems, agents, "is the same agent", fix)
    by_account = {account: setting.removesuffix(".account") for setting, account in accounts}
    for setting, agent in agents:
        owner = by_account.get(agent)
        if owner is not None and owner != setting.removesuffix(".agent"):
            problems.append(Problem(setting, f"is the account of {owner}", "write the agent's own address"))
