"""`webData2`: one page of everything that the venue's own front end once read."""

from __future__ import annotations

from typing import Any

from hlfast.sim.accounts import Account
from hlfast.sim.info.account import AccountInfo
from hlfast.sim.info.market import MarketInfo
from hlfast.sim.info.request import Handler, read_user
from hlfast.sim.info.ventures import VenturesInfo
from hlfast.sim.numbers import usd
from hlfast.sim.venue import Venue


class WholeInfo:
    """State of the main dex and of one account, in one answer."""

    def __init__(self, venue: Venue, market: MarketInfo, account: AccountInfo, ventures: VenturesInfo) -> None:
        self._venue = venue
        self._market = market
        self._account = account
        self._ventures = ventures

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of the request type."""
        return {"webData2": lambda body: self.page(self._account.find(read_user(body)))}

    def page(self, account: Account) -> dict[str, Any]:
        """Return the data of a `webData2` answer or frame."""
        universe = self._venue.universe
        unnamed = next((agent for agent in account.agents.values() if not agent.name), None)
        shown: dict[str, Any] = {
            "clearinghouseState": self._account.state(account, ""),
            "leadingVaults": self._ventures.led_by(account.address),
            "totalVaultEquity": usd(self._ventures.total_vault_equity(account.address)),
            "openOrders": self._account.frontend_orders(account, ""),
            "agentAddress": unnamed.address if unnamed else None,
            "agentValidUntil": unnamed.valid_until_ms if unnamed else None,
            "cumLedger": usd(account.deposits),
            "meta": universe.meta[""],
            "assetCtxs": [self._market.context(asset) for asset in universe.by_dex[""]],
            "serverTime": self._venue.time_ms(),
            "isVault": account.role == "vault",
            "user": account.address,
            "twapStates": self._account.twap_states(account, ""),
            "spotState": self._account.spot_state(account),
            "spotAssetCtxs": [self._market.spot_context(asset) for asset in universe.by_dex["spot"]],
            "perpsAtOpenInterestCap": self._account.at_cap(""),
        }
        if account.keeps_spot_dust:
            shown["optOutOfSpotDusting"] = True
        return shown
