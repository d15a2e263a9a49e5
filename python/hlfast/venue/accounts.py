"""Answers about accounts: positions, orders, fills, limits, agents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hlfast.venue.shapes import Answer, Leverage, Side


class MarginSummary(Answer, frozen=True, kw_only=True):
    """Sums over an account's positions, in USD."""

    account_value: Decimal
    total_ntl_pos: Decimal
    total_raw_usd: Decimal
    total_margin_used: Decimal


class CumulativeFunding(Answer, frozen=True, kw_only=True):
    """Funding paid (positive) since three starting points."""

    all_time: Decimal
    since_open: Decimal
    since_change: Decimal


class Position(Answer, frozen=True, kw_only=True):
    """One open position; `szi` is signed. A flat coin has no row."""

    coin: str
    szi: Decimal
    leverage: Leverage
    entry_px: Decimal | None = None
    position_value: Decimal
    unrealized_pnl: Decimal
    return_on_equity: Decimal
    liquidation_px: Decimal | None = None
    margin_used: Decimal
    max_leverage: int | None = None
    cum_funding: CumulativeFunding | None = None


class AssetPosition(Answer, frozen=True, kw_only=True):
    """Wrapper of a position; `type` is "oneWay"."""

    type: str
    position: Position


class ClearinghouseState(Answer, frozen=True, kw_only=True):
    """An account on one perp dex. For unified accounts the sums here are not meaningful: equity is in spot."""

    margin_summary: MarginSummary
    cross_margin_summary: MarginSummary
    withdrawable: Decimal
    asset_positions: tuple[AssetPosition, ...]
    time: int | None = None  # answers of 2023 have none
    cross_maintenance_margin_used: Decimal | None = None


class SpotBalance(Answer, frozen=True, kw_only=True):
    """One token of an account; outcome balances (`+10`) have no token."""

    coin: str
    total: Decimal
    hold: Decimal
    entry_ntl: Decimal
    token: int | None = None


class SpotState(Answer, frozen=True, kw_only=True):
    """Spot balances."""

    balances: tuple[SpotBalance, ...]


class ActiveAssetData(Answer, frozen=True, kw_only=True):
    """Leverage and room of one account in one perp; the only way to read leverage without a position."""

    user: str
    coin: str
    leverage: Leverage
    max_trade_szs: tuple[Decimal, Decimal]
    available_to_trade: tuple[Decimal, Decimal]
    mark_px: Decimal | None = None


class OpenOrder(Answer, frozen=True, kw_only=True):
    """A resting order. The fields after `cloid` come with `frontend_open_orders` only."""

    coin: str
    side: Side
    limit_px: Decimal
    sz: Decimal  # what remains
    oid: int
    timestamp: int
    orig_sz: Decimal | None = None
    reduce_only: bool = False
    cloid: str | None = None
    order_type: str | None = None
    tif: str | None = None
    is_trigger: bool = False
    trigger_px: Decimal | None = None
    trigger_condition: str | None = None
    is_position_tpsl: bool = False


class OrderRecord(Answer, frozen=True, kw_only=True):
    """An order and what became of it. `status` is an open set: classify by the endings Canceled and Rejected."""

    order: OpenOrder
    status: str
    status_timestamp: int


class OrderStatus(Answer, frozen=True, kw_only=True):
    """Answer to a question about one order; `order` is None for an id the venue does not know (or no longer does)."""

    status: str  # "order" or "unknownOid"
    order: OrderRecord | None = None


class FillLiquidation(Answer, frozen=True, kw_only=True):
    """The liquidation that made a fill."""

    mark_px: Decimal
    method: str
    liquidated_user: str | None = None


class Fill(Answer, frozen=True, kw_only=True):
    """One execution. Identity is (coin, time, tid); truth is side, size and start position, not `dir`."""

    coin: str
    px: Decimal
    sz: Decimal
    side: Side
    time: int
    start_position: Decimal
    dir: str
    closed_pnl: Decimal  # before fees
    hash: str
    oid: int
    crossed: bool
    fee: Decimal  # negative: a rebate; the builder's part is inside
    tid: int | None = None  # rows before 2024 have none
    fee_token: str | None = None
    cloid: str | None = None
    builder_fee: Decimal | None = None
    twap_id: int | None = None
    liquidation: FillLiquidation | None = None


class TwapSliceFill(Answer, frozen=True, kw_only=True):
    """A slice of a TWAP order; such fills are missing from `user_fills`."""

    fill: Fill
    twap_id: int


class LedgerUpdate(Answer, frozen=True, kw_only=True):
    """A funding payment, deposit, withdrawal or transfer. `delta["type"]` tells which; its amounts are text."""

    time: int
    hash: str
    delta: dict[str, Any]


class RateLimit(Answer, frozen=True, kw_only=True):
    """Requests of an address since ever: used, allowed, bought."""

    cum_vlm: Decimal
    n_requests_used: int
    n_requests_cap: int
    n_requests_surplus: int = 0


class RoleData(Answer, frozen=True, kw_only=True):
    """Whom an agent or sub-account belongs to."""

    user: str | None = None
    master: str | None = None


class Role(Answer, frozen=True, kw_only=True):
    """What an address is: "user", "agent", "vault", "subAccount" or "missing"."""

    role: str
    data: RoleData | None = None


class ExtraAgent(Answer, frozen=True, kw_only=True):
    """A named API wallet of an account. The unnamed one is not listed."""

    address: str
    name: str
    valid_until: int | None = None


class UserFees(Answer, frozen=True, kw_only=True):
    """Fee rates of an account as fractions (0.00045 is 4.5 bps)."""

    user_cross_rate: Decimal
    user_add_rate: Decimal
    user_spot_cross_rate: Decimal | None = None
    user_spot_add_rate: Decimal | None = None
    active_referral_discount: Decimal | None = None


class PortfolioWindow(Answer, frozen=True, kw_only=True):
    """Equity and profit over one window, as (Unix ms, USD)."""

    account_value_history: tuple[tuple[int, Decimal], ...]
    pnl_history: tuple[tuple[int, Decimal], ...]
    vlm: Decimal


class SubAccount(Answer, frozen=True, kw_only=True):
    """A sub-account with its state on the main dex."""

    name: str
    sub_account_user: str
    master: str
    clearinghouse_state: ClearinghouseState
    spot_state: SpotState


class VaultEquity(Answer, frozen=True, kw_only=True):
    """A share in a vault."""

    vault_address: str
    equity: Decimal
    locked_until_timestamp: int | None = None
