"""Liquidation: into the book first, by the backstop below two thirds of maintenance, by deleveraging below zero."""

from __future__ import annotations

from dataclasses import dataclass

from hlfast.sim.accounts import Account
from hlfast.sim.blocks import Block
from hlfast.sim.book import round_price
from hlfast.sim.margin import Dexs
from hlfast.sim.numbers import SCALE, times, usd, wire
from hlfast.sim.orders import Order
from hlfast.sim.settlement import Liquidated, Transfer
from hlfast.sim.trading import Trading
from hlfast.sim.universe import USDC, Asset
from hlfast.sim.venue import Venue

SLICED_USD = 100_000 * SCALE  # larger positions go in slices of a fifth
SLICES = 5
COOLDOWN_MS = 30_000  # after a slice; whole sizes from then on
ROUNDS = 20  # of one account in one block; what is left waits for the next


@dataclass(slots=True, frozen=True)
class Pool:
    """What is liquidated together: the cross positions of dexs that share a balance, or one isolated position."""

    account: Account
    dexs: Dexs
    isolated: Asset | None

    @property
    def dex(self) -> str:
        """The first of the dexs, which stands for their balance."""
        return self.dexs[0]

    def holds(self, asset: Asset) -> bool:
        """Tell whether orders and positions in an asset belong to this pool."""
        if self.isolated is not None:
            return asset is self.isolated
        return asset.dex in self.dexs and self.account.leverage(asset).is_cross


class Liquidation:
    """Watches accounts that hold what moved. Works at marks, as the venue does."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading
        self._watched: dict[tuple[str, str, int], Pool] = {}
        self._lid = 0

    def run_due(self, block: Block) -> None:
        """Look at everybody who holds an asset whose mark moved, and at those still being liquidated."""
        pools = dict(self._watched)
        self._watched.clear()
        for asset in self._trading.take_moved():
            for account in list(self._venue.audit.holders.get(asset.coin, {}).values()):
                pool = self._pool(account, asset)
                if pool is not None:
                    isolated = pool.isolated.asset_id if pool.isolated else -1
                    pools[account.address, pool.dex, isolated] = pool
        for key, pool in pools.items():
            if self._is_due(pool) and self._liquidate(pool, block):
                self._watched[key] = pool

    def _pool(self, account: Account, asset: Asset) -> Pool | None:
        held = account.positions.get(asset.asset_id)
        if held is None or account.is_scripted or account in (self._venue.maker, self._venue.backstop):
            return None
        dexs = self._venue.margin.scope(account, asset.dex)
        return Pool(account, dexs, None if held.isolated is None else asset)

    def _held(self, pool: Pool) -> list[tuple[Asset, int]]:
        """Return (asset, signed size) of the pool's positions, the most valuable first."""
        found = []
        for asset_id, held in pool.account.positions.items():
            asset = self._venue.universe.by_id[asset_id]
            is_in = asset is pool.isolated if pool.isolated else held.isolated is None and asset.dex in pool.dexs
            if is_in:
                found.append((asset, held.size))
        return sorted(found, key=lambda row: times(self._venue.mark(row[0]), abs(row[1])), reverse=True)

    def _value(self, pool: Pool) -> int:
        if pool.isolated is None:
            margin = self._venue.margin
            return margin.cross_value(pool.account, pool.dex) + margin.pledged_value(pool.account, pool.dex)
        held = pool.account.positions.get(pool.isolated.asset_id)
        return 0 if held is None else (held.isolated or 0) + times(self._venue.mark(pool.isolated), held.size)

    def _maintenance(self, pool: Pool) -> int:
        margin, mark = self._venue.margin, self._venue.mark
        return sum(margin.maintenance_of(asset, times(mark(asset), abs(size))) for asset, size in self._held(pool))

    def _is_due(self, pool: Pool) -> bool:
        if not self._held(pool):
            return False
        need = self._maintenance(pool)
        if self._value(pool) >= need:
            return False
        if pool.isolated is None and pool.dex and self._venue.settings.dex_collateral:
            self._draw_collateral(pool, need - self._value(pool))
        return self._value(pool) < need

    def _draw_collateral(self, pool: Pool, missing: int) -> None:
        if self._venue.margin.collateral[pool.dex] != USDC or pool.account.is_unified:
            return
        moved = min(missing, self._venue.margin.withdrawable(pool.account, ""))
        pool.account.raw[""] -= moved
        pool.account.raw[pool.dex] = pool.account.raw.get(pool.dex, 0) + moved

    def _liquidate(self, pool: Pool, block: Block) -> bool:
        """Take one pool down; True when some of it waits for the next look."""
        self._announce(pool, block)
        for order in list(pool.account.orders.values()):
            if pool.holds(order.asset):
                self._trading.withdraw(order, "liquidatedCanceled", block)
        for _ in range(ROUNDS):
            held, value = self._held(pool), self._value(pool)
            need = self._maintenance(pool)
            if not held or value >= need:
                break
            if value <= 0:
                self._deleverage(pool, held, block)
            elif 3 * value < 2 * need:
                self._hand_over(pool, held, block)
            elif not self._sell(pool, held[0], value, block):
                return True
        self._cover(pool)
        return bool(self._held(pool)) and self._value(pool) < self._maintenance(pool)

    def _announce(self, pool: Pool, block: Block) -> None:
        self._lid += 1
        held = self._held(pool)
        notional = sum(times(self._venue.mark(asset), abs(size)) for asset, size in held)
        value = self._value(pool)
        self._venue.log_ledger(
            pool.account,
            {
                "type": "liquidation",
                "liquidatedNtlPos": usd(notional),
                "accountValue": usd(value),
                "leverageType": "Cross" if pool.isolated is None else "Isolated",
                "liquidatedPositions": [{"coin": asset.coin, "szi": wire(size)} for asset, size in held],
            },
            block,
        )
        row = {
            "lid": self._lid,
            "liquidator": self._venue.backstop.address,
            "liquidated_user": pool.account.address,
            "liquidated_ntl_pos": usd(notional),
            "liquidated_account_value": usd(value),
        }
        block.liquidations.setdefault(pool.account.address, []).append(row)

    def _sell(self, pool: Pool, position: tuple[Asset, int], value: int, block: Block) -> bool:
        """Send a market order of the pool's largest position; False when nothing of it may or could trade now."""
        asset, size = position
        account, mark = pool.account, self._venue.mark(asset)
        amount = abs(size)
        is_cooling = block.time_ms - account.liquidated_ms < COOLDOWN_MS
        if times(mark, amount) > SLICED_USD and account.liquidated_ms == 0:
            amount = max(asset.lot, amount // SLICES // asset.lot * asset.lot)
            account.liquidated_ms = block.time_ms
        elif is_cooling:
            return False
        # Never below the price at which the pool would owe: a worse fill would be somebody else's money.
        room = value * SCALE // abs(size)
        price = (
            round_price(asset, max(mark - room, 1), up=True) if size > 0 else round_price(asset, mark + room, up=False)
        )
        order = Order(
            self._venue.next_oid(), account, asset, size < 0, price, amount, amount, "LiquidationMarket", True, None,
            block.time_ms,
        )  # fmt: skip
        order.liquidation = Liquidated(account.address, wire(mark), "market").row()
        self._trading.execute(order, block)
        return order.filled > 0

    def _hand_over(self, pool: Pool, held: list[tuple[Asset, int]], block: Block) -> None:
        """Let the backstop take all positions at mark, and what margin is left with them."""
        account, backstop = pool.account, self._venue.backstop
        kind = "Cross" if pool.isolated is None else "Isolated"
        margin, token = self._venue.margin, self._venue.margin.collateral[pool.dex]
        before = margin.cash(account, pool.dex)
        for asset, size in held:
            mark = self._venue.mark(asset)
            shown = Liquidated(account.address, wire(mark), "backstop")
            text = f"Liquidated {kind} {'Long' if size > 0 else 'Short'}"
            self._trading.transfer(Transfer(account, backstop, asset, -size, mark, text, shown), block)
        after = margin.cash(account, pool.dex)
        lost = max(0, after if pool.isolated is None else after - before)
        account.settle(pool.dex, token, -lost)
        backstop.settle(pool.dex, token, lost)

    def _deleverage(self, pool: Pool, held: list[tuple[Asset, int]], block: Block) -> None:
        """Close against the opposite side, the most profitable and leveraged first, at the mark before the move."""
        for asset, size in held:
            price = self._venue.book(asset).previous_mid
            shown = Liquidated(pool.account.address, wire(self._venue.mark(asset)), "backstop")
            left = size
            for other in self._opposite(asset, size, pool.account):
                room = abs(other.position(asset))
                part = min(room, abs(left)) if left > 0 else -min(room, abs(left))
                self._trading.transfer(
                    Transfer(pool.account, other, asset, -part, price, "Auto-Deleveraging", shown), block
                )
                left -= part
                if left == 0:
                    break

    def _opposite(self, asset: Asset, size: int, loser: Account) -> list[Account]:
        ranked = []
        holders = self._venue.audit.holders.get(asset.coin, {}).values()
        for place, account in enumerate([*holders, self._venue.maker]):
            position = account.position(asset)
            is_in = position * size < 0 and account is not loser and not account.is_scripted
            if is_in and (account is self._venue.maker) == (place == len(holders)):
                ranked.append((-self._rank(account, asset), place, account))
        for place, account in enumerate(holders):
            # A recording's account stands aside as long as others can take the position.
            if account.is_scripted and account.position(asset) * size < 0:
                ranked.append((SCALE * SCALE, place, account))
        return [account for _, _, account in sorted(ranked, key=lambda row: row[:2])]

    def _rank(self, account: Account, asset: Asset) -> int:
        """Return profit on cost times leverage used, in counts of 1e-8; the maker has no leverage."""
        held = account.positions.get(asset.asset_id)
        if held is None or account is self._venue.maker:
            return 0
        value = times(self._venue.mark(asset), held.size)
        profit = (value - held.cost) * SCALE // max(1, abs(held.cost))
        cross = self._venue.margin.cross_value(account, asset.dex)
        worth = cross if held.isolated is None else held.isolated + value
        return profit * abs(value) // max(1, worth)

    def _cover(self, pool: Pool) -> None:
        """Let the backstop pay what an account without positions still owes."""
        account, token = pool.account, self._venue.margin.collateral[pool.dex]
        owed = -self._venue.margin.cash(account, pool.dex)
        if owed > 0 and not any(self._venue.universe.by_id[key].dex in pool.dexs for key in account.positions):
            if account.abstraction == "portfolioMargin":
                self._seize(account, owed)
            account.settle(pool.dex, token, owed)
            self._venue.backstop.settle(pool.dex, token, -owed)
        if not self._held(pool):
            account.liquidated_ms = 0

    def _seize(self, account: Account, owed: int) -> None:
        """Let the backstop take a portfolio account's pledged tokens, at their marks, for what it pays."""
        backstop = self._venue.backstop
        for token, asset in self._venue.margin.pledged.items():
            mark = self._venue.mark(asset)
            taken = min(max(0, account.spot.get(token, 0)), -(-owed * SCALE // mark))
            if taken:
                account.spot[token] -= taken
                backstop.spot[token] = backstop.spot.get(token, 0) + taken
                owed = max(0, owed - times(mark, taken))
