"""Money on the move: between users, between spot and perps, to and from sub-accounts, and out of the venue."""

from __future__ import annotations

import hashlib

from hlfast.sim import actions as act
from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Origin, RefusedError
from hlfast.sim.numbers import SCALE, usd, wire
from hlfast.sim.purse import MICRO, Purse
from hlfast.sim.universe import USDC
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Handlers, Response

SUB_ACCOUNT_VOLUME = 100_000 * SCALE
WITHDRAW_FEE = SCALE


class Transfers:
    """One method an action; each raises `RefusedError` with the venue's words."""

    def __init__(self, venue: Venue, purse: Purse) -> None:
        self._venue = venue
        self._purse = purse

    def handlers(self) -> Handlers:
        """Return the method of each action."""
        return {
            act.UsdSendAction: self._usd_send,
            act.SpotSendAction: self._spot_send,
            act.WithdrawAction: self._withdraw,
            act.UsdClassTransferAction: self._class_transfer,
            act.SendAssetAction: self._send_asset,
            act.AgentSendAssetAction: self._agent_send_asset,
            act.CreateSubAccountAction: self._create_sub_account,
            act.SubAccountModifyAction: self._rename_sub_account,
            act.SubAccountTransferAction: self._sub_account_transfer,
            act.SubAccountSpotTransferAction: self._sub_account_spot,
        }

    def _usd_send(self, action: act.UsdSendAction, origin: Origin, block: Block) -> None:
        account, purse = origin.account, self._purse
        amount = purse.amount(action.amount)
        target = purse.recipient(action.destination)
        purse.take_perp(account, amount)
        purse.give_perp(target, amount)
        delta: dict[str, object] = {
            "type": "internalTransfer",
            "usdc": usd(amount),
            "user": account.address,
            "destination": target.address,
            "fee": "0.0",
        }
        purse.log((account, target), delta, block)

    def _move_spot(self, source: Account, target: Account, token: int, amount: int, block: Block) -> None:
        purse = self._purse
        purse.take_spot(source, token, amount)
        purse.give_spot(target, token, amount)
        delta: dict[str, object] = {
            "type": "spotTransfer",
            "token": purse.token_name(token),
            "amount": wire(amount),
            "usdcValue": usd(purse.usdc_value(token, amount)),
            "user": source.address,
            "destination": target.address,
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": None,
            "feeToken": "",
        }
        purse.log((source, target), delta, block)

    def _spot_send(self, action: act.SpotSendAction, origin: Origin, block: Block) -> None:
        amount, token = self._purse.amount(action.amount), self._purse.token(action.token)
        self._move_spot(origin.account, self._purse.recipient(action.destination), token, amount, block)

    def _withdraw(self, action: act.WithdrawAction, origin: Origin, block: Block) -> None:
        account, purse = origin.account, self._purse
        amount = purse.amount(action.amount)
        if amount <= WITHDRAW_FEE:
            raise RefusedError("Insufficient balance for withdrawal.")
        purse.take_perp(account, amount)
        account.deposits -= amount - WITHDRAW_FEE
        self._venue.audit.bring(USDC, WITHDRAW_FEE - amount)
        purse.burn(USDC, WITHDRAW_FEE)
        delta: dict[str, object] = {"type": "withdraw", "usdc": usd(amount), "nonce": action.time, "fee": "1.0"}
        purse.log((account,), delta, block)

    def _class_transfer(self, action: act.UsdClassTransferAction, origin: Origin, block: Block) -> None:
        account, purse = origin.account, self._purse
        text, _, sub = action.amount.partition(" subaccount:")
        amount = purse.amount(text)
        if sub:
            account = self._own(account, sub)
        if account.is_unified and self._venue.settings.unified_transfers == "refuse":
            raise RefusedError("Action disabled when unified account is active")  # words not confirmed
        if action.to_perp:
            purse.take_spot(account, USDC, amount)
            purse.give_perp(account, amount)
        else:
            purse.take_perp(account, amount)
            purse.give_spot(account, USDC, amount)
        delta: dict[str, object] = {"type": "accountClassTransfer", "usdc": usd(amount), "toPerp": action.to_perp}
        purse.log((account,), delta, block)

    def _own(self, account: Account, sub: str) -> Account:
        if sub.lower() not in account.sub_accounts:
            raise RefusedError(f"Vault not registered: {sub.lower()}")
        return self._venue.account(sub.lower())

    def _send_asset(self, action: act.SendAssetAction | act.AgentSendAssetAction, origin: Origin, block: Block) -> None:
        purse = self._purse
        amount, token = purse.amount(action.amount), purse.token(action.token)
        source = origin.account
        if action.from_sub_account:
            source = self._own(source, action.from_sub_account)
        for dex in (action.source_dex, action.destination_dex):
            known = self._venue.universe.meta.get(dex)
            if dex != "spot" and (known is None or known["collateralToken"] != token):
                raise RefusedError("Invalid dex or token for transfer.")
        target = purse.recipient(action.destination)
        if action.source_dex == "spot":
            purse.take_spot(source, token, amount)
        else:
            purse.take_perp(source, amount, action.source_dex)
        if action.destination_dex == "spot":
            purse.give_spot(target, token, amount)
        else:
            purse.give_perp(target, amount, action.destination_dex)
        delta: dict[str, object] = {
            "type": "send",
            "user": source.address,
            "destination": target.address,
            "sourceDex": action.source_dex,
            "destinationDex": action.destination_dex,
            "token": purse.token_name(token),
            "amount": wire(amount),
            "usdcValue": usd(purse.usdc_value(token, amount)),
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": action.nonce,
            "feeToken": "",
        }
        purse.log((source, target), delta, block)

    def _agent_send_asset(self, action: act.AgentSendAssetAction, origin: Origin, block: Block) -> None:
        account = origin.account
        if action.destination != account.address and action.destination not in account.sub_accounts:
            raise RefusedError("Agent can only send asset to same user or their sub-accounts.")
        self._send_asset(action, origin, block)

    def _create_sub_account(self, action: act.CreateSubAccountAction, origin: Origin, block: Block) -> Response:
        account = origin.account
        if self._venue.settings.volume_gates and account.volume < SUB_ACCOUNT_VOLUME:
            raise RefusedError(
                "Cannot create sub-accounts until enough volume traded. "
                f"Required: $100000. Traded: ${usd(account.volume)}."
            )
        if not 1 <= len(action.name) <= 16:
            raise RefusedError("Invalid sub-account name.")
        seed = f"{account.address}/{len(account.sub_accounts)}".encode()
        address = "0x" + hashlib.sha256(seed).hexdigest()[:40]
        sub = self._venue.account(address)
        sub.role, sub.master, sub.name, sub.deposited = "subAccount", account.address, action.name, True
        sub.opened_ms = block.time_ms
        account.sub_accounts.append(address)
        return {"type": "createSubAccount", "data": address}

    def _sub_of(self, account: Account, address: str) -> Account:
        if address not in account.sub_accounts:
            raise RefusedError(f"Invalid sub-account transfer from {account.address} to {address}")
        return self._venue.account(address)

    def _rename_sub_account(self, action: act.SubAccountModifyAction, origin: Origin, _block: Block) -> None:
        if not 1 <= len(action.name) <= 16:
            raise RefusedError("Invalid sub-account name.")
        self._sub_of(origin.account, action.sub_account_user).name = action.name

    def _sub_account_transfer(self, action: act.SubAccountTransferAction, origin: Origin, block: Block) -> None:
        account = origin.account
        sub = self._sub_of(account, action.sub_account_user)
        source, target = (account, sub) if action.is_deposit else (sub, account)
        amount = action.usd * MICRO
        self._purse.take_perp(source, amount)
        self._purse.give_perp(target, amount)
        delta: dict[str, object] = {
            "type": "subAccountTransfer",
            "usdc": usd(amount),
            "user": source.address,
            "destination": target.address,
        }
        self._purse.log((account, sub), delta, block)

    def _sub_account_spot(self, action: act.SubAccountSpotTransferAction, origin: Origin, block: Block) -> None:
        sub = self._sub_of(origin.account, action.sub_account_user)
        source, target = (origin.account, sub) if action.is_deposit else (sub, origin.account)
        amount, token = self._purse.amount(action.amount), self._purse.token(action.token)
        self._move_spot(source, target, token, amount, block)
