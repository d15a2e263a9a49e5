"""Funding: premiums sampled every five seconds, rates and payments each hour."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.numbers import SCALE, ratio, times, usd, wire
from hlfast.sim.universe import Asset

if TYPE_CHECKING:
    from hlfast.sim.trading import Trading
    from hlfast.sim.venue import Venue

HOUR_MS = 3_600_000
SAMPLE_MS = 5_000
HOURS_OF_RATE = 8  # the formula gives a rate for eight hours; an hour pays an eighth
INTEREST = 10_000  # 0.01 % in eight hours
CLAMP = 50_000  # 0.05 %
CAP_PER_HOUR = 4 * SCALE // 100
KEPT_HOURS = 5_000
PRINTED = 100
BASE_RATE = INTEREST // HOURS_OF_RATE
IMPACT_USD = 6_000 * SCALE  # notional whose average fill price counts; 20,000 for BTC and ETH
LARGE_IMPACT_USD = 20_000 * SCALE


@dataclass(slots=True, frozen=True)
class FundingRate:
    """What one hour paid; rate and premium count 1e-8 of the notional."""

    time_ms: int
    rate: int
    premium: int


@dataclass(slots=True)
class FundingRecord:
    """Rates paid, by coin, and the premiums sampled since the last hour: (sum, samples)."""

    paid: dict[str, deque[FundingRate]] = field(default_factory=dict)
    sampled: dict[str, tuple[int, int]] = field(default_factory=dict)

    def premium(self, coin: str) -> int:
        """Return the mean premium of the hour so far."""
        total, count = self.sampled.get(coin, (0, 0))
        return ratio(total, count * SCALE) if count else 0

    def rate(self, coin: str) -> int:
        """Return the rate that the hour would pay now."""
        return hourly_rate(self.premium(coin))


def hourly_rate(premium: int) -> int:
    """Return an eighth of premium + clamp(interest - premium, +-0.05 %), capped at 4 % an hour (August 2026)."""
    whole = premium + max(-CLAMP, min(CLAMP, INTEREST - premium))
    rate = abs(whole) // HOURS_OF_RATE
    return min(rate, CAP_PER_HOUR) if whole >= 0 else -min(rate, CAP_PER_HOUR)


class Funding:
    """Pays on the venue's clock. Longs pay shorts when the rate is above zero."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading
        self._sampled_ms = 0
        self._paid_ms = 0

    def run_due(self, block: Block) -> None:
        """Sample what is due and pay every hour that has passed since the last call."""
        hour = block.time_ms // HOUR_MS * HOUR_MS
        if self._paid_ms == 0:
            self._paid_ms = hour
        if block.time_ms - self._sampled_ms >= SAMPLE_MS:
            self._sampled_ms = block.time_ms
            self._sample()
        while self._paid_ms < hour:
            self._paid_ms += HOUR_MS
            self.pay(self._paid_ms, block)

    def _sample(self) -> None:
        sampled = self._venue.funding.sampled
        for book in self._venue.books.values():
            asset = book.asset
            if asset.is_spot or asset.is_delisted:
                continue
            total, count = sampled.get(asset.coin, (0, 0))
            sampled[asset.coin] = total + self._premium(asset), count + 1

    def _premium(self, asset: Asset) -> int:
        book, oracle = self._venue.book(asset), self._venue.oracle(asset)
        notional = LARGE_IMPACT_USD if asset.coin in ("BTC", "ETH") else IMPACT_USD
        bid, ask = book.impact(notional, is_buy=True), book.impact(notional, is_buy=False)
        above = max(0, bid - oracle) if bid else 0
        below = max(0, oracle - ask) if ask else 0
        return ratio(above - below, oracle)

    def pay(self, time_ms: int, block: Block) -> None:
        """Pay one hour on every perp that anybody holds."""
        record = self._venue.funding
        for book in list(self._venue.books.values()):
            asset = book.asset
            if asset.is_spot or asset.is_delisted:
                continue
            premium, rate = record.premium(asset.coin), record.rate(asset.coin)
            history = record.paid.setdefault(asset.coin, deque(maxlen=KEPT_HOURS))
            history.append(FundingRate(time_ms, rate, premium))
            self._pay_asset(asset, rate, time_ms, block)
        record.sampled.clear()

    def _pay_asset(self, asset: Asset, rate: int, time_ms: int, block: Block) -> None:
        # Payments are rounded to what is printed; the synthetic maker takes the sum, so none of it is lost.
        collected = 0
        for account in list(self._venue.audit.holders.get(asset.coin, {}).values()):
            if account is not self._venue.maker:
                collected += self._charge(account, asset, rate, time_ms, block)
        if collected:
            maker = self._venue.maker
            maker.raw[asset.dex] = maker.raw.get(asset.dex, 0) + collected

    def _charge(self, account: Account, asset: Asset, rate: int, time_ms: int, block: Block) -> int:
        held = account.positions[asset.asset_id]
        value = times(self._venue.oracle(asset), abs(held.size)) * abs(rate) // SCALE // PRINTED * PRINTED
        owed = value if (held.size > 0) == (rate > 0) else -value
        if held.isolated is None:
            account.settle(asset.dex, asset.quote_token, -owed)
        else:
            held.isolated -= owed
            account.touch()
        shown = {
            "coin": asset.coin,
            "usdc": usd(-owed),
            "szi": wire(held.size),
            "fundingRate": wire(rate),
            "nSamples": None,
        }
        row = {"time": time_ms, "hash": "0x" + "0" * 64, "delta": {"type": "funding"} | shown}
        account.fundings.append(row)
        block.fundings.setdefault(account.address, []).append({"time": time_ms} | shown)
        self._trading.note_moved(asset)
        return owed
