"""Actions: POST /exchange, verbatim or typed and signed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import orjson

from hlfast.errors import SigningError
from hlfast.signing import Signer, sign_user_signed
from hlfast.venue import actions
from hlfast.venue.actions import Action, Grouping, OrderRequest
from hlfast.venue.http import Road
from hlfast.venue.limits import Limiter, action_weight
from hlfast.venue.metadata import Assets
from hlfast.venue.numbers import Amount, to_wire
from hlfast.venue.outcomes import (
    CancelOutcome,
    OrderOutcome,
    Reply,
    cancel_outcomes,
    order_outcomes,
    read_reply,
    require_ok,
)

Network = Literal["mainnet", "testnet"]
DEFAULT_EXPIRY_MS: Final = 10_000


class Nonces:
    """Unix milliseconds, never twice and never backwards. Any thread."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._last = 0
        self._turn = threading.Lock()

    def next(self) -> int:
        """Return a nonce that this object never returned before."""
        with self._turn:
            self._last = max(self._now_ms(), self._last + 1)
            return self._last


def wall_ms() -> int:
    """Return the host's Unix milliseconds."""
    return time.time_ns() // 1_000_000


# The venue counts nonces per signer, so two clients of one signer in this process must draw from one source.
_nonces: dict[str, Nonces] = {}
_nonces_turn = threading.Lock()


def nonces_of(signer: str) -> Nonces:
    """Return the one source of nonces of a signer's address in this process."""
    with _nonces_turn:
        return _nonces.setdefault(signer.lower(), Nonces(wall_ms))


class Exchange:
    """Signs and sends actions of one account.

    Typed orders and cancels return one outcome an item; every other action returns when the venue took it. Raises:
        NoAnswerError: the outcome is *unknown*: look the order up by its cloid before sending it again.
        VenueError: the venue refused, in its own words (for orders and cancels that is an outcome, not an exception).
        RateLimitedError, HttpStatusError: turned away unread; nothing was changed.
        ValueError, TypeError: refused here, before anything was signed: an unknown coin, a lot, a tick, a float.

    Args:
        road: the connection to the venue.
        signer: the account's own key, or its agent's. None: only `raw` works.
        network: which network's signatures to make. Stated, never guessed from a URL: a signature for the wrong network
            is an unknown signer's.
        assets: names and rules of what is traded; needed for orders, cancels and leverage.
        account: the sub-account or vault to act for; None acts for the signer's own account.
        expires_ms: every L1 action is refused by the venue that long after it was made; None: never. An order that is
            stuck on the way must not be filled minutes later. An expired action costs five times its rate limit.
        limiter: keeps the weight budget of this source address.
        nonces: where nonces come from; by default one source for each signer in this process.
    """

    def __init__(
        self,
        road: Road,
        signer: Signer | None = None,
        *,
        network: Network | None = None,
        assets: Assets | None = None,
        account: str | None = None,
        expires_ms: int | None = DEFAULT_EXPIRY_MS,
        limiter: Limiter | None = None,
        nonces: Nonces | None = None,
    ) -> None:
        if signer is not None and network not in {"mainnet", "testnet"}:
            raise ValueError('network must be stated: "mainnet" or "testnet"')
        self._road = road
        self._signer = signer
        self._mainnet = network == "mainnet"
        self._assets = assets
        self._account = actions.address(account) if account is not None else None
        self._expires_ms = expires_ms
        self._limiter = limiter
        self._nonces = nonces or (nonces_of(signer.address) if signer is not None else None)

    async def raw(self, body: bytes, *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        """Send a ready body and return (status, bytes) as they came; status 0: no answer, the outcome is unknown."""
        return await self._road.post("/exchange", body, deadline_ms=deadline_ms)

    # orders

    async def order(self, request: OrderRequest, **options: Any) -> OrderOutcome:
        """Place one order; options as in `orders`."""
        return (await self.orders([request], **options))[0]

    async def orders(
        self,
        requests: Sequence[OrderRequest],
        *,
        grouping: Grouping = "na",
        builder: tuple[str, int] | None = None,
        expires_after: int | None = None,
    ) -> tuple[OrderOutcome, ...]:
        """Place a batch in one signed action. The items succeed and fail one by one; there is no all-or-nothing.

        Args:
            requests: the orders, at most about 100.
            grouping: "normalTpsl" ties children to a parent, "positionTpsl" to the position.
            builder: (address, tenths of a basis point), as approved.
            expires_after: Unix ms instead of the client's `expires_ms`.
        """
        action = actions.orders(requests, self._known(), grouping=grouping, builder=builder)
        reply = await self.send(action, items=len(requests), expires_after=expires_after)
        return order_outcomes(reply, len(requests))

    async def cancel(self, coin: str, oid: int) -> CancelOutcome:
        """Cancel one order."""
        return (await self.cancels([(coin, oid)]))[0]

    async def cancels(self, orders: Sequence[tuple[str, int]]) -> tuple[CancelOutcome, ...]:
        """Cancel by (coin, oid); at most 200."""
        assets = self._known()
        reply = await self.send(actions.cancels([(assets[coin].id, oid) for coin, oid in orders]), items=len(orders))
        return cancel_outcomes(reply, len(orders))

    async def cancel_by_cloid(self, coin: str, cloid: str) -> CancelOutcome:
        """Cancel one order by its client order id."""
        return (await self.cancels_by_cloid([(coin, cloid)]))[0]

    async def cancels_by_cloid(self, orders: Sequence[tuple[str, str]]) -> tuple[CancelOutcome, ...]:
        """Cancel by (coin, cloid); at most 200."""
        assets = self._known()
        reply = await self.send(
            actions.cancels_by_cloid([(assets[coin].id, cloid) for coin, cloid in orders]), items=len(orders)
        )
        return cancel_outcomes(reply, len(orders))

    async def modify(self, old: int | str, new: OrderRequest) -> OrderOutcome:
        """Replace an order, named by oid or cloid, by another; the new one has a new oid.

        Sent as a batch of one: the venue's plain modify answers without the new oid.
        """
        return (await self.modifies([(old, new)]))[0]

    async def modifies(self, changes: Sequence[tuple[int | str, OrderRequest]]) -> tuple[OrderOutcome, ...]:
        """Replace several orders."""
        reply = await self.send(actions.modifies(changes, self._known()), items=len(changes))
        return order_outcomes(reply, len(changes))

    async def schedule_cancel(self, at_ms: int | None) -> None:
        """Have the venue cancel all open orders at `at_ms` (5 s ahead or more); None clears it. Needs volume."""
        await self._send_plain(actions.schedule_cancel(at_ms))

    async def noop(self, nonce: int) -> None:
        """Burn a nonce: an action signed with the same one and not yet executed can no longer be."""
        require_ok("noop", await self.send({"type": "noop"}, nonce=nonce))

    # margin

    async def update_leverage(self, coin: str, leverage: int, *, cross: bool = True) -> None:
        """Set leverage and margin mode of a perp, with or without a position."""
        await self._send_plain(actions.update_leverage(self._known()[coin], leverage, cross=cross))

    async def update_isolated_margin(self, coin: str, usd: Amount) -> None:
        """Add (positive) or remove margin of an isolated position."""
        await self._send_plain(actions.update_isolated_margin(self._known()[coin], usd))

    # moves of money; the account's own key signs these, an agent's is refused

    async def vault_transfer(self, vault: str, usd: Amount, *, deposit: bool) -> None:
        """Deposit into or withdraw from a vault."""
        await self._move(actions.vault_transfer(vault, usd, deposit=deposit))

    async def sub_account_transfer(self, sub_account: str, usd: Amount, *, deposit: bool) -> None:
        """Move USDC to (deposit) or from a sub-account."""
        await self._move(actions.sub_account_transfer(sub_account, usd, deposit=deposit))

    async def approve_agent(self, agent: str, name: str | None = None) -> None:
        """Let an API wallet trade for this account. Its name may end in " valid_until <Unix ms>"."""
        fields: Action = {"type": "approveAgent", "agentAddress": actions.address(agent), "agentName": name or ""}
        await self._send_user_signed(fields, "nonce", leave_out=() if name else ("agentName",))

    async def approve_builder_fee(self, builder: str, percent: str) -> None:
        """Let a builder charge up to a rate, such as "0.01%"."""
        fields: Action = {"type": "approveBuilderFee", "maxFeeRate": percent, "builder": actions.address(builder)}
        await self._send_user_signed(fields, "nonce")

    async def usd_send(self, destination: str, usd: Amount) -> None:
        """Send USDC to another account of the venue."""
        fields: Action = {"type": "usdSend", "destination": actions.address(destination), "amount": to_wire(usd)}
        await self._send_user_signed(fields, "time")

    async def spot_send(self, destination: str, token: str, amount: Amount) -> None:
        """Send a token (as "HYPE:0x…") to another account."""
        fields: Action = {
            "type": "spotSend",
            "destination": actions.address(destination),
            "token": token,
            "amount": to_wire(amount),
        }
        await self._send_user_signed(fields, "time")

    async def withdraw(self, destination: str, usd: Amount) -> None:
        """Withdraw USDC over the bridge; the venue keeps 1 USDC."""
        fields: Action = {"type": "withdraw3", "destination": actions.address(destination), "amount": to_wire(usd)}
        await self._send_user_signed(fields, "time")

    async def usd_class_transfer(self, usd: Amount, *, to_perp: bool) -> None:
        """Move USDC between spot and perps of this account."""
        fields: Action = {"type": "usdClassTransfer", "amount": to_wire(usd), "toPerp": to_perp}
        await self._send_user_signed(fields, "nonce")

    # any action

    async def send(
        self, action: Action, *, items: int = 1, nonce: int | None = None, expires_after: int | None = None
    ) -> Reply:
        """Sign and send any L1 action; its fields must be in the venue's order.

        Args:
            action: the action, hashed as given.
            items: its orders or cancels, for the weight.
            nonce: instead of the next one of this signer.
            expires_after: Unix ms instead of the client's `expires_ms`.
        """
        return await self._send_l1(action, self._account, items, nonce, expires_after)

    def signed(self, action: Action, *, nonce: int | None = None, expires_after: int | None = None) -> bytes:
        """Sign any L1 action and return the whole body, for `raw`: sent twice, the venue executes it once.

        Arguments as of `send`. Takes no weight.
        """
        return self._signed_l1(action, self._account, nonce, expires_after)

    async def _send_plain(self, action: Action) -> None:
        require_ok(action["type"], await self.send(action))

    async def _move(self, action: Action) -> None:
        """Send a transfer: it names the other account itself and is never made on behalf of one."""
        require_ok(action["type"], await self._send_l1(action, None, 1, None, None))

    async def _send_l1(
        self, action: Action, account: str | None, items: int, nonce: int | None, expires_after: int | None
    ) -> Reply:
        self._signing()  # refused before anything is spent
        await self._spend(items)
        return await self._post(action, self._signed_l1(action, account, nonce, expires_after))

    def _signed_l1(self, action: Action, account: str | None, nonce: int | None, expires_after: int | None) -> bytes:
        signer, nonces = self._signing()
        nonce = nonces.next() if nonce is None else nonce
        if expires_after is None and self._expires_ms is not None:
            expires_after = wall_ms() + self._expires_ms
        signature = signer.sign_l1(action, nonce, account, expires_after, self._mainnet)
        return _body(action, nonce, signature, account, expires_after)

    async def _send_user_signed(self, fields: Action, nonce_field: str, *, leave_out: tuple[str, ...] = ()) -> None:
        signer, nonces = self._signing()
        await self._spend(1)
        nonce = nonces.next()
        action = {**fields, nonce_field: nonce}
        signature = sign_user_signed(signer, action, mainnet=self._mainnet)
        for name in leave_out:  # hashed as empty, absent on the wire
            action.pop(name)
        require_ok(action["type"], await self._post(action, _body(action, nonce, signature, None, None)))

    async def _spend(self, items: int) -> None:
        # Before the nonce and the expiry are fixed: a wait here must not make the action stale.
        if self._limiter is not None:
            await self._limiter.take(action_weight(items))

    async def _post(self, action: Action, body: bytes) -> Reply:
        status, answer = await self.raw(body)
        return read_reply(action["type"], status, answer)

    def _signing(self) -> tuple[Signer, Nonces]:
        if self._signer is None or self._nonces is None:
            raise SigningError("this client was made without a signer: Exchange(road, signer, network=…)")
        return self._signer, self._nonces

    def _known(self) -> Assets:
        if self._assets is None:
            raise ValueError("this client was made without assets: Exchange(…, assets=await Assets.load(info))")
        return self._assets


def _body(action: Action, nonce: int, signature: Any, vault: str | None, expires_after: int | None) -> bytes:
    return orjson.dumps(
        {
            "action": action,
            "nonce": nonce,
            "signature": signature,
            "vaultAddress": vault,
            "expiresAfter": expires_after,
        }
    )
