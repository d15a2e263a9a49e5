"""`/exchange`: recover the signer, guard the nonce, wait for the block, act, answer in the venue's words."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from operator import attrgetter

import msgspec
import orjson

from hlfast.sim import actions as act
from hlfast.sim import sequencing, signatures
from hlfast.sim.account_actions import AccountActions
from hlfast.sim.accounts import Account, counted
from hlfast.sim.actions import Envelope, tag_of
from hlfast.sim.authority import Authority
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Entry, Origin, RefusedError
from hlfast.sim.market import Market
from hlfast.sim.priority import PriorityOrders
from hlfast.sim.record import ActionRow
from hlfast.sim.sequencing import Rank
from hlfast.sim.trading import Trading
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import DEFAULT, Answer, Handlers, Response, statuses


class Pending(msgspec.Struct, frozen=True, eq=False):
    """A parsed action on its way into a block; `reply` is called once, after the block."""

    envelope: Envelope
    action: act.AnyAction  # taken out of any multi-sig envelope
    signer: str | None
    identity: bytes
    digest: bytes
    received_ms: int
    source: str
    reply: Callable[[Answer], None]
    rank: Rank


class Exchange:
    """All of `/exchange`. `receive` may be called at any time; `execute` only inside a block."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self.settings = venue.settings
        self._venue = venue
        self._trading = trading
        self._authority = Authority(venue)
        self._entry = Entry(venue, trading)
        self.account_actions = AccountActions(venue)
        self._priority = PriorityOrders(self._entry, self.account_actions.purse)
        self.market = Market(venue, trading)
        self.account_actions.add(self.market.twaps.handlers())
        self._handlers: Handlers = {
            act.OrderAction: self._place,
            act.CancelAction: self._cancel,
            act.CancelByCloidAction: self._cancel,
            act.ModifyAction: self._modify,
            act.BatchModifyAction: self._modify_all,
            act.NoopAction: lambda _action, _origin, _block: None,
        }
        self._waiting: list[tuple[int, int, Pending]] = []  # a heap of (due, arrival, action)
        self._arrivals = 0

    def receive(self, envelope: Envelope, source: str, reply: Callable[[Answer], None], hold_ms: int = 0) -> None:
        """Check the signature's arithmetic and queue the action for the next block that may take it.

        No block may before `latency_ms` have passed, nor before `hold_ms`, by which a fault includes it late.
        """
        if self.settings.verify:
            hashed = signatures.digest_of(envelope, self.settings.network)
            identity, digest = hashed or (b"", b"")
            signer = signatures.recover(envelope.signature, digest) if hashed else None
        else:
            digest, signer = signatures.claim(envelope)
            identity = digest
        settings, now = self.settings, self._venue.now_ms()
        self._arrivals += 1
        sent = envelope.action
        action = sent.payload.action if isinstance(sent, act.MultiSigAction) else sent
        rank = sequencing.rank(action)
        pending = Pending(envelope, action, signer, identity, digest, now, source, reply, rank)
        due_ms = now + settings.latency_ms + hold_ms
        if settings.taker_delay_ms:
            due_ms += sequencing.delay_ms(rank, settings.taker_delay_ms)
        heapq.heappush(self._waiting, (due_ms, self._arrivals, pending))

    def next_due_ms(self) -> int | None:
        """Return when the first waiting action is old enough for a block; None when none waits."""
        return self._waiting[0][0] if self._waiting else None

    def due(self, block_ms: int) -> list[Pending]:
        """Take out the actions that are old enough for a block, in the venue's class order."""
        taken = []
        while self._waiting and self._waiting[0][0] <= block_ms:
            taken.append(heapq.heappop(self._waiting)[2])
        taken.sort(key=attrgetter("rank"))
        return taken

    def execute(self, pending: Pending, block: Block) -> Answer:
        """Let one action happen; the answer is what the client reads."""
        account: Account | None = None
        try:
            grant = self._authority.admit(pending.envelope, pending.signer, block)
            account = grant.account
            tx_hash = "0x" + pending.identity.hex()
            origin = Origin(account, pending.signer or "", pending.envelope.nonce, tx_hash)
            response: Response | str = self._act(grant.action, origin, block)
        except RefusedError as refusal:
            response = str(refusal)
        answer = Answer("err" if isinstance(response, str) else "ok", msgspec.Raw(orjson.dumps(response)))
        self._write_down(pending, account, answer, block)
        return answer

    def _act(self, action: act.PlainAction, origin: Origin, block: Block) -> Response:
        handler = self._handlers.get(type(action), self.account_actions.carry_out)
        return handler(action, origin, block) or DEFAULT

    def _place(self, action: act.OrderAction, origin: Origin, block: Block) -> Response:
        rate = action.grouping
        if isinstance(rate, str):
            items = self._entry.place_all(action, origin, block)
        else:
            items = self._priority.place_all(action, rate, origin, block)
        for item in items:
            if isinstance(item, dict) and "error" in item:
                self._venue.record.counters["rejected_orders"] += 1
        return statuses("order", items)

    def _cancel(self, action: act.CancelAction | act.CancelByCloidAction, origin: Origin, block: Block) -> Response:
        return statuses("cancel", self._entry.cancel_all(action, origin, block))

    def _modify(self, action: act.ModifyAction, origin: Origin, block: Block) -> None:
        item = self._entry.modify_all(action, origin, block)[0]
        if isinstance(item, dict) and "error" in item:
            raise RefusedError(item["error"])

    def _modify_all(self, action: act.BatchModifyAction, origin: Origin, block: Block) -> Response:
        return statuses("order", self._entry.modify_all(action, origin, block))

    def run_due(self, block: Block) -> None:
        """Let happen what only waited for its time: unstaked money, the market's own acts, dead man's switches."""
        self.account_actions.staking.run_due(block)
        self.market.run_due(block)
        for account in self._venue.accounts.values():
            if account.cancel_all_ms is not None and account.cancel_all_ms <= block.time_ms:
                account.cancel_all_ms = None
                account.cancel_alls_of_day = counted(account.cancel_alls_of_day, block.time_ms)
                for order in list(account.orders.values()):
                    self._trading.withdraw(order, "scheduledCancel", block)

    def _write_down(self, pending: Pending, account: Account | None, answer: Answer, block: Block) -> None:
        record = self._venue.record
        is_ok = answer.status == "ok"
        record.counters["actions"] += 1
        record.counters["accepted" if is_ok else "rejected"] += 1
        orders = pending.action.orders if isinstance(pending.action, act.OrderAction) else []
        record.actions.append(
            ActionRow(
                record.next_number(),
                block.time_ms,
                pending.received_ms,
                tag_of(pending.envelope.action),
                pending.signer,
                account.address if account else None,
                pending.envelope.nonce,
                "0x" + pending.digest.hex(),
                is_ok,
                answer.response,
                pending.source,
                tuple([row.c for row in orders if row.c is not None]),
                len(orders),
            )
        )
