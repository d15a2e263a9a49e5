"""Checks of what runs beside the engine: the store, and the search for traders."""

from __future__ import annotations

from hlfast.config import values
from hlfast.config.model import AutoFollow, Config, Discovery, Fitness, Follower
from hlfast.config.problems import Problem, suggestion
from hlfast.config.values import MIN_ORDER_USD, Problems

_SCHEMES = ("sqlite:", "postgresql:", "postgres:")
# The engine keeps a fifth of the venue's 1,200 for exits; a search must leave it more than that.
_MOST_WEIGHT = 900


def check_beside(problems: Problems, config: Config) -> None:
    """Check the sections that the engine itself does not read."""
    if not config.store.url.startswith(_SCHEMES):
        fix = 'write "sqlite:///file.db" or "postgresql://user:password@host/name"'
        problems.append(Problem("store.url", "names no database known here", fix))
    if config.store.accounts_s:
        values.whole(problems, "store.accounts_s", config.store.accounts_s, 60, 7 * 86_400)
    if config.store.keep_days:
        values.whole(problems, "store.keep_days", config.store.keep_days, 31, 36_500)
    values.whole(problems, "companion.metrics_port", config.companion.metrics_port, 0, 65_535)
    _check_discovery(problems, config.discovery)
    _check_auto_follow(problems, config.discovery.auto_follow, config.followers)
    _check_fitness(problems, config.fitness)


def _check_fitness(problems: Problems, fitness: Fitness) -> None:
    for field, least, most in (
        ("window", 10, 10_000),
        ("fewest", 5, 10_000),
        ("most_maker_percent", 0, 100),
        ("shortest_holding_ms", 0, 30 * 86_400_000),
        ("most_below_minimum_percent", 0, 100),
        ("most_slippage_bps", 1, 10_000),
        ("shortest_half_life_ms", 0, 60_000),
    ):
        values.whole(problems, f"fitness.{field}", getattr(fitness, field), least, most)
    if fitness.fewest > fitness.window:
        problems.append(Problem("fitness.fewest", "is more than fitness.window, so nobody is judged", "lower it"))


def _check_discovery(problems: Problems, discovery: Discovery) -> None:
    for field, least, most in (
        ("every_s", 60, 30 * 86_400),
        ("refresh_s", 60, 365 * 86_400),
        ("tape_s", 0, 3_600),
        ("most", 1, 10_000),
        # One trader of 10,000 fills costs about 800; below this a search would not end before the next one.
        ("weight_per_minute", 60, _MOST_WEIGHT),
    ):
        values.whole(problems, f"discovery.{field}", getattr(discovery, field), least, most)
    values.usd(problems, "discovery.least_equity_usd", discovery.least_equity_usd)
    values.usd(problems, "discovery.capital_usd", discovery.capital_usd, least=MIN_ORDER_USD)
    coins = [(f"discovery.coins[{at}]", coin) for at, coin in enumerate(discovery.coins)]
    values.no_repeats(problems, coins, "is the same coin", "leave it out")
    if not discovery.leaderboard.strip():
        fix = 'write "venue", "off", a file or a URL'
        problems.append(Problem("discovery.leaderboard", "is empty", fix))
    if discovery.tape_s == 0 and discovery.leaderboard == "off":
        what = "is off and discovery.tape_s is 0, so no trader can be found"
        problems.append(Problem("discovery.leaderboard", what, "switch one of them on"))


def _check_auto_follow(problems: Problems, auto: AutoFollow, followers: tuple[Follower, ...]) -> None:
    at = "discovery.auto_follow"
    values.whole(problems, f"{at}.most_leaders", auto.most_leaders, 1, 100)
    notional = values.usd(problems, f"{at}.notional_usd", auto.notional_usd, least=MIN_ORDER_USD)
    position = values.usd(problems, f"{at}.max_position_usd", auto.max_position_usd, least=MIN_ORDER_USD)
    if notional is not None and position is not None and notional > position:
        what = "is more than max_position_usd, which would cut every position"
        problems.append(Problem(f"{at}.notional_usd", what, "lower it or raise max_position_usd"))
    if auto.enabled and not auto.followers:
        fix = "name the followers that may follow without being asked, or set enabled = false"
        problems.append(Problem(f"{at}.followers", "is empty, so nobody would follow", fix))
    known = {follower.name for follower in followers}
    names = [(f"{at}.followers[{place}]", name) for place, name in enumerate(auto.followers)]
    values.no_repeats(problems, names, "is the same follower", "leave it out")
    for setting, name in names:
        if name not in known:
            problems.append(Problem(setting, f'"{name[:70]}" names no follower', suggestion(name, known)))
