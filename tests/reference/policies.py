"""Followers of every kind of policy, each following every leader: the configuration that histories are run under."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from hlfast.config import model
from hlfast.config.zones import zone_tables

ALLOWED = ("BTC", "SOL", "ETH", "HYPE", "PUMP", "DOGE", "xyz-CL")
# Name, the account's caps, the policy of each of its follows.
POLICIES: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("half", {}, {"mode": "ratio", "ratio": "0.5", "existing": "adopt"}),
    ("hundredth", {}, {"mode": "ratio", "ratio": "0.01"}),
    ("capped edges", {}, {"mode": "ratio", "ratio": "0.37", "max_position_usd": "5000", "max_order_usd": "900"}),
    ("capped net", {"max_position_usd": "6000"}, {"mode": "ratio", "ratio": "0.2", "existing": "adopt"}),
    ("capped orders", {"max_order_usd": "400"}, {"mode": "ratio", "ratio": "0.05"}),
    (
        "filtered",
        {},
        {"mode": "ratio", "ratio": "0.3", "min_value_usd": "500", "max_value_usd": "90000", "coins_allow": ALLOWED},
    ),
    (
        "one side by day",
        {},
        {
            "mode": "ratio",
            "ratio": "0.3",
            "side": "long",
            "hours": ("22:00-01:30", "09:00-17:45"),
            "hours_zone": "Europe/Berlin",
        },
    ),
    (
        "known markets",
        {"max_position_usd": "7000"},
        {
            "mode": "ratio",
            "ratio": "0.1",
            "min_listed_days": 35,
            "min_day_volume_usd": "2000000",
            "min_open_interest_usd": "900000",
            "coins_block": ("SOL", "HYPE"),
            "existing": "adopt",
        },
    ),
    (
        "good leaders",
        {},
        {
            "mode": "ratio",
            "ratio": "0.1",
            "quality_window": "week",
            "only_profitable": True,
            "max_leader_drawdown_bps": 250,
            "max_leader_leverage": "0.4",
            "existing": "adopt",
        },
    ),
    ("bound edges", {}, {"mode": "ratio", "ratio": "0.25", "max_gross_usd": "2500", "existing": "adopt"}),
    ("raised", {}, {"mode": "ratio", "ratio": "0.003", "round_up": True, "round_up_max_usd": "10.5"}),
    (
        "raised a little",
        {"max_position_usd": "3000"},
        {"mode": "ratio", "ratio": "0.005", "round_up": True, "round_up_max_usd": "4", "max_position_usd": "40"},
    ),
    ("equity", {}, {"mode": "equity", "weight": "1.5", "existing": "adopt"}),
    ("notional", {"max_position_usd": "1200"}, {"mode": "notional", "notional_usd": "700"}),
    (
        "notional with adds",
        {"max_position_usd": "2000", "max_gross_usd": "3000"},
        {"mode": "notional", "notional_usd": "700", "scale_adds": True},
    ),
    ("risk", {}, {"mode": "risk", "risk_bps": 500, "volatility_days": 14, "existing": "adopt"}),
    (
        "bound risk with adds",
        {"max_gross_leverage": "1.8"},
        {"mode": "risk", "risk_bps": 300, "risk_max_leverage": "0.9", "scale_adds": True},
    ),
    ("stopped for a day", {"max_daily_loss_usd": "60", "max_position_usd": "6000"}, {"mode": "ratio", "ratio": "0.02"}),
    (
        "closed for good",
        {"max_drawdown_usd": "100", "on_trip": "flatten"},
        {"mode": "ratio", "ratio": "0.04", "existing": "adopt"},
    ),
    ("stopped edges", {}, {"mode": "ratio", "ratio": "0.03", "max_daily_loss_usd": "50"}),
    (
        "closed edges",
        {"max_position_usd": "4000"},
        {"mode": "ratio", "ratio": "0.04", "max_drawdown_usd": "80", "on_trip": "flatten", "existing": "adopt"},
    ),
    ("fallen", {"max_drawdown_bps": 150}, {"mode": "notional", "notional_usd": "900"}),
    ("inverse", {"max_position_usd": "4000"}, {"mode": "ratio", "ratio": "0.15", "inverse": True, "existing": "adopt"}),
)
# The same of those who copy tokens.
SPOT_POLICIES: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("tokens", {}, {"mode": "ratio", "ratio": "0.2", "markets": "spot"}),
    ("adopted tokens", {}, {"mode": "ratio", "ratio": "0.02", "markets": "all", "existing": "adopt"}),
    ("perps beside tokens", {}, {"mode": "ratio", "ratio": "0.1"}),
    (
        "capped tokens",
        {"max_position_usd": "1500", "max_gross_usd": "2500"},
        {"mode": "ratio", "ratio": "0.1", "markets": "all"},
    ),
    (
        "bound tokens",
        {},
        {"mode": "ratio", "ratio": "0.1", "markets": "all", "max_order_usd": "300", "max_gross_usd": "1200"},
    ),
    ("so many dollars", {}, {"mode": "notional", "notional_usd": "300", "markets": "spot", "coins_block": ("@2",)}),
    (
        "raised tokens",
        {},
        {"mode": "ratio", "ratio": "0.003", "round_up": True, "round_up_max_usd": "10.5", "markets": "all"},
    ),
)
LEADER_EQUITY, FOLLOWER_EQUITY = Decimal(250_000), Decimal(5_000)


def configuration(leaders: list[str], directory: Path, policies: Any = POLICIES) -> model.Config:
    """Each policy's follower follows each leader."""
    named = [name.replace(" ", "-") for name, _, _ in policies]
    accounts = [
        model.Follower(name=name, account=f"0x{0x2000 + at:040x}", agent=f"0x{0x3000 + at:040x}", **caps)
        for at, (name, (_, caps, _)) in enumerate(zip(named, policies, strict=True))
    ]
    follows = [
        model.Follow(leader=leader, follower=name, **policy)
        for name, (_, _, policy) in zip(named, policies, strict=True)
        for leader in leaders
    ]
    return model.Config(
        network="testnet",
        venue=model.Venue(base_url="http://127.0.0.1:1", limits="off"),
        journal=model.Journal(directory=str(directory / "journal"), durability="relaxed"),
        leaders=tuple(model.Leader(name=name, address=f"0x{0x1000 + at:040x}") for at, name in enumerate(leaders)),
        followers=tuple(accounts),
        follows=tuple(follows),
        zones=zone_tables(tuple(follows)),
    )


def equities(config: model.Config) -> dict[str, Decimal]:
    """Account values by name."""
    return {one.name: LEADER_EQUITY for one in config.leaders} | {one.name: FOLLOWER_EQUITY for one in config.followers}
