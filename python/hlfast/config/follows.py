"""Checks of the edges leader → follower: names, cycles, modes, limits."""

from __future__ import annotations

from decimal import Decimal

from hlfast.config import values
from hlfast.config.filters import check_filters
from hlfast.config.losses import check_losses
from hlfast.config.markets import check_markets
from hlfast.config.model import Follow, Follower, Leader
from hlfast.config.portions import check_native_follow
from hlfast.config.problems import Problem, suggestion
from hlfast.config.values import MIN_ORDER_USD, Problems

# Each sizing mode and the one field that belongs to it.
MODE_FIELD = {"ratio": "ratio", "equity": "weight", "notional": "notional_usd", "risk": "risk_bps"}
# An order priced more than 80 % away from the reference is refused whole by the venue.
_MAX_BAND_BPS = 8_000
_MAX_REBALANCE_HOURS = 8_760  # a year
# Below one per cent a usual day of prices would do it; a fall never reaches a hundred.
_LEAST_DRIFT, _MOST_DRIFT = Decimal(1), Decimal(90)


def check_follows(
    problems: Problems,
    follows: tuple[Follow, ...],
    leaders: tuple[Leader, ...],
    followers: tuple[Follower, ...],
    places: tuple[str, ...] | None = None,
) -> None:
    """Check every edge by itself, then against the others. `places`: where each is written, if not under `follows`."""
    places = places or tuple(f"follows[{at}]" for at in range(len(follows)))
    if not follows:
        fix = "write at least one [[follows]] with leader, follower and mode, or one of [[strategies]]"
        problems.append(Problem("follows", "is empty, so nothing would be copied", fix))
    leader_by_name = {leader.name: leader for leader in leaders}
    follower_by_name = {follower.name: follower for follower in followers}
    for setting, follow in zip(places, follows, strict=True):
        if follow.leader not in leader_by_name:
            fix = suggestion(follow.leader, leader_by_name)
            problems.append(Problem(f"{setting}.leader", f'"{follow.leader[:70]}" names no leader', fix))
        if follow.follower not in follower_by_name:
            fix = suggestion(follow.follower, follower_by_name)
            problems.append(Problem(f"{setting}.follower", f'"{follow.follower[:70]}" names no follower', fix))
        _check_mode(problems, setting, follow)
        _check_rebalance(problems, setting, follow)
        _check_round_up(problems, setting, follow)
        _check_existing(problems, setting, follow)
        _check_coins(problems, setting, follow)
        check_markets(problems, setting, follow)
        check_native_follow(problems, setting, follow, follower_by_name.get(follow.follower))
        leader = leader_by_name.get(follow.leader)
        if follow.delay_ms and leader is not None and leader.impact_percent is not None:
            what = "can't wait: its leader's impact_percent bounds what one event takes at once"
            problems.append(Problem(f"{setting}.delay_ms", what, "leave one of the two out"))
        check_filters(problems, setting, follow)
        _check_limits(problems, setting, follow)
        check_losses(problems, setting, follow)
    pairs = [(place, f"{follow.leader}\0{follow.follower}") for place, follow in zip(places, follows, strict=True)]
    values.no_repeats(problems, pairs, "is the same pair", "keep one policy for the pair")
    _check_cycles(problems, leaders, followers)


def _check_mode(problems: Problems, setting: str, follow: Follow) -> None:
    for mode, field in MODE_FIELD.items():
        given = getattr(follow, field)
        if mode == follow.mode and given is None:
            what = f'is missing: mode "{mode}" sizes by it'
            problems.append(Problem(f"{setting}.{field}", what, f"set {field}, or choose another mode"))
        elif mode != follow.mode and given is not None:
            what = f'belongs to mode "{mode}", but the mode is "{follow.mode}"'
            problems.append(Problem(f"{setting}.{field}", what, "leave it out, or change the mode"))
    if follow.scale_adds and follow.mode not in {"notional", "risk"}:
        what = f'belongs to mode "notional" or "risk", but the mode is "{follow.mode}"'
        problems.append(Problem(f"{setting}.scale_adds", what, "leave it out"))
    for field in ("volatility_days", "risk_max_leverage"):
        if getattr(follow, field) is not None and follow.mode != "risk":
            what = f'belongs to mode "risk", but the mode is "{follow.mode}"'
            problems.append(Problem(f"{setting}.{field}", what, "leave it out, or change the mode"))
    values.factor(problems, f"{setting}.ratio", follow.ratio)
    values.factor(problems, f"{setting}.weight", follow.weight)
    values.factor(problems, f"{setting}.risk_max_leverage", follow.risk_max_leverage)
    if follow.risk_bps is not None:
        values.whole(problems, f"{setting}.risk_bps", follow.risk_bps, 1, 2_000)
    if follow.volatility_days is not None:
        values.whole(problems, f"{setting}.volatility_days", follow.volatility_days, 7, 90)


def _check_rebalance(problems: Problems, setting: str, follow: Follow) -> None:
    hours, drift = follow.rebalance_hours, follow.rebalance_drift_percent
    if hours is not None:
        values.whole(problems, f"{setting}.rebalance_hours", hours, 1, _MAX_REBALANCE_HOURS)
    percent = values.factor(problems, f"{setting}.rebalance_drift_percent", drift)
    if percent is not None and not _LEAST_DRIFT <= percent <= _MOST_DRIFT:
        fix = f"write {_LEAST_DRIFT} to {_MOST_DRIFT}"
        problems.append(Problem(f"{setting}.rebalance_drift_percent", f"{drift} is out of range", fix))
    if follow.mode in {"equity", "risk"}:
        return
    for field in ("rebalance_hours", "rebalance_drift_percent"):
        if getattr(follow, field) is not None:
            what = f'belongs to mode "equity" or "risk", but the mode is "{follow.mode}"'
            problems.append(Problem(f"{setting}.{field}", what, "leave it out, or change the mode"))


def _check_round_up(problems: Problems, setting: str, follow: Follow) -> None:
    values.usd(problems, f"{setting}.round_up_max_usd", follow.round_up_max_usd)
    if follow.round_up and follow.round_up_max_usd is None:
        what = "is missing: round_up needs a cap of what it may add to an entry"
        problems.append(Problem(f"{setting}.round_up_max_usd", what, 'set it, as in "5"'))
    elif follow.round_up_max_usd is not None and not follow.round_up:
        problems.append(Problem(f"{setting}.round_up_max_usd", "belongs to round_up, which is off", "leave it out"))


def _check_existing(problems: Problems, setting: str, follow: Follow) -> None:
    band = follow.adopt_band_bps
    if follow.existing == "adopt_within" and band is None:
        what = 'is missing: existing = "adopt_within" needs it'
        problems.append(
            Problem(f"{setting}.adopt_band_bps", what, "set it in basis points of the leader's entry price")
        )
    elif follow.existing != "adopt_within" and band is not None:
        what = f'belongs to existing = "adopt_within", but it is "{follow.existing}"'
        problems.append(Problem(f"{setting}.adopt_band_bps", what, "leave it out, or change existing"))
    elif band is not None:
        values.whole(problems, f"{setting}.adopt_band_bps", band, 1, 10_000)


def _check_coins(problems: Problems, setting: str, follow: Follow) -> None:
    if follow.coins_allow is not None and not follow.coins_allow:
        what = "is an empty list, so nothing would be copied"
        problems.append(Problem(f"{setting}.coins_allow", what, "leave it out for every coin, or name some"))
    for field in ("coins_allow", "coins_block"):
        coins = [(f"{setting}.{field}[{at}]", coin) for at, coin in enumerate(getattr(follow, field) or ())]
        for where, coin in coins:
            if not coin or coin != coin.strip() or len(coin) > 40:
                problems.append(Problem(where, f"{coin[:40]!r} is no coin", 'write it as the venue does, as in "BTC"'))
        values.no_repeats(problems, coins, "is the same coin", "leave it out")
    for coin in sorted(set(follow.coins_allow or ()) & set(follow.coins_block)):
        what = f'"{coin}" is also in coins_allow'
        problems.append(Problem(f"{setting}.coins_block", what, "keep it in one of the two lists"))


def _check_limits(problems: Problems, setting: str, follow: Follow) -> None:
    notional = values.usd(problems, f"{setting}.notional_usd", follow.notional_usd, least=MIN_ORDER_USD)
    order = values.usd(problems, f"{setting}.max_order_usd", follow.max_order_usd, least=MIN_ORDER_USD)
    position = values.usd(problems, f"{setting}.max_position_usd", follow.max_position_usd, least=MIN_ORDER_USD)
    if order is not None and position is not None and order > 2 * position:
        what = "is more than twice max_position_usd: no order can be that large"
        problems.append(Problem(f"{setting}.max_order_usd", what, "lower it"))
    gross = values.usd(problems, f"{setting}.max_gross_usd", follow.max_gross_usd, least=MIN_ORDER_USD)
    if position is not None and gross is not None and position > gross:
        what = "is more than max_gross_usd, which it can never reach"
        problems.append(Problem(f"{setting}.max_position_usd", what, "lower it to max_gross_usd or raise that"))
    if notional is not None and position is not None and notional > position:
        what = "is more than max_position_usd, which would cut every position"
        problems.append(Problem(f"{setting}.notional_usd", what, "lower it or raise max_position_usd"))
    values.whole(problems, f"{setting}.max_age_ms", follow.max_age_ms, 1, 600_000)
    for field in ("entry_band_bps", "reduce_band_bps", "emergency_band_bps"):
        values.whole(problems, f"{setting}.{field}", getattr(follow, field), 1, _MAX_BAND_BPS)
    if follow.reduce_band_bps > follow.emergency_band_bps:
        what = "is wider than emergency_band_bps, which is meant to be the last resort"
        problems.append(Problem(f"{setting}.reduce_band_bps", what, "lower it or raise emergency_band_bps"))


def _check_cycles(problems: Problems, leaders: tuple[Leader, ...], followers: tuple[Follower, ...]) -> None:
    """Refuse a managed account as a leader: without such an account no circle can close, however long."""
    managed = {follower.account: f"followers[{at}]" for at, follower in enumerate(followers)}
    for at, leader in enumerate(leaders):
        owner = managed.get(leader.address)
        if owner is not None:
            what = f"is the account of {owner}: a follower's trades are never copied on"
            problems.append(Problem(f"leaders[{at}].address", what, "follow the trader it copies"))
    agents = {follower.agent: f"followers[{at}]" for at, follower in enumerate(followers)}
    for at, leader in enumerate(leaders):
        owner = agents.get(leader.address)
        if owner is not None:
            what = f"is the agent of {owner}: agents have no trades of their own"
            problems.append(Problem(f"leaders[{at}].address", what, "write the trader's account"))
