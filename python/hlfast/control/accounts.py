"""Reads equity, funding and (of followers) fills of the settings' accounts at the venue, and writes what is new."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from hlfast.config.model import Config
from hlfast.config.portions import is_native
from hlfast.errors import HlfastError
from hlfast.store.accounts import (
    AccountFill,
    EquityPoint,
    FundingPayment,
    latest_fill_ms,
    latest_funding_ms,
    save_equity,
    save_fills,
    save_funding,
)
from hlfast.store.portions import gather_smart_orders
from hlfast.venue.accounts import Fill, LedgerUpdate, PortfolioWindow
from hlfast.venue.info import FILLS_PER_PAGE, Info

_PAGE = 500
# Before the first reading nothing is there; a month of hourly payments of a few coins is ten pages.
_FIRST_REACH_MS = 30 * 86_400_000
_MOST_PAGES = 20


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one round brought. `failed` are (account, why); they are asked again in the next round."""

    accounts: int
    equity: int
    funding: int
    fills: int
    failed: tuple[tuple[str, str], ...]


class AccountReader:
    """Reads each account of the settings in turn.

    Args:
        info: the venue, within a budget.
        database: of `store.opened`.
        config: whose leaders and followers are read.
        clock_ms: Unix milliseconds.
    """

    def __init__(self, info: Info, database: AsyncEngine, config: Config, clock_ms: Callable[[], int]) -> None:
        self._info = info
        self._database = database
        self._clock_ms = clock_ms
        accounts = [leader.address for leader in config.leaders] + [one.account for one in config.followers]
        self._accounts = list(dict.fromkeys(account.lower() for account in accounts))
        self._followers = {one.account.lower() for one in config.followers}
        # The venue shows slices of its TWAPs apart from other fills.
        self._native = {one.account.lower() for one in config.followers if is_native(one)}
        self._styles = {
            one.name: one.execution.style
            for one in config.followers
            if one.execution is not None and one.execution.style != "immediate"
        }

    async def read(self) -> Reading:
        """Read every account once; one that can't be read is named, and the others are read."""
        points = payments = executed = 0
        failed: list[tuple[str, str]] = []
        for account in self._accounts:
            try:
                points += await self._read_equity(account)
                payments += await self._read_funding(account)
                # Leaders' fills come with the journal; followers' own are told by nothing in it.
                executed += await self._read_fills(account) if account in self._followers else 0
            except HlfastError as error:
                failed.append((account, str(error)))
        async with self._database.begin() as connection:
            await gather_smart_orders(connection, self._styles)
        return Reading(
            accounts=len(self._accounts), equity=points, funding=payments, fills=executed, failed=tuple(failed)
        )

    async def follow(self, every_s: float, stop: asyncio.Event, told: Callable[[str], None]) -> None:
        """Read at once and then every so many seconds, until `stop`. A database that is away is told and waited for."""
        while not stop.is_set():
            try:
                for account, why in (await self.read()).failed:
                    told(f"{account} was not read: {why}")
            except (sa.exc.DBAPIError, OSError) as error:
                told(f"accounts were not written: {str(error).splitlines()[0]}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)

    async def _read_equity(self, account: str) -> int:
        window = (await self._info.portfolio(account)).get("allTime")
        async with self._database.begin() as connection:
            return await save_equity(connection, [] if window is None else points_of(account, window))

    async def _read_funding(self, account: str) -> int:
        async with self._database.connect() as connection:
            since_ms = await latest_funding_ms(connection, account)
        since_ms = since_ms or self._clock_ms() - _FIRST_REACH_MS
        written = 0
        for _ in range(_MOST_PAGES):
            page = await self._info.user_funding(account, since_ms)
            async with self._database.begin() as connection:
                written += await save_funding(connection, payments_of(account, page))
            if len(page) < _PAGE or page[-1].time <= since_ms:
                break
            since_ms = page[-1].time
        return written

    async def _read_fills(self, account: str) -> int:
        async with self._database.connect() as connection:
            since_ms = await latest_fill_ms(connection, account)
        since_ms = since_ms or self._clock_ms() - _FIRST_REACH_MS
        written = 0
        # Read first and written last: the newest row written says from where on the others are read.
        slices = await self._info.twap_slice_fills(account) if account in self._native else ()
        page: list[AccountFill] = []
        async for fill in self._info.fills_since(account, since_ms):
            page += executed_of(account, fill)
            if len(page) >= FILLS_PER_PAGE:
                written += await self._write_fills(page)
                page = []
        page += [row for one in slices for row in executed_of(account, one.fill, one.twap_id)]
        return written + await self._write_fills(page)

    async def _write_fills(self, page: list[AccountFill]) -> int:
        async with self._database.begin() as connection:
            return await save_fills(connection, page)


def executed_of(account: str, fill: Fill, twap_id: int | None = None) -> list[AccountFill]:
    """Return the row of a fill; none without a tid, which tells fills apart."""
    if not fill.tid:
        return []
    row = AccountFill(
        account=account,
        coin=fill.coin,
        time_ms=fill.time,
        tid=fill.tid,
        side=fill.side,
        price=fill.px,
        size=fill.sz,
        start_position=fill.start_position,
        closed_pnl=fill.closed_pnl,
        fee=fill.fee,
        fee_token=fill.fee_token,
        oid=fill.oid,
        crossed=fill.crossed,
        cloid=fill.cloid,
        twap_id=twap_id,
    )
    return [row]


def points_of(account: str, window: PortfolioWindow) -> list[EquityPoint]:
    """Join equity and profit on their times; a point that only one of them has is left out."""
    profit = dict(window.pnl_history)
    values = dict(window.account_value_history)
    return [
        EquityPoint(account=account, time_ms=at, usd=usd, pnl_usd=profit[at])
        for at, usd in values.items()
        if at in profit
    ]


def payments_of(account: str, updates: tuple[LedgerUpdate, ...]) -> list[FundingPayment]:
    """Take funding payments; a row without coin or amount is none."""
    found: dict[tuple[str, int], FundingPayment] = {}
    for update in updates:
        coin, text = update.delta.get("coin"), update.delta.get("usdc")
        try:
            usd = Decimal(str(text))
        except InvalidOperation:
            continue
        if isinstance(coin, str) and usd.is_finite():
            found[coin, update.time] = FundingPayment(account=account, coin=coin, time_ms=update.time, usd=usd)
    return list(found.values())
