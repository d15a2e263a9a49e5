"""Every wrong setting is refused by its name, with what to do next."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from hlfast.config import markets
from hlfast.config.careful import merged
from hlfast.config.load import SettingsRefusedError, load
from hlfast.config.model import Config
from hlfast.feeds import user_fills

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "hlfast.example.toml"
KEY = "ab" * 32
Tree = dict[str, Any]


def base() -> Tree:
    return {
        "network": "testnet",
        "venue": {"base_url": "https://api.hyperliquid-testnet.xyz"},
        "journal": {"directory": "journal"},
        "keys": {"credentials_directory": "credentials"},
        "leaders": [
            {"name": "alice", "address": "0x" + "a1" * 20},
            {"name": "whale", "address": "0x" + "a2" * 20},
        ],
        "followers": [
            {"name": "main", "account": "0x" + "f1" * 20, "agent": "0x" + "e1" * 20},
            {"name": "careful", "account": "0x" + "f2" * 20, "agent": "0x" + "e2" * 20},
        ],
        "follows": [
            {"leader": "alice", "follower": "main", "mode": "ratio", "ratio": "0.5"},
            {"leader": "whale", "follower": "careful", "mode": "notional", "notional_usd": "100"},
        ],
    }


def toml(tree: Tree) -> str:
    """Write the tree as TOML; JSON spells its scalars and lists the same way."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in tree.items() if not _is_table(value)]
    for name, value in tree.items():
        if isinstance(value, dict):
            lines += [f"[{name}]", *(f"{key} = {_scalar(inner)}" for key, inner in value.items())]
        elif _is_table(value):
            for row in value:
                lines += [f"[[{name}]]", *(f"{key} = {_scalar(inner)}" for key, inner in row.items())]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _scalar(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_scalar(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    return json.dumps(value)


def put(path: str, value: Any) -> Callable[[Tree], None]:
    """A change that sets one value: "follows.0.mode"."""
    *way, last = path.split(".")

    def change(tree: Tree) -> None:
        at: Any = tree
        for step in way:
            at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
        at[int(last) if last.isdigit() else last] = value

    return change


def drop(path: str) -> Callable[[Tree], None]:
    *way, last = path.split(".")

    def change(tree: Tree) -> None:
        at: Any = tree
        for step in way:
            at = at[int(step)] if step.isdigit() else at[step]
        del at[last]

    return change


def all_of(*changes: Callable[[Tree], None]) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        for one in changes:
            one(tree)

    return change


def execution(**fields: Any) -> Callable[[Tree], None]:
    """A change of how the first follower's openings go."""
    return put("followers.0.execution", fields)


MAINNET = all_of(put("network", "mainnet"), put("venue.base_url", "https://api.hyperliquid.xyz"))

BAD: list[tuple[str, Callable[[Tree], None], str, str]] = [
    # what is shown, the change, the setting that must be named, and what must be said
    ("no builder", put("followers.0.builder_fee_tenths_bps", 5), "followers[0].builder_fee_tenths_bps", "no builder"),
    (
        "builder fee above the venue's",
        put("builder", {"address": "0x" + "b1" * 20, "fee_tenths_bps": 101}),
        "builder.fee_tenths_bps",
        "write 1 to 100",
    ),
    ("builder without address", put("builder", {"fee_tenths_bps": 5}), "builder.address", "is missing"),
    ("builder no address", put("builder", {"address": "0x1", "fee_tenths_bps": 5}), "builder.address", "40 hexa"),
    ("priority too high", put("followers.1.max_priority_bps", 9), "followers[1].max_priority_bps", "write 1 to 8"),
    ("an outcome market", put("follows.0.coins_allow", ["#10"]), "follows[0].coins_allow", "outcome market"),
    (
        "a spot pair among perps",
        put("follows.0.coins_allow", ["@107"]),
        "follows[0].coins_allow",
        'write markets = "spot"',
    ),
    (
        "shorts on spot",
        all_of(put("follows.0.markets", "spot"), put("follows.0.inverse", value=True)),
        "follows[0].inverse",
        "sell what is not held",
    ),
    ("a floor of nothing", put("follows.0.min_depth_usd", "0"), "follows[0].min_depth_usd", "is zero"),
    ("no part of the book", put("follows.0.max_depth_percent", 0), "follows[0].max_depth_percent", "1 to 1000"),
    ("no budget of an event", put("leaders.0.impact_percent", 1001), "leaders[0].impact_percent", "1 to 1000"),
    (
        "a delay beside an event's budget",
        all_of(put("leaders.0.impact_percent", 50), put("follows.0.delay_ms", 100)),
        "follows[0].delay_ms",
        "impact_percent",
    ),
    (
        "spot of a ninth leader",
        all_of(
            put("leaders", [{"name": f"l{n}", "address": f"0x{n:040x}"} for n in range(1, 10)]),
            put("follows.0.leader", "l8"),
            put("follows.1.leader", "l9"),
            put("follows.1.markets", "spot"),
        ),
        "follows[1].markets",
        '"l9" is not among the first 8 leaders',
    ),
    ("leverage misspelt", put("followers.0.leverage", "miror"), "followers[0].leverage", 'did you mean "mirror"?'),
    ("leverage of zero", put("followers.0.leverage", 0), "followers[0].leverage", "write 1 to 100"),
    ("leverage no whole number", put("followers.0.leverage", 2.5), "followers[0].leverage", "must be"),
    (
        "leverage above its cap",
        all_of(put("followers.0.leverage", 9), put("followers.0.max_leverage", 5)),
        "followers[0].leverage",
        "lower it",
    ),
    (
        "a cap of nothing",
        all_of(put("followers.0.leverage", "leave"), put("followers.0.max_leverage", 5)),
        "followers[0].max_leverage",
        '"leave"',
    ),
    (
        "margin without leverage",
        all_of(put("followers.0.leverage", "leave"), put("followers.0.margin", "cross")),
        "followers[0].margin",
        '"leave"',
    ),
    ("unknown section", put("venu", 1), "venu", 'did you mean "venue"?'),
    ("unknown section far off", put("zzz", 1), "zzz", "known are: builder, companion, control"),
    ("unknown field", put("venue.limit", "off"), "venue.limit", 'did you mean "limits"?'),
    ("unknown field in a row", put("follows.1.notional", "5"), "follows[1].notional", 'did you mean "notional_usd"?'),
    ("unknown leader field", put("leaders.0.adress", "0x"), "leaders[0].adress", 'did you mean "address"?'),
    ("camel case", put("engine.busyPoll", value=True), "engine.busyPoll", 'did you mean "busy_poll"?'),
    ("missing network", drop("network"), "network", "is missing; set it in the file or as HLFAST_NETWORK"),
    ("missing venue", drop("venue"), "venue", "write [venue] with base_url"),
    ("missing base_url", put("venue", {}), "venue.base_url", "HLFAST_VENUE__BASE_URL"),
    ("missing leaders", drop("leaders"), "leaders", "write one or more [[leaders]] with name, address"),
    ("missing row field", drop("followers.0.agent"), "followers[0].agent", "is missing"),
    ("network misspelt", put("network", "mainet"), "network", 'did you mean "mainnet"?'),
    ("network nonsense", put("network", "x"), "network", "known are: mainnet, testnet"),
    ("mode misspelt", put("follows.0.mode", "ratios"), "follows[0].mode", 'did you mean "ratio"?'),
    ("durability misspelt", put("journal.durability", "durabel"), "journal.durability", 'did you mean "durable"?'),
    ("number for text", put("follows.0.ratio", 0.5), "follows[0].ratio", 'write it in quotes: "0.5"'),
    ("whole number for text", put("follows.1.notional_usd", 100), "follows[1].notional_usd", '"100"'),
    ("text for number", put("engine.pool_depth", "many"), "engine.pool_depth", "must be a whole number"),
    ("fraction for number", put("engine.pool_depth", 1.5), "engine.pool_depth", "must be a whole number"),
    ("text for switch", put("engine.tape", "perhaps"), "engine.tape", "must be true or false"),
    ("value for table", put("venue", 5), "venue", "must be a table"),
    ("value for list", put("venue.dexs", "xyz"), "venue.dexs", "must be a list"),
    ("fitness without orders", put("fitness.fewest", 300), "fitness.fewest", "nobody is judged"),
    ("fitness beyond a whole", put("fitness.most_maker_percent", 101), "fitness.most_maker_percent", "write 0 to 100"),
    ("events forgotten too soon", put("store.keep_days", 30), "store.keep_days", "write 31 to"),
    ("accounts too often", put("store.accounts_s", 5), "store.accounts_s", "write 60 to"),
    ("unknown database", put("store.url", "mysql://x"), "store.url", 'write "sqlite:///file.db"'),
    ("search too often", put("discovery.every_s", 5), "discovery.every_s", "write 60 to"),
    (
        "search without room",
        put("discovery.weight_per_minute", 1_200),
        "discovery.weight_per_minute",
        "write 60 to 900",
    ),
    ("no capital", put("discovery.capital_usd", "5"), "discovery.capital_usd", "minimum"),
    ("no source", put("discovery", {"tape_s": 0, "leaderboard": "off"}), "discovery.leaderboard", "no trader can be"),
    (
        "auto-follow by nobody",
        put("discovery.auto_follow.enabled", True),
        "discovery.auto_follow.followers",
        "is empty",
    ),
    (
        "auto-follow by a stranger",
        put("discovery.auto_follow.followers", ["mian"]),
        "discovery.auto_follow.followers[0]",
        'did you mean "main"?',
    ),
    (
        "auto-follow beyond its position",
        put("discovery.auto_follow", {"notional_usd": "500", "max_position_usd": "100"}),
        "discovery.auto_follow.notional_usd",
        "lower it",
    ),
    ("host of the other network", put("venue.base_url", "https://api.hyperliquid.xyz"), "network", "mainnet"),
    ("mainnet on testnet's host", put("network", "mainnet"), "network", "testnet"),
    ("limits off on testnet", put("venue.limits", "off"), "venue.limits", 'write "venue"'),
    ("limits off on mainnet", all_of(MAINNET, put("venue.limits", "off")), "venue.limits", "refused on the real venue"),
    ("two venues", put("venue.ws_url", "ws://127.0.0.1:1/ws"), "venue.ws_url", "two different venues"),
    (
        "real host in clear",
        put("venue.base_url", "http://api.hyperliquid-testnet.xyz"),
        "venue.base_url",
        "unencrypted",
    ),
    ("scheme", put("venue.base_url", "ftp://host"), "venue.base_url", "write https://host"),
    ("no scheme", put("venue.base_url", "api.hyperliquid.xyz"), "venue.base_url", "is no usable URL"),
    ("port", put("venue.base_url", "http://h:99999"), "venue.base_url", "is no URL"),
    ("password in URL", put("venue.base_url", "https://u:p@h"), "venue.base_url", "without user"),
    ("empty ws", put("venue.ws_url", ""), "venue.ws_url", "is no usable URL"),
    ("http as ws", put("venue.ws_url", "https://h/ws"), "venue.ws_url", "write wss://host"),
    ("dex name", put("venue.dexs", ["XYZ:CL"]), "venue.dexs[0]", "is no dex name"),
    ("dex twice", put("venue.dexs", ["xyz", "xyz"]), "venue.dexs[1]", "venue.dexs[0]"),
    ("too many sockets", put("engine.user_connections", 8), "engine.user_connections", "the venue allows 10"),
    ("no user socket", put("engine.user_connections", 0), "engine.user_connections", "write 1 to 100"),
    ("negative", put("engine.stall_ms", -1), "engine.stall_ms", "out of range"),
    ("rare ping", put("engine.ping_ms", 60_000), "engine.ping_ms", "write 100 to 50000"),
    ("no lane", put("engine.lane_connections", 0), "engine.lane_connections", "write 1 to 100"),
    ("other host of the venue", put("venue.ws_url", "wss://rpc.hyperliquid.xyz/ws"), "network", "venue.ws_url"),
    ("no journal", put("journal.directory", " "), "journal.directory", "is empty"),
    ("no keys", put("keys", {}), "keys", "set keys.credentials_directory"),
    ("empty credentials", put("keys.credentials_directory", ""), "keys.credentials_directory", "is empty"),
    ("a key as variable", put("keys.env", [KEY]), "keys.env[0]", "never the key itself"),
    ("variable twice", put("keys.env", ["A", "A"]), "keys.env[1]", "keys.env[0]"),
    ("raw key on mainnet", all_of(MAINNET, put("keys.env", ["AGENT_KEY"])), "keys.env", "refused on mainnet"),
    ("keystore half", put("keys.keystores", [{"path": "k.json"}]), "keys.keystores[0].passphrase_file", "is missing"),
    (
        "keystore twice",
        put("keys.keystores", [{"path": "k", "passphrase_file": "p"}, {"path": "k", "passphrase_file": "q"}]),
        "keys.keystores[1].path",
        "is the same file",
    ),
    ("metrics port", put("metrics.port", 70_000), "metrics.port", "write 0 to 65535"),
    ("no leader", put("leaders", []), "leaders", "at least one [[leaders]]"),
    ("no follower", put("followers", []), "followers", "at least one [[followers]]"),
    ("no follow", put("follows", []), "follows", "nothing would be copied"),
    ("short address", put("leaders.0.address", "0x12"), "leaders[0].address", "40 hexadecimal digits"),
    ("bare address", put("leaders.0.address", "a1" * 20), "leaders[0].address", "is no address"),
    ("zero address", put("followers.0.account", "0x" + "0" * 40), "followers[0].account", "zero address"),
    ("bad name", put("followers.0.name", "my account"), "followers[0].name", "is no name"),
    ("leader name twice", put("leaders.1.name", "alice"), "leaders[1].name", "leaders[0].name"),
    ("leader twice", put("leaders.1.address", "0x" + "A1" * 20), "leaders[1].address", "is the same trader"),
    ("account twice", put("followers.1.account", "0x" + "F1" * 20), "followers[1].account", "merge them"),
    ("agent twice", put("followers.1.agent", "0x" + "e1" * 20), "followers[1].agent", "of its own"),
    ("master as agent", put("followers.0.agent", "0x" + "f1" * 20), "followers[0].agent", "master key is never used"),
    ("other's account as agent", put("followers.0.agent", "0x" + "f2" * 20), "followers[0].agent", "followers[1]"),
    ("circle", put("leaders.0.address", "0x" + "f1" * 20), "leaders[0].address", "never copied on"),
    (
        "agent as leader",
        put("leaders.0.address", "0x" + "e2" * 20),
        "leaders[0].address",
        "is the agent of followers[1]",
    ),
    ("unknown leader", put("follows.0.leader", "alise"), "follows[0].leader", 'did you mean "alice"?'),
    ("unknown follower", put("follows.1.follower", "carefull"), "follows[1].follower", 'did you mean "careful"?'),
    ("unknown follower far off", put("follows.1.follower", "zz"), "follows[1].follower", "known are: careful, main"),
    (
        "pair twice",
        put("follows.1", {"leader": "alice", "follower": "main", "mode": "ratio", "ratio": "1"}),
        "follows[1]",
        "one policy",
    ),
    ("mode without its field", drop("follows.0.ratio"), "follows[0].ratio", 'mode "ratio" sizes by it'),
    ("field of another mode", put("follows.0.weight", "1"), "follows[0].weight", 'belongs to mode "equity"'),
    ("notional in ratio", put("follows.0.notional_usd", "50"), "follows[0].notional_usd", "leave it out"),
    ("scale_adds in ratio", put("follows.0.scale_adds", value=True), "follows[0].scale_adds", 'mode "notional"'),
    ("zero ratio", put("follows.0.ratio", "0"), "follows[0].ratio", "is zero"),
    ("negative ratio", put("follows.0.ratio", "-1"), "follows[0].ratio", "is no decimal number"),
    ("exponent", put("follows.0.ratio", "1e3"), "follows[0].ratio", "is no decimal number"),
    ("not a number", put("follows.0.ratio", "NaN"), "follows[0].ratio", "is no decimal number"),
    ("infinite", put("followers.0.max_order_usd", "inf"), "followers[0].max_order_usd", "is no decimal number"),
    ("comma", put("follows.0.ratio", "0,5"), "follows[0].ratio", "one dot"),
    ("40 digits", put("follows.0.ratio", "1" * 40), "follows[0].ratio", "is no decimal number"),
    ("other digits", put("follows.0.ratio", "\u0661"), "follows[0].ratio", "is no decimal number"),
    ("fine ratio", put("follows.0.ratio", "0.123456789"), "follows[0].ratio", "more than 8 decimals"),
    ("huge ratio", put("follows.0.ratio", "1001"), "follows[0].ratio", "more than 1000"),
    ("huge cap", put("followers.0.max_order_usd", "9999999999"), "followers[0].max_order_usd", "smaller number"),
    ("zero cap", put("followers.0.max_position_usd", "0"), "followers[0].max_position_usd", "is zero"),
    ("no loss at all", put("followers.0.max_daily_loss_usd", "0"), "followers[0].max_daily_loss_usd", "is zero"),
    ("more than all of it", put("followers.0.max_drawdown_bps", 10_001), "followers[0].max_drawdown_bps", "1 to 10000"),
    ("trip of nothing", put("follows.0.on_trip", "flatten"), "follows[0].on_trip", "limit of losses"),
    ("trip of no account", put("followers.0.on_trip", "flatten"), "followers[0].on_trip", "limit of losses"),
    ("no edge's drawdown", put("follows.0.max_drawdown_usd", "-5"), "follows[0].max_drawdown_usd", "no decimal number"),
    ("unknown reaction", put("follows.0.on_liquidation", "panic"), "follows[0].on_liquidation", "panic"),
    ("nobody may follow", put("leaders.0.max_followers", 0), "leaders[0].max_followers", "write 1 to"),
    (
        "more than may follow",
        all_of(put("leaders.0.max_followers", 1), put("follows.1.leader", "alice")),
        "leaders[0].max_followers",
        "2 follow it",
    ),
    (
        "part beyond its leader's",
        all_of(put("follows.0.max_gross_usd", "100"), put("follows.0.max_position_usd", "200")),
        "follows[0].max_position_usd",
        "more than max_gross_usd",
    ),
    ("near stop", put("followers.0.disaster_stop_bps", 99), "followers[0].disaster_stop_bps", "write 100 to 9000"),
    ("far stop", put("followers.0.disaster_stop_bps", 9001), "followers[0].disaster_stop_bps", "write 100 to 9000"),
    ("no duration", execution(style="twap", slices=6), "followers[0].execution.seconds", 'style "twap" needs it'),
    (
        "portions of another style",
        execution(style="smart", seconds=30, depth_percent=50, slices=6),
        "followers[0].execution.slices",
        'belongs to style "twap"',
    ),
    (
        "better without resting",
        execution(style="smart", seconds=30, depth_percent=50, improvement_bps=5),
        "followers[0].execution.improvement_bps",
        "needs passive_ms",
    ),
    (
        "portions without pause",
        execution(style="twap", seconds=1, slices=11),
        "followers[0].execution.slices",
        "every 100 ms",
    ),
    (
        "a TWAP of part of a minute",
        execution(style="native_twap", seconds=330),
        "followers[0].execution.seconds",
        "is no whole minute",
    ),
    (
        "a TWAP shorter than the venue's",
        execution(style="native_twap", seconds=240),
        "followers[0].execution.seconds",
        "write 300 to 86400",
    ),
    (
        "a TWAP with a limit",
        execution(style="native_twap", seconds=300, max_slippage_bps=50),
        "followers[0].execution.max_slippage_bps",
        'the style is "native_twap"',
    ),
    (
        "own slices moved by the venue",
        execution(style="twap", seconds=60, slices=6, randomize=True),
        "followers[0].execution.randomize",
        'belongs to style "native_twap"',
    ),
    (
        "a TWAP with a bid",
        all_of(execution(style="native_twap", seconds=300), put("followers.0.max_priority_bps", 2)),
        "followers[0].max_priority_bps",
        "can't be bid",
    ),
    (
        "a TWAP with a builder",
        all_of(
            execution(style="native_twap", seconds=300),
            put("builder", {"address": "0x" + "b1" * 20, "fee_tenths_bps": 10}),
        ),
        "followers[0].builder_fee_tenths_bps",
        "can't be paid",
    ),
    (
        "a TWAP below the venue's least",
        all_of(execution(style="native_twap", seconds=300), put("followers.0.max_order_usd", "100")),
        "followers[0].max_order_usd",
        "is below 100.5",
    ),
    (
        "a TWAP of spot",
        all_of(execution(style="native_twap", seconds=300), put("follows.0.markets", "all")),
        "follows[0].markets",
        "for perpetuals",
    ),
    ("cap below minimum", put("followers.0.max_order_usd", "9"), "followers[0].max_order_usd", "minimum order of $10"),
    ("edge below minimum", put("follows.1.notional_usd", "5"), "follows[1].notional_usd", "minimum order of $10"),
    (
        "position over gross",
        all_of(put("followers.0.max_position_usd", "100"), put("followers.0.max_gross_usd", "50")),
        "followers[0].max_position_usd",
        "max_gross_usd",
    ),
    (
        "order over position",
        all_of(put("follows.0.max_order_usd", "100"), put("follows.0.max_position_usd", "20")),
        "follows[0].max_order_usd",
        "twice max_position_usd",
    ),
    ("notional over cap", put("follows.1.max_position_usd", "50"), "follows[1].notional_usd", "more than max_position"),
    ("band missing", put("follows.0.existing", "adopt_within"), "follows[0].adopt_band_bps", "is missing"),
    ("band without use", put("follows.0.adopt_band_bps", 5), "follows[0].adopt_band_bps", "adopt_within"),
    ("nothing allowed", put("follows.0.coins_allow", []), "follows[0].coins_allow", "nothing would be copied"),
    ("coin twice", put("follows.0.coins_block", ["BTC", "BTC"]), "follows[0].coins_block[1]", "same coin"),
    ("blank coin", put("follows.0.coins_block", [" "]), "follows[0].coins_block[0]", "is no coin"),
    (
        "coin in both lists",
        all_of(put("follows.0.coins_allow", ["BTC"]), put("follows.0.coins_block", ["BTC"])),
        "follows[0].coins_block",
        "also in coins_allow",
    ),
    (
        "values crossed",
        all_of(put("follows.0.min_value_usd", "50"), put("follows.0.max_value_usd", "20")),
        "follows[0].min_value_usd",
        "swap",
    ),
    ("no age", put("follows.0.max_age_ms", 0), "follows[0].max_age_ms", "out of range"),
    ("no band", put("follows.0.entry_band_bps", 0), "follows[0].entry_band_bps", "write 1 to 8000"),
    ("absurd band", put("follows.0.emergency_band_bps", 9_000), "follows[0].emergency_band_bps", "write 1 to 8000"),
    ("bands crossed", put("follows.0.reduce_band_bps", 500), "follows[0].reduce_band_bps", "last"),
]


def write(tmp_path: Path, tree: Tree) -> Path:
    path = tmp_path / "hlfast.toml"
    path.write_text(toml(tree), encoding="utf-8")
    return path


def test_load_accepts_the_base_and_the_shipped_example(tmp_path: Path) -> None:
    config = load(write(tmp_path, base()))
    assert config.follows[0].ratio == "0.5"
    example = load(EXAMPLE)
    assert len(example.follows) == 3
    assert msgspec.json.decode(msgspec.json.encode(example), type=Config) == example


@pytest.mark.parametrize(("change", "setting", "said"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_load_refuses_by_name(change: Callable[[Tree], None], setting: str, said: str, tmp_path: Path) -> None:
    tree = copy.deepcopy(base())
    change(tree)
    with pytest.raises(SettingsRefusedError) as refused:
        load(write(tmp_path, tree))
    named = [problem for problem in refused.value.problems if problem.setting == setting]
    assert named, f"{setting} is not among:\n{refused.value}"
    assert any(said in problem.line() for problem in named), str(refused.value)
    assert KEY not in str(refused.value)


def test_load_finds_one_cause_for_a_misspelt_required_field(tmp_path: Path) -> None:
    tree = base()
    tree["leaders"][0]["adress"] = tree["leaders"][0].pop("address")
    with pytest.raises(SettingsRefusedError) as refused:
        load(write(tmp_path, tree))
    assert [problem.setting for problem in refused.value.problems] == ["leaders[0].adress"]


def test_load_reports_everything_at_once(tmp_path: Path) -> None:
    tree = base()
    tree["follows"][0]["ratio"] = "0"
    tree["metrics"] = {"port": -1}
    tree["followers"][0]["max_order_usd"] = "x"
    with pytest.raises(SettingsRefusedError) as refused:
        load(write(tmp_path, tree))
    assert {problem.setting for problem in refused.value.problems} == {
        "follows[0].ratio",
        "metrics.port",
        "followers[0].max_order_usd",
    }


def test_load_reads_a_right_file_without_pydantic_and_like_it(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom hlfast.config.load import load\nload(Path(sys.argv[1]))\n"
        "print(sorted({'pydantic', 'pydantic_settings'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(EXAMPLE)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    for data in (base(), tomllib.loads(EXAMPLE.read_text())):
        assert msgspec.convert(data, Config) == merged(data)
    tree = base()
    tree["engine"] = {"pool_depth": "16"}
    assert load(write(tmp_path, tree)).engine.pool_depth == 16, "what has to be interpreted still is"


def test_load_lets_the_environment_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = base()
    tree["engine"] = {"pool_depth": 8, "tape": True}
    path = write(tmp_path, tree)
    monkeypatch.setenv("HLFAST_ENGINE__POOL_DEPTH", "32")
    monkeypatch.setenv("HLFAST_ENGINE__TAPE", "false")
    monkeypatch.setenv("HLFAST_LEADERS", json.dumps([tree["leaders"][0] | {"name": "alice"}, tree["leaders"][1]]))
    config = load(path)
    assert (config.engine.pool_depth, config.engine.tape) == (32, False)
    assert config.engine.user_connections == 2, "what the environment does not name stays"


@pytest.mark.parametrize(
    ("variable", "value", "setting", "said"),
    [
        ("HLFAST_VENU__BASE_URL", "x", "HLFAST_VENU__BASE_URL", 'did you mean "HLFAST_VENUE__BASE_URL"?'),
        ("HLFAST_VENUE__BASEURL", "x", "venue.baseurl", 'did you mean "base_url"?'),
        ("HLFAST_QQQQ", "x", "HLFAST_QQQQ", "unset it"),
        ("HLFAST_ENGINE__POOL_DEPTH", "deep", "engine.pool_depth", "whole number"),
        ("HLFAST_LEADERS", "not json", "HLFAST_LEADERS", "is not JSON"),
        ("HLFAST_NETWORK", "main", "network", 'did you mean "mainnet"?'),
    ],
)
def test_load_refuses_wrong_variables(
    variable: str, value: str, setting: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, base())
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsRefusedError) as refused:
        load(path)
    assert [problem.setting for problem in refused.value.problems] == [setting]
    assert said in str(refused.value)


def test_load_names_an_unreadable_or_broken_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefusedError, match=r"cannot be read .*--config"):
        load(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("network = \n")
    with pytest.raises(SettingsRefusedError, match=r"is not TOML .*line 1"):
        load(broken)


def test_load_takes_addresses_in_any_case_and_keeps_them_lower(tmp_path: Path) -> None:
    tree = base()
    tree["leaders"][0]["address"] = "0X" + "Ab" * 20
    assert load(write(tmp_path, tree)).leaders[0].address == "0x" + "ab" * 20


def test_reference_page_lists_every_setting() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for section, fields in _sections().items():
        for name, default in fields.items():
            row = f"| `{section}{name}` |"
            assert row in page, f"{row} is not in docs/configuration.md"
            line = next(line for line in page.splitlines() if line.startswith(row))
            assert f"| {default} |" in line, line


def _sections() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}

    def walk(struct: type[msgspec.Struct], prefix: str) -> None:
        hints = get_type_hints(struct)
        for field in msgspec.structs.fields(struct):
            hint = hints[field.name]
            inner = next(
                (one for one in get_args(hint) if isinstance(one, type) and issubclass(one, msgspec.Struct)), hint
            )
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                walk(inner, f"{prefix}{field.name}{'[]' if get_origin(hint) is tuple else ''}.")
                continue
            default = (
                "required"
                if field.required
                else f"`{json.dumps(field.default)}`"
                if field.default is not None
                else "none"
            )
            found.setdefault(prefix, {})[field.name] = default

    walk(Config, "")
    return found


def test_spot_is_told_of_as_many_leaders_as_feeds_watch() -> None:
    assert markets.WATCHED_USERS == user_fills.WATCHED_USERS
