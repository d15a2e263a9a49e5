"""Reads: POST /info, verbatim or typed. Everything here is public data; nothing is signed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import orjson

from hlfast.errors import HttpStatusError, NoAnswerError, RateLimitedError, VenueError
from hlfast.venue import accounts, markets
from hlfast.venue.http import NO_ANSWER, Road
from hlfast.venue.limits import Limiter, info_weight, row_weight
from hlfast.venue.shapes import require_amount

T = TypeVar("T")
# The venue gives at most this many fills in one answer (2026-08); a full page means that there may be more.
FILLS_PER_PAGE = 2_000


class Info:
    """What the venue tells anyone about markets and accounts.

    `user` is always a master, sub-account or vault address, never an agent's: an agent's gives empty answers and no
    error (see `user_role`). `dex` is "" for the main perps. Addresses may be in any case.

    Every typed method raises:
        NoAnswerError: nothing came before the deadline. Reads change nothing: ask again.
        RateLimitedError: HTTP 429; the address spent its weight (1,200 a minute, 2026-08).
        HttpStatusError: any other status; 422 means that the request itself is wrong.
        VenueError: the answer is not of the documented shape, or holds a number that is no amount.

    Args:
        road: the connection to the venue.
        limiter: keeps the budget of this source address; None spends without counting.
    """

    def __init__(self, road: Road, *, limiter: Limiter | None = None) -> None:
        self._road = road
        self._limiter = limiter

    async def raw(self, body: Mapping[str, Any], *, deadline_ms: int | None = None) -> tuple[int, bytes]:
        """Ask and return (status, bytes) exactly as they came; status 0 when no answer came. Takes no weight."""
        return await self._road.post("/info", orjson.dumps(body), deadline_ms=deadline_ms)

    async def ask(self, shape: type[T], request: str, /, **fields: Any) -> T:
        """Ask anything and decode the answer as `shape` (use `Any` for what has no shape here).

        Args:
            shape: a type of `markets` or `accounts`, or any that msgspec decodes.
            request: the venue's name of the read, such as "vaultDetails".
            fields: further fields of the body, in the venue's spelling.
        """
        if self._limiter is not None:
            await self._limiter.take(info_weight(request))
        status, answer = await self.raw({"type": request, **fields})
        _require_ok(request, status, answer)
        try:
            decoded = _decode(shape, answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise VenueError(f"{request}: the answer is not of the known shape ({error})") from None
        if self._limiter is not None and isinstance(decoded, tuple | list):
            self._limiter.spend(row_weight(request, len(decoded)))
        return decoded

    # markets

    async def meta(self, dex: str = "") -> markets.Meta:
        """Return the perps of a dex; their order gives the asset ids."""
        return await self.ask(markets.Meta, "meta", dex=dex)

    async def meta_and_contexts(self) -> tuple[markets.Meta, tuple[markets.AssetContext, ...]]:
        """Return the main perps and their market values, row by row."""
        return await self.ask(tuple[markets.Meta, tuple[markets.AssetContext, ...]], "metaAndAssetCtxs")

    async def perp_dexs(self) -> tuple[markets.PerpDex | None, ...]:
        """Return all perp dexs; place 0 is None, the main one. A dex's place is part of its asset ids."""
        return await self.ask(tuple[markets.PerpDex | None, ...], "perpDexs")

    async def spot_meta(self) -> markets.SpotMeta:
        """Return spot pairs and tokens."""
        return await self.ask(markets.SpotMeta, "spotMeta")

    async def spot_meta_and_contexts(self) -> tuple[markets.SpotMeta, tuple[markets.SpotContext, ...]]:
        """Return spot pairs and their market values (match by coin)."""
        return await self.ask(tuple[markets.SpotMeta, tuple[markets.SpotContext, ...]], "spotMetaAndAssetCtxs")

    async def all_mids(self, dex: str = "") -> dict[str, Decimal]:
        """Return the mid of every coin; the last trade's price where the book is empty."""
        mids = await self.ask(dict[str, Decimal], "allMids", dex=dex)
        for mid in mids.values():
            _require_amount("allMids", mid)
        return mids

    async def l2_book(self, coin: str, *, significant_figures: int | None = None) -> markets.Book | None:
        """Return 20 levels a side; None for a coin the venue does not know."""
        fields: dict[str, Any] = {"coin": coin}
        if significant_figures is not None:
            fields["nSigFigs"] = significant_figures
        return await self.ask(markets.Book | None, "l2Book", **fields)  # type: ignore[arg-type] # a union is a shape too

    async def recent_trades(self, coin: str) -> tuple[markets.Trade, ...]:
        """Return the last few dozen trades of a coin."""
        return await self.ask(tuple[markets.Trade, ...], "recentTrades", coin=coin)

    async def candles(self, coin: str, interval: str, start_ms: int, end_ms: int) -> tuple[markets.Candle, ...]:
        """Return candles (at most the latest 5,000). Intervals: 1m 3m 5m 15m 30m 1h 2h 4h 8h 12h 1d 3d 1w 1M."""
        window = {"coin": coin, "interval": interval, "startTime": start_ms, "endTime": end_ms}
        return await self.ask(tuple[markets.Candle, ...], "candleSnapshot", req=window)

    async def funding_history(
        self, coin: str, start_ms: int, end_ms: int | None = None
    ) -> tuple[markets.FundingRate, ...]:
        """Return hourly funding rates, at most 500 from `start_ms` on."""
        fields = _window(start_ms, end_ms)
        return await self.ask(tuple[markets.FundingRate, ...], "fundingHistory", coin=coin, **fields)

    async def exchange_status(self) -> markets.ExchangeStatus:
        """Return the venue's clock."""
        return await self.ask(markets.ExchangeStatus, "exchangeStatus")

    # accounts

    async def clearinghouse_state(self, user: str, dex: str = "") -> accounts.ClearinghouseState:
        """Return positions and margin of an account on one dex."""
        return await self.ask(accounts.ClearinghouseState, "clearinghouseState", user=user, dex=dex)

    async def spot_state(self, user: str) -> accounts.SpotState:
        """Return spot balances; for unified accounts these hold the equity."""
        return await self.ask(accounts.SpotState, "spotClearinghouseState", user=user)

    async def active_asset_data(self, user: str, coin: str) -> accounts.ActiveAssetData:
        """Return leverage and room of an account in one perp."""
        return await self.ask(accounts.ActiveAssetData, "activeAssetData", user=user, coin=coin)

    async def open_orders(self, user: str, dex: str = "") -> tuple[accounts.OpenOrder, ...]:
        """Return resting orders, briefly."""
        return await self.ask(tuple[accounts.OpenOrder, ...], "openOrders", user=user, dex=dex)

    async def frontend_open_orders(self, user: str, dex: str = "") -> tuple[accounts.OpenOrder, ...]:
        """Return resting orders with trigger details."""
        return await self.ask(tuple[accounts.OpenOrder, ...], "frontendOpenOrders", user=user, dex=dex)

    async def order_status(self, user: str, order: int | str) -> accounts.OrderStatus:
        """Return what became of an order, by oid or cloid. History reaches back about 2,000 orders of the account."""
        return await self.ask(accounts.OrderStatus, "orderStatus", user=user, oid=order)

    async def historical_orders(self, user: str) -> tuple[accounts.OrderRecord, ...]:
        """Return the latest 2,000 orders."""
        return await self.ask(tuple[accounts.OrderRecord, ...], "historicalOrders", user=user)

    async def user_fills(self, user: str, *, aggregate: bool = False) -> tuple[accounts.Fill, ...]:
        """Return the latest 2,000 fills, newest first. TWAP slices are not among them."""
        return await self.ask(tuple[accounts.Fill, ...], "userFills", user=user, aggregateByTime=aggregate)

    async def user_fills_by_time(
        self, user: str, start_ms: int, end_ms: int | None = None, *, aggregate: bool = False
    ) -> tuple[accounts.Fill, ...]:
        """Return at most 2,000 fills from `start_ms` on, oldest first; see `fills_since` for all of them."""
        fields = {"startTime": start_ms, "endTime": end_ms, "aggregateByTime": aggregate}
        return await self.ask(tuple[accounts.Fill, ...], "userFillsByTime", user=user, **fields)

    async def fills_since(self, user: str, start_ms: int, end_ms: int | None = None) -> AsyncIterator[accounts.Fill]:
        """Yield every fill from `start_ms` on, oldest first, each once, page by page.

        The venue keeps about the 10,000 latest. Each full page is followed by another from its last millisecond on, so
        the fills of that millisecond come twice and are dropped once.

        Raises:
            VenueError: one millisecond holds a whole page, so no further page can be asked for.
        """
        seen: set[tuple[str, int, int | None, int]] = set()
        while True:
            page = await self.user_fills_by_time(user, start_ms, end_ms)
            for fill in page:
                identity = (fill.coin, fill.time, fill.tid, fill.oid)
                if identity not in seen:
                    seen.add(identity)
                    yield fill
            if len(page) < FILLS_PER_PAGE:
                return
            last_ms = page[-1].time
            if last_ms <= start_ms:
                raise VenueError(f"userFillsByTime: {FILLS_PER_PAGE} fills in one millisecond; no page can follow")
            start_ms = last_ms
            seen = {identity for identity in seen if identity[1] == last_ms}

    async def twap_slice_fills(self, user: str) -> tuple[accounts.TwapSliceFill, ...]:
        """Return the latest 2,000 slices of TWAP orders."""
        return await self.ask(tuple[accounts.TwapSliceFill, ...], "userTwapSliceFills", user=user)

    async def user_funding(
        self, user: str, start_ms: int, end_ms: int | None = None
    ) -> tuple[accounts.LedgerUpdate, ...]:
        """Return funding payments, at most 500 from `start_ms` on."""
        fields = _window(start_ms, end_ms)
        return await self.ask(tuple[accounts.LedgerUpdate, ...], "userFunding", user=user, **fields)

    async def ledger_updates(
        self, user: str, start_ms: int, end_ms: int | None = None
    ) -> tuple[accounts.LedgerUpdate, ...]:
        """Return deposits, withdrawals and transfers; tells them from profit in an equity curve."""
        fields = _window(start_ms, end_ms)
        return await self.ask(tuple[accounts.LedgerUpdate, ...], "userNonFundingLedgerUpdates", user=user, **fields)

    async def user_rate_limit(self, user: str) -> accounts.RateLimit:
        """Return the requests an address has used and may use."""
        return await self.ask(accounts.RateLimit, "userRateLimit", user=user)

    async def user_role(self, user: str) -> accounts.Role:
        """Return what an address is. Costs 60; the way to find that someone gave an agent's address."""
        return await self.ask(accounts.Role, "userRole", user=user)

    async def extra_agents(self, user: str) -> tuple[accounts.ExtraAgent, ...]:
        """Return the named API wallets of an account; the unnamed one shows only in `user_role` of its address."""
        return await self.ask(tuple[accounts.ExtraAgent, ...], "extraAgents", user=user)

    async def user_fees(self, user: str) -> accounts.UserFees:
        """Return fee rates."""
        return await self.ask(accounts.UserFees, "userFees", user=user)

    async def portfolio(self, user: str) -> dict[str, accounts.PortfolioWindow]:
        """Return equity and profit over day, week, month, allTime, and the same for perps (perpDay …)."""
        rows = await self.ask(tuple[tuple[str, accounts.PortfolioWindow], ...], "portfolio", user=user)
        return dict(rows)

    async def sub_accounts(self, user: str) -> tuple[accounts.SubAccount, ...]:
        """Return sub-accounts; empty when there are none."""
        shape = tuple[accounts.SubAccount, ...] | None
        return await self.ask(shape, "subAccounts", user=user) or ()  # type: ignore[arg-type] # a union is a shape too

    async def vault_equities(self, user: str) -> tuple[accounts.VaultEquity, ...]:
        """Return shares in vaults."""
        return await self.ask(tuple[accounts.VaultEquity, ...], "userVaultEquities", user=user)

    async def user_abstraction(self, user: str) -> str:
        """Return where balances live: disabled, unifiedAccount, portfolioMargin, default or dexAbstraction."""
        return await self.ask(str, "userAbstraction", user=user)

    async def max_builder_fee(self, user: str, builder: str) -> int:
        """Return the approved fee of a builder in tenths of a basis point; 0: not approved."""
        return await self.ask(int, "maxBuilderFee", user=user, builder=builder)


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decode(shape: type[T], answer: bytes) -> T:
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.json.Decoder(shape)
    decoded: T = decoder.decode(answer)
    return decoded


def _require_ok(request: str, status: int, answer: bytes) -> None:
    if status == 200:
        return
    text = answer.decode("utf-8", "replace")
    if status == NO_ANSWER:
        raise NoAnswerError(f"{request}: no answer ({text[:200]})")
    if status == 429:
        raise RateLimitedError(status, text)
    raise HttpStatusError(status, text)


def _require_amount(request: str, value: Decimal) -> None:
    try:
        require_amount(value)
    except ValueError as error:
        raise VenueError(f"{request}: {error}") from None


def _window(start_ms: int, end_ms: int | None) -> dict[str, int]:
    return {"startTime": start_ms} if end_ms is None else {"startTime": start_ms, "endTime": end_ms}
