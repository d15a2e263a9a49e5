"""Vaults: opened by a leader, shared by depositors in units of their equity, lead under their own address."""

from __future__ import annotations

import hashlib

from hlfast.sim import actions as act
from hlfast.sim.account_kinds import VaultBook, VaultShare
from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Origin, RefusedError
from hlfast.sim.numbers import SCALE, usd
from hlfast.sim.purse import MICRO, Purse
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Handlers, Response

MINIMUM_OPENING = 100 * SCALE
COMMISSION_PERCENT = 10  # of a depositor's profit, to the leader


class Vaults:
    """One method an action; each raises `RefusedError` with the venue's words."""

    def __init__(self, venue: Venue, purse: Purse) -> None:
        self._venue = venue
        self._purse = purse

    def handlers(self) -> Handlers:
        """Return the method of each action."""
        return {
            act.CreateVaultAction: self._create,
            act.VaultModifyAction: self._modify,
            act.VaultTransferAction: self._transfer,
            act.VaultDistributeAction: self._distribute,
        }

    def _vault(self, address: str) -> tuple[Account, VaultBook]:
        vault = self._venue.accounts.get(address)
        if vault is None or vault.role != "vault":
            raise RefusedError(f"Vault not registered: {address}")
        if vault.vault is None:
            vault.vault = VaultBook()
        return vault, vault.vault

    def _led(self, address: str, leader: Account) -> tuple[Account, VaultBook]:
        vault, book = self._vault(address)
        if vault.master != leader.address:
            raise RefusedError(f"Vault not registered: {address}")
        return vault, book

    def _create(self, action: act.CreateVaultAction, origin: Origin, block: Block) -> Response:
        leader = origin.account
        amount = action.initial_usd * MICRO
        if amount < MINIMUM_OPENING:
            raise RefusedError("Initial deposit must be at least 100 USDC.")
        if not 3 <= len(action.name) <= 50 or not 10 <= len(action.description) <= 250:
            raise RefusedError("Invalid vault name or description.")
        led = sum(1 for one in self._venue.accounts.values() if one.role == "vault" and one.master == leader.address)
        address = "0x" + hashlib.sha256(f"{leader.address}/vault/{led}".encode()).hexdigest()[:40]
        self._purse.take_perp(leader, amount)
        vault = self._venue.account(address)
        vault.role, vault.master, vault.name, vault.deposited = "vault", leader.address, action.name, True
        vault.opened_ms = block.time_ms
        vault.vault = VaultBook(action.description, block.time_ms)
        vault.vault.shares[leader.address] = VaultShare(amount, amount, block.time_ms, block.time_ms)
        self._purse.give_perp(vault, amount)
        delta: dict[str, object] = {"type": "vaultCreate", "vault": address, "usdc": usd(amount), "fee": "0.0"}
        self._purse.log((leader, vault), delta, block)
        return {"type": "createVault", "data": address}

    def _modify(self, action: act.VaultModifyAction, origin: Origin, _block: Block) -> None:
        _, book = self._led(action.vault_address, origin.account)
        if action.allow_deposits is not None:
            book.allow_deposits = action.allow_deposits
        if action.always_close_on_withdraw is not None:
            book.always_close_on_withdraw = action.always_close_on_withdraw

    def _transfer(self, action: act.VaultTransferAction, origin: Origin, block: Block) -> None:
        vault, book = self._vault(action.vault_address)
        amount = action.usd * MICRO
        if action.is_deposit:
            self._deposit(vault, book, origin.account, amount, block)
        else:
            self._withdraw(vault, book, origin.account, amount, block)

    def _deposit(self, vault: Account, book: VaultBook, account: Account, amount: int, block: Block) -> None:
        if not book.allow_deposits and account.address != vault.master:
            raise RefusedError("Vault deposits are disabled.")
        value = max(0, self._venue.margin.total_value(vault))
        self._purse.take_perp(account, amount)
        self._purse.give_perp(vault, amount)
        if value and not book.units and vault.master is not None:
            # What was there before anybody deposited is the leader's.
            book.shares[vault.master] = VaultShare(value, value, block.time_ms, block.time_ms)
        units = amount * book.units // value if value and book.units else amount
        share = book.shares.setdefault(account.address, VaultShare(entered_ms=block.time_ms))
        share.units += units
        share.basis += amount
        share.locked_until_ms = block.time_ms + self._venue.settings.vault_lock_s * 1_000
        delta: dict[str, object] = {"type": "vaultDeposit", "vault": vault.address, "usdc": usd(amount)}
        self._purse.log((account, vault), delta, block)

    def _withdraw(self, vault: Account, book: VaultBook, account: Account, amount: int, block: Block) -> None:
        value = max(0, self._venue.margin.total_value(vault))
        equity = book.equity(account.address, value)
        share = book.shares.get(account.address)
        if share is None or not 0 < amount <= equity:
            raise RefusedError("Insufficient vault equity.")
        if block.time_ms < share.locked_until_ms and account.address != vault.master:
            raise RefusedError("Cannot withdraw from the vault during the lockup period.")
        self._purse.take_perp(vault, amount)
        basis = share.basis * amount // equity
        profit = max(0, amount - basis)
        commission = 0 if account.address == vault.master else profit * COMMISSION_PERCENT // 100
        share.units -= -(-share.units * amount // equity)
        share.basis -= basis
        if share.units == 0:
            del book.shares[account.address]
        self._purse.give_perp(account, amount - commission)
        delta: dict[str, object] = {
            "type": "vaultWithdraw",
            "vault": vault.address,
            "user": account.address,
            "requestedUsd": usd(amount),
            "commission": usd(commission),
            "closingCost": "0.0",
            "basis": usd(basis),
            "netWithdrawnUsd": usd(amount - commission),
        }
        self._purse.log((account, vault), delta, block)
        if commission and vault.master is not None:
            leader = self._venue.account(vault.master)
            self._purse.give_perp(leader, commission)
            earned: dict[str, object] = {
                "type": "vaultLeaderCommission",
                "user": account.address,
                "usdc": usd(commission),
            }
            self._purse.log((leader,), earned, block)

    def _distribute(self, action: act.VaultDistributeAction, origin: Origin, block: Block) -> None:
        vault, book = self._led(action.vault_address, origin.account)
        amount = action.usd * MICRO
        units = book.units
        if not units:
            raise RefusedError("Insufficient vault equity.")
        self._purse.take_perp(vault, amount)
        left = amount
        for address, share in book.shares.items():
            part = amount * share.units // units
            left -= part
            account = self._venue.account(address)
            self._purse.give_perp(account, part)
            delta: dict[str, object] = {"type": "vaultDistribution", "vault": vault.address, "usdc": usd(part)}
            self._purse.log((account,), delta, block)
        self._purse.give_perp(vault, left)
