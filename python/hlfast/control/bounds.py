"""Each filter and cap that was set for a follow and its account, beside what the receipt had.

Settings are those that the database knows last. What a receipt does not carry (volumes, the leader's leverage and past)
is named without its figure: those are in the journal's inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

# Settings whose figure is not in the receipt, and the reasons that they end it with.
_UNSEEN: Final = {
    "min_depth_usd": ("thin_book", "book_unread"),
    "max_leader_leverage": ("leader_leverage", "equity_unreadable"),
    "min_listed_days": ("market_too_young", "market_unread"),
    "min_day_volume_usd": ("low_volume", "market_unread"),
    "min_open_interest_usd": ("low_open_interest", "market_unread"),
    "quality_window": ("leader_quality", "quality_unread"),
    "delay_ms": ("delayed", "leader_left"),
}
_UNSEEN_CAPS: Final = {
    "max_depth_percent": ("impact", "book_unread"),
    "max_daily_loss_usd": ("daily_loss", "losses_unread"),
    "max_drawdown_usd": ("drawdown", "losses_unread"),
    "max_drawdown_bps": ("drawdown", "losses_unread"),
}


def increases(receipt: Mapping[str, Any]) -> bool:
    """Whether the leader's position grew or changed sides: what filters and caps are for."""
    before, after = Decimal(receipt["leader_before"]), Decimal(receipt["leader_after"])
    return abs(after) > abs(before) or before * after < 0


def filters(receipt: Mapping[str, Any], policy: Mapping[str, Any]) -> Iterator[str]:
    """Say what each filter that is set asked for, and what the fill had."""
    coin, after = receipt["coin"], Decimal(receipt["leader_after"])
    for name in ("coins_allow", "coins_block"):
        listed = policy.get(name)
        if listed:
            yield f"{name} {' '.join(listed)}: {coin} {'is' if coin in listed else 'is not'} on it"
    if policy.get("side", "both") != "both":
        yield f"side {policy['side']}: the leader was {'long' if after > 0 else 'short'}"
    for name in ("min_value_usd", "max_value_usd"):
        if policy.get(name) is not None:
            value = _usd(after, receipt["leader_price"])
            yield f"{name} {policy[name]}: the leader's position was worth {value} USD"
    if policy.get("hours"):
        at = datetime.fromtimestamp(receipt["decided_ms"] / 1000, UTC).strftime("%H:%M:%S")
        yield f"hours {' '.join(policy['hours'])} {policy.get('hours_zone') or 'UTC'}: decided at {at} UTC"
    yield from _unseen(receipt, policy, _UNSEEN)
    if receipt["reason"] == "price_beyond_band":
        yield f"entry_band_bps {policy.get('entry_band_bps')}: the best opposite price was further from the leader's"
    if policy.get("max_age_ms") is not None:
        old = (receipt["planned_ms"] or receipt["decided_ms"]) - receipt["time_ms"]
        yield f"max_age_ms {policy['max_age_ms']}: {old:,} ms old when it was {_last(receipt)}"


def caps(receipt: Mapping[str, Any], policy: Mapping[str, Any], account: Mapping[str, Any]) -> Iterator[str]:
    """Say what each cap that is set allows, of the follow and of the account, and what was asked of it."""
    price, held = receipt["leader_price"], Decimal(receipt["entitled_after"])
    added = held - Decimal(receipt["entitled_before"])
    if policy.get("max_order_usd") is not None:
        yield f"max_order_usd {policy['max_order_usd']} of the follow: {_usd(added, price)} USD were added"
    if policy.get("max_position_usd") is not None:
        yield f"max_position_usd {policy['max_position_usd']} of the follow: {_usd(held, price)} USD entitled"
    if policy.get("max_gross_usd") is not None:
        yield f"max_gross_usd {policy['max_gross_usd']} of the follow, over all coins of the leader"
    if account.get("max_order_usd") is not None:
        ordered = _usd(receipt["ordered"], receipt["limit_price"])
        yield f"max_order_usd {account['max_order_usd']} of the account: {ordered} USD ordered at its limit"
    counted = (
        ("max_position_usd", "with all leaders of this coin"),
        ("max_gross_usd", "over all coins"),
        ("max_gross_leverage", "over all coins, as a multiple of what the account was worth"),
    )
    for name, counts in counted:
        if account.get(name) is not None:
            yield f"{name} {account[name]} of the account, {counts}"
    yield from _unseen(receipt, policy, _UNSEEN_CAPS, " of the follow")
    yield from _unseen(receipt, account, _UNSEEN_CAPS, " of the account")


def _unseen(
    receipt: Mapping[str, Any], settings: Mapping[str, Any], names: Mapping[str, tuple[str, ...]], whose: str = ""
) -> Iterator[str]:
    for name, reasons in names.items():
        if settings.get(name) is not None:
            stopped = receipt["reason"] in reasons
            yield f"{name} {settings[name]}{whose}: {'stopped it' if stopped else 'did not stop it'}"


def band(receipt: Mapping[str, Any], policy: Mapping[str, Any]) -> str | None:
    """Say how far from the leader's price an order might go; None where none was planned."""
    limit, price = Decimal(receipt["limit_price"]), Decimal(receipt["leader_price"])
    if not limit or not price or not policy:
        return None
    worse = (limit / price - 1) * 10_000 * (1 if Decimal(receipt["ordered"]) > 0 else -1)
    stood = f"the limit stood {worse:z.2f} bps beyond the leader's price"
    if increases(receipt):
        return f"entry_band_bps {policy.get('entry_band_bps')}: {stood}"
    normal, emergency = policy.get("reduce_band_bps"), policy.get("emergency_band_bps")
    return f"reduce_band_bps {normal} from the best opposite price, emergency_band_bps {emergency} without one: {stood}"


def _last(receipt: Mapping[str, Any]) -> str:
    return "ordered" if receipt["planned_ms"] else "decided"


def _usd(size: Any, price: Any) -> str:
    return f"{abs(Decimal(size) * Decimal(price)):,.2f}"
