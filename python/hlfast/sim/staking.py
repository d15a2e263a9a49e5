"""Staking: HYPE from spot into a stake, to validators and back."""

from __future__ import annotations

from hlfast.sim import actions as act
from hlfast.sim.account_kinds import Delegation
from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Origin, RefusedError
from hlfast.sim.numbers import wire
from hlfast.sim.purse import HYPE, Purse
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Handlers


class Staking:
    """One method an action; each raises `RefusedError` with the venue's words."""

    def __init__(self, venue: Venue, purse: Purse) -> None:
        self._venue = venue
        self._purse = purse

    def handlers(self) -> Handlers:
        """Return the method of each action."""
        return {
            act.CDepositAction: self._deposit,
            act.CWithdrawAction: self._withdraw,
            act.TokenDelegateAction: self._delegate,
        }

    def _note(self, account: Account, delta: dict[str, object], block: Block) -> None:
        row = {"time": block.time_ms, "hash": self._venue.system_hash(), "delta": delta}
        account.stake.history.append(row)

    def _ledger(self, account: Account, amount: int, block: Block, *, is_deposit: bool) -> None:
        delta: dict[str, object] = {
            "type": "cStakingTransfer",
            "token": HYPE,
            "amount": wire(amount),
            "isDeposit": is_deposit,
        }
        self._purse.log((account,), delta, block)

    def _deposit(self, action: act.CDepositAction, origin: Origin, block: Block) -> None:
        account = origin.account
        self._purse.take_spot(account, self._purse.token(HYPE), action.wei)
        account.stake.undelegated += action.wei
        self._note(account, {"cDeposit": {"amount": wire(action.wei)}}, block)
        self._ledger(account, action.wei, block, is_deposit=True)

    def _withdraw(self, action: act.CWithdrawAction, origin: Origin, block: Block) -> None:
        stake = origin.account.stake
        if not 0 < action.wei <= stake.undelegated:
            raise RefusedError("Insufficient staking balance.")
        stake.undelegated -= action.wei
        stake.pending.append((action.wei, block.time_ms + self._venue.settings.unstake_s * 1_000))
        delta: dict[str, object] = {"withdrawal": {"amount": wire(action.wei), "phase": "initiated"}}
        self._note(origin.account, delta, block)
        self._ledger(origin.account, action.wei, block, is_deposit=False)

    def _delegate(self, action: act.TokenDelegateAction, origin: Origin, block: Block) -> None:
        stake, validator = origin.account.stake, action.validator.lower()
        held = stake.delegations.get(validator)
        if action.is_undelegate:
            if held is None or not 0 < action.wei <= held.amount:
                raise RefusedError("Insufficient delegation to undelegate.")
            if block.time_ms < held.locked_until_ms:
                raise RefusedError("Delegation is still locked.")
            held.amount -= action.wei
            stake.undelegated += action.wei
            if held.amount == 0:
                del stake.delegations[validator]
        else:
            if not 0 < action.wei <= stake.undelegated:
                raise RefusedError("Insufficient staking balance.")
            held = held or stake.delegations.setdefault(validator, Delegation())
            held.amount += action.wei
            held.locked_until_ms = block.time_ms + self._venue.settings.delegation_lock_s * 1_000
            stake.undelegated -= action.wei
        moved = {"validator": validator, "amount": wire(action.wei), "isUndelegate": action.is_undelegate}
        self._note(origin.account, {"delegate": moved}, block)

    def run_due(self, block: Block) -> None:
        """Bring back to spot what has waited long enough."""
        for account in self._venue.accounts.values():
            stake = account.stake
            if not stake.pending or stake.pending[0][1] > block.time_ms:
                continue
            token = self._purse.token(HYPE)
            for amount, due_ms in stake.pending:
                if due_ms <= block.time_ms:
                    self._purse.give_spot(account, token, amount)
                    delta: dict[str, object] = {"withdrawal": {"amount": wire(amount), "phase": "finalized"}}
                    self._note(account, delta, block)
            stake.pending = [entry for entry in stake.pending if entry[1] > block.time_ms]
