"""Actions that trade nothing: leverage, margin, agents, sub-accounts, vaults and transfers."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from hlfast.sim import actions as act
from hlfast.sim.accounts import Account, Leverage
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Origin, RefusedError
from hlfast.sim.numbers import SCALE, times, try_parse, usd, wire
from hlfast.sim.universe import USDC
from hlfast.sim.venue import Venue

MICRO = 100  # one unit of `ntli` and `usd` (1e-6 USDC) in counts of 1e-8
MAX_NAMED_AGENTS = 3
MAX_AGENT_LIFE_MS = 180 * 86_400_000
SUB_ACCOUNT_VOLUME = 100_000 * SCALE
SCHEDULE_VOLUME = 1_000_000 * SCALE
REQUEST_PRICE = SCALE // 2_000  # 0.0005 USDC
WITHDRAW_FEE = SCALE
ABSTRACTIONS = {"i": "disabled", "u": "unifiedAccount", "p": "portfolioMargin"}
Answer = dict[str, Any]


class Transfers:
    """One method an action; each raises `RefusedError` with the venue's words."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._handlers: dict[type[Any], Any] = {
            act.UpdateLeverageAction: self._leverage,
            act.UpdateIsolatedMarginAction: self._isolated_margin,
            act.ScheduleCancelAction: self._schedule_cancel,
            act.ApproveAgentAction: self._approve_agent,
            act.ApproveBuilderFeeAction: self._approve_builder,
            act.UserSetAbstractionAction: self._set_abstraction,
            act.UserDexAbstractionAction: self._accept,
            act.AgentSetAbstractionAction: self._agent_abstraction,
            act.AgentEnableDexAbstractionAction: self._accept,
            act.SetReferrerAction: self._set_referrer,
            act.EvmUserModifyAction: self._accept,
            act.SetDisplayNameAction: self._accept,
            act.ReserveRequestWeightAction: self._reserve,
            act.UsdSendAction: self._usd_send,
            act.SpotSendAction: self._spot_send,
            act.WithdrawAction: self._withdraw,
            act.UsdClassTransferAction: self._class_transfer,
            act.SendAssetAction: self._send_asset,
            act.VaultTransferAction: self._vault_transfer,
            act.CreateSubAccountAction: self._create_sub_account,
            act.SubAccountModifyAction: self._rename_sub_account,
            act.SubAccountTransferAction: self._sub_account_transfer,
            act.SubAccountSpotTransferAction: self._sub_account_spot,
        }

    _fund_moving = (
        act.VaultTransferAction,
        act.CreateSubAccountAction,
        act.SubAccountTransferAction,
        act.SubAccountSpotTransferAction,
        act.ReserveRequestWeightAction,
    )

    def carry_out(self, action: act.AnyAction, origin: Origin, block: Block) -> Answer | None:
        """Let an action happen; None stands for the plain `default` answer.

        Raises:
            RefusedError: in the venue's words, or by name when this venue doesn't support the action.
        """
        is_agent = origin.signer in self._venue.agents
        if is_agent and isinstance(action, self._fund_moving) and not self._venue.settings.agents_move_funds:
            raise RefusedError(f"Must deposit before performing actions. User: {origin.signer}")
        handler = self._handlers.get(type(action))
        if handler is None:
            raise RefusedError(f"{act.tag_of(action)} is not supported by this simulator.")
        answer: Answer | None = handler(action, origin.account, block)
        return answer

    def _accept(self, _action: Any, _account: Account, _block: Block) -> None:
        """Actions whose effect nothing in this venue reads."""

    def _leverage(self, action: act.UpdateLeverageAction, account: Account, _block: Block) -> None:
        asset = self._venue.universe.by_id.get(action.asset)
        if asset is None or asset.is_spot or not 1 <= action.leverage <= asset.max_leverage:
            raise RefusedError("Invalid leverage value")
        if action.is_cross and asset.isolated_only:
            raise RefusedError("Cross margin is not allowed for this asset.")
        held = account.positions.get(asset.asset_id)
        before = account.leverage(asset)
        if held is not None:
            if (held.isolated is None) != action.is_cross:
                raise RefusedError("Cannot switch leverage type with open position.")
            self._check_lower(account, asset.asset_id, before.value, action.leverage)
        account.leverages[asset.asset_id] = Leverage(action.is_cross, action.leverage)

    def _check_lower(self, account: Account, asset_id: int, before: int, after: int) -> None:
        if after >= before:
            return
        asset = self._venue.universe.by_id[asset_id]
        held = account.positions[asset_id]
        notional = times(self._venue.mark(asset), abs(held.size))
        more = notional // after - notional // before
        margin = self._venue.margin
        if held.isolated is None:
            if margin.free(account, asset.dex) < more:
                raise RefusedError("Cross position does not have sufficient margin available to decrease leverage.")
            return
        moved = min(more, max(0, margin.free(account, asset.dex)))
        if moved < more:
            raise RefusedError("Isolated position does not have sufficient margin available to decrease leverage.")
        held.isolated += moved
        account.raw[asset.dex] -= moved

    def _isolated_margin(self, action: act.UpdateIsolatedMarginAction, account: Account, _block: Block) -> None:
        asset = self._venue.universe.by_id.get(action.asset)
        held = account.positions.get(action.asset)
        if asset is None or held is None or held.isolated is None:
            raise RefusedError("Position does not use isolated margin.")
        amount = action.ntli * MICRO
        value = held.isolated + times(self._venue.mark(asset), held.size)
        initial = times(self._venue.mark(asset), abs(held.size)) // account.leverage(asset).value
        if amount > self._venue.margin.free(account, asset.dex) or value + amount < initial:
            raise RefusedError("Insufficient margin to place order.")
        held.isolated += amount
        account.raw[asset.dex] = account.raw.get(asset.dex, 0) - amount

    def _schedule_cancel(self, action: act.ScheduleCancelAction, account: Account, block: Block) -> None:
        if self._venue.settings.volume_gates and account.volume < SCHEDULE_VOLUME:
            raise RefusedError(
                "Cannot set scheduled cancel time until enough volume traded. "
                f"Required: $1000000. Traded: ${usd(account.volume)}"
            )
        if action.time is not None and action.time < block.time_ms + 5_000:
            raise RefusedError("Scheduled cancel time too early, must be at least 5 seconds from now.")
        account.cancel_all_ms = action.time

    def _approve_agent(self, action: act.ApproveAgentAction, account: Account, block: Block) -> None:
        agent = action.agent_address.lower()
        name, _, suffix = (action.agent_name or "").partition(" valid_until ")
        valid_until = int(suffix) if re.fullmatch("[0-9]{1,15}", suffix) else None
        if valid_until is not None and valid_until <= block.time_ms:
            raise RefusedError("Agent valid_until already expired.")
        if len(name) > 16 or (valid_until or 0) > block.time_ms + MAX_AGENT_LIFE_MS:
            raise RefusedError("Invalid agent name or valid_until.")
        owner = self._venue.agents.get(agent)
        if (owner is not None and owner[0] is not account) or agent in self._venue.accounts:
            raise RefusedError("Extra agent already used.")
        named = [known for known in account.agents.values() if known.name and known.name != name]
        limit = MAX_NAMED_AGENTS + 2 * len(account.sub_accounts)
        if name and int(agent, 16) and len(named) >= limit:
            raise RefusedError(f"Too many extra agents for cumulative volume traded. Current limit is {limit}")
        self._venue.approve(account, agent, name, valid_until)

    def _approve_builder(self, action: act.ApproveBuilderFeeAction, account: Account, _block: Block) -> None:
        percent = try_parse(action.max_fee_rate.removesuffix("%"))
        if percent is None or not action.max_fee_rate.endswith("%") or not 0 <= percent <= SCALE:
            raise RefusedError("Invalid builder fee rate.")
        # One tenth of a basis point is 0.001 %.
        account.builder_fees[action.builder.lower()] = percent * 1_000 // SCALE

    def _set_abstraction(self, action: act.UserSetAbstractionAction, account: Account, _block: Block) -> None:
        if action.user.lower() != account.address and action.user.lower() not in account.sub_accounts:
            raise RefusedError(f"Must deposit before performing actions. User: {action.user.lower()}")
        self._venue.account(action.user.lower()).abstraction = action.abstraction

    def _agent_abstraction(self, action: act.AgentSetAbstractionAction, account: Account, _block: Block) -> None:
        if action.abstraction not in ABSTRACTIONS:
            raise RefusedError("Invalid abstraction.")
        account.abstraction = ABSTRACTIONS[action.abstraction]

    def _set_referrer(self, action: act.SetReferrerAction, account: Account, _block: Block) -> None:
        if account.referrer is not None:
            raise RefusedError("Referrer already set.")
        account.referrer = action.code

    def _reserve(self, action: act.ReserveRequestWeightAction, account: Account, _block: Block) -> None:
        price = action.weight * REQUEST_PRICE
        self._take_perp(account, price)
        self._venue.fees[USDC] = self._venue.fees.get(USDC, 0) + price
        target = self._venue.account(action.destination.lower()) if action.destination else account
        target.requests_bought += action.weight

    def _take_perp(self, account: Account, amount: int) -> None:
        if amount <= 0 or self._venue.margin.withdrawable(account, "") < amount:
            raise RefusedError("Insufficient balance for withdrawal.")
        account.raw[""] -= amount

    def _take_spot(self, account: Account, token: int, amount: int) -> None:
        if amount <= 0 or account.spot.get(token, 0) < amount:
            raise RefusedError("Insufficient balance for token transfer.")
        account.spot[token] -= amount

    @staticmethod
    def _amount(text: str) -> int:
        value = try_parse(text)
        if value is None or value <= 0:
            raise RefusedError("Invalid amount.")
        return value

    def _recipient(self, address: str) -> Account:
        lowered = address.lower()
        if not re.fullmatch("0x[0-9a-f]{40}", lowered):
            raise RefusedError("Invalid destination.")
        account = self._venue.account(lowered)
        account.deposited = True
        return account

    def _usd_send(self, action: act.UsdSendAction, account: Account, block: Block) -> None:
        amount = self._amount(action.amount)
        target = self._recipient(action.destination)
        self._take_perp(account, amount)
        target.raw[""] += amount
        delta: dict[str, object] = {
            "type": "internalTransfer",
            "usdc": usd(amount),
            "user": account.address,
            "destination": target.address,
            "fee": "0.0",
        }
        for party in {account.address: account, target.address: target}.values():
            self._venue.log_ledger(party, delta, block)

    def _token_index(self, text: str) -> int:
        name = text.partition(":")[0]
        for index, row in self._venue.universe.tokens.items():
            if row["name"] == name:
                return index
        raise RefusedError("Invalid token.")

    def _spot_send(self, action: act.SpotSendAction, account: Account, block: Block) -> None:
        amount, token = self._amount(action.amount), self._token_index(action.token)
        target = self._recipient(action.destination)
        self._take_spot(account, token, amount)
        target.spot[token] = target.spot.get(token, 0) + amount
        delta: dict[str, object] = {
            "type": "spotTransfer",
            "token": action.token.partition(":")[0],
            "amount": wire(amount),
            "usdcValue": "0.0",
            "user": account.address,
            "destination": target.address,
            "fee": "0.0",
        }
        for party in {account.address: account, target.address: target}.values():
            self._venue.log_ledger(party, delta, block)

    def _withdraw(self, action: act.WithdrawAction, account: Account, block: Block) -> None:
        amount = self._amount(action.amount)
        if amount <= WITHDRAW_FEE:
            raise RefusedError("Insufficient balance for withdrawal.")
        self._take_perp(account, amount)
        account.deposits -= amount - WITHDRAW_FEE
        self._venue.fees[USDC] = self._venue.fees.get(USDC, 0) + WITHDRAW_FEE
        delta: dict[str, object] = {"type": "withdraw", "usdc": usd(amount), "nonce": action.time, "fee": "1.0"}
        self._venue.log_ledger(account, delta, block)

    def _class_transfer(self, action: act.UsdClassTransferAction, account: Account, block: Block) -> None:
        text, _, sub = action.amount.partition(" subaccount:")
        amount = self._amount(text)
        if sub:
            if sub.lower() not in account.sub_accounts:
                raise RefusedError(f"Vault not registered: {sub.lower()}")
            account = self._venue.account(sub.lower())
        if action.to_perp:
            self._take_spot(account, USDC, amount)
            account.raw[""] += amount
        else:
            self._take_perp(account, amount)
            account.spot[USDC] = account.spot.get(USDC, 0) + amount
        delta: dict[str, object] = {"type": "accountClassTransfer", "usdc": usd(amount), "toPerp": action.to_perp}
        self._venue.log_ledger(account, delta, block)

    def _send_asset(self, action: act.SendAssetAction, account: Account, block: Block) -> None:
        amount, token = self._amount(action.amount), self._token_index(action.token)
        source = account
        if action.from_sub_account:
            if action.from_sub_account.lower() not in account.sub_accounts:
                raise RefusedError(f"Vault not registered: {action.from_sub_account.lower()}")
            source = self._venue.account(action.from_sub_account.lower())
        for dex in (action.source_dex, action.destination_dex):
            known = self._venue.universe.meta.get(dex)
            if dex != "spot" and (known is None or known["collateralToken"] != token):
                raise RefusedError("Invalid dex or token for transfer.")
        target = self._recipient(action.destination)
        if action.source_dex == "spot":
            self._take_spot(source, token, amount)
        elif self._venue.margin.withdrawable(source, action.source_dex) < amount:
            raise RefusedError("Insufficient balance for withdrawal.")
        else:
            source.raw[action.source_dex] -= amount
        if action.destination_dex == "spot":
            target.spot[token] = target.spot.get(token, 0) + amount
        else:
            target.raw[action.destination_dex] = target.raw.get(action.destination_dex, 0) + amount
        delta: dict[str, object] = {
            "type": "send",
            "user": source.address,
            "destination": target.address,
            "sourceDex": action.source_dex,
            "destinationDex": action.destination_dex,
            "token": action.token.partition(":")[0],
            "amount": wire(amount),
            "usdcValue": wire(amount),
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": action.nonce,
        }
        for party in {source.address: source, target.address: target}.values():
            self._venue.log_ledger(party, delta, block)

    def _vault_transfer(self, action: act.VaultTransferAction, account: Account, block: Block) -> None:
        vault = self._venue.accounts.get(action.vault_address)
        if vault is None or vault.role != "vault":
            raise RefusedError(f"Vault not registered: {action.vault_address}")
        amount = action.usd * MICRO
        if action.is_deposit:
            self._take_perp(account, amount)
            vault.raw[""] += amount
            vault.vault_equity[account.address] = vault.vault_equity.get(account.address, 0) + amount
        else:
            if vault.vault_equity.get(account.address, 0) < amount:
                raise RefusedError("Insufficient vault equity.")
            self._take_perp(vault, amount)
            account.raw[""] += amount
            vault.vault_equity[account.address] -= amount
        kind = "vaultDeposit" if action.is_deposit else "vaultWithdraw"
        self._venue.log_ledger(account, {"type": kind, "vault": vault.address, "usdc": usd(amount)}, block)

    def _create_sub_account(self, action: act.CreateSubAccountAction, account: Account, _block: Block) -> Answer:
        if self._venue.settings.volume_gates and account.volume < SUB_ACCOUNT_VOLUME:
            raise RefusedError("Cannot create sub-accounts until enough volume traded. Required: $100000.")
        if not 1 <= len(action.name) <= 16:
            raise RefusedError("Invalid sub-account name.")
        seed = f"{account.address}/{len(account.sub_accounts)}".encode()
        address = "0x" + hashlib.sha256(seed).hexdigest()[:40]
        sub = self._venue.account(address)
        sub.role, sub.master, sub.name, sub.deposited = "subAccount", account.address, action.name, True
        account.sub_accounts.append(address)
        return {"status": "ok", "response": {"type": "createSubAccount", "data": address}}

    def _sub_of(self, account: Account, address: str) -> Account:
        if address not in account.sub_accounts:
            raise RefusedError(f"Invalid sub-account transfer from {account.address} to {address}")
        return self._venue.account(address)

    def _rename_sub_account(self, action: act.SubAccountModifyAction, account: Account, _block: Block) -> None:
        self._sub_of(account, action.sub_account_user).name = action.name

    def _sub_account_transfer(self, action: act.SubAccountTransferAction, account: Account, block: Block) -> None:
        sub = self._sub_of(account, action.sub_account_user)
        source, target = (account, sub) if action.is_deposit else (sub, account)
        amount = action.usd * MICRO
        self._take_perp(source, amount)
        target.raw[""] += amount
        delta: dict[str, object] = {
            "type": "subAccountTransfer",
            "usdc": usd(amount),
            "user": source.address,
            "destination": target.address,
        }
        for party in (account, sub):
            self._venue.log_ledger(party, delta, block)

    def _sub_account_spot(self, action: act.SubAccountSpotTransferAction, account: Account, block: Block) -> None:
        sub = self._sub_of(account, action.sub_account_user)
        source, target = (account, sub) if action.is_deposit else (sub, account)
        amount, token = self._amount(action.amount), self._token_index(action.token)
        self._take_spot(source, token, amount)
        target.spot[token] = target.spot.get(token, 0) + amount
        delta: dict[str, object] = {
            "type": "spotTransfer",
            "token": action.token.partition(":")[0],
            "amount": wire(amount),
            "usdcValue": "0.0",
            "user": source.address,
            "destination": target.address,
            "fee": "0.0",
        }
        for party in (account, sub):
            self._venue.log_ledger(party, delta, block)
