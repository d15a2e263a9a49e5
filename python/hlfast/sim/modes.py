"""Account modes: whether an account's dexs have balances of their own, or settle in its spot balances."""

from __future__ import annotations

from hlfast.sim.accounts import Account
from hlfast.sim.venue import Venue

UNCHOSEN, STANDARD, UNIFIED, PORTFOLIO = "default", "disabled", "unifiedAccount", "portfolioMargin"
CHOICES = (STANDARD, UNIFIED, PORTFOLIO)
TOO_LITTLE = "Insufficient margin to change the account mode."  # words not known


class Modes:
    """Moves balances to where a mode keeps them. The documents don't say when the venue refuses a change."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def choose(self, account: Account, mode: str) -> str | None:
        """Put an account into a mode; returns the reason when its margin doesn't allow that, and nothing changes."""
        margin, before = self._venue.margin, account.abstraction
        if mode == STANDARD and account.is_unified and not self._part(account):
            return TOO_LITTLE
        if mode != STANDARD and not account.is_unified:
            self._unite(account)
        account.abstraction = mode
        if (
            before == PORTFOLIO
            and mode == UNIFIED
            and any(margin.free(account, dexs[0]) < 0 for dexs in margin.scopes(account))
        ):
            account.abstraction = before
            return TOO_LITTLE
        return None

    def _unite(self, account: Account) -> None:
        """Put what each dex holds to the spot balance of its collateral."""
        account.is_unified = True
        for dex, amount in account.raw.items():
            account.settle(dex, self._venue.margin.collateral[dex], amount)
            account.raw[dex] = 0

    def _part(self, account: Account) -> bool:
        """Give each dex what its positions and orders need, False when there isn't enough. The rest stays in spot."""
        margin = self._venue.margin
        needs: dict[str, int] = {}
        for dexs in margin.scopes(account):
            for dex in dexs:
                needs[dex] = self._need(account, dex)
            token = margin.collateral[dexs[0]]
            left = account.spot.get(token, 0) - sum(needs[dex] for dex in dexs)
            if left < margin.spot_hold(account, token):
                return False
        account.is_unified = False
        for dex, need in needs.items():
            if need:
                token = margin.collateral[dex]
                account.spot[token] = account.spot.get(token, 0) - need
                account.settle(dex, token, need)
        return True

    def _need(self, account: Account, dex: str) -> int:
        """Return the balance that covers a dex's positions and orders, what its positions have lost included."""
        margin, own = self._venue.margin, (dex,)
        needed, used = margin.needed(account, own), margin.used(account, own)
        lost = max(0, used - needed - margin.worth(account, own))
        return needed + lost + margin.held(account, own)
