"""Checks of which kinds of markets a follow copies, and what can't be asked of them."""

from __future__ import annotations

from hlfast.config.model import Config, Follow
from hlfast.config.problems import Problem
from hlfast.config.values import Problems

# What spot can't do, or what is known of perpetuals alone.
_NOT_ON_SPOT = {
    "inverse": "would sell what is not held",
    "min_listed_days": "is known of perpetuals alone",
    "min_day_volume_usd": "is known of perpetuals alone",
    "min_open_interest_usd": "is known of perpetuals alone",
}
WATCHED_USERS = 8  # of `hlfast.feeds.user_fills`, which nothing here may import
_APART = "copy spot by a follow of its own, or leave it out"


def check_markets(problems: Problems, setting: str, follow: Follow) -> None:
    """Check the coins of a follow against its markets, and its other settings against spot."""
    for field in ("coins_allow", "coins_block"):
        for coin in getattr(follow, field) or ():
            if coin.startswith("#"):
                what = f"{coin[:40]} is an outcome market: those are not copied"
                problems.append(Problem(f"{setting}.{field}", what, "leave it out"))
    for coin in follow.coins_allow or ():
        wanted = "spot" if is_spot(coin) else "perps"
        if follow.markets not in (wanted, "all") and not coin.startswith("#"):
            what = f'{coin[:40]} is no market that this follow copies: markets is "{follow.markets}"'
            problems.append(
                Problem(f"{setting}.coins_allow", what, f'leave it out, or write markets = "{wanted}" or "all"')
            )
    if follow.markets == "perps":
        return
    for field, why in _NOT_ON_SPOT.items():
        if getattr(follow, field):
            problems.append(Problem(f"{setting}.{field}", f"{why}, and this follow copies spot", _APART))
    if follow.mode == "risk":
        what = "sizes by the moves of perpetuals, and this follow copies spot"
        problems.append(Problem(f"{setting}.mode", what, _APART))


def check_watched(problems: Problems, config: Config, follows: tuple[Follow, ...], places: tuple[str, ...]) -> None:
    """Check that spot leaders are watched: the public tape, all that comes of later leaders, tells no balance."""
    if config.venue.limits != "venue":
        return
    watched = {leader.name for leader in config.leaders[:WATCHED_USERS]}
    known = {leader.name for leader in config.leaders}
    for place, follow in zip(places, follows, strict=True):
        if follow.markets != "perps" and follow.leader in known - watched:
            what = f'"{follow.leader}" is not among the first {WATCHED_USERS} leaders, and of others no spot is told'
            problems.append(Problem(f"{place}.markets", what, "name this leader earlier, or copy perps alone"))


def is_spot(coin: str) -> bool:
    """Tell a spot pair by its name in feeds: of all names these alone begin with "@" or hold a slash."""
    return coin.startswith("@") or "/" in coin
