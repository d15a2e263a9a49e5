"""Money that works elsewhere: vaults, stakes, loans, and the auctions."""

from __future__ import annotations

from typing import Any

from hlfast.sim.account_kinds import VaultBook
from hlfast.sim.accounts import Account
from hlfast.sim.info.account import AccountInfo
from hlfast.sim.info.history import HistoryInfo
from hlfast.sim.info.request import BadRequestError, Handler, read_int, read_user
from hlfast.sim.margin import LOAN_TO_VALUE
from hlfast.sim.numbers import ratio, usd, wire
from hlfast.sim.vaults import COMMISSION_PERCENT
from hlfast.sim.venue import Venue

DAY_MS = 86_400_000
YOUNG_VAULT_MS = 7_200_000  # `vaultSummaries` shows those of the last two hours
AUCTION_S = 111_600  # the deployers' auctions run for 31 hours


class VenturesInfo:
    """What everybody may know of vaults, stakes and loans."""

    def __init__(self, venue: Venue, account: AccountInfo, history: HistoryInfo) -> None:
        self._venue = venue
        self._states = account
        self._history = history

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each request type."""
        return {
            "vaultDetails": self._vault_details,
            "userVaultEquities": self._vault_equities,
            "leadingVaults": lambda body: self.led_by(read_user(body)),
            "vaultSummaries": lambda _body: self._summaries(),
            "delegations": self._delegations,
            "delegatorSummary": self._stake_summary,
            "delegatorRewards": lambda body: self._rewards(read_user(body)),
            "delegatorHistory": lambda body: list(reversed(self._account(body).stake.history)),
            "borrowLendUserState": self._loans,
            "borrowLendReserveState": self._reserve,
            "gossipPriorityAuctionStatus": lambda _body: self._venue.gossip.status(self._venue.time_ms()),
            "perpDeployAuctionStatus": lambda _body: self._deploy_auction(),
            "spotPairDeployAuctionStatus": lambda _body: self._deploy_auction(),
            "spotDeployState": self._spot_deploy,
        }

    def _account(self, body: dict[str, Any]) -> Account:
        return self._states.find(read_user(body))

    def _vaults(self) -> list[tuple[Account, VaultBook]]:
        return [
            (account, account.vault or VaultBook())
            for account in self._venue.accounts.values()
            if account.role == "vault"
        ]

    def value(self, vault: Account) -> int:
        """Return what a vault is worth to its depositors."""
        return max(0, self._venue.margin.total_value(vault))

    def led_by(self, leader: str) -> list[dict[str, Any]]:
        """Return the vaults of a leader."""
        return [{"address": vault.address, "name": vault.name} for vault, _ in self._vaults() if vault.master == leader]

    def _summaries(self) -> list[dict[str, Any]]:
        now = self._venue.time_ms()
        return [
            {
                "name": vault.name,
                "vaultAddress": vault.address,
                "leader": vault.master,
                "tvl": usd(self.value(vault)),
                "isClosed": False,
                "relationship": {"type": "normal"},
                "createTimeMillis": vault.opened_ms,
            }
            for vault, _ in self._vaults()
            if vault.opened_ms > now - YOUNG_VAULT_MS
        ]

    def _vault_details(self, body: dict[str, Any]) -> Any:
        vault = self._states.find(read_user(body, "vaultAddress"))
        if vault.role != "vault":
            return None
        book = vault.vault or VaultBook()
        user = read_user(body) if body.get("user") is not None else None
        followers = [self._follower(vault, book, address) for address in book.shares]
        value = self.value(vault)
        leader_part = book.equity(vault.master or "", value) if book.units else value
        return {
            "name": vault.name,
            "vaultAddress": vault.address,
            "leader": vault.master,
            "description": book.description,
            "portfolio": self._history.portfolio(vault),
            "apr": 0.0,
            "followerState": next((row for row in followers if row["user"] == user), None),
            "leaderFraction": ratio(leader_part, value) / 10**8,
            "leaderCommission": COMMISSION_PERCENT / 100,
            "followers": followers,
            "maxDistributable": usd(self._venue.margin.withdrawable(vault, "")),
            "maxWithdrawable": usd(self._venue.margin.withdrawable(vault, "")),
            "isClosed": False,
            "relationship": {"type": "normal"},
            "allowDeposits": book.allow_deposits,
            "alwaysCloseOnWithdraw": book.always_close_on_withdraw,
        }

    def _follower(self, vault: Account, book: VaultBook, address: str) -> dict[str, Any]:
        share = book.shares[address]
        equity = book.equity(address, self.value(vault))
        return {
            "user": address,
            "vaultEquity": usd(equity),
            "pnl": usd(equity - share.basis),
            "allTimePnl": usd(equity - share.basis),
            "daysFollowing": (self._venue.time_ms() - share.entered_ms) // DAY_MS,
            "vaultEntryTime": share.entered_ms,
            "lockupUntil": share.locked_until_ms,
        }

    def _vault_equities(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        address = read_user(body)
        return [
            {
                "vaultAddress": vault.address,
                "equity": usd(book.equity(address, self.value(vault))),
                "lockedUntilTimestamp": book.shares[address].locked_until_ms,
            }
            for vault, book in self._vaults()
            if address in book.shares
        ]

    def total_vault_equity(self, address: str) -> int:
        """Return all that an address holds in vaults."""
        return sum(book.equity(address, self.value(vault)) for vault, book in self._vaults())

    def _delegations(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"validator": validator, "amount": wire(held.amount), "lockedUntilTimestamp": held.locked_until_ms}
            for validator, held in self._account(body).stake.delegations.items()
        ]

    def _stake_summary(self, body: dict[str, Any]) -> dict[str, Any]:
        stake = self._account(body).stake
        return {
            "delegated": wire(stake.delegated),
            "undelegated": wire(stake.undelegated),
            "totalPendingWithdrawal": wire(sum(amount for amount, _ in stake.pending)),
            "nPendingWithdrawals": len(stake.pending),
        }

    @staticmethod
    def _rewards(_address: str) -> list[dict[str, Any]]:
        """Return nothing: validators pay no rewards here."""
        return []

    def _loans(self, body: dict[str, Any]) -> dict[str, Any]:
        loans = self._account(body).loans
        tokens = sorted({**loans.supplied, **loans.borrowed})
        sides = [
            [
                token,
                {
                    "borrow": dict.fromkeys(("basis", "value"), wire(loans.borrowed.get(token, 0))),
                    "supply": dict.fromkeys(("basis", "value"), wire(loans.supplied.get(token, 0))),
                },
            ]
            for token in tokens
        ]
        return {"tokenToState": sides, "health": "healthy", "healthFactor": None}

    def _reserve(self, body: dict[str, Any]) -> dict[str, Any]:
        token = read_int(body, "token")
        if token not in self._venue.universe.tokens:
            raise BadRequestError
        accounts = self._venue.accounts.values()
        supplied = sum(account.loans.supplied.get(token, 0) for account in accounts)
        borrowed = sum(account.loans.borrowed.get(token, 0) for account in accounts)
        return {
            "borrowYearlyRate": "0.0",
            "supplyYearlyRate": "0.0",
            "balance": wire(max(0, supplied - borrowed)),
            "utilization": wire(ratio(borrowed, supplied)),
            "oraclePx": "1.0" if token == 0 else self._states.token_price(token),
            "ltv": wire(LOAN_TO_VALUE),
            "totalSupplied": wire(supplied),
            "totalBorrowed": wire(borrowed),
        }

    def _deploy_auction(self) -> dict[str, Any]:
        now_s = self._venue.time_ms() // 1_000
        return {
            "startTimeSeconds": now_s // AUCTION_S * AUCTION_S,
            "durationSeconds": AUCTION_S,
            "startGas": "500.0",
            "currentGas": "500.0",
            "endGas": None,
        }

    def _spot_deploy(self, body: dict[str, Any]) -> dict[str, Any]:
        read_user(body)
        return {"states": [], "gasAuction": self._deploy_auction()}
