"""What an account is worth and what it may still open, at the venue's mark."""

from __future__ import annotations

from collections.abc import Callable

from hlfast.sim.accounts import Account
from hlfast.sim.numbers import times
from hlfast.sim.universe import Asset, Universe

Mark = Callable[[Asset], int]


class Margin:
    """Initial and maintenance margin of accounts, each builder dex with a balance of its own."""

    def __init__(self, universe: Universe, mark: Mark) -> None:
        self._assets = universe.by_id
        self._mark = mark

    def cross_value(self, account: Account, dex: str) -> int:
        """Return the cross account value of one dex: its raw USD plus its cross positions at mark."""
        value = account.raw.get(dex, 0)
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if held.isolated is None and asset.dex == dex:
                value += times(self._mark(asset), held.size)
        return value

    def isolated_value(self, account: Account, dex: str) -> int:
        """Return what the isolated pots of one dex are worth."""
        value = 0
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if held.isolated is not None and asset.dex == dex:
                value += held.isolated + times(self._mark(asset), held.size)
        return value

    def total_value(self, account: Account) -> int:
        """Return the account value over all dexs."""
        return sum(self.cross_value(account, dex) + self.isolated_value(account, dex) for dex in account.raw)

    def notional(self, account: Account, dex: str, *, cross_only: bool) -> int:
        """Return the value of all positions of one dex at mark."""
        total = 0
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if asset.dex == dex and not (cross_only and held.isolated is not None):
                total += times(self._mark(asset), abs(held.size))
        return total

    def used(self, account: Account, dex: str) -> int:
        """Return the initial margin of the cross positions of one dex."""
        total = 0
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if held.isolated is None and asset.dex == dex:
                total += times(self._mark(asset), abs(held.size)) // account.leverage(asset).value
        return total

    def held(self, account: Account, dex: str) -> int:
        """Return the initial margin that resting orders of one dex keep, as if each opened its whole size."""
        total = 0
        for order in account.orders.values():
            if order.asset.dex == dex and not order.reduce_only and order.trigger is None:
                total += times(order.price, order.remaining) // account.leverage(order.asset).value
        return total

    def maintenance(self, account: Account, dex: str) -> int:
        """Return the maintenance margin of the cross positions of one dex, tier by tier."""
        total = 0
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if held.isolated is None and asset.dex == dex:
                total += self.maintenance_of(asset, times(self._mark(asset), abs(held.size)))
        return total

    def maintenance_of(self, asset: Asset, notional: int) -> int:
        """Return notional times rate less the deduction of the tier that the notional falls into."""
        deduction, rate_before = 0, 0
        result = 0
        for lower, leverage in asset.tiers:
            if notional < lower:
                break
            rate = 10**8 // (2 * leverage)
            deduction += times(lower, rate - rate_before) if rate_before else 0
            rate_before = rate
            result = times(notional, rate) - deduction
        return result

    def notional_limit(self, asset: Asset, leverage: int) -> int | None:
        """Return the notional from which a tier allows less than this leverage, None when no tier does."""
        for lower, most in asset.tiers:
            if most < leverage:
                return lower
        return None

    def free(self, account: Account, dex: str) -> int:
        """Return what new positions of one dex may use."""
        return self.cross_value(account, dex) - self.used(account, dex) - self.held(account, dex)

    def withdrawable(self, account: Account, dex: str) -> int:
        """Return what may leave: the value above max(initial margin, a tenth of the notional)."""
        floor = max(self.used(account, dex), self.notional(account, dex, cross_only=True) // 10)
        return max(0, self.cross_value(account, dex) - floor - self.held(account, dex))

    def liquidation_price(self, account: Account, asset: Asset) -> int | None:
        """Return the mark at which margin no longer covers maintenance, or None when there is none."""
        held = account.positions[asset.asset_id]
        mark = self._mark(asset)
        side = 1 if held.size > 0 else -1
        size = abs(held.size)
        maintenance = self.maintenance_of(asset, times(mark, size))
        if held.isolated is None:
            spare = self.cross_value(account, asset.dex) - self.maintenance(account, asset.dex)
        else:
            spare = held.isolated + times(mark, held.size) - maintenance
        rate = 10**8 // (2 * asset.max_leverage)
        price = mark - side * spare * 10**16 // (size * (10**8 - rate * side))
        return price if price > 0 else None
