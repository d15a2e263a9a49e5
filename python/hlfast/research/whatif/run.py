"""`what_if`: one leader, one policy, one model; the curve of latency and the search for the least equity around it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec

from hlfast._core import WhatIf
from hlfast.config.model import Builder, Config, Follow, Follower, Journal, Leader, Venue, for_core
from hlfast.config.zones import zone_tables
from hlfast.research.history import History
from hlfast.research.tracking import (
    Executed,
    RatioOf,
    Receipt,
    Tracking,
    equity_ratio,
    policy_ratio,
    seen_ratios,
    track,
)
from hlfast.research.whatif.model import MICRO, Markets, Model, check
from hlfast.research.whatif.record import UNIT, Prepared, prepare
from hlfast.research.whatif.result import AtEquity, AtLatency, LeastEquity, Result
from hlfast.research.whatif.summary import Base, net_usd, share, summarise

LATENCIES_MS: Final = (0, 200, 700, 2_000, 5_000, 15_000, 60_000, 300_000)
_ACCOUNT: Final = "0x00000000000000000000000000000000000f0110"
_AGENT: Final = "0x00000000000000000000000000000000000a6e17"
_SCALED: Final = ("ratio", "notional_usd", "max_order_usd", "max_position_usd", "max_gross_usd", "round_up_max_usd")
_LEAST_USD, _MOST_USD = Decimal(1), Decimal(100_000_000)
_CLOSE: Final = Decimal("1.03")
_CENT: Final = Decimal("0.01")
_RATIO_STEP: Final = Decimal("0.000000000001")  # of the core
_receipts = msgspec.json.Decoder(Receipt)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How the follower copies. Names of leader and follower do not matter here; `account` holds the account's caps."""

    follow: Follow = Follow(leader="leader", follower="follower", mode="equity", weight="1")
    account: Follower | None = None
    builder: Builder | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One replay's outcome, still in the core's units."""

    outcome: dict[str, Any]
    receipts: tuple[Receipt, ...]

    @property
    def volume_usd(self) -> Decimal:
        """Value traded."""
        return Decimal(sum(coin["volume"] for coin in self.outcome["coins"])) / MICRO


Told = Callable[[int, int], None]


def what_if(
    history: History,
    policy: Policy | None = None,
    model: Model | None = None,
    markets: Markets | None = None,
    *,
    latencies_ms: tuple[int, ...] = LATENCIES_MS,
    wanted: float | None = 0.95,
    told: Told | None = None,
) -> Result:
    """Replay a leader's fills through the real core and judge what a follower would have kept.

    The same arguments give the same result, to the last digit.

    Args:
        history: the leader's fills.
        policy: sizing, filters and caps; by default in proportion to the equities.
        model: latency, fees, equities, funding.
        markets: what was measured of coins; the rest is assumed, and the result says so.
        latencies_ms: points of the latency curve; empty: none.
        wanted: share of the volume for which the least equity is sought; None: not sought.
        told: called with (steps done, steps in all) before each replay.

    Raises:
        ValueError: the history has no perp fill, or a number of the model makes no sense.
        ConfigError: a setting of the policy.
    """
    policy, model = policy or Policy(), model or Model()
    check(model)
    bench = Bench(prepare(history, markets), policy, model)
    steps = _Steps(told, 1 + len(latencies_ms) + (12 if wanted is not None else 0))
    steps.next()
    run = bench.run(policy, model, keep=True)
    base = bench.judge(run)
    curve = tuple(_at_latency(bench, base, latency_ms, steps) for latency_ms in latencies_ms)
    least = None if wanted is None else _least(bench, base, run, wanted, steps)
    steps.done()
    return summarise(history.name, bench.prepared, policy.follow, model, base, curve, least)


class _Steps:
    def __init__(self, told: Told | None, total: int) -> None:
        self._told, self._total, self._at = told, total, 0

    def next(self) -> None:
        if self._told is not None:
            self._told(min(self._at, self._total), self._total)
        self._at += 1

    def done(self) -> None:
        if self._told is not None:
            self._told(self._total, self._total)


class Bench:
    """A record in the core's hands, run as often as wanted."""

    def __init__(self, prepared: Prepared, policy: Policy, model: Model) -> None:
        self.prepared = prepared
        self.policy, self.model = policy, model
        self.leader_equity = model.leader_equity_usd or max(prepared.largest_usd, Decimal(1)).quantize(Decimal("0.01"))
        self._core = WhatIf(prepared.encoded)

    def run(self, policy: Policy, model: Model, *, keep: bool = False) -> Run:
        """Replay once."""
        outcome, lines = self._core.run(self._config(policy), model.to_core(self.leader_equity), keep)
        receipts = tuple(_receipts.decode_lines(lines)) if keep else ()
        return Run(outcome=msgspec.json.decode(outcome), receipts=receipts)

    def _config(self, policy: Policy) -> bytes:
        account = policy.account or Follower(name="follower", account=_ACCOUNT, agent=_AGENT)
        # A record does not tell how its leader borrowed: the model's own leverage stands for all of it.
        lent: dict[str, Any] = {"leverage": "leave", "margin": "mirror", "max_leverage": None}
        who: dict[str, Any] = {"name": "follower", "account": _ACCOUNT, "agent": _AGENT, "vault": False}
        follower = msgspec.structs.replace(account, **who, **lent)
        dexs = dict.fromkeys(coin.split(":")[0] for coin in self.prepared.coins if ":" in coin)
        follow = msgspec.structs.replace(policy.follow, leader="leader", follower="follower")
        config = Config(
            network="testnet",
            venue=Venue(base_url="http://what-if.invalid", limits="venue", dexs=tuple(dexs)),
            journal=Journal(directory="none"),
            leaders=(Leader(name="leader", address=self.prepared.leader),),
            followers=(follower,),
            builder=policy.builder,
            follows=(follow,),
            zones=zone_tables((follow,)),
        )
        return for_core(config)

    def judge(self, run: Run) -> Base:
        """Hold a kept run beside the ideal copy."""
        names, paid = self.prepared.coins, self.prepared.paid
        executed = [
            Executed(time_ms=at_ms, follower=0, coin=names[place], size=Decimal(size) / UNIT)
            for at_ms, place, size, *_ in run.outcome["executions"]
        ]
        points: list[tuple[int, Decimal]] = []
        tracking = track(
            run.receipts,
            executed,
            {(0, 0): self.policy.follow},
            ratio_of(run, self.policy.follow),
            run.outcome["end_ms"],
            price_of=lambda receipt: Decimal(paid[receipt.coin, receipt.time_ms]) / UNIT,
            seen=lambda at_ms, profit: points.append((at_ms, profit)),
        )
        return Base(
            outcome=run.outcome,
            receipts=run.receipts,
            tracking=tracking,
            ideal_curve=points,
            edge=self._edge(run, tracking),
        )

    def _edge(self, run: Run, tracking: Tracking) -> dict[str, Decimal]:
        """Profit of the ideal copy by coin, positions at the last middle."""
        coins = zip(self.prepared.coins, run.outcome["coins"], strict=True)
        middles = {name: Decimal(coin["middle"]) / UNIT for name, coin in coins}
        return {coin: ideal.traded_usd + ideal.position * middles[coin] for coin, ideal in tracking.ideal.items()}


def ratio_of(run: Run, follow: Follow) -> RatioOf:
    """Say what ratio the policy opens a position with, from the equities that the engine had read by then."""
    equities = run.outcome["equities"]
    times = [at_ms for at_ms, *_ in equities]
    seen = seen_ratios(run.receipts)

    def of(receipt: Receipt) -> Decimal | None:
        if follow.mode != "equity":
            known = policy_ratio(follow, receipt)
            return seen(receipt) if known is None else known
        at = bisect_right(times, receipt.decided_ms) - 1
        _, mine, his = equities[at] if at >= 0 else (0, 0, 0)
        return equity_ratio(follow, mine, his)

    return of


def _at_latency(bench: Bench, base: Base, latency_ms: int, steps: _Steps) -> AtLatency:
    """One point of the curve. The age limit is lifted, so that the curve shows what the price does, not the limit."""
    steps.next()
    follow = bench.policy.follow
    patient = msgspec.structs.replace(follow, max_age_ms=max(follow.max_age_ms, min(600_000, latency_ms + 2_000)))
    policy = msgspec.structs.replace(bench.policy, follow=patient)
    model = msgspec.structs.replace(bench.model, latency_ms=latency_ms)
    run = bench.run(policy, model)
    net = net_usd(run.outcome, bench.model)
    return AtLatency(
        latency_ms=latency_ms,
        net_usd=net,
        kept_share=share(net, base.edge_usd),
        drift_usd=Decimal(sum(coin["drift"] for coin in run.outcome["coins"])) / MICRO,
        copied_share=share(run.volume_usd, base.ideal_volume_usd),
    )


def _least(bench: Bench, base: Base, first: Run, wanted: float, steps: _Steps) -> LeastEquity:
    """Search the least equity by halving the distance between one that copies enough and one that does not.

    The whole policy is scaled with the money: ratio, value per position and caps.
    """
    tried: dict[Decimal, AtEquity] = {}

    def copies(equity: Decimal) -> bool:
        if equity not in tried:
            tried[equity] = _at_equity(bench, base, equity, first, steps)
        found = tried[equity].copied_share
        return found is not None and found >= wanted

    most = min(_MOST_USD, bench.model.equity_usd * _room(bench.policy.follow))
    low = high = bench.model.equity_usd
    while copies(low) and low > _LEAST_USD:
        high, low = low, max(_LEAST_USD, low / 4)
    while not copies(high) and high < most:
        low, high = high, min(most, high * 4)
    if not copies(high):
        return LeastEquity(wanted=wanted, equity_usd=None, tried=tuple(tried[key] for key in sorted(tried)))
    while not copies(low) and high / low > _CLOSE:
        middle = (low * high).sqrt().quantize(_CENT)
        low, high = (low, middle) if copies(middle) else (middle, high)
    least = low if copies(low) else high
    return LeastEquity(wanted=wanted, equity_usd=least, tried=tuple(tried[key] for key in sorted(tried)))


def _at_equity(bench: Bench, base: Base, equity: Decimal, first: Run, steps: _Steps) -> AtEquity:
    factor = equity / bench.model.equity_usd
    run = first
    if factor != 1:
        steps.next()
        run = bench.run(_scaled(bench.policy, factor), msgspec.structs.replace(bench.model, equity_usd=equity))
    return AtEquity(
        equity_usd=equity,
        copied_share=share(run.volume_usd, base.ideal_volume_usd * factor),
        net_usd=net_usd(run.outcome, msgspec.structs.replace(bench.model, equity_usd=equity)),
    )


def _scaled(policy: Policy, factor: Decimal) -> Policy:
    def scale(settings: Any) -> Any:
        given = {name: getattr(settings, name, None) for name in _SCALED}
        texts = {name: _plain(Decimal(value) * factor) for name, value in given.items() if value is not None}
        return msgspec.structs.replace(settings, **texts)

    account = None if policy.account is None else scale(policy.account)
    return Policy(follow=scale(policy.follow), account=account, builder=policy.builder)


def _room(follow: Follow) -> Decimal:
    """How often the size fits into what the core takes: a thousandfold ratio, a billion USD."""
    if follow.mode == "ratio":
        return Decimal(1_000) / Decimal(follow.ratio or 1)
    return Decimal(10**9) / Decimal(follow.notional_usd) if follow.notional_usd else Decimal(10**9)


def _plain(value: Decimal) -> str:
    return f"{value.quantize(_RATIO_STEP):f}".rstrip("0").rstrip(".")
