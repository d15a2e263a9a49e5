"""Trading fees: volume tiers, maker rebates, staking and referral discounts, growth mode, builder and priority fees.

Rates are counts of 1e-8 of the notional, as the venue's fee page of August 2026 gives them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

from hlfast.sim.accounts import DAY_MS, Account, Traded
from hlfast.sim.numbers import SCALE, usd, wire
from hlfast.sim.universe import Asset

TIER_DAYS = 14
PRINTED = 100  # perp fees are charged as printed: six decimals
MILLION = 1_000_000 * SCALE
REFERRAL_VOLUME = 25 * MILLION
REFERRAL_DISCOUNT = 4_000_000


@dataclass(slots=True, frozen=True)
class Rates:
    """Fees of one account; a negative one is a rebate."""

    cross: int
    add: int
    spot_cross: int
    spot_add: int


# (volume of 14 days, rates), and the shares of the venue's maker volume that earn a rebate instead.
VOLUME_TIERS = (
    (0, Rates(45_000, 15_000, 70_000, 40_000)),
    (5 * MILLION, Rates(40_000, 12_000, 60_000, 30_000)),
    (25 * MILLION, Rates(35_000, 8_000, 50_000, 20_000)),
    (100 * MILLION, Rates(30_000, 4_000, 40_000, 10_000)),
    (500 * MILLION, Rates(28_000, 0, 35_000, 0)),
    (2_000 * MILLION, Rates(26_000, 0, 30_000, 0)),
    (7_000 * MILLION, Rates(24_000, 0, 25_000, 0)),
)
MAKER_TIERS = ((500_000, -1_000), (1_500_000, -2_000), (3_000_000, -3_000))
# (HYPE staked, discount)
STAKING_TIERS = (
    (10 * SCALE, 5_000_000),
    (100 * SCALE, 10_000_000),
    (1_000 * SCALE, 15_000_000),
    (10_000 * SCALE, 20_000_000),
    (100_000 * SCALE, 30_000_000),
    (500_000 * SCALE, 40_000_000),
)
_BOUNDS = [bound for bound, _ in VOLUME_TIERS]
_STAKED = [bound for bound, _ in STAKING_TIERS]


class Fees:
    """What accounts traded by day, and the rates that follow from it."""

    def __init__(self) -> None:
        self.traded = Traded()  # by all accounts
        self._known: dict[str, tuple[int, Rates]] = {}

    def record(self, account: Account, value: int, time_ms: int, *, crossed: bool) -> None:
        """Count a fill into the volume of its day, the account's and the venue's."""
        day, part = time_ms // DAY_MS, 0 if crossed else 1
        account.traded[day][part] += value
        self.traded[day][part] += value

    @staticmethod
    def volume(account: Account, day: int) -> int:
        """Return what an account traded in the 14 days before a day."""
        return sum(sum(account.traded.get(past, (0, 0))) for past in range(day - TIER_DAYS, day))

    def tier(self, account: Account, time_ms: int) -> Rates:
        """Return an account's rates of the day, before its discounts."""
        day = time_ms // DAY_MS
        known = self._known.get(account.address)
        if known is not None and known[0] == day:
            return known[1]
        rates = VOLUME_TIERS[bisect_right(_BOUNDS, self.volume(account, day)) - 1][1]
        window = range(day - TIER_DAYS, day)
        made = sum(account.traded.get(past, (0, 0))[1] for past in window)
        all_made = sum(self.traded.get(past, (0, 0))[1] for past in window)
        for share, rebate in MAKER_TIERS:
            if all_made and made * SCALE > share * all_made:
                rates = Rates(rates.cross, rebate, rates.spot_cross, rebate)
        self._known[account.address] = (day, rates)
        return rates

    @staticmethod
    def staking_discount(account: Account) -> int:
        """Return the discount of an account's stake, in counts of 1e-8."""
        tier = bisect_left(_STAKED, account.stake.total)
        return STAKING_TIERS[tier - 1][1] if tier else 0

    @staticmethod
    def referral_discount(account: Account) -> int:
        """Return the discount of a referred account, which ends with its first $25M."""
        return REFERRAL_DISCOUNT if account.referrer and account.volume < REFERRAL_VOLUME else 0

    def rates(self, account: Account, time_ms: int) -> Rates:
        """Return what an account pays, discounts taken off what is above zero."""
        tier = self.tier(account, time_ms)
        if not account.stake.history and not account.referrer:
            return tier
        keeps = (SCALE - self.staking_discount(account)) * (SCALE - self.referral_discount(account)) // SCALE
        if keeps == SCALE:
            return tier
        paid = [rate * keeps // SCALE if rate > 0 else rate for rate in (tier.cross, tier.add)]
        spot = [rate * keeps // SCALE if rate > 0 else rate for rate in (tier.spot_cross, tier.spot_add)]
        return Rates(*paid, *spot)

    def of_perp(self, account: Account, asset: Asset, value: int, time_ms: int, *, crossed: bool) -> int:
        """Return the fee of a perp fill, rounded toward zero to six decimals; growth mode takes a tenth."""
        rates = self.rates(account, time_ms)
        rate = rates.cross if crossed else rates.add
        if asset.is_growing:
            rate = rate // 10 if rate > 0 else -(-rate // 10)
        fee = value * abs(rate) // SCALE // PRINTED * PRINTED
        return fee if rate >= 0 else -fee

    def of_spot(self, account: Account, amount: int, time_ms: int, *, crossed: bool) -> int:
        """Return the fee of a spot fill on what the account receives, rounded toward zero."""
        rates = self.rates(account, time_ms)
        rate = rates.spot_cross if crossed else rates.spot_add
        fee = amount * abs(rate) // SCALE
        return fee if rate >= 0 else -fee

    def shown(self, account: Account, time_ms: int) -> dict[str, Any]:
        """Return the answer to `userFees`."""
        rates, day = self.rates(account, time_ms), time_ms // DAY_MS
        staking = self.staking_discount(account)
        return {
            "dailyUserVlm": [
                {
                    "date": _date(past),
                    "userCross": usd(account.traded.get(past, (0, 0))[0]),
                    "userAdd": usd(account.traded.get(past, (0, 0))[1]),
                    "exchange": usd(sum(self.traded.get(past, (0, 0)))),
                }
                for past in range(day - TIER_DAYS, day + 1)
            ],
            "feeSchedule": _SCHEDULE,
            "userCrossRate": wire(rates.cross),
            "userAddRate": wire(rates.add),
            "userSpotCrossRate": wire(rates.spot_cross),
            "userSpotAddRate": wire(rates.spot_add),
            "activeReferralDiscount": wire(self.referral_discount(account)),
            "trial": None,
            "feeTrialEscrow": "0.0",
            "nextTrialAvailableTimestamp": None,
            "stakingLink": None,
            "activeStakingDiscount": {
                "bpsOfMaxSupply": wire(account.stake.total // 100_000),
                "discount": wire(staking),
            },
        }


def _date(day: int) -> str:
    """Spell a day since 1970 as YYYY-MM-DD (the civil calendar's usual arithmetic, without a clock)."""
    shifted = day + 719_468
    era, of_era = divmod(shifted, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day_of_month = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return f"{year + era * 400 + (month <= 2):04}-{month:02}-{day_of_month:02}"


def _tier_row(bound: int, rates: Rates) -> dict[str, str]:
    return {
        "ntlCutoff": wire(bound),
        "cross": wire(rates.cross),
        "add": wire(rates.add),
        "spotCross": wire(rates.spot_cross),
        "spotAdd": wire(rates.spot_add),
    }


_BASE = VOLUME_TIERS[0][1]
_SCHEDULE: dict[str, Any] = {
    "cross": wire(_BASE.cross),
    "add": wire(_BASE.add),
    "spotCross": wire(_BASE.spot_cross),
    "spotAdd": wire(_BASE.spot_add),
    "tiers": {
        "vip": [_tier_row(bound, rates) for bound, rates in VOLUME_TIERS[1:]],
        "mm": [{"makerFractionCutoff": wire(share), "add": wire(rebate)} for share, rebate in MAKER_TIERS],
    },
    "referralDiscount": wire(REFERRAL_DISCOUNT),
    "stakingDiscountTiers": [
        {"bpsOfMaxSupply": wire(bound // 100_000), "discount": wire(discount)} for bound, discount in STAKING_TIERS
    ],
}
