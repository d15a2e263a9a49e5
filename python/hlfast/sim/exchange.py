"""`/exchange`: recover the signer, guard the nonce, wait for the block, act, answer in the venue's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hlfast.sim import actions as act
from hlfast.sim import signatures
from hlfast.sim.accounts import Account
from hlfast.sim.actions import Envelope, UserSigned, tag_of
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Entry, Origin, RefusedError
from hlfast.sim.numbers import SCALE, wire
from hlfast.sim.record import ActionRow
from hlfast.sim.settings import Settings
from hlfast.sim.trading import Trading
from hlfast.sim.transfers import Transfers
from hlfast.sim.venue import Venue

FREE_REQUESTS = 10_000
EXPIRED_COST = 5  # requests that an action past its expiresAfter costs
DEFAULT: dict[str, Any] = {"status": "ok", "response": {"type": "default"}}
Answer = dict[str, Any]


@dataclass(slots=True)
class Pending:
    """A parsed action on its way into a block; `reply` is called once, after the block."""

    envelope: Envelope
    signer: str | None
    identity: bytes
    digest: bytes
    received_ms: int
    source: str
    reply: Callable[[Answer], None]

    def priority(self) -> int:
        """Order inside a block: actions without GTC or IOC, then cancels, then takers."""
        action = self.envelope.action
        if isinstance(action, act.CancelAction | act.CancelByCloidAction):
            return 1
        if isinstance(action, act.OrderAction):
            limits = [row.t.limit for row in action.orders]
            return 2 if any(limit is None or limit.tif != "Alo" for limit in limits) else 0
        if isinstance(action, act.ModifyAction | act.BatchModifyAction):
            return 2
        return 0


class Exchange:
    """All of `/exchange`. `receive` may be called at any time; `execute` only inside a block."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading
        self._entry = Entry(venue, trading)
        self._transfers = Transfers(venue)
        self.waiting: list[Pending] = []

    @property
    def settings(self) -> Settings:
        """The venue's switches."""
        return self._venue.settings

    def receive(self, envelope: Envelope, source: str, reply: Callable[[Answer], None]) -> None:
        """Check the signature's arithmetic and queue the action for the next block that may take it."""
        hashed = signatures.digest_of(envelope, self.settings.network)
        identity, digest = hashed or (b"", b"")
        signer = signatures.recover(envelope.signature, digest) if hashed else None
        self.waiting.append(Pending(envelope, signer, identity, digest, self._venue.now_ms(), source, reply))

    def due(self, block_ms: int) -> list[Pending]:
        """Take out the actions that are old enough for a block, in the venue's class order."""
        latest = block_ms - self.settings.latency_ms
        taken = [pending for pending in self.waiting if pending.received_ms <= latest]
        if taken:
            self.waiting = [pending for pending in self.waiting if pending.received_ms > latest]
            taken.sort(key=Pending.priority)
        return taken

    def execute(self, pending: Pending, block: Block) -> Answer:
        """Let one action happen; the answer is what the client reads."""
        envelope = pending.envelope
        account: Account | None = None
        try:
            account = self._authorise(pending, block)
            origin = Origin(account, pending.signer or "", envelope.nonce, "0x" + pending.identity.hex())
            answer = self._act(envelope, origin, block)
        except RefusedError as refusal:
            answer = {"status": "err", "response": str(refusal)}
        self._write_down(pending, account, answer, block)
        return answer

    def _authorise(self, pending: Pending, block: Block) -> Account:
        """Return the account acted for, its nonce used.

        Raises:
            RefusedError: signer, expiry, nonce, vault or address limit.
        """
        envelope, signer = pending.envelope, pending.signer
        if signer is None:
            raise RefusedError("Unable to recover signer.")
        account = self._account_of(pending, signer, block)
        action = envelope.action
        if isinstance(action, UserSigned):
            if envelope.vault_address is not None or envelope.expires_after is not None:
                raise RefusedError("User-signed actions take no vaultAddress and no expiresAfter.")
            inner = getattr(action, "nonce", None) or getattr(action, "time", None)
            if inner != envelope.nonce:
                raise RefusedError("Nonce mismatch.")
            if action.hyperliquid_chain != signatures.chain_name(self.settings.network):
                raise RefusedError("Mainnet and testnet require different signature.")
        if envelope.expires_after is not None and envelope.expires_after < block.time_ms:
            account.requests_used += EXPIRED_COST
            self._venue.record.counters["expired"] += 1
            raise RefusedError("Action already expired")
        used = self._venue.nonce_set(signer)
        refusal = used.refusal(envelope.nonce, block.time_ms)
        if refusal is not None:
            if "duplicate" in refusal:
                self._venue.record.counters["duplicate_nonces"] += 1
            raise RefusedError(refusal)
        used.use(envelope.nonce)
        self._charge(account, action)
        return account

    def _account_of(self, pending: Pending, signer: str, block: Block) -> Account:
        venue = self._venue
        envelope = pending.envelope
        is_user_signed = isinstance(envelope.action, UserSigned)
        found = None if is_user_signed else venue.agents.get(signer)
        if found is not None:
            master, agent = found
            if agent.valid_until_ms < block.time_ms:
                raise RefusedError(f"User or API Wallet {signer} does not exist.")
            if not master.deposited:
                raise RefusedError(f"Must deposit before performing actions. User: {master.address}")
        else:
            known = venue.accounts.get(signer)
            if known is None or not known.deposited:
                known = self._stranger(pending, signer, block)
            master = known
        vault = envelope.vault_address
        if vault is None or is_user_signed:
            return master
        target = venue.accounts.get(vault)
        if target is None or target.master != master.address:
            raise RefusedError(f"Vault not registered: {vault}")
        return target

    def _stranger(self, pending: Pending, signer: str, block: Block) -> Account:
        venue = self._venue
        if signer in venue.former_agents:
            raise RefusedError(f"User or API Wallet {signer} does not exist.")
        venue.record.counters["unknown_signers"] += 1
        if self.settings.auto_fund_usd:
            account = venue.account(signer)
            venue.deposit(account, self.settings.auto_fund_usd * SCALE, block)
            return account
        if isinstance(pending.envelope.action, UserSigned):
            raise RefusedError(f"Must deposit before performing actions. User: {signer}")
        if self._signed_for_other_network(pending):
            raise RefusedError("Mainnet and testnet require different signature.")
        raise RefusedError(f"User or API Wallet {signer} does not exist.")

    def _signed_for_other_network(self, pending: Pending) -> bool:
        other = "mainnet" if self.settings.network == "testnet" else "testnet"
        hashed = signatures.digest_of(pending.envelope, other)
        signer = signatures.recover(pending.envelope.signature, hashed[1]) if hashed else None
        return signer is not None and (signer in self._venue.agents or signer in self._venue.accounts)

    def _charge(self, account: Account, action: act.AnyAction) -> None:
        weight = count_of(action)
        cap = FREE_REQUESTS + account.volume // SCALE + account.requests_bought
        if isinstance(action, act.CancelAction | act.CancelByCloidAction):
            cap = min(cap + 100_000, 2 * cap)
        if self.settings.limits == "venue" and account.requests_used + weight > cap:
            raise RefusedError(
                f"Too many cumulative requests sent ({account.requests_used + weight} > {cap}) for cumulative volume "
                f"traded ${wire(account.volume // 10**6 * 10**6)}. "
                "Place taker orders to free up 1 request per USDC traded."
            )
        account.requests_used += weight

    def _act(self, envelope: Envelope, origin: Origin, block: Block) -> Answer:
        action = envelope.action
        if isinstance(action, act.OrderAction):
            return _statuses("order", self._entry.place_all(action, origin, block))
        if isinstance(action, act.CancelAction | act.CancelByCloidAction):
            return _statuses("cancel", self._entry.cancel_all(action, origin, block))
        if isinstance(action, act.BatchModifyAction):
            return _statuses("order", self._entry.modify_all(action, origin, block))
        if isinstance(action, act.ModifyAction):
            item = self._entry.modify_all(action, origin, block)[0]
            if isinstance(item, dict) and "error" in item:
                raise RefusedError(item["error"])
            return DEFAULT
        if isinstance(action, act.NoopAction):
            return DEFAULT
        return self._transfers.carry_out(action, origin, block) or DEFAULT

    def run_scheduled_cancels(self, block: Block) -> None:
        """Fire the dead man's switches whose time has come."""
        for account in self._venue.accounts.values():
            if account.cancel_all_ms is not None and account.cancel_all_ms <= block.time_ms:
                account.cancel_all_ms = None
                for order in list(account.orders.values()):
                    self._trading.withdraw(order, "scheduledCancel", block)

    def _write_down(self, pending: Pending, account: Account | None, answer: Answer, block: Block) -> None:
        record = self._venue.record
        record.counters["actions"] += 1
        is_ok = answer["status"] == "ok"
        record.counters["accepted" if is_ok else "rejected"] += 1
        action = pending.envelope.action
        cloids: list[str] = []
        count = 0
        if isinstance(action, act.OrderAction):
            cloids = [row.c for row in action.orders if row.c is not None]
            count = len(action.orders)
            if is_ok:
                items = answer["response"]["data"]["statuses"]
                record.counters["rejected_orders"] += sum(isinstance(item, dict) and "error" in item for item in items)
        record.actions.append(
            ActionRow(
                record.next_number(),
                block.time_ms,
                pending.received_ms,
                tag_of(action),
                pending.signer,
                account.address if account else None,
                pending.envelope.nonce,
                "0x" + pending.digest.hex(),
                is_ok,
                answer["response"],
                pending.source,
                cloids,
                count,
            )
        )


def count_of(action: act.AnyAction) -> int:
    """Return how many requests of the address budget an action takes: one an item."""
    for field in ("orders", "cancels", "modifies"):
        rows = getattr(action, field, None)
        if rows is not None:
            return max(1, len(rows))
    return 1


def _statuses(kind: str, items: list[Any]) -> Answer:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": items}}}
