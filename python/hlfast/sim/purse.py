"""Taking and giving money outside of trades, in the venue's words when there isn't enough."""

from __future__ import annotations

import re

from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.entry import RefusedError
from hlfast.sim.numbers import times, try_parse
from hlfast.sim.universe import USDC
from hlfast.sim.venue import Venue

MICRO = 100  # one unit of `ntli` and `usd` (1e-6 USDC) in counts of 1e-8
HYPE = "HYPE"
_ADDRESS = re.compile("0x[0-9a-f]{40}")


class Purse:
    """Shared by every action that moves money; amounts are counts of 1e-8."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def take_perp(self, account: Account, amount: int, dex: str = "") -> None:
        """Take perp collateral that no position needs.

        Raises:
            RefusedError: not above zero, or more than may leave.
        """
        if amount <= 0 or self._venue.margin.withdrawable(account, dex) < amount:
            raise RefusedError("Insufficient balance for withdrawal.")
        self.give_perp(account, -amount, dex)

    def give_perp(self, account: Account, amount: int, dex: str = "") -> None:
        """Add perp collateral."""
        account.settle(dex, self._venue.margin.collateral[dex], amount)

    def take_spot(self, account: Account, token: int, amount: int) -> None:
        """Take a spot balance that no order holds and no loan keeps.

        Raises:
            RefusedError: not above zero, or more than is free.
        """
        free = self._venue.margin.removable(account, token) - account.loans.supplied.get(token, 0)
        if amount <= 0 or free < amount:
            raise RefusedError("Insufficient balance for token transfer.")
        account.spot[token] -= amount

    @staticmethod
    def give_spot(account: Account, token: int, amount: int) -> None:
        """Add to a spot balance."""
        account.spot[token] = account.spot.get(token, 0) + amount

    def burn(self, token: int, amount: int) -> None:
        """Book what the venue keeps or burns, so that no money is lost from sight."""
        self._venue.fees[token] = self._venue.fees.get(token, 0) + amount

    @staticmethod
    def amount(text: str) -> int:
        """Read an amount of a request.

        Raises:
            RefusedError: no positive decimal.
        """
        value = try_parse(text)
        if value is None or value <= 0:
            raise RefusedError("Invalid amount.")
        return value

    def token(self, text: str) -> int:
        """Return the index of `NAME` or `NAME:0xid`.

        Raises:
            RefusedError: no such token.
        """
        name, _, token_id = text.partition(":")
        for index, row in self._venue.universe.tokens.items():
            if row["name"] == name and token_id in ("", row["tokenId"]):
                return index
        raise RefusedError("Invalid token.")

    def token_name(self, token: int) -> str:
        """Return a token's name."""
        return str(self._venue.universe.tokens[token]["name"])

    def usdc_value(self, token: int, amount: int) -> int:
        """Return what a token is worth in USDC at its pair's mark; zero without a pair."""
        if token == USDC:
            return amount
        for asset in self._venue.universe.by_dex["spot"]:
            if asset.base_token == token and asset.quote_token == USDC:
                return times(self._venue.mark(asset), amount)
        return 0

    def recipient(self, address: str) -> Account:
        """Return the account that is sent to; being sent to opens it.

        Raises:
            RefusedError: no address.
        """
        lowered = address.lower()
        if not _ADDRESS.fullmatch(lowered):
            raise RefusedError("Invalid destination.")
        account = self._venue.account(lowered)
        account.deposited = True
        return account

    def log(self, parties: tuple[Account, ...], delta: dict[str, object], block: Block) -> None:
        """Write one ledger row to each party, once."""
        for party in {account.address: account for account in parties}.values():
            self._venue.log_ledger(party, delta, block)
