from __future__ import annotations

import msgspec
import pytest

from hlfast.config.model import Companion, Config, Discovery, EngineSettings, Fitness, Journal, Store, Venue
from hlfast.engine.limits import beside_weight_a_second, most_tape_subscriptions, most_users, refuse_unsafe
from hlfast.errors import SettingError


def config(**changes) -> Config:
    settings = {
        "network": "testnet",
        "venue": Venue(base_url="http://127.0.0.1:1"),
        "journal": Journal(directory="journal"),
        "leaders": (),
        "followers": (),
        "follows": (),
    }
    return Config(**(settings | changes))


def test_limits_accept_testnet_and_any_base_url() -> None:
    refuse_unsafe(config())
    refuse_unsafe(config(venue=Venue(base_url="https://api.hyperliquid-testnet.xyz")))
    refuse_unsafe(config(venue=Venue(base_url="http://127.0.0.1:1", limits="off")))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"network": "mainnet"}, "mainnet"),
        ({"venue": Venue(base_url="https://api.hyperliquid.xyz")}, "mainnet"),
        ({"venue": Venue(base_url="https://API.hyperliquid.xyz.")}, "mainnet"),
        ({"venue": Venue(base_url="http://127.0.0.1:1", ws_url="wss://api.hyperliquid.xyz/ws")}, "mainnet"),
        ({"venue": Venue(base_url="https://api.hyperliquid-testnet.xyz", limits="off")}, "limits"),
        ({"venue": Venue(base_url="https://node.hyperliquid.xyz", limits="off")}, "mainnet"),
        ({"engine": EngineSettings(user_connections=5, tape_connections=4, lane_connections=2)}, "lower one"),
        ({"engine": EngineSettings(lane_connections=0)}, "lane_connections"),
    ],
)
def test_limits_refuse_by_name(changes: dict, word: str) -> None:
    with pytest.raises(SettingError, match=word):
        refuse_unsafe(config(**changes))


def test_limits_bound_users_and_subscriptions_unless_off() -> None:
    kept = config()
    assert most_users(kept) == 8
    assert most_tape_subscriptions(kept, 8) == 1_000 - 2 * 11
    off = msgspec.structs.replace(kept, venue=Venue(base_url="http://127.0.0.1:1", limits="off"))
    assert most_users(off) is None
    assert most_tape_subscriptions(off, 1_000) is None


def test_weight_of_the_process_beside_is_kept_for_it() -> None:
    assert beside_weight_a_second(config()) == 0
    assert beside_weight_a_second(config(discovery=Discovery(enabled=True, weight_per_minute=300))) == 6
    both = config(discovery=Discovery(enabled=True, weight_per_minute=300), fitness=Fitness(enabled=True))
    assert beside_weight_a_second(both) == 9
    assert beside_weight_a_second(config(companion=Companion(project=True), store=Store(accounts_s=0))) == 0
    free = Venue(base_url="http://127.0.0.1:1", limits="off")
    assert beside_weight_a_second(config(venue=free, discovery=Discovery(enabled=True))) == 0
