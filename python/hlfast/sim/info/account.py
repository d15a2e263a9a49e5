"""State of accounts: margin, spot balances, leverage, open orders, roles and limits."""

from __future__ import annotations

from typing import Any

from hlfast.sim.accounts import Account
from hlfast.sim.info.balances import SpotBalances
from hlfast.sim.info.request import BadRequestError, Handler, constant, read_text, read_user
from hlfast.sim.modes import UNCHOSEN
from hlfast.sim.numbers import SCALE, parse, ratio, times, usd, wire
from hlfast.sim.trading import Trading
from hlfast.sim.universe import Asset
from hlfast.sim.venue import Venue


class AccountInfo:
    """What everybody may know of an address. An agent's address answers empty, without an error."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading
        self._spot = SpotBalances(venue)

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each request type."""
        return {
            "clearinghouseState": lambda body: self.state(self._account(body), self._dex(body)),
            "spotClearinghouseState": lambda body: self.spot_state(self._account(body)),
            "activeAssetData": self._active_asset,
            "openOrders": lambda body: [o.row() for o in self.open_orders(self._account(body), self._dex(body))],
            "frontendOpenOrders": lambda body: self.frontend_orders(self._account(body), self._dex(body)),
            "userFees": lambda body: self._venue.schedule.shown(self._account(body), self._venue.time_ms()),
            "liquidatable": constant([]),
        }

    def find(self, address: str) -> Account:
        """Return an account for reading; an unknown one is empty and isn't kept."""
        return self._venue.accounts.get(address) or Account(address)

    def _account(self, body: dict[str, Any]) -> Account:
        return self.find(read_user(body))

    def _dex(self, body: dict[str, Any]) -> str:
        dex = read_text(body, "dex", "")
        if dex not in self._venue.universe.meta:
            raise BadRequestError
        return dex

    def state(self, account: Account, dex: str) -> dict[str, Any]:
        """Return `clearinghouseState` of one dex.

        A unified account has no balance there: what is shown of one is the margin of its positions and their profit, as
        a recorded account's figures suggest.
        """
        margin, own = self._venue.margin, (dex,)
        raw = margin.needed(account, own) if account.is_unified else account.raw.get(dex, 0)
        cross = raw + margin.worth(account, own)
        isolated = margin.isolated_value(account, own)
        cross_notional = margin.notional(account, own, cross_only=True)
        used = margin.used(account, own)
        spare = max(0, cross - max(used, cross_notional // 10))
        rows = []
        raw_isolated = 0
        for asset_id, held in account.positions.items():
            asset = self._venue.universe.by_id[asset_id]
            if asset.dex == dex:
                raw_isolated += held.isolated or 0
                rows.append({"type": "oneWay", "position": self._position_row(account, asset)})
        return {
            "marginSummary": {
                "accountValue": usd(cross + isolated),
                "totalNtlPos": usd(margin.notional(account, own, cross_only=False)),
                "totalRawUsd": usd(raw + raw_isolated),
                "totalMarginUsed": usd(used + isolated),
            },
            "crossMarginSummary": {
                "accountValue": usd(cross),
                "totalNtlPos": usd(cross_notional),
                "totalRawUsd": usd(raw),
                "totalMarginUsed": usd(used),
            },
            "crossMaintenanceMarginUsed": usd(margin.maintenance(account, own)),
            "withdrawable": usd(spare if account.is_unified else margin.withdrawable(account, dex)),
            "assetPositions": rows,
            "time": self._venue.time_ms(),
        }

    def _position_row(self, account: Account, asset: Asset) -> dict[str, Any]:
        held = account.positions[asset.asset_id]
        leverage = account.leverage(asset)
        mark = self._venue.mark(asset)
        value = times(mark, held.size)
        pnl = value - held.cost
        shown: dict[str, Any] = {"type": "cross" if held.isolated is None else "isolated", "value": leverage.value}
        if held.isolated is not None:
            shown["rawUsd"] = usd(held.isolated)
            used = held.isolated + value
        else:
            used = abs(value) // leverage.value
        liquidation = self._venue.margin.liquidation_price(account, asset)
        return {
            "coin": asset.coin,
            "szi": wire(held.size),
            "leverage": shown,
            "entryPx": wire(abs(_shortened(held.entry_price))),
            "positionValue": usd(abs(value)),
            "unrealizedPnl": usd(pnl),
            "returnOnEquity": wire(ratio(pnl * leverage.value, abs(held.cost))),
            "liquidationPx": None if liquidation is None else usd(liquidation),
            "marginUsed": usd(used),
            "maxLeverage": asset.max_leverage,
            "cumFunding": _funding_paid(account, asset.coin),
        }

    def spot_state(self, account: Account) -> dict[str, Any]:
        """Return `spotClearinghouseState`."""
        return self._spot.state(account)

    def mode(self, account: Account) -> str:
        """Return `userAbstraction`."""
        return self._venue.settings.unchosen_mode if account.abstraction == UNCHOSEN else account.abstraction

    def token_price(self, token: int) -> str:
        """Return a token's price in USDC by its pair's mark; zero without a pair."""
        pairs = (asset for asset in self._venue.universe.by_dex["spot"] if asset.base_token == token)
        return next((wire(self._venue.mark(asset)) for asset in pairs), "0.0")

    def active_asset(self, account: Account, asset: Asset) -> dict[str, Any]:
        """Return `activeAssetData`, the only view of leverage without a position."""
        leverage = account.leverage(asset)
        mark = self._venue.mark(asset)
        free = max(0, self._venue.margin.free(account, asset.dex))
        held = account.positions.get(asset.asset_id)
        shown: dict[str, Any] = {"type": "cross" if leverage.is_cross else "isolated", "value": leverage.value}
        if not leverage.is_cross:
            shown["rawUsd"] = usd(held.isolated or 0) if held else "0.0"
        room = []
        for sign in (1, -1):
            # Turning a position round first frees its own margin, and then opens as much again.
            bound = times(mark, abs(held.size)) // leverage.value if held and held.size * sign < 0 else 0
            room.append(free + 2 * bound)
        sizes = [money * leverage.value * SCALE // mark // asset.lot * asset.lot for money in room]
        return {
            "user": account.address,
            "coin": asset.coin,
            "leverage": shown,
            "maxTradeSzs": [wire(size) for size in sizes],
            "availableToTrade": [usd(money) for money in room],
            "markPx": wire(mark),
        }

    def _active_asset(self, body: dict[str, Any]) -> Any:
        asset = self._venue.universe.by_coin.get(read_text(body, "coin"))
        if asset is None or asset.is_spot:
            raise BadRequestError
        return self.active_asset(self._account(body), asset)

    def open_orders(self, account: Account, dex: str) -> list[Any]:
        """Return the open orders of one dex; spot orders come with the main one."""
        dexs = {dex, "spot"} if dex == "" else {dex}
        return [order for order in account.orders.values() if order.asset.dex in dexs]

    def frontend_orders(self, account: Account, dex: str) -> list[dict[str, Any]]:
        """Return the rows of `frontendOpenOrders`."""
        return [order.frontend_row() for order in self.open_orders(account, dex)]

    def twap_states(self, account: Account, dex: str) -> list[Any]:
        """Return [[id, state]…] of the running and waiting TWAPs of one dex; spot ones come with the main one."""
        dexs = {dex, "spot"} if dex == "" else {dex}
        return [[twap.twap_id, twap.state()] for twap in account.twaps.values() if twap.asset.dex in dexs]

    def web_data(self, account: Account) -> dict[str, Any]:
        """Return the data of a `webData3` frame."""
        unnamed = next((agent for agent in account.agents.values() if not agent.name), None)
        user: dict[str, Any] = {
            "agentAddress": unnamed.address if unnamed else None,
            "agentValidUntil": unnamed.valid_until_ms if unnamed else None,
            "cumLedger": usd(account.deposits),
            "serverTime": self._venue.time_ms(),
            "isVault": account.role == "vault",
            "user": account.address,
        }
        if account.dex_abstraction is not None:
            user["dexAbstractionEnabled"] = account.dex_abstraction
        if account.role != "vault":
            user["abstraction"] = self.mode(account)
        if account.keeps_spot_dust:
            user["optOutOfSpotDusting"] = True
        return {"userState": user, "perpDexStates": [self._dex_state(account, dex) for dex in self._dexs()]}

    def at_cap(self, dex: str) -> list[str]:
        """Return the coins of a dex whose open interest is capped out."""
        return self._trading.interest.capped(dex)

    def _dexs(self) -> list[str]:
        return self._venue.universe.dex_names

    def _dex_state(self, account: Account, dex: str) -> dict[str, Any]:
        vaults = [one for one in self._venue.accounts.values() if one.vault is not None and not dex]
        equity = sum(
            one.vault.equity(account.address, max(0, self._venue.margin.total_value(one)))
            for one in vaults
            if one.vault is not None
        )
        shown: dict[str, Any] = {"totalVaultEquity": usd(equity), "perpsAtOpenInterestCap": self.at_cap(dex)}
        led = [{"address": one.address, "name": one.name} for one in vaults if one.master == account.address]
        return shown | ({"leadingVaults": led} if led else {})


def _funding_paid(account: Account, coin: str) -> dict[str, str]:
    """Return the funding that an account paid on a coin: ever, since it opened its position, since its last change."""
    paid = [(row["time"], -parse(row["delta"]["usdc"])) for row in account.fundings if row["delta"]["coin"] == coin]
    starts = {"allTime": 0, "sinceOpen": 0, "sinceChange": 0}
    if paid:
        fills = [row for row in account.fills if row["coin"] == coin]
        starts["sinceChange"] = fills[-1]["time"] if fills else 0
        starts["sinceOpen"] = next((row["time"] for row in reversed(fills) if parse(row["startPosition"]) == 0), 0)
    return {name: usd(sum(amount for time_ms, amount in paid if time_ms >= start)) for name, start in starts.items()}


def _shortened(price: int) -> int:
    """Cut an average price to eight significant digits, about what the venue prints."""
    digits = len(str(abs(price)))
    step: int = 10 ** max(digits - 8, 0)
    return price // step * step
