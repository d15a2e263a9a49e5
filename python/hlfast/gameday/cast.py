"""Who trades in a seed: leaders, followers with mixed policies, coins, and what each starts with."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from hlfast._core import Signer
from hlfast.config.model import (
    Config,
    EngineSettings,
    Execution,
    Follow,
    Follower,
    Journal,
    Keys,
    Leader,
    Metrics,
    Venue,
)
from hlfast.config.portions import is_native
from hlfast.gameday.checker import Violation, shared

if TYPE_CHECKING:
    from hlfast.gameday.world import Options, World
    from hlfast.sim.inprocess import InProcess
    from hlfast.sim.universe import Universe

URL: Final = "http://gameday.invalid"
_COINS: Final = ("BTC", "ETH", "SOL", "DOGE", "INJ", "AVAX", "ARB", "SUI")
# Listed beside those that are traded, so that the tape carries some that nobody wants.
_LISTED: Final = 40
# Jumps of the price are 200 at most, and wander adds to them: the near ones are hit now and then.
_STOPS_BPS: Final = (None, None, None, 120, 300, 1_000)
# One seed in so many has followers that open in portions: none of those that were kept before there were any.
_PORTIONS_EVERY, _PORTIONS_AT = 12, 7
_AGENTS: dict[int, tuple[bytes, str]] = {}


@dataclass(slots=True)
class Cast:
    """One seed's people."""

    coins: tuple[str, ...]
    leaders: tuple[Leader, ...]
    followers: tuple[Follower, ...]
    follows: tuple[Follow, ...]
    agents: tuple[tuple[bytes, str], ...]
    holdings: dict[tuple[str, str], tuple[Decimal, Decimal]]  # (leader's address, coin) → (size, price) at the start
    funds: dict[str, int]
    lots: dict[str, int]
    mids: dict[str, Decimal]
    assets: dict[int, str]  # the venue's number of each coin

    @property
    def longest_opening_s(self) -> float:
        """How long an opening may take: where an order is capped, a TWAP and another one of what the first left."""
        slow = (each for each in self.followers if each.execution is not None)
        return max((float(_seconds(each)) * (2 if each.max_order_usd else 1) + 30 for each in slow), default=0.0)

    def opening(self) -> list[dict[str, Any]]:
        """What the venue does before the engine starts."""
        ops: list[dict[str, Any]] = []
        ops += [{"op": "fund", "address": leader.address, "usdc": "50000000"} for leader in self.leaders]
        ops += [
            {"op": "set_position", "address": address, "coin": coin, "size": f"{size:f}", "entry_px": f"{price:f}"}
            for (address, coin), (size, price) in self.holdings.items()
        ]
        for follower in self.followers:
            ops.append({"op": "fund", "address": follower.account, "usdc": str(self.funds[follower.name])})
            ops.append({"op": "approve_agent", "master": follower.account, "agent": follower.agent})
        return ops

    def config(self, journal: str, keys: str, rng: random.Random, *, over_http: bool) -> Config:
        """The engine's settings; `over_http`: it has no sockets for its posts."""
        relaxed = rng.random() < 0.1
        lanes, has_http = rng.choice((1, 2)), rng.random() < 0.8
        return Config(
            network="testnet",
            venue=Venue(base_url=URL, limits="venue"),
            journal=Journal(
                directory=journal,
                durability="relaxed" if relaxed else "durable",
                snapshot_every=rng.choice((50, 500, 100_000)),
            ),
            leaders=self.leaders,
            followers=self.followers,
            follows=self.follows,
            engine=EngineSettings(
                user_connections=rng.choice((1, 2)),
                tape_connections=1,
                lane_connections=0 if over_http else lanes,
                http_lane=over_http or has_http,
                tape=rng.random() < 0.3,
                presign=False,
            ),
            keys=Keys(credentials_directory=keys),
            metrics=Metrics(enabled=False),
        )

    def price_of(self, venue: InProcess, coin: str) -> float:
        """A coin's mark at the venue."""
        asset = venue.server.venue.universe.by_coin[coin]
        return venue.server.venue.mark(asset) / 1e8

    def check_exact(self, world: World, act: str) -> list[Violation]:
        """With nothing wrong, every plain copy is its share of the leader, within a lot and the least order."""
        found = []
        ledger = world.control(op="ledger", since=2**50)
        positions = ledger["positions"]
        for follower in self.followers:
            edges = [follow for follow in self.follows if follow.follower == follower.name]
            opens_at_once = follower.execution is None and is_plain(follower, edges)
            # Exits go at once, however something was opened.
            leaves = act == "flat" and follower.execution is not None
            gone = follower.name in world.trouble.revoked | shared(world.last_evidence)
            if gone or not (opens_at_once or leaves):
                continue
            for coin in self.coins:
                price = Decimal(str(self.price_of(world.venue, coin)))
                held = Decimal(positions.get(follower.account, {}).get(coin, {}).get("szi", "0"))
                wanted = Decimal(0)
                for edge in edges:
                    leader = next(each for each in self.leaders if each.name == edge.leader)
                    size = Decimal(positions.get(leader.address, {}).get(coin, {}).get("szi", "0"))
                    wanted += size * Decimal(edge.ratio or 0)
                slack = Decimal(self.lots[coin]) / 10**8 + Decimal("10.5") / price if wanted else Decimal(0)
                if abs(held - wanted) > slack:
                    found.append(
                        Violation(
                            "I1",
                            world.now_ms(),
                            f"{follower.name} {coin}: holds {held:f} {act}, its policy says {wanted:f} (± {slack:.6f})",
                        )
                    )
        return found


def _seconds(follower: Follower) -> int:
    return 0 if follower.execution is None else follower.execution.seconds or 0


def is_plain(follower: Follower, edges: list[Follow]) -> bool:
    """A pure share without caps or filters, of leaders that start flat."""
    capped = follower.max_order_usd or follower.max_position_usd or follower.max_gross_usd
    return not capped and all(
        edge.mode == "ratio"
        and not edge.max_order_usd
        and not edge.max_position_usd
        and not edge.coins_block
        and edge.coins_allow is None
        and not edge.min_value_usd
        for edge in edges
    )


def draw_cast(rng: random.Random, universe: Universe, options: Options) -> Cast:
    """Draw a seed's people."""
    listed = universe.meta[""]["universe"]
    names = [row["name"] for row in listed]
    known = [coin for coin in _COINS if coin in names and not universe.by_coin[coin].is_delisted]
    last = max(names.index(coin) for coin in known)
    del listed[max(_LISTED, last + 1) :]
    coins = tuple(rng.sample(known, rng.randint(2, 4)))
    mids = {coin: Decimal(universe.by_coin[coin].mid) / 10**8 for coin in coins}
    leaders = tuple(
        Leader(name=f"leader-{index}", address=_address(f"leader {index}"))
        for index in range(options.leaders or rng.randint(1, 3))
    )
    count = options.followers or rng.randint(2, 6)
    stops = random.Random(f"{options.seed}/stops")  # noqa: S311 - to be repeated
    portions = random.Random(f"{options.seed}/portions")  # noqa: S311 - to be repeated
    agents = tuple(_agent(index) for index in range(count))
    followers: list[Follower] = []
    follows: list[Follow] = []
    funds: dict[str, int] = {}
    for index, (_, agent) in enumerate(agents):
        name = f"follower-{index}"
        caps = _caps(rng, index)
        stop_bps = stops.choice(_STOPS_BPS)
        followers.append(Follower(name=name, account=_address(name), agent=agent, disaster_stop_bps=stop_bps, **caps))
        if options.followers is None and options.seed % _PORTIONS_EVERY == _PORTIONS_AT:
            followers[-1] = _in_portions(portions, index, followers[-1])
        funds[name] = 3_000 if index and rng.random() < 0.1 else 500_000
        followed = rng.sample(leaders, rng.randint(1, len(leaders)) if rng.random() < 0.4 else 1)
        follows += [Follow(leader=leader.name, follower=name, **_policy(rng, index, coins)) for leader in followed]
    holdings: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for leader in leaders:
        for coin in coins:
            if rng.random() < 0.25:
                lot = universe.by_coin[coin].lot
                size = int(Decimal(20_000) / mids[coin] * 10**8) // lot * lot
                holdings[leader.address, coin] = (Decimal(size) / 10**8 * rng.choice((1, -1)), mids[coin])
    lots = {coin: universe.by_coin[coin].lot for coin in coins}
    assets = {universe.by_coin[coin].asset_id: coin for coin in coins}
    return Cast(coins, leaders, tuple(followers), tuple(follows), agents, holdings, funds, lots, mids, assets)


def _caps(rng: random.Random, index: int) -> dict[str, Any]:
    caps: dict[str, Any] = {}
    if index == 0 or rng.random() < 0.6:
        return caps
    if rng.random() < 0.5:
        caps["max_position_usd"] = str(rng.choice((300, 800, 2_000)))
    if rng.random() < 0.4:
        caps["max_order_usd"] = str(rng.choice((100, 250, 600)))
    if rng.random() < 0.4:
        caps["max_gross_usd"] = str(rng.choice((500, 1_500, 4_000)))
    return caps


def _in_portions(rng: random.Random, index: int, follower: Follower) -> Follower:
    """How an account opens: the first at once, the second by the venue's TWAP, the third perhaps, the rest anyhow."""
    native = Execution(style="native_twap", seconds=300, randomize=rng.choice((None, True)))
    seconds = rng.choice((5, 20, 60))
    own = (
        None,
        Execution(style="twap", seconds=seconds, slices=rng.choice((2, 5))),
        Execution(style="smart", seconds=seconds, depth_percent=rng.choice((5, 40, 100))),
    )
    # A TWAP costs 40 weight a minute, and 120 to end: more of them than these leave nothing to others' openings.
    execution = (None, native, rng.choice((native, *own)))[index] if index < 3 else rng.choice(own)
    follower = replace(follower, execution=execution)
    # The venue's least TWAP is worth more than the smallest cap.
    return replace(follower, max_order_usd="250") if is_native(follower) and follower.max_order_usd else follower


def _policy(rng: random.Random, index: int, coins: tuple[str, ...]) -> dict[str, Any]:
    draw = rng.random()
    if index == 0 or draw < 0.6:
        return {"mode": "ratio", "ratio": rng.choice(("0.02", "0.01", "0.037", "0.005"))}
    if draw < 0.7:
        return {"mode": "notional", "notional_usd": str(rng.choice((150, 500)))}
    if draw < 0.8:
        return {"mode": "ratio", "ratio": "0.02", "max_position_usd": str(rng.choice((200, 700)))}
    if draw < 0.9:
        return {"mode": "ratio", "ratio": "0.03", "max_order_usd": "150"}
    return {"mode": "ratio", "ratio": "0.02", "coins_block": (coins[0],)}


def _address(what: str) -> str:
    return "0x" + hashlib.sha256(f"hlfast gameday {what}".encode()).hexdigest()[:40]


def _agent(number: int) -> tuple[bytes, str]:
    """A throwaway key and its address; the same in every run."""
    if number not in _AGENTS:
        key = hashlib.sha256(f"hlfast gameday agent {number}".encode()).digest()
        _AGENTS[number] = key, Signer.from_key(key).address
    return _AGENTS[number]
