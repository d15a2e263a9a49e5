"""Who copies whom in the demo: leaders from recordings, followers with every kind of policy, sized to the leaders.

A policy's numbers come from the leader's own fills (the middle event's value, the largest position), so that any
recording gives orders above the venue's least value, residuals below it, and caps that bind.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any, Literal

from hlfast.config.model import Config, Follow, Follower, Journal, Keys, Leader, Metrics, Venue
from hlfast.demo.recordings import Fill, Recording

LEADER_USDC = 1_000_000
FOLLOWER_USDC = 100_000
# An ordinary event of a leader becomes an order of about this value: well above the venue's $10.
ORDER_USD = Decimal(60)
# A follower's copy of the leader's largest position stays well inside what its funds can carry.
MOST_COPIED_USD = Decimal(40_000)


@dataclass(frozen=True, slots=True)
class Size:
    """What a leader's policies are scaled by."""

    ratio: Decimal  # makes the middle event an order of about ORDER_USD; one significant digit
    position_usd: Decimal  # the largest position, in the leader's money
    coins: tuple[str, ...]  # the most traded first

    @property
    def copied_usd(self) -> Decimal:
        """The largest position of a follower at `ratio`."""
        return self.ratio * self.position_usd


def size_of(recording: Recording) -> Size:
    """Measure a recording."""
    values = [abs(group[-1].end - group[0].start) * group[-1].price for group in recording.groups()]
    values = [value for value in values if value] or [ORDER_USD]
    largest = max(abs(fill.end) * fill.price for fill in recording.fills)
    coins = Counter(fill.coin for fill in recording.fills)
    ratio = min(ORDER_USD / median(values), MOST_COPIED_USD / largest)
    return Size(_one_digit(ratio), largest, tuple(coin for coin, _ in coins.most_common()))


def _one_digit(value: Decimal) -> Decimal:
    step = Decimal(1).scaleb(value.adjusted())
    return min(Decimal(1), value.quantize(step, rounding=ROUND_HALF_UP))


def _usd(value: Decimal) -> str:
    return f"{max(value, Decimal(50)).quantize(Decimal(1)):f}"


@dataclass(frozen=True, slots=True)
class Policy:
    """One follower's settings, as functions of the leader's size; `also` follows that many further leaders."""

    follow: Callable[[Size], dict[str, Any]]
    account: Callable[[Size], dict[str, Any]] = lambda _: {}
    also: int = 0


def _ratio(size: Size, share: str = "1", **more: Any) -> dict[str, Any]:
    return {"mode": "ratio", "ratio": f"{(size.ratio * Decimal(share)).normalize():f}", **more}


def _notional(size: Size, **more: Any) -> dict[str, Any]:
    return {"mode": "notional", "notional_usd": _usd(size.copied_usd / 5), **more}


def _equity(size: Size, **more: Any) -> dict[str, Any]:
    weight = size.ratio * LEADER_USDC / FOLLOWER_USDC
    return {"mode": "equity", "weight": f"{weight.normalize():f}", **more}


PLAIN = Policy(lambda s: _ratio(s, existing="adopt"))
# In an order that gives each packaged leader policies which its trading can show: caps to those who open again and
# again, adoption to those who hold from before the start.
POLICIES = (
    Policy(lambda s: _notional(s, scale_adds=True)),
    Policy(lambda s: _ratio(s, coins_block=s.coins[:1], existing="adopt")),
    Policy(_equity),
    Policy(lambda s: _ratio(s, "0.2", existing="adopt")),
    Policy(lambda s: _ratio(s, "0.5", existing="adopt"), also=2),
    Policy(lambda s: _ratio(s, max_position_usd=_usd(s.copied_usd / 4))),
    Policy(lambda s: _ratio(s, existing="adopt_within", adopt_band_bps=200)),
    Policy(_ratio, account=lambda s: {"max_gross_usd": _usd(s.copied_usd / 2)}),
    Policy(lambda s: _ratio(s, max_value_usd=_usd(s.position_usd / 3), existing="adopt")),
    Policy(lambda s: _ratio(s, coins_allow=s.coins[:2])),
    Policy(
        lambda s: _ratio(s, existing="adopt"), account=lambda s: {"max_position_usd": _usd(s.copied_usd / 5)}, also=1
    ),
    Policy(lambda s: _ratio(s, min_value_usd=_usd(s.position_usd / 5), existing="adopt")),
    Policy(lambda s: _ratio(s, "2", max_order_usd=_usd(ORDER_USD))),
    Policy(lambda s: _ratio(s, existing="adopt"), account=lambda s: {"max_order_usd": _usd(s.copied_usd * 3)}),
    Policy(lambda s: _notional(s, min_value_usd=_usd(s.position_usd / 50))),
    Policy(_ratio),
    Policy(lambda s: _equity(s, coins_block=s.coins[1:2])),
    Policy(lambda s: _ratio(s, "0.5", max_position_usd=_usd(s.copied_usd / 3)), also=3),
)


@dataclass(frozen=True, slots=True)
class Cast:
    """Leaders, followers, and the edges between them."""

    leaders: tuple[Leader, ...]
    followers: tuple[Follower, ...]
    follows: tuple[Follow, ...]
    dexs: tuple[str, ...]  # builder-deployed perp dexs that the recordings trade on

    def config(
        self,
        *,
        base_url: str,
        journal: str,
        credentials: str,
        durability: Literal["durable", "relaxed"],
        limits: Literal["venue", "off"],
    ) -> Config:
        """The settings of the engine that copies for this cast."""
        return Config(
            network="testnet",
            venue=Venue(base_url=base_url, limits=limits, dexs=self.dexs),
            journal=Journal(directory=journal, durability=durability),
            leaders=self.leaders,
            followers=self.followers,
            follows=self.follows,
            keys=Keys(credentials_directory=credentials),
            metrics=Metrics(port=0),
        )


def cast(recordings: Sequence[Recording], agents: Sequence[str], policies: Sequence[Policy] = POLICIES) -> Cast:
    """Give each agent address a follower: first one plain copy of every leader, then every policy in turn."""
    leaders = tuple(Leader(name=recording.name, address=recording.address) for recording in recordings)
    sizes = [size_of(recording) for recording in recordings]
    followers: list[Follower] = []
    follows: list[Follow] = []
    for index, agent in enumerate(agents):
        extra = index - len(leaders)
        policy = PLAIN if extra < 0 else policies[extra % len(policies)]
        name = f"follower-{index + 1:02}"
        first = index % len(leaders)
        followers.append(Follower(name=name, account=account_of(name), agent=agent, **policy.account(sizes[first])))
        for step in range(min(policy.also + 1, len(leaders))):
            followed = (first + step) % len(leaders)
            follows.append(Follow(leader=leaders[followed].name, follower=name, **policy.follow(sizes[followed])))
    coins = {fill.coin for recording in recordings for fill in recording.fills}
    dexs = sorted({coin.partition(":")[0] for coin in coins if ":" in coin})
    return Cast(leaders, tuple(followers), tuple(follows), tuple(dexs))


def account_of(name: str) -> str:
    """The made address of a follower's account; only its agent signs, so it needs no key."""
    return "0x" + hashlib.sha256(b"hlfast demo account " + name.encode()).hexdigest()[:40]


def first_prices(order: Sequence[tuple[Recording, tuple[Fill, ...]]]) -> dict[str, Decimal]:
    """Each coin's price when the play begins: that of its first event."""
    prices: dict[str, Decimal] = {}
    for _, group in order:
        prices.setdefault(group[0].coin, group[0].price)
    return prices


def play_order(recordings: Sequence[Recording]) -> list[tuple[Recording, tuple[Fill, ...]]]:
    """All leaders' events in the order of their recorded time."""
    events = [(recording, group) for recording in recordings for group in recording.groups()]
    return sorted(events, key=lambda event: event[1][0].time_ms)


def opening(recordings: Sequence[Recording], crew: Cast, prices: dict[str, Decimal]) -> list[dict[str, Any]]:
    """What the simulator does before it is ready: books, funds, agents, and the positions leaders start with."""
    ops: list[dict[str, Any]] = [{"op": "set_book", "coin": coin, "mid": f"{px:f}"} for coin, px in prices.items()]
    for recording in recordings:
        ops.append({"op": "fund", "address": recording.address, "usdc": str(LEADER_USDC)})
        ops.extend(
            {
                "op": "set_position",
                "address": recording.address,
                "coin": coin,
                "size": f"{size:f}",
                "entry_px": f"{px:f}",
            }
            for coin, (size, px) in recording.first_positions().items()
            if size
        )
    for follower in crew.followers:
        ops.append({"op": "fund", "address": follower.account, "usdc": str(FOLLOWER_USDC)})
        ops.append({"op": "approve_agent", "master": follower.account, "agent": follower.agent})
    return ops
