"""Accounts: balances, positions, agents, and the history that `/info` shows of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hlfast.sim.account_kinds import Loans, MultiSig, Stake, VaultBook
from hlfast.sim.numbers import ratio
from hlfast.sim.orders import Order
from hlfast.sim.universe import Asset, Leverage

if TYPE_CHECKING:
    from hlfast.sim.twaps import Twap

HISTORY_ROWS = 2_000  # orders the venue remembers of one account
FILL_ROWS = 10_000  # fills reachable by time
DAY_MS = 86_400_000


@dataclass(slots=True)
class Position:
    """`cost` is the signed value at which `size` was entered; `isolated` its own pot of raw USD, None when cross."""

    size: int = 0
    cost: int = 0
    isolated: int | None = None

    @property
    def entry_price(self) -> int:
        """Average entry price of what is open."""
        return ratio(self.cost, self.size)


@dataclass(slots=True)
class Agent:
    """An API wallet of an account; `valid_until_ms` as the venue reports it."""

    address: str
    name: str
    valid_until_ms: int


class Balances(dict[Any, int]):
    """Amounts by dex or by token that tell their account of every change, so that it is weighed after the block."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Account, amounts: Iterable[tuple[Any, int]] = ()) -> None:
        super().__init__(amounts)
        self._owner = owner

    def __setitem__(self, key: Any, amount: int) -> None:
        dict.__setitem__(self, key, amount)
        if not self._owner.is_touched:
            self._owner.touch()


def counted(count: tuple[int, int], time_ms: int) -> tuple[int, int]:
    """Return a count of a day (UTC) with one more: (day since 1970, how many)."""
    day = time_ms // DAY_MS
    return day, (count[1] if count[0] == day else 0) + 1


class Traded(dict[int, list[int]]):
    """Volume by day since 1970: what was taken, and what was made."""

    __slots__ = ()

    def __missing__(self, day: int) -> list[int]:
        traded = self[day] = [0, 0]
        return traded


@dataclass(slots=True, eq=False)
class Account:
    """A user, vault or sub-account. Raw USD is cash after all trades; equity is raw plus each position at mark."""

    address: str
    role: str = "user"
    name: str = ""
    master: str | None = None
    raw: dict[str, int] = field(default_factory=lambda: {"": 0})
    spot: dict[int, int] = field(default_factory=dict)
    spot_cost: dict[int, int] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    leverages: dict[int, Leverage] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    sub_accounts: list[str] = field(default_factory=list)
    builder_fees: dict[str, int] = field(default_factory=dict)
    vault: VaultBook | None = None
    stake: Stake = field(default_factory=Stake)
    loans: Loans = field(default_factory=Loans)
    orders: dict[int, Order] = field(default_factory=dict)
    by_oid: dict[int, Order] = field(default_factory=dict)
    by_cloid: dict[str, Order] = field(default_factory=dict)
    history: deque[Order] = field(default_factory=deque)
    fills: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=FILL_ROWS))
    ledger: list[dict[str, Any]] = field(default_factory=list)
    fundings: list[dict[str, Any]] = field(default_factory=list)
    twaps: dict[int, Twap] = field(default_factory=dict)  # running and waiting ones
    twap_slices: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HISTORY_ROWS))
    twap_history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HISTORY_ROWS))
    abstraction: str = "default"  # its mode; never chosen, a standard one
    is_unified: bool = False  # by its mode: dexs settle in the spot balances of their collateral
    multi_sig: MultiSig | None = None
    dex_abstraction: bool | None = None
    display_name: str | None = None
    uses_big_blocks: bool = False
    keeps_spot_dust: bool = False
    agent_removed_ms: int | None = None
    opened_ms: int = 0
    referrer: str | None = None
    deposited: bool = False
    volume: int = 0
    requests_used: int = 0
    requests_bought: int = 0
    request_ms: int = 0  # of the last request that counted
    actions_of_day: tuple[int, int] = (0, 0)  # (day, actions) of a unified account
    deposits: int = 0
    cancel_all_ms: int | None = None
    cancel_alls_of_day: tuple[int, int] = (0, 0)  # (day, how often the dead man's switch fired)
    traded: Traded = field(default_factory=Traded)
    is_scripted: bool = False  # its fills are a recording: it is neither liquidated nor deleveraged
    liquidated_ms: int = 0  # when a slice of a large position was last sold
    touched: list[Account] = field(default_factory=list)  # the audit's list, shared by all accounts of a venue
    is_touched: bool = False

    def __post_init__(self) -> None:
        self.raw = Balances(self, self.raw.items())
        self.spot = Balances(self, self.spot.items())

    def touch(self) -> None:
        """Have the account weighed at the end of the block."""
        if not self.is_touched:
            self.is_touched = True
            self.touched.append(self)

    def settle(self, dex: str, token: int, amount: int) -> None:
        """Move cash into the balance that a dex with this collateral settles in, or out of it (below zero)."""
        if self.is_unified:
            self.spot[token] = self.spot.get(token, 0) + amount
        else:
            self.raw[dex] = self.raw.get(dex, 0) + amount

    def position(self, asset: Asset) -> int:
        """Signed size held: the position of a perp, the balance of a spot pair's base token."""
        if asset.is_spot:
            return self.spot.get(asset.base_token, 0)
        held = self.positions.get(asset.asset_id)
        return held.size if held else 0

    def is_broke(self) -> bool:
        """Tell whether nothing is left: no cash, no position, no token."""
        return not (self.positions or any(self.raw.values()) or any(self.spot.values()) or self.stake.total)

    def leverage(self, asset: Asset) -> Leverage:
        """Margin mode and leverage; the venue's default where the account never set it."""
        return self.leverages.get(asset.asset_id, asset.default_leverage)

    def remember(self, order: Order) -> None:
        """Keep an order findable by oid and cloid, forgetting the oldest beyond what the venue keeps."""
        self.by_oid[order.oid] = order
        if order.cloid is not None:
            self.by_cloid[order.cloid] = order
        self.history.append(order)
        if len(self.history) > HISTORY_ROWS:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        # Open orders stay findable for ever, so the scan may put some back; one full turn bounds it.
        for _ in range(len(self.history)):
            if len(self.history) <= HISTORY_ROWS:
                return
            oldest = self.history.popleft()
            if oldest.oid in self.orders:
                self.history.append(oldest)
                continue
            self.by_oid.pop(oldest.oid, None)
            if oldest.cloid is not None and self.by_cloid.get(oldest.cloid) is oldest:
                del self.by_cloid[oldest.cloid]

    def trade_perp(self, asset: Asset, signed_size: int, notional: int) -> tuple[int, int]:
        """Apply one fill to a perp position and the cash behind it.

        `notional` is price times size, above zero: both sides move the same, however each splits it into a closed and
        an opened part.

        Returns:
            (start position, closed PnL without fee).
        """
        held = self.positions.get(asset.asset_id)
        if held is None:
            held = self.positions[asset.asset_id] = Position(isolated=None if self.leverage(asset).is_cross else 0)
        start = held.size
        value = notional if signed_size > 0 else -notional
        size = abs(signed_size)
        closed = min(abs(start), size) if start * signed_size < 0 else 0
        pnl = closed_value = 0
        if closed:
            closed_value = -value * closed // size
            cost = held.cost * closed // abs(start)
            pnl = closed_value - cost
            if held.isolated is not None:
                self._release(asset, held, closed, closed_value)
            held.cost -= cost
            held.size = start - closed if start > 0 else start + closed
        if closed < size:
            opened_value = value + closed_value
            held.size = start + signed_size
            held.cost += opened_value
            if held.isolated is not None:
                self._pledge(asset, held, opened_value)
        if held.isolated is None:
            self.settle(asset.dex, asset.quote_token, -value)
        if held.size == 0:
            if held.isolated:
                self.settle(asset.dex, asset.quote_token, held.isolated)
            del self.positions[asset.asset_id]
        return start, pnl

    def _release(self, asset: Asset, held: Position, closed: int, value: int) -> None:
        """Give the closed part's share of an isolated pot at this price back to the free balance."""
        isolated = held.isolated or 0
        equity = isolated + value * abs(held.size) // closed
        released = equity * closed // abs(held.size)
        held.isolated = isolated + value - released
        self.settle(asset.dex, asset.quote_token, released)

    def _pledge(self, asset: Asset, held: Position, value: int) -> None:
        """Pay for the opened part of an isolated position from its pot, and the margin into it."""
        margin = abs(value) // self.leverage(asset).value
        held.isolated = (held.isolated or 0) + margin - value
        self.settle(asset.dex, asset.quote_token, -margin)


class Maker(Account):
    """The synthetic maker: without margin, fees or history, so that of a trade it keeps size and cash alone."""

    __slots__ = ()

    def trade_perp(self, asset: Asset, signed_size: int, notional: int) -> tuple[int, int]:
        """Apply one fill; it has no closed PnL."""
        held = self.positions.get(asset.asset_id)
        if held is None:
            held = self.positions[asset.asset_id] = Position()
        start = held.size
        held.size = start + signed_size
        self.raw[asset.dex] = self.raw.get(asset.dex, 0) - (notional if signed_size > 0 else -notional)
        if held.size == 0:
            del self.positions[asset.asset_id]
        return start, 0


def direction(asset: Asset, start: int, signed_size: int) -> str:
    """Return the venue's display text of a fill."""
    if asset.is_spot:
        return "Buy" if signed_size > 0 else "Sell"
    end = start + signed_size
    if start * end < 0:
        return "Long > Short" if start > 0 else "Short > Long"
    if abs(end) > abs(start):
        return "Open Long" if end > 0 else "Open Short"
    return "Close Long" if start > 0 else "Close Short"
