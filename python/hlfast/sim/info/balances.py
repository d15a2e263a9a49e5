"""Spot balances as `/info` shows them: in unified accounts they are all there is, and what dexs use is on hold."""

from __future__ import annotations

from typing import Any

from hlfast.sim.accounts import Account
from hlfast.sim.margin import LOAN_TO_VALUE
from hlfast.sim.modes import PORTFOLIO
from hlfast.sim.numbers import ratio, usd, wire
from hlfast.sim.universe import USDC
from hlfast.sim.venue import Venue


class SpotBalances:
    """Makes `spotClearinghouseState`, in which figures of unified accounts follow recorded ones.

    There the total of USDC is the whole account's value, `hold` the initial margin and what orders keep, available
    after maintenance the total less the maintenance margin; in portfolio accounts `supplied` is what no dex uses.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._margin = venue.margin

    def state(self, account: Account) -> dict[str, Any]:
        """Return `spotClearinghouseState`."""
        totals = {token: self._total(account, token) for token in sorted(account.spot)}
        rows = [self._row(account, token, total) for token, total in totals.items() if total or token == USDC]
        shown: dict[str, Any] = {"balances": rows}
        if account.is_unified:
            shown["tokenToAvailableAfterMaintenance"] = [
                [token, wire(max(0, total - self._margin.maintenance(account, self._margin.sharing(token))))]
                for token, total in totals.items()
                if self._margin.sharing(token) or (account.abstraction == PORTFOLIO and token in self._margin.pledged)
            ]
        if account.abstraction == PORTFOLIO:
            shown |= self._portfolio(account)
        return shown

    def _row(self, account: Account, token: int, total: int) -> dict[str, Any]:
        return {
            "coin": self._venue.universe.tokens[token]["name"],
            "token": token,
            "total": wire(total),
            "hold": wire(self._hold(account, token)),
            "entryNtl": usd(account.spot_cost.get(token, 0)),
        } | self._loan_fields(account, token)

    def _total(self, account: Account, token: int) -> int:
        dexs = self._margin.sharing(token)
        if not (account.is_unified and dexs):
            return account.spot[token]
        if self._venue.settings.unified_total == "equity":
            return self._equity(account, token)
        booked = account.spot[token]
        for asset_id, held in account.positions.items():
            if self._venue.universe.by_id[asset_id].dex in dexs:
                booked += held.cost + (held.isolated or 0)
        return booked

    def _equity(self, account: Account, token: int) -> int:
        dexs = self._margin.sharing(token)
        return self._margin.cross_value(account, dexs[0]) + self._margin.isolated_value(account, dexs)

    def _hold(self, account: Account, token: int) -> int:
        margin, hold = self._margin, self._margin.spot_hold(account, token)
        dexs = margin.sharing(token) if account.is_unified else ()
        if dexs:
            hold += margin.used(account, dexs) + margin.held(account, dexs) + margin.isolated_value(account, dexs)
        return hold

    def _portfolio(self, account: Account) -> dict[str, Any]:
        loans, margin = account.loans, self._margin
        value = self._equity(account, USDC) + margin.pledged_value(account, "")
        return {
            "portfolioMarginEnabled": True,
            "portfolioMarginRatio": wire(ratio(margin.maintenance(account, margin.sharing(USDC)), value)),
            "tokenToPortfolioBorrowRatio": [[token, "0.0"] for token in sorted({USDC, *loans.borrowed})],
            "tokenToPortfolioSupplyRatio": [[token, "0.0"] for token in loans.supplied],
        }

    def _loan_fields(self, account: Account, token: int) -> dict[str, str]:
        """Return what a row shows of supplied and borrowed tokens, where there are any."""
        supplied, borrowed = account.loans.supplied.get(token, 0), account.loans.borrowed.get(token, 0)
        fields = {}
        if account.abstraction == PORTFOLIO:
            fields["ltv"] = wire(LOAN_TO_VALUE if token in self._margin.pledged else 0)
            if token == USDC:
                idle = self._idle(account)
                supplied, borrowed = supplied or max(0, idle), borrowed + max(0, -idle)
        kinds = {"borrowed": borrowed, "supplied": supplied}
        return fields | {name: wire(amount) for name, amount in kinds.items() if amount}

    def _idle(self, account: Account) -> int:
        """Return the USDC that no dex accounts for; below zero it is borrowed."""
        margin, dexs = self._margin, self._margin.sharing(USDC)
        at_work = margin.needed(account, dexs) + margin.worth(account, dexs) + margin.isolated_value(account, dexs)
        return self._equity(account, USDC) - at_work
