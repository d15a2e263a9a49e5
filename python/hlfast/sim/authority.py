"""Who may act: from a request's signature to the account it acts for, with expiry, nonce and address budget."""

from __future__ import annotations

import msgspec

from hlfast.sim import signatures
from hlfast.sim.accounts import Account, counted
from hlfast.sim.actions import (
    Envelope,
    MultiSigAction,
    MultiSigPayload,
    PlainAction,
    Unsupported,
    UserSigned,
    tag_of,
)
from hlfast.sim.blocks import Block
from hlfast.sim.entry import RefusedError
from hlfast.sim.numbers import SCALE, wire
from hlfast.sim.sequencing import CANCELS
from hlfast.sim.venue import Venue

FREE_REQUESTS = 10_000
SPARE_REQUEST_MS = 10_000  # an address over its limit has one request each so long; refused ones restart nothing
UNIFIED_ACTIONS = 50_000  # in a day (UTC), of a unified or portfolio account
EXPIRED_COST = 5  # requests that an action past its expiresAfter costs


class Grant(msgspec.Struct, frozen=True):
    """Leave to act: the account acted for and the action itself, taken out of any multi-sig envelope."""

    account: Account
    action: PlainAction


class Authority:
    """The venue's checks before an action happens; each refusal in the venue's words."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def admit(self, envelope: Envelope, signer: str | None, block: Block) -> Grant:
        """Let a request through, its nonce used and its requests counted.

        Raises:
            RefusedError: no support, signer, network, expiry, nonce, vault, multi-sig or address limit.
        """
        sent = envelope.action
        if isinstance(sent, Unsupported):
            raise RefusedError(f"{tag_of(sent)} is not supported by this simulator.")
        if signer is None or (self._venue.settings.high_s == "refuse" and signatures.is_high(envelope.signature)):
            raise RefusedError("Unable to recover signer.")
        if isinstance(sent, MultiSigAction):
            owner = self._owner_of_multi_sig(envelope, sent.payload, sent, signer)
            action = sent.payload.action
        else:
            action = sent
            owner = self._owner(envelope, signer, block)
        account = owner if envelope.vault_address is None else self._acted_for(owner, envelope.vault_address, action)
        if isinstance(action, UserSigned):
            self._check_user_signed(envelope, action)
        self._spend(account, envelope, action, signer, block)
        return Grant(account, action)

    def _check_user_signed(self, envelope: Envelope, action: UserSigned) -> None:
        if envelope.vault_address is not None or envelope.expires_after is not None:
            raise RefusedError("User-signed actions take no vaultAddress and no expiresAfter.")
        inner = getattr(action, "nonce", None) or getattr(action, "time", None)
        if inner != envelope.nonce:
            raise RefusedError("Nonce mismatch.")
        if action.hyperliquid_chain != signatures.chain_name(self._venue.settings.network):
            raise RefusedError("Mainnet and testnet require different signature.")

    def _owner(self, envelope: Envelope, signer: str, block: Block) -> Account:
        """Return the account that the signer stands for, itself or its agent's master."""
        venue = self._venue
        found = None if isinstance(envelope.action, UserSigned) else venue.agents.get(signer)
        if found is None:
            known = venue.accounts.get(signer)
            owner = known if known is not None and known.deposited else self._stranger(envelope, signer, block)
            if owner.multi_sig is not None:
                raise RefusedError("Multi-sig required")
            return owner
        master, agent = found
        if agent.valid_until_ms + venue.settings.agent_grace_s * 1_000 < block.time_ms:
            venue.revoke(signer)
            raise RefusedError(f"User or API Wallet {signer} does not exist.")
        is_broke = master.deposited and venue.settings.prune_broke and master.is_broke()
        if is_broke:
            venue.revoke(signer)
        if is_broke or not master.deposited:
            raise RefusedError(f"Must deposit before performing actions. User: {master.address}")
        if master.multi_sig is not None and not venue.settings.multi_sig_agents:
            raise RefusedError("Multi-sig required")
        return master

    def _acted_for(self, owner: Account, vault: str, action: PlainAction) -> Account:
        if isinstance(action, UserSigned):
            return owner
        target = self._venue.accounts.get(vault)
        if target is None or target.master != owner.address:
            raise RefusedError(f"Vault not registered: {vault}")
        return target

    def _owner_of_multi_sig(
        self, envelope: Envelope, payload: MultiSigPayload, action: MultiSigAction, signer: str
    ) -> Account:
        owner = self._venue.accounts.get(payload.multi_sig_user)
        terms = owner.multi_sig if owner is not None else None
        if (
            owner is None
            or terms is None
            or signer != payload.outer_signer
            or not self._speaks_for(signer, terms.users)
        ):
            raise RefusedError("Invalid multi-sig outer signer")
        digest = signatures.inner_digest(envelope, payload, self._venue.settings.network)
        signers = [None if digest is None else signatures.recover(one, digest) for one in action.signatures]
        if any(one is None or one not in terms.users for one in signers):
            raise RefusedError("Invalid multi-sig inner signer")
        if len(dict.fromkeys(signers)) < terms.threshold:
            raise RefusedError("Multi-sig threshold not met")
        return owner

    def _speaks_for(self, signer: str, users: tuple[str, ...]) -> bool:
        """Tell whether the sender is one of the signers, or an agent of one."""
        if signer in users:
            return True
        found = self._venue.agents.get(signer)
        return found is not None and found[0].address in users

    def _stranger(self, envelope: Envelope, signer: str, block: Block) -> Account:
        venue = self._venue
        if signer in venue.former_agents:
            raise RefusedError(f"User or API Wallet {signer} does not exist.")
        venue.record.counters["unknown_signers"] += 1
        if venue.settings.auto_fund_usd:
            account = venue.account(signer)
            venue.deposit(account, venue.settings.auto_fund_usd * SCALE, block)
            return account
        if isinstance(envelope.action, UserSigned):
            raise RefusedError(f"Must deposit before performing actions. User: {signer}")
        if self._signed_for_other_network(envelope):
            raise RefusedError("Mainnet and testnet require different signature.")
        raise RefusedError(f"User or API Wallet {signer} does not exist.")

    def _signed_for_other_network(self, envelope: Envelope) -> bool:
        other = "mainnet" if self._venue.settings.network == "testnet" else "testnet"
        hashed = signatures.digest_of(envelope, other)
        signer = signatures.recover(envelope.signature, hashed[1]) if hashed else None
        return signer is not None and (signer in self._venue.agents or signer in self._venue.accounts)

    def _spend(self, account: Account, envelope: Envelope, action: PlainAction, signer: str, block: Block) -> None:
        """Hold the request to its expiry, use its nonce, count its requests."""
        counters = self._venue.record.counters
        if envelope.expires_after is not None and envelope.expires_after < block.time_ms:
            account.requests_used += EXPIRED_COST
            counters["expired"] += 1
            raise RefusedError("Action already expired")
        refusal = self._venue.nonce_set(signer).take(envelope.nonce, block.time_ms)
        if refusal is not None:
            if "duplicate" in refusal:
                counters["duplicate_nonces"] += 1
            raise RefusedError(refusal)
        weight = action.requests()
        if self._venue.settings.limits == "venue":
            self._hold_to_budget(account, action, weight, block)
        account.requests_used += weight
        account.request_ms = block.time_ms

    @staticmethod
    def _hold_to_budget(account: Account, action: PlainAction, weight: int, block: Block) -> None:
        cap = FREE_REQUESTS + account.volume // SCALE + account.requests_bought
        if isinstance(action, CANCELS):
            cap = min(cap + 100_000, 2 * cap)
        is_spare = weight == 1 and block.time_ms - account.request_ms >= SPARE_REQUEST_MS
        if account.requests_used + weight > cap and not is_spare:
            raise RefusedError(
                f"Too many cumulative requests sent ({account.requests_used + weight} > {cap}) for cumulative volume "
                f"traded ${wire(account.volume // 10**6 * 10**6)}. "
                "Place taker orders to free up 1 request per USDC traded."
            )
        if account.is_unified:
            account.actions_of_day = counted(account.actions_of_day, block.time_ms)
            if account.actions_of_day[1] > UNIFIED_ACTIONS:
                raise RefusedError(f"Too many actions of a unified account in a day ({UNIFIED_ACTIONS}).")  # own words
