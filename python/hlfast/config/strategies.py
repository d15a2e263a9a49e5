"""Strategies as follows: what each part of one asks of the core; and its faults, in the words of the settings."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

import msgspec

from hlfast.config import values
from hlfast.config.model import Config, Follow, Follower, Part, Policy, Strategy
from hlfast.config.problems import Problem
from hlfast.config.values import MIN_ORDER_USD, Problems

_MOST_PARTS = 20
_ANY_RISK = 2_000  # where none is given, which is refused by its name
_STEP = Decimal("1e-8")  # of a factor
_LEVERAGE = Decimal(3)  # of mode risk, where nothing else is said
# A follow's sizing that a part's allocation gives.
_SIZING = ("ratio", "weight", "risk_bps", "risk_max_leverage")
_OF_RISK = ("risk_bps", "volatility_days", "risk_max_leverage")
_POLICY = frozenset(Policy.__struct_fields__)
_REBALANCE = {"rebalance_hours": "every_hours", "rebalance_drift_percent": "drift_percent"}


def unfold(problems: Problems, config: Config) -> tuple[tuple[Follow, ...], tuple[str, ...]]:
    """Return all follows, those of strategies behind those that stand alone, and where each of them is written."""
    names = [(f"strategies[{at}].name", one.name) for at, one in enumerate(config.strategies)]
    values.no_repeats(problems, names, "is the same name", "give each one a name of its own")
    follows, places = list(config.follows), [f"follows[{at}]" for at in range(len(config.follows))]
    for at, strategy in enumerate(config.strategies):
        setting = f"strategies[{at}]"
        values.name(problems, f"{setting}.name", strategy.name)
        _check(problems, setting, strategy, config)
        for number, part in enumerate(strategy.parts):
            place = f"{setting}.parts[{number}]"
            allocation = values.factor(problems, f"{place}.allocation", part.allocation)
            if allocation is None:
                continue
            if (
                strategy.kind == "risk_adjusted"
                and strategy.risk_bps is not None
                and strategy.risk_bps * allocation < 1
            ):
                what = f"leaves less than one of {strategy.risk_bps} risk_bps"
                problems.append(Problem(f"{place}.allocation", what, "raise one of the two"))
                continue
            follows.append(_follow(strategy, part, allocation))
            places.append(place)
    return tuple(follows), tuple(places)


def in_its_words(problem: Problem) -> Problem:
    """Name the setting of a strategy that a finding about one of its follows comes from."""
    place, _, field = problem.setting.rpartition(".")
    strategy, found, _ = place.partition(".parts[")
    if not found:
        return problem
    if field in _SIZING:
        return msgspec.structs.replace(problem, setting=f"{place}.allocation")
    if field in _REBALANCE:
        return msgspec.structs.replace(problem, setting=f"{strategy}.rebalance.{_REBALANCE[field]}")
    if field in _POLICY:
        return msgspec.structs.replace(problem, setting=f"{strategy}.policy.{field}")
    return problem


def bound(follower: Follower, strategies: tuple[Strategy, ...]) -> Follower:
    """The account with its strategy's cap of all positions, where that is the lower one."""
    caps = [one.max_risk_usd for one in strategies if one.follower == follower.name and one.max_risk_usd is not None]
    given = [*caps, *([follower.max_gross_usd] if follower.max_gross_usd is not None else [])]
    return msgspec.structs.replace(follower, max_gross_usd=min(given, key=Decimal)) if caps else follower


def _follow(strategy: Strategy, part: Part, allocation: Decimal) -> Follow:
    sizing: dict[str, Any] = {}
    match strategy.kind:
        case "mirror":
            sizing = {"mode": "ratio", "ratio": part.allocation}
        case "proportional":
            sizing = {"mode": "equity", "weight": part.allocation}
        case "risk_adjusted":
            sizing = {
                "mode": "risk",
                # Toward zero, as every increase is rounded.
                "risk_bps": int((strategy.risk_bps or _ANY_RISK) * allocation),
                "volatility_days": strategy.volatility_days,
                "risk_max_leverage": f"{(_leverage(strategy) * allocation).quantize(_STEP, ROUND_DOWN):f}",
                "scale_adds": strategy.scale_adds,
            }
    if strategy.rebalance is not None and strategy.kind != "mirror":
        sizing |= {ours: getattr(strategy.rebalance, theirs) for ours, theirs in _REBALANCE.items()}
    policy = msgspec.structs.asdict(strategy.policy)
    return Follow(leader=part.leader, follower=strategy.follower, **sizing, **policy)


def _leverage(strategy: Strategy) -> Decimal:
    try:
        return Decimal(strategy.risk_max_leverage or _LEVERAGE)
    except InvalidOperation:
        return _LEVERAGE  # refused by its name


def _check(problems: Problems, setting: str, strategy: Strategy, config: Config) -> None:
    if not 1 <= len(strategy.parts) <= _MOST_PARTS:
        what = f"has {len(strategy.parts)} leaders"
        problems.append(Problem(f"{setting}.parts", what, f"write 1 to {_MOST_PARTS} [[strategies.parts]]"))
    if strategy.kind == "risk_adjusted":
        if strategy.risk_bps is None:
            what = "is missing: risk_adjusted sizes by it"
            problems.append(Problem(f"{setting}.risk_bps", what, "set it, as in 200: a usual day moves 2 %"))
        else:
            values.whole(problems, f"{setting}.risk_bps", strategy.risk_bps, 1, 2_000)
        values.factor(problems, f"{setting}.risk_max_leverage", strategy.risk_max_leverage)
    else:
        for field in (*_OF_RISK, "scale_adds"):
            if getattr(strategy, field):
                what = f'belongs to kind "risk_adjusted", but the kind is "{strategy.kind}"'
                problems.append(Problem(f"{setting}.{field}", what, "leave it out, or change the kind"))
    _check_rebalance(problems, setting, strategy)
    _check_whole(problems, setting, strategy)
    _check_cap(problems, setting, strategy, config)


def _check_rebalance(problems: Problems, setting: str, strategy: Strategy) -> None:
    """Its values are checked where its follows are."""
    if strategy.rebalance is None:
        return
    if strategy.kind == "mirror":
        what = 'belongs to kind "proportional" or "risk_adjusted": a share of a leader\'s size does not drift'
        problems.append(Problem(f"{setting}.rebalance", what, "leave it out, or change the kind"))
    elif strategy.rebalance.every_hours is None and strategy.rebalance.drift_percent is None:
        fix = "set every_hours, drift_percent or both, or leave it out"
        problems.append(Problem(f"{setting}.rebalance", "asks for nothing", fix))


def _check_whole(problems: Problems, setting: str, strategy: Strategy) -> None:
    """Parts of one equity are one equity together at most."""
    if strategy.kind == "mirror":
        return
    try:
        whole = sum((Decimal(part.allocation) for part in strategy.parts), Decimal(0))
    except InvalidOperation:
        return  # refused by its name
    if whole > 1:
        what = f"add up to {whole:f}, which is more than the whole equity"
        problems.append(Problem(f"{setting}.parts", what, "lower allocations to 1 together"))


def _check_cap(problems: Problems, setting: str, strategy: Strategy, config: Config) -> None:
    values.usd(problems, f"{setting}.max_risk_usd", strategy.max_risk_usd, least=MIN_ORDER_USD)
    others = [follow.follower for follow in config.follows]
    others += [one.follower for one in config.strategies if one is not strategy]
    if strategy.max_risk_usd is not None and strategy.follower in others:
        what = "caps the whole account, and others are copied into it too"
        fix = "use max_gross_usd of the follower, or give the strategy an account of its own"
        problems.append(Problem(f"{setting}.max_risk_usd", what, fix))
