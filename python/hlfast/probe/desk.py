"""What questions are asked with: signed actions over both lanes, and what the venue knows of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from hlfast.errors import HlfastError, HttpStatusError, NoAnswerError
from hlfast.probe.subject import CLOID_PREFIX, Subject
from hlfast.signing import Signer
from hlfast.venue import actions
from hlfast.venue.accounts import OpenOrder, OrderRecord
from hlfast.venue.actions import Action, OrderRequest
from hlfast.venue.exchange import Exchange, Nonces
from hlfast.venue.http import Road
from hlfast.venue.info import Info
from hlfast.venue.limits import Limiter, action_weight
from hlfast.venue.metadata import Assets
from hlfast.venue.outcomes import OrderOutcome, Refused, Reply, Unknown, order_outcomes, read_reply

Lane = Literal["ws", "http"]
LIFE_MS: Final = 10_000  # of each action: what has no answer is over soon
# As the engine's: block time may run behind our estimate of it, and orderStatus behind the chain.
EXPIRY_MARGIN_MS: Final = 2_000
LOOKUP_LAG_MS: Final = 5_000
# Reads of accounts are about 200 ms old at the venue's edge (2026).
READ_LAG_MS: Final = 1_000
_LOOK_EVERY_S: Final = 0.25
# Half of the market's price: no order at it trades, and the band of 80 % is far.
_FAR: Final = Decimal("0.5")
RESTING_USD: Final = Decimal(11)
_SLIPPAGE: Final = Decimal("0.02")
# Refusals of the moment, whatever was asked.
_NOT_NOW: Final = (
    "Trading is halted",
    "Only post-only orders allowed",
    "Too many cumulative requests sent",
    "Insufficient margin",
)


class SilenceError(HlfastError):
    """No usable answer came: the outcome is unknown until it was looked up."""


class CouldNotAskError(HlfastError):
    """The question could not be put, or its answer can't be told from something else."""


class Clock:
    """The venue's time, from a clock that only grows and one comparison: a step of the host's clock moves nothing."""

    def __init__(self, monotonic_ms: Callable[[], int]) -> None:
        self._monotonic_ms = monotonic_ms
        self._ahead_ms = 0
        self.round_trip_ms = 0

    def now_ms(self) -> int:
        """Return the estimated venue time in Unix ms; call `compare` once before."""
        return self._monotonic_ms() + self._ahead_ms

    async def compare(self, info: Info) -> None:
        """Ask the venue for its time."""
        sent = self._monotonic_ms()
        venue_ms = (await info.exchange_status()).time
        received = self._monotonic_ms()
        self.round_trip_ms = received - sent
        self._ahead_ms = venue_ms - (sent + received) // 2


class Signed(msgspec.Struct, frozen=True, gc=False):
    """One signed action; the same bytes may be sent twice."""

    body: bytes
    what: str
    nonce: int
    expires_after: int
    cloid: str = ""  # of its order, if it has one


class Said(msgspec.Struct, frozen=True):
    """A readable answer to one action."""

    reply: Reply
    verbatim: str

    @property
    def outcome(self) -> OrderOutcome:
        """What became of the action's one order."""
        return order_outcomes(self.reply, 1)[0]

    @property
    def refusal(self) -> str | None:
        """The venue's refusal, of the action or of its one order; None: it was taken."""
        if not self.reply.ok:
            return self.reply.text
        if self.reply.kind != "order":
            return None
        outcome = self.outcome
        return outcome.text if isinstance(outcome, Refused) else None

    @property
    def was_taken(self) -> bool:
        """Whether the venue took the action, and its order if there is one."""
        return self.refusal is None

    def says(self, *prefixes: str) -> bool:
        """Whether it is a refusal that begins so; live texts may end in a suffix."""
        return (self.refusal or "").startswith(prefixes)


class Desk:
    """Signs and sends for one account, and looks up what became of it. One event loop.

    Args:
        subject: the account, its agent and the coin.
        signer: the agent's key.
        roads: the way to the venue by lane.
        info: reads.
        clock: the venue's time.
        limiter: keeps the weight budget of this source address, together with `info`.
    """

    def __init__(
        self,
        subject: Subject,
        signer: Signer,
        *,
        roads: Mapping[Lane, Road],
        info: Info,
        clock: Clock,
        limiter: Limiter | None = None,
    ) -> None:
        self.subject = subject
        self.info = info
        self.clock = clock
        self._roads = roads
        self._limiter = limiter
        self._nonces = Nonces(clock.now_ms)
        self._assets = Assets([subject.asset])
        self._exchange = Exchange(roads["http"], signer, network="testnet", nonces=self._nonces)
        self._run = f"{clock.now_ms():012x}"
        self._cloids = 0
        self._allowed = 0
        self._unanswered: list[Signed] = []
        self.sent = 0
        self.last_order_ms = 0

    # actions, signed and not yet sent

    def sign(self, action: Action, what: str, *, nonce: int | None = None, expires_after: int | None = None) -> Signed:
        """Sign any action with the next nonce and a life of `LIFE_MS`, or as told."""
        nonce = self._nonces.next() if nonce is None else nonce
        expires_after = self.clock.now_ms() + LIFE_MS if expires_after is None else expires_after
        body = self._exchange.signed(action, nonce=nonce, expires_after=expires_after)
        return Signed(body, what, nonce, expires_after)

    def noop(self, *, nonce: int | None = None) -> Signed:
        """Sign the action that does nothing but use its nonce."""
        return self.sign({"type": "noop"}, "a no-op", nonce=nonce)

    def order(
        self,
        *,
        nonce: int | None = None,
        expires_after: int | None = None,
        beside: Action | None = None,
        **changes: Any,
    ) -> Signed:
        """Sign the smallest buy far below the market.

        Args:
            nonce: instead of the next one.
            expires_after: Unix ms, instead of a life of `LIFE_MS`.
            beside: fields of the action besides its order.
            changes: other values of `OrderRequest`.
        """
        price = self.far_price()
        request = OrderRequest(
            coin=self.subject.asset.coin,
            is_buy=True,
            size=self.size_of(RESTING_USD, price),
            price=price,
        )
        cloid = changes.pop("cloid", None) or self.next_cloid()
        request = msgspec.structs.replace(request, cloid=cloid, **changes)
        action = actions.orders([request], self._assets) | (beside or {})
        signed = self.sign(action, "an order", nonce=nonce, expires_after=expires_after)
        return msgspec.structs.replace(signed, cloid=cloid)

    def road(self, lane: Lane) -> Road:
        """Return the way to the venue behind a lane."""
        return self._roads[lane]

    def next_cloid(self) -> str:
        """Return a client order id that says which run made it."""
        self._cloids += 1
        return f"{CLOID_PREFIX}{self._run}{self._cloids:04x}"

    def far_price(self, share: Decimal = _FAR) -> Decimal:
        """Return a legal price at so large a part of the market's."""
        return self.subject.asset.round_price(self.subject.mid * share, up=False)

    def size_of(self, usd: Decimal, price: Decimal) -> Decimal:
        """Return the smallest legal size worth at least so much at a price."""
        asset = self.subject.asset
        size = asset.round_size(usd / price)
        return size if size * price >= usd else size + Decimal(1).scaleb(-asset.sz_decimals)

    # sending

    def allow(self, count: int) -> None:
        """Let so many actions be sent from here on, and no more."""
        self._allowed = count

    async def send(self, signed: Signed, lane: Lane = "ws") -> Said:
        """Send and wait for the answer.

        Raises:
            SilenceError: none came that can be read; `settle` looks it up.
            CouldNotAskError: the venue takes nothing of the kind now, or the question's share of actions is used up.
        """
        if self._allowed <= 0:
            raise CouldNotAskError("it wanted to send more actions than it may")
        if self._limiter is not None:
            await self._limiter.take(action_weight(1))
        self._allowed -= 1
        self.sent += 1
        # Before the bytes leave: whatever ends this wait, `settle` knows of it.
        self._unanswered.append(signed)
        if signed.cloid:
            self.last_order_ms = self.clock.now_ms()
        status, answer = await self._roads[lane].post("/exchange", signed.body)
        try:
            said = Said(read_reply(signed.what, status, answer), _verbatim(answer))
        except (NoAnswerError, HttpStatusError) as error:
            raise SilenceError(f"{signed.what} over {lane}: {error}") from None
        if signed.cloid and isinstance(said.outcome, Unknown):
            raise SilenceError(f"{signed.what} over {lane}: {said.outcome.reason} ({said.verbatim})")
        self._unanswered.remove(signed)
        if said.says(*_NOT_NOW):
            raise CouldNotAskError(f"{signed.what} is refused for now: {said.verbatim}")
        return said

    async def send_together(self, *each: tuple[Signed, Lane]) -> list[Said]:
        """Send all at the same time, and wait for every answer before the first silence among them is raised."""
        sends = (self.send(signed, lane) for signed, lane in each)
        said = await asyncio.gather(*sends, return_exceptions=True)
        for one in said:
            if isinstance(one, BaseException):
                raise one
        return [one for one in said if isinstance(one, Said)]

    async def withdraw(self, oids: Sequence[int], lane: Lane = "ws") -> Said:
        """Cancel orders of the coin by the venue's ids."""
        pairs = [(self.subject.asset.id, oid) for oid in oids]
        self.last_order_ms = self.clock.now_ms()
        return await self.send(self.sign(actions.cancels(pairs), "a cancel"), lane)

    async def settle(self) -> tuple[str, ...]:
        """Find out what became of every action that has no answer; a line for each.

        Waits until it can't be executed any more, then asks for its order: what is unknown twice, `LOOKUP_LAG_MS`
        apart, never was.
        """
        lines = []
        while self._unanswered:
            signed = self._unanswered[0]
            await self.sleep_until(signed.expires_after + EXPIRY_MARGIN_MS)
            if not signed.cloid:
                lines.append(f"{signed.what} without an answer has expired")
            else:
                record = await self.look_up(signed.cloid, LOOKUP_LAG_MS)
                lines.append(
                    f"looked up {signed.cloid}: {record.status if record is not None else 'unknownOid, twice'}"
                )
            self._unanswered.remove(signed)
        return tuple(lines)

    # looking

    async def look_up(self, cloid: str, patience_ms: int) -> OrderRecord | None:
        """Ask for an order until the venue knows it, or for the last time when the patience ends."""
        until_ms = self.clock.now_ms() + patience_ms
        while True:
            is_last = self.clock.now_ms() >= until_ms
            found = await self.info.order_status(self.subject.account, cloid)
            if found.order is not None or is_last:
                return found.order
            await asyncio.sleep(_LOOK_EVERY_S)

    async def resting(self) -> tuple[OpenOrder, ...]:
        """Return the account's orders on the coin, read late enough to hold what was sent before."""
        await self.sleep_until(self.last_order_ms + READ_LAG_MS)
        orders = await self.info.frontend_open_orders(self.subject.account)
        return tuple(order for order in orders if order.coin == self.subject.asset.coin)

    async def position(self) -> Decimal:
        """Return what the account holds of the coin, signed; read late enough as well."""
        await self.sleep_until(self.last_order_ms + READ_LAG_MS)
        state = await self.info.clearinghouse_state(self.subject.account)
        held = (row.position.szi for row in state.asset_positions if row.position.coin == self.subject.asset.coin)
        return next(held, Decimal(0))

    async def touch(self, *, is_buy: bool, slippage: Decimal = _SLIPPAGE) -> Decimal:
        """Return a limit that takes what is offered, with some room beyond the best price."""
        book = await self.info.l2_book(self.subject.asset.coin)
        offers = book.levels[1 if is_buy else 0] if book is not None else ()
        if not offers:
            raise CouldNotAskError(f"nobody {'sells' if is_buy else 'buys'} {self.subject.asset.coin} now")
        beyond = 1 + slippage if is_buy else 1 - slippage
        return self.subject.asset.round_price(offers[0].px * beyond, up=is_buy)

    async def sleep_until(self, venue_ms: int) -> None:
        """Wait for a venue time."""
        left_ms = venue_ms - self.clock.now_ms()
        if left_ms > 0:
            await asyncio.sleep(left_ms / 1_000)


class _Answer(msgspec.Struct):
    response: msgspec.Raw


def _verbatim(answer: bytes) -> str:
    """Return the part of a well-formed answer that differs from case to case, as it came."""
    response = bytes(msgspec.json.decode(answer, type=_Answer).response).decode()
    head, tail = '{"type":"order","data":{"statuses":[', "]}}"
    return response[len(head) : -len(tail)] if response.startswith(head) and response.endswith(tail) else response
