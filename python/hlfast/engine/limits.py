"""What one source address may open at the venue, and the refusal of settings that ask for more."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from hlfast.config.model import Config
from hlfast.config.values import venue_network
from hlfast.errors import SettingError
from hlfast.feeds.user_fills import WATCHED_USERS

# Per source address, venue documentation of 2026-08.
CONNECTIONS: Final = 10
SUBSCRIPTIONS: Final = 1_000
# Weight a minute for reading the settings' accounts beside the engine, and what any such budget may save up.
ACCOUNTS_WEIGHT: Final = 120
BESIDE_BURST: Final = 40


def most_users(config: Config) -> int | None:
    """How many leaders may be followed by their own channels; None for no limit."""
    return WATCHED_USERS if config.venue.limits == "venue" else None


def most_tape_subscriptions(config: Config, users: int) -> int | None:
    """How many subscriptions the tape may hold beside those of `users` watched leaders; None for no limit."""
    if config.venue.limits == "off":
        return None
    connections = config.engine.user_connections
    # Per user connection: each leader's fills, its owner's two other channels, and the heartbeat.
    return SUBSCRIPTIONS - connections * (users + 3)


def beside_weight_a_second(config: Config) -> int:
    """What the process beside the engine may spend of this address's weight, so that the engine leaves it alone."""
    if config.venue.limits == "off":
        return 0
    accounts = (config.companion.project or config.fitness.enabled) and config.store.accounts_s
    minute = (ACCOUNTS_WEIGHT + BESIDE_BURST if accounts else 0) + (
        config.discovery.weight_per_minute + BESIDE_BURST if config.discovery.enabled else 0
    )
    return -(-minute // 60)


def refuse_unsafe(config: Config) -> None:
    """Refuse what this release must not run, whatever loaded the configuration.

    Raises:
        SettingError: it names the setting and what to do.
    """
    networks = {venue_network(urlsplit(url).hostname) for url in (config.venue.base_url, config.venue.ws_url or "")}
    if config.network == "mainnet" or "mainnet" in networks:
        raise SettingError(
            "mainnet is refused by this release: its 20,000 game days have not all been run (bench/RESULTS.md); "
            'use network = "testnet" with the testnet\'s base_url, or a simulator (hlfast sim)'
        )
    if config.venue.limits == "off" and "testnet" in networks:
        raise SettingError('venue.limits = "off" is refused on the real venue: set venue.limits = "venue"')
    settings = config.engine
    wanted = settings.user_connections + settings.tape_connections + settings.lane_connections
    if config.venue.limits == "venue" and wanted > CONNECTIONS:
        raise SettingError(
            f"engine.user_connections + tape_connections + lane_connections = {wanted}, "
            f"and the venue allows {CONNECTIONS} connections for one address: lower one of them"
        )
    for name in ("user_connections", "tape_connections", "lane_connections"):
        if getattr(settings, name) < 1:
            raise SettingError(f"engine.{name} = {getattr(settings, name)}: at least 1 is needed")
