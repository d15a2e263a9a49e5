"""Lending: tokens supplied to the venue's pool, and borrowed against them."""

from __future__ import annotations

from hlfast.sim import actions as act
from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Origin, RefusedError
from hlfast.sim.numbers import try_parse, wire
from hlfast.sim.purse import Purse
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Handlers

LOAN_TO_VALUE_PERCENT = 50


class Lending:
    """`borrowLend`. Interest doesn't accrue; the pool is the venue's own money."""

    def __init__(self, venue: Venue, purse: Purse) -> None:
        self._venue = venue
        self._purse = purse

    def handlers(self) -> Handlers:
        """Return the method of the action."""
        return {act.BorrowLendAction: self._borrow_lend}

    def _borrow_lend(self, action: act.BorrowLendAction, origin: Origin, block: Block) -> None:
        account = origin.account
        if action.token not in self._venue.universe.tokens:
            raise RefusedError("Invalid token.")
        amount = self._amount(account, action)
        method = {
            "supply": self._supply,
            "withdraw": self._withdraw,
            "borrow": self._borrow,
            "repay": self._repay,
        }[action.operation]
        method(account, action.token, amount)
        delta: dict[str, object] = {
            "type": "borrowLend",
            "token": self._purse.token_name(action.token),
            "operation": action.operation,
            "amount": wire(amount),
            "interestAmount": "0.0",
        }
        self._purse.log((account,), delta, block)

    @staticmethod
    def _amount(account: Account, action: act.BorrowLendAction) -> int:
        loans, token = account.loans, action.token
        whole = {
            "supply": account.spot.get(token, 0) - loans.supplied.get(token, 0),
            "withdraw": loans.supplied.get(token, 0),
            "repay": min(loans.borrowed.get(token, 0), account.spot.get(token, 0)),
            "borrow": 0,
        }[action.operation]
        amount = whole if action.amount is None else try_parse(action.amount)
        if amount is None or amount <= 0:
            raise RefusedError("Invalid amount.")
        return amount

    def _supply(self, account: Account, token: int, amount: int) -> None:
        self._purse.take_spot(account, token, amount)
        self._purse.give_spot(account, token, amount)
        account.loans.supplied[token] = account.loans.supplied.get(token, 0) + amount

    def _withdraw(self, account: Account, token: int, amount: int) -> None:
        supplied = account.loans.supplied.get(token, 0)
        if amount > supplied:
            raise RefusedError("Insufficient supplied balance.")
        account.loans.supplied[token] = supplied - amount
        if self._owes(account) > self._limit(account):
            account.loans.supplied[token] = supplied
            raise RefusedError("Insufficient collateral.")

    def _borrow(self, account: Account, token: int, amount: int) -> None:
        if self._owes(account) + self._purse.usdc_value(token, amount) > self._limit(account):
            raise RefusedError("Insufficient collateral.")
        account.loans.borrowed[token] = account.loans.borrowed.get(token, 0) + amount
        self._purse.give_spot(account, token, amount)
        self._purse.burn(token, -amount)

    def _repay(self, account: Account, token: int, amount: int) -> None:
        owed = account.loans.borrowed.get(token, 0)
        if amount > owed:
            raise RefusedError("Invalid amount.")
        self._purse.take_spot(account, token, amount)
        self._purse.burn(token, amount)
        account.loans.borrowed[token] = owed - amount

    def _owes(self, account: Account) -> int:
        return sum(self._purse.usdc_value(token, owed) for token, owed in account.loans.borrowed.items())

    def _limit(self, account: Account) -> int:
        value = sum(self._purse.usdc_value(token, held) for token, held in account.loans.supplied.items())
        return value * LOAN_TO_VALUE_PERCENT // 100
