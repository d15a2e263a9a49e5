"""Leverage, margin mode and isolated margin of an account's assets."""

from __future__ import annotations

from hlfast.sim import actions as act
from hlfast.sim.accounts import Account, Position
from hlfast.sim.blocks import Block
from hlfast.sim.entry import Origin, RefusedError
from hlfast.sim.numbers import SCALE, times, try_parse
from hlfast.sim.purse import MICRO
from hlfast.sim.universe import Asset, Leverage
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Handlers

NOT_ISOLATED = "Position does not use isolated margin."


class LeverageDesk:
    """One method an action; each raises `RefusedError` with the venue's words."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def handlers(self) -> Handlers:
        """Return the method of each action."""
        return {
            act.UpdateLeverageAction: self._leverage,
            act.UpdateIsolatedMarginAction: self._isolated_margin,
            act.TopUpIsolatedOnlyMarginAction: self._top_up,
        }

    def _leverage(self, action: act.UpdateLeverageAction, origin: Origin, _block: Block) -> None:
        account = origin.account
        asset = self._venue.universe.by_id.get(action.asset)
        if asset is None or asset.is_spot or not 1 <= action.leverage <= asset.max_leverage:
            raise RefusedError("Invalid leverage value")
        if action.is_cross and asset.isolated_only:
            raise RefusedError("Cross margin is not allowed for this asset.")
        held = account.positions.get(asset.asset_id)
        if held is not None:
            if (held.isolated is None) != action.is_cross:
                raise RefusedError("Cannot switch leverage type with open position.")
            self._lower(account, asset, held, action.leverage)
        account.leverages[asset.asset_id] = Leverage(action.is_cross, action.leverage)

    def _lower(self, account: Account, asset: Asset, held: Position, after: int) -> None:
        """Find the margin that a lower leverage asks for; a higher one never needs any."""
        before = account.leverage(asset).value
        if after >= before:
            return
        notional = times(self._venue.mark(asset), abs(held.size))
        more = notional // after - notional // before
        free = self._venue.margin.free(account, asset.dex)
        kind = "Cross" if held.isolated is None else "Isolated"
        if free < more:
            raise RefusedError(f"{kind} position does not have sufficient margin available to decrease leverage.")
        if held.isolated is not None:
            self._move(account, asset, held, more)

    @staticmethod
    def _move(account: Account, asset: Asset, held: Position, amount: int) -> None:
        held.isolated = (held.isolated or 0) + amount
        account.settle(asset.dex, asset.quote_token, -amount)

    def _isolated(self, account: Account, asset_id: int) -> tuple[Asset, Position]:
        asset = self._venue.universe.by_id.get(asset_id)
        held = account.positions.get(asset_id)
        if asset is None or held is None or held.isolated is None:
            raise RefusedError(NOT_ISOLATED)
        return asset, held

    def _isolated_margin(self, action: act.UpdateIsolatedMarginAction, origin: Origin, _block: Block) -> None:
        account = origin.account
        asset, held = self._isolated(account, action.asset)
        amount = action.ntli * MICRO
        mark = self._venue.mark(asset)
        value = (held.isolated or 0) + times(mark, held.size)
        initial = times(mark, abs(held.size)) // account.leverage(asset).value
        takes_out_of_strict = amount < 0 and asset.entry.get("marginMode") == "strictIsolated"
        if amount > self._venue.margin.free(account, asset.dex) or value + amount < initial or takes_out_of_strict:
            raise RefusedError("Insufficient margin to place order.")
        self._move(account, asset, held, amount)

    def _top_up(self, action: act.TopUpIsolatedOnlyMarginAction, origin: Origin, _block: Block) -> None:
        account = origin.account
        asset, held = self._isolated(account, action.asset)
        leverage = try_parse(action.leverage)
        if leverage is None or not SCALE <= leverage <= asset.max_leverage * SCALE:
            raise RefusedError("Invalid leverage value")
        mark = self._venue.mark(asset)
        value = (held.isolated or 0) + times(mark, held.size)
        more = times(mark, abs(held.size)) * SCALE // leverage - value
        if more <= 0:
            return
        if more > self._venue.margin.free(account, asset.dex):
            raise RefusedError("Insufficient margin to place order.")
        self._move(account, asset, held, more)
