"""What an account is worth and what it may still open, at the venue's mark."""

from __future__ import annotations

from collections.abc import Callable

from hlfast.sim.accounts import Account
from hlfast.sim.numbers import SCALE, times
from hlfast.sim.universe import USDC, Asset, Universe

Mark = Callable[[Asset], int]
Dexs = tuple[str, ...]
# What counts towards margin in a portfolio account beside the dexs' own collateral, at half of its value (a recorded
# account's `ltv`).
PLEDGED = ("HYPE", "UBTC")
LOAN_TO_VALUE = SCALE // 2


class Margin:
    """Initial and maintenance margin of accounts.

    A standard account has a balance for each dex. A unified one has one for each token, among its spot balances, which
    its positions on all dexs with that collateral share; so has a portfolio account, whose other tokens help.
    """

    def __init__(self, universe: Universe, mark: Mark) -> None:
        self._assets = universe.by_id
        self._mark = mark
        self.collateral: dict[str, int] = {dex: meta["collateralToken"] for dex, meta in universe.meta.items()}
        self._alone: dict[str, Dexs] = {dex: (dex,) for dex in self.collateral}
        self._sharing: dict[int, Dexs] = {
            token: tuple(dex for dex, other in self.collateral.items() if other == token)
            for token in dict.fromkeys(self.collateral.values())
        }
        self.pledged: dict[int, Asset] = {
            asset.base_token: asset
            for asset in universe.by_dex["spot"]
            if asset.quote_token == USDC and universe.tokens[asset.base_token]["name"] in PLEDGED
        }

    def scope(self, account: Account, dex: str) -> Dexs:
        """Return the dexs that share a balance with this one, itself among them."""
        return self._sharing[self.collateral[dex]] if account.is_unified else self._alone[dex]

    def scopes(self, account: Account) -> list[Dexs]:
        """Return the dexs of an account by the balance that they share."""
        return list(self._sharing.values()) if account.is_unified else [self._alone[dex] for dex in account.raw]

    def sharing(self, token: int) -> Dexs:
        """Return the dexs with this collateral; none for a token that is nowhere collateral."""
        return self._sharing.get(token, ())

    def cash(self, account: Account, dex: str) -> int:
        """Return the balance that a dex settles in: what is left of it after all trades at their prices."""
        return account.spot.get(self.collateral[dex], 0) if account.is_unified else account.raw.get(dex, 0)

    def cross_value(self, account: Account, dex: str) -> int:
        """Return the balance that a dex settles in plus the cross positions that share it, at mark."""
        return self.cash(account, dex) + self.worth(account, self.scope(account, dex))

    def worth(self, account: Account, dexs: Dexs) -> int:
        """Return what the cross positions of these dexs are worth at mark, below zero for shorts."""
        value = 0
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if held.isolated is None and asset.dex in dexs:
                value += times(self._mark(asset), held.size)
        return value

    def isolated_value(self, account: Account, dexs: Dexs) -> int:
        """Return what the isolated pots of these dexs are worth."""
        value = 0
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if held.isolated is not None and asset.dex in dexs:
                value += held.isolated + times(self._mark(asset), held.size)
        return value

    def total_value(self, account: Account) -> int:
        """Return the account value over all dexs, in a unified account with the spot balances that they settle in."""
        return sum(
            self.cross_value(account, dexs[0]) + self.isolated_value(account, dexs) for dexs in self.scopes(account)
        )

    def pledged_value(self, account: Account, dex: str) -> int:
        """Return what a portfolio account's other tokens add to the margin of the dexs that settle in USDC."""
        if account.abstraction != "portfolioMargin" or self.collateral[dex] != USDC:
            return 0
        held = account.spot
        value = sum(times(self._mark(asset), max(0, held.get(token, 0))) for token, asset in self.pledged.items())
        return times(value, LOAN_TO_VALUE)

    def notional(self, account: Account, dexs: Dexs, *, cross_only: bool) -> int:
        """Return the value of all positions of these dexs at mark."""
        total = 0
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if asset.dex in dexs and not (cross_only and held.isolated is not None):
                total += times(self._mark(asset), abs(held.size))
        return total

    def used(self, account: Account, dexs: Dexs) -> int:
        """Return the initial margin of the cross positions of these dexs."""
        total = 0
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if held.isolated is None and asset.dex in dexs:
                total += times(self._mark(asset), abs(held.size)) // account.leverage(asset).value
        return total

    def needed(self, account: Account, dexs: Dexs) -> int:
        """Return the balance with which the cross positions of these dexs are worth their margin and open profit."""
        needed = self.used(account, dexs)
        for asset_id, held in account.positions.items():
            if held.isolated is None and self._assets[asset_id].dex in dexs:
                needed -= held.cost
        return needed

    def held(self, account: Account, dexs: Dexs) -> int:
        """Return the initial margin that resting orders of these dexs keep, as if each opened its whole size."""
        total = 0
        for order in account.orders.values():
            if order.asset.dex in dexs and not order.reduce_only and order.trigger is None:
                total += times(order.price, order.remaining) // account.leverage(order.asset).value
        return total

    @staticmethod
    def spot_hold(account: Account, token: int) -> int:
        """Return how much of a token resting spot orders keep."""
        total = 0
        for order in account.orders.values():
            if order.asset.is_spot:
                if order.is_buy and order.asset.quote_token == token:
                    total += times(order.price, order.remaining)
                elif not order.is_buy and order.asset.base_token == token:
                    total += order.remaining
        return total

    def maintenance(self, account: Account, dexs: Dexs) -> int:
        """Return the maintenance margin of the cross positions of these dexs, tier by tier."""
        total = 0
        for asset_id, held in account.positions.items():
            asset = self._assets[asset_id]
            if held.isolated is None and asset.dex in dexs:
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
        """Return what new positions of a dex may use."""
        dexs = self.scope(account, dex)
        free = self.cross_value(account, dex) - self.used(account, dexs) - self.held(account, dexs)
        if account.is_unified:
            free += self.pledged_value(account, dex) - self.spot_hold(account, self.collateral[dex])
        return free

    def withdrawable(self, account: Account, dex: str) -> int:
        """Return what may leave: the value above max(initial margin, a tenth of the notional)."""
        dexs = self.scope(account, dex)
        used, notional = self.used(account, dexs), self.notional(account, dexs, cross_only=True)
        return max(0, self.free(account, dex) + used - max(used, notional // 10))

    def spendable(self, account: Account, token: int) -> int:
        """Return how much of a spot balance an order may still spend."""
        sharing = self.sharing(token)
        if account.is_unified and sharing:
            return self.free(account, sharing[0])
        return account.spot.get(token, 0) - self.spot_hold(account, token)

    def removable(self, account: Account, token: int) -> int:
        """Return how much of a spot balance may leave the account."""
        sharing = self.sharing(token)
        if account.is_unified and sharing:
            return self.withdrawable(account, sharing[0])
        free = self.spendable(account, token)
        if account.abstraction == "portfolioMargin" and token in self.pledged:
            # Half of a pledged token's value is margin: what is spare of that bounds what may go.
            worth = times(self._mark(self.pledged[token]), LOAN_TO_VALUE)
            free = min(free, self.withdrawable(account, "") * SCALE // worth)
        return free

    def liquidation_price(self, account: Account, asset: Asset) -> int | None:
        """Return the mark at which margin no longer covers maintenance, or None when there is none."""
        held = account.positions[asset.asset_id]
        mark = self._mark(asset)
        side = 1 if held.size > 0 else -1
        size = abs(held.size)
        maintenance = self.maintenance_of(asset, times(mark, size))
        if held.isolated is None:
            spare = self.cross_value(account, asset.dex) + self.pledged_value(account, asset.dex)
            spare -= self.maintenance(account, self.scope(account, asset.dex))
        else:
            spare = held.isolated + times(mark, held.size) - maintenance
        rate = 10**8 // (2 * asset.max_leverage)
        price = mark - side * spare * 10**16 // (size * (10**8 - rate * side))
        return price if price > 0 else None
