"""Standing of accounts: roles, agents, signers, modes, builders, referrals, limits, sub-accounts."""

from __future__ import annotations

from typing import Any

from hlfast.sim.accounts import Account
from hlfast.sim.authority import FREE_REQUESTS
from hlfast.sim.info.account import AccountInfo
from hlfast.sim.info.request import Handler, constant, for_user, read_user
from hlfast.sim.numbers import SCALE, usd
from hlfast.sim.venue import Venue


class StandingInfo:
    """What everybody may know of who an address is and what it may do."""

    def __init__(self, venue: Venue, account: AccountInfo) -> None:
        self._venue = venue
        self._states = account

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each request type."""
        return {
            "userRole": self._role,
            "extraAgents": lambda body: [
                {"address": agent.address, "name": agent.name, "validUntil": agent.valid_until_ms}
                for agent in self._account(body).agents.values()
                if agent.name
            ],
            "userToMultiSigSigners": self._signers,
            "userRateLimit": self._rate_limit,
            "userAbstraction": lambda body: self._states.mode(self._account(body)),
            "userDexAbstraction": lambda body: self._account(body).dex_abstraction,
            "subAccounts": self._sub_accounts,
            "subAccounts2": self._sub_accounts_by_dex,
            "maxBuilderFee": lambda body: self._account(body).builder_fees.get(read_user(body, "builder"), 0),
            "approvedBuilders": lambda body: [a for a, fee in self._account(body).builder_fees.items() if fee],
            "referral": self._referral,
            "legalCheck": for_user({"ipAllowed": True, "acceptedTerms": True, "userAllowed": True}),
            "isVip": for_user(False),
            "preTransferCheck": self._pre_transfer,
            "gossipRootIps": constant([]),
        }

    def _account(self, body: dict[str, Any]) -> Account:
        return self._states.find(read_user(body))

    def _role(self, body: dict[str, Any]) -> dict[str, Any]:
        address = read_user(body)
        found = self._venue.agents.get(address)
        if found is not None:
            return {"role": "agent", "data": {"user": found[0].address}}
        account = self._venue.accounts.get(address)
        if account is None or not account.deposited:
            return {"role": "missing"}
        if account.role == "subAccount":
            return {"role": "subAccount", "data": {"master": account.master}}
        return {"role": account.role}

    def _signers(self, body: dict[str, Any]) -> dict[str, Any] | None:
        terms = self._account(body).multi_sig
        return None if terms is None else {"authorizedUsers": list(terms.users), "threshold": terms.threshold}

    def _rate_limit(self, body: dict[str, Any]) -> dict[str, Any]:
        account = self._account(body)
        return {
            "cumVlm": usd(account.volume // 10**6 * 10**6),
            "nRequestsUsed": account.requests_used,
            "nRequestsCap": FREE_REQUESTS + account.volume // SCALE,
            "nRequestsSurplus": account.requests_bought,
        }

    def _sub_accounts(self, body: dict[str, Any]) -> Any:
        account = self._account(body)
        return [
            {
                "name": sub.name,
                "subAccountUser": sub.address,
                "master": account.address,
                "clearinghouseState": self._states.state(sub, ""),
                "spotState": self._states.spot_state(sub),
            }
            for sub in map(self._states.find, account.sub_accounts)
        ] or None

    def _sub_accounts_by_dex(self, body: dict[str, Any]) -> Any:
        account = self._account(body)
        return [
            {
                "name": sub.name,
                "subAccountUser": sub.address,
                "master": account.address,
                "dexToClearinghouseState": [
                    [dex, self._states.state(sub, dex)] for dex in self._venue.universe.dex_names
                ],
                "spotState": self._states.spot_state(sub),
                "abstraction": self._states.mode(sub),
            }
            for sub in map(self._states.find, account.sub_accounts)
        ] or None

    def _referral(self, body: dict[str, Any]) -> dict[str, Any]:
        account = self._account(body)
        earned = {
            "cumVlm": usd(account.volume),
            "unclaimedRewards": "0.0",
            "claimedRewards": "0.0",
            "builderRewards": "0.0",
        }
        return {
            "referredBy": {"referrer": account.address, "code": account.referrer} if account.referrer else None,
            **earned,
            "tokenToState": [[0, earned]],
            "referrerState": {"stage": "needToTrade", "data": {"required": "10000.0"}},
            "rewardHistory": [],
        }

    def _pre_transfer(self, body: dict[str, Any]) -> dict[str, Any]:
        account = self._venue.accounts.get(read_user(body))
        read_user(body, "source")
        return {
            "fee": "0.0",
            "isSanctioned": False,
            "userExists": account is not None and account.deposited,
            "userHasSentTx": account is not None and account.requests_used > 0,
        }
