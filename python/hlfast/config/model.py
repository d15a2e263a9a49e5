"""The settings as plain frozen structs, importable by every layer; the core reads `for_core(config)`.

Money, sizes and ratios are decimal strings (exact in TOML, JSON and the core); bands are whole basis points; times are
whole milliseconds. An absent limit means none; an explicit zero is refused by the loader and again by the core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """Base of all settings: immutable, keyword-only, unknown fields refused."""


class Venue(Frozen, frozen=True):
    """Where the venue is. The signing network is `Config.network`, never derived from the URL."""

    base_url: str
    ws_url: str | None = None  # None: base_url with http→ws and /ws
    limits: Literal["venue", "off"] = "venue"  # "off" is refused on the real venue's hosts
    dexs: tuple[str, ...] = ()  # builder-deployed perp dexs to load besides the main one

    @property
    def stream_url(self) -> str:
        """Where its WebSocket is."""
        if self.ws_url is not None:
            return self.ws_url
        scheme, host, path, query, _ = urlsplit(self.base_url)
        return urlunsplit((scheme.replace("http", "ws", 1), host, path.rstrip("/") + "/ws", query, ""))


class EngineSettings(Frozen, frozen=True):
    """How the hot path runs; nothing here changes a decision."""

    user_connections: int = 2  # sockets for userFills, userEvents, orderUpdates of leaders
    tape_connections: int = 2  # sockets for the public trade tape and bbo
    lane_connections: int = 2  # sockets for posts
    http_lane: bool = True  # second road for orders when no post lane is up
    tape: bool = True  # match the public tape against the leader set
    busy_poll: bool = False  # never let the loop sleep; takes one core whole
    presign: bool = True  # False: every signature is hedged RFC 6979
    pool_depth: int = 16  # presignatures kept ready per signer
    ping_ms: int = 10_000
    stall_ms: int = 2_000  # a feed that falls silent is found within this
    reconcile_ms: int = 30_000  # each account is read this often; the first ten leaders, when quiet, in a fifth of it


class Journal(Frozen, frozen=True):
    """Where decisions are written down before they leave."""

    directory: str
    durability: Literal["durable", "relaxed"] = "durable"
    snapshot_every: int = 100_000  # records between snapshots


class Control(Frozen, frozen=True):
    """The operator's door: `hlfast pause`, `kill`, `follow` and the like. For the engine's own user alone."""

    socket: str | None = None  # None: control.sock in journal.directory


class Keystore(Frozen, frozen=True):
    """One Ethereum keystore V3 file and the file that holds its passphrase."""

    path: str
    passphrase_file: str


class Keys(Frozen, frozen=True):
    """Agent keys; read and decrypted in Rust."""

    credentials_directory: str | None = None  # one file per agent: name = lower-case address, 64 hex digits, mode 0400
    keystores: tuple[Keystore, ...] = ()
    env: tuple[str, ...] = ()  # names of environment variables that hold raw keys; refused on mainnet unless forced
    force_env_on_mainnet: bool = False


class Metrics(Frozen, frozen=True):
    """Prometheus endpoint; port 0 picks a free one."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 9464


class Builder(Frozen, frozen=True):
    """Who gets a share of what orders pay. Each account's master approves it once (`approveBuilderFee`)."""

    address: str
    fee_tenths_bps: int  # 10 are one basis point; the venue allows 100


class Leader(Frozen, frozen=True):
    """An address to copy."""

    name: str
    address: str  # 0x + 40 hex, any case
    impact_percent: int | None = None  # all increases of one event together: of what the best price offers
    max_followers: int | None = None  # the settings may have no more follows of it


class Execution(Frozen, frozen=True):
    """In which portions an account's openings go; reductions always go at once and whole."""

    style: Literal["immediate", "twap", "native_twap", "smart"]
    seconds: int | None = None  # the time limit; what is not bought by then is given back. native_twap: whole minutes
    slices: int | None = None  # twap: how many equal portions
    jitter_percent: int | None = None  # twap: how far the time between two may be off; 20 when left out
    depth_percent: int | None = None  # smart: of what the book shows at its best price
    passive_ms: int | None = None  # smart: a portion rests in the book so long before it takes
    improvement_bps: int | None = None  # smart: a resting portion is this much better than the leader's price
    randomize: bool | None = None  # native_twap: the venue moves its slices; false when left out
    max_slippage_bps: int | None = None  # around the leader's price, for every portion; else the follow's entry band


class Follower(Frozen, frozen=True):
    """An account that copies. Caps count everything in flight at its worst case."""

    name: str
    account: str  # the account traded for (master, or sub-account/vault with `vault = true`)
    agent: str  # address of the API wallet that signs
    vault: bool = False  # True: `account` goes into the hash as vaultAddress
    max_order_usd: str | None = None
    max_position_usd: str | None = None  # per coin, on the net
    max_gross_usd: str | None = None  # Σ |position| over coins
    max_gross_leverage: str | None = None  # the same, over what the account is worth
    disaster_stop_bps: int | None = None  # a stop per copied position rests at the venue, so far from its entry
    manual: Literal["block", "allow"] = "block"  # entries of coins on which somebody else holds a part
    leverage: str | int = "mirror"  # "mirror" (the leader's), "leave" (the account's own), or so many times
    margin: Literal["mirror", "cross", "isolated"] = "mirror"  # set together with leverage
    max_leverage: int | None = None  # never more times than this
    builder_fee_tenths_bps: int | None = None  # instead of the builder's own; 0: none
    max_priority_bps: int | None = None  # most that an entry bids to be earlier, where that saves more than it costs
    execution: Execution | None = None  # None: openings go at once
    max_daily_loss_usd: str | None = None  # since the day (UTC) began, without transfers; a latch
    max_drawdown_usd: str | None = None  # since its best, without transfers; a latch
    max_drawdown_bps: int | None = None  # the same, of what the account would be worth without the loss
    on_trip: Literal["close_only", "flatten"] | None = None  # None: close_only


class Policy(Frozen, frozen=True, kw_only=True):
    """What a follow obeys besides its sizing. Filters gate increases only."""

    inverse: bool = False  # the follower takes the other side
    round_up: bool = False  # an entry below the venue's minimum is raised to it
    round_up_max_usd: str | None = None  # for round_up: by at most this
    markets: Literal["perps", "spot", "all"] = "perps"  # which kinds of the leader's markets are copied
    existing: Literal["ignore", "adopt", "adopt_within"] = "ignore"
    adopt_band_bps: int | None = None  # for adopt_within: leader's entry price ± this
    coins_allow: tuple[str, ...] | None = None  # None: every coin
    coins_block: tuple[str, ...] = ()
    min_value_usd: str | None = None  # leader's resulting position, coalesced change
    max_value_usd: str | None = None
    side: Literal["both", "long", "short"] = "both"  # of the leader's position
    hours: tuple[str, ...] | None = None  # "HH:MM-HH:MM", half-open, may pass midnight; None: always
    hours_zone: str | None = None  # tz database name; None: UTC
    delay_ms: int | None = None  # judged again when due, dropped if the leader left
    max_leader_leverage: str | None = None  # Σ |leader's positions| ÷ its equity
    min_listed_days: int | None = None
    min_day_volume_usd: str | None = None
    min_open_interest_usd: str | None = None
    min_depth_usd: str | None = None  # what the book offers at its best price
    max_depth_percent: int | None = None  # one increase: of what the book offers at its best price
    quality_window: Literal["day", "week", "month", "all"] | None = None  # the leader is judged over this
    only_profitable: bool = False
    max_leader_drawdown_bps: int | None = None
    max_order_usd: str | None = None  # this edge's part of one order
    max_position_usd: str | None = None  # this edge's part of one coin
    max_gross_usd: str | None = None  # this edge's parts of all coins
    max_age_ms: int = 2_000  # an older entry expires; an exit never does
    entry_band_bps: int = 30
    reduce_band_bps: int = 100
    emergency_band_bps: int = 300
    max_daily_loss_usd: str | None = None  # of this edge's part, since the day (UTC) began; a latch
    max_drawdown_usd: str | None = None  # of this edge's part, since its best; a latch
    on_trip: Literal["close_only", "flatten"] | None = None  # None: close_only
    on_liquidation: Literal["close", "follow", "hold"] | None = None  # of the leader by the venue; None: close


class Follow(Policy, frozen=True, kw_only=True):
    """The edge leader → follower with its policy."""

    leader: str  # Leader.name
    follower: str  # Follower.name
    mode: Literal["ratio", "equity", "notional", "risk"]
    ratio: str | None = None  # mode ratio: share of the leader's size
    weight: str | None = None  # mode equity: multiplies follower equity ÷ leader equity
    notional_usd: str | None = None  # mode notional: value per leader position
    risk_bps: int | None = None  # mode risk: what a usual day may move of the follower's equity, per position
    volatility_days: int | None = None  # mode risk: the usual day is that of so many; None: 30
    risk_max_leverage: str | None = None  # mode risk: position value ÷ equity at most; None: 3
    scale_adds: bool = False  # modes notional and risk: later adds use the same r
    rebalance_hours: int | None = None  # modes equity and risk: open positions take the r of now so often
    rebalance_drift_percent: str | None = None  # and once it is so far from theirs; None of both: theirs stays


class Part(Frozen, frozen=True):
    """A leader of a strategy."""

    leader: str  # Leader.name
    allocation: str  # mirror: share of the leader's size; else part of the follower's equity


class Rebalance(Frozen, frozen=True):
    """When a strategy's open positions take the r that their allocations give by then. At least one of the two."""

    every_hours: int | None = None  # counted from 1970, UTC: 24 is midnight
    drift_percent: str | None = None  # once the r of now is so far from a position's own


class Strategy(Frozen, frozen=True):
    """Several leaders copied into one account by one rule. The loader makes a follow of each part."""

    name: str
    follower: str  # Follower.name
    kind: Literal["mirror", "proportional", "risk_adjusted"]
    parts: tuple[Part, ...]
    max_risk_usd: str | None = None  # Σ |position| of the account, whatever its leaders do
    risk_bps: int | None = None  # risk_adjusted: what a usual day may move of a part's equity, per position
    volatility_days: int | None = None  # risk_adjusted: the usual day is that of so many; None: 30
    risk_max_leverage: str | None = None  # risk_adjusted: position value ÷ a part's equity at most; None: 3
    scale_adds: bool = False  # risk_adjusted: later adds use the same r
    rebalance: Rebalance | None = None  # proportional and risk_adjusted; None: r stays until a position ends
    policy: Policy = Policy()  # of each of its follows


class Store(Frozen, frozen=True):
    """The database that records and research are written to."""

    url: str = "sqlite:///hlfast.db"
    accounts_s: int = 3_600  # between readings of leaders' and followers' equity and funding; 0: never
    keep_days: int = 0  # older receipts, fills, attempts, equity and funding are forgotten; 0: never


class Companion(Frozen, frozen=True):
    """The process that `hlfast run` starts beside the engine, if there is work for it: this, discovery or fitness."""

    project: bool = False  # write the journal into the store
    metrics_port: int = 9465  # at metrics.host; 0 picks a free one


class Fitness(Frozen, frozen=True):
    """Whether the leaders are still worth copying, watched while `hlfast run` runs."""

    enabled: bool = False
    downgrade: bool = True  # stop entries of an unfit leader; false: only say so
    window: int = 200  # latest orders of a leader
    fewest: int = 20  # values that a figure needs before it is judged
    most_maker_percent: int = 80
    shortest_holding_ms: int = 30_000  # median round trip; 0: not judged
    most_below_minimum_percent: int = 50  # of his orders, too small for followers
    most_slippage_bps: int = 25  # mean cost of what was copied
    shortest_half_life_ms: int = 2_000  # of the edge; 0: not judged


class AutoFollow(Frozen, frozen=True):
    """Discovered traders followed without being asked, within these caps."""

    enabled: bool = False
    followers: tuple[str, ...] = ()  # names of those who follow
    least_grade: Literal["A", "B", "C"] = "A"
    most_risk: Literal["low", "medium", "high"] = "medium"
    most_leaders: int = 3  # followed this way at one time
    notional_usd: str = "100"  # per leader position
    max_position_usd: str = "200"  # per coin and leader


class Discovery(Frozen, frozen=True):
    """The search for traders worth copying: beside the engine, and the defaults of `hlfast discover`."""

    enabled: bool = False
    every_s: int = 21_600  # between the beginnings of two searches; the first one is at the start
    refresh_s: int = 86_400  # older results are made anew
    tape_s: int = 60  # listening to the public trades; 0: not at all
    coins: tuple[str, ...] = ()  # on the tape; empty: the fifty with most volume
    leaderboard: str = "venue"  # "venue", "off", a file or a URL
    most: int = 20  # traders analysed in one search
    least_equity_usd: str = "10000"
    capital_usd: str = "10000"  # of the follower that traders are judged for
    weight_per_minute: int = 300  # of the venue's 1,200 for one source address; the engine has the others
    auto_follow: AutoFollow = AutoFollow()


class Zone(Frozen, frozen=True):
    """One zone of the tz database as a table: the core has no clock and no database. Made by the loader."""

    name: str
    offsets: tuple[tuple[int, int], ...]  # from this Unix second on, so many seconds ahead of UTC


class Config(Frozen, frozen=True):
    """Everything `hlfast run` needs."""

    network: Literal["mainnet", "testnet"]  # decides the signature's source byte
    venue: Venue
    journal: Journal
    leaders: tuple[Leader, ...]
    followers: tuple[Follower, ...]
    follows: tuple[Follow, ...] = ()  # with those of strategies, once loaded
    strategies: tuple[Strategy, ...] = ()
    zones: tuple[Zone, ...] = ()
    engine: EngineSettings = EngineSettings()
    keys: Keys = Keys()
    metrics: Metrics = Metrics()
    builder: Builder | None = None
    store: Store = Store()
    discovery: Discovery = Discovery()
    control: Control = Control()
    companion: Companion = Companion()
    fitness: Fitness = Fitness()


# What runs beside the engine: the core decides nothing by it and refuses what it does not know.
_BESIDE: Final = ("strategies", "store", "discovery", "control", "companion", "fitness")


def for_core(config: Config) -> bytes:
    """Return the settings as the core reads them."""
    settings = msgspec.to_builtins(config)
    return msgspec.json.encode({name: value for name, value in settings.items() if name not in _BESIDE})


def control_path(config: Config) -> Path:
    """Where the engine that runs under these settings listens to its operator."""
    return Path(config.control.socket or Path(config.journal.directory) / "control.sock").absolute()
