"""Settlement of trades: positions, balances and fees of both sides, and what the tape and the accounts are shown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from hlfast.sim.accounts import Account, direction
from hlfast.sim.blocks import Block
from hlfast.sim.numbers import times, usd, wire
from hlfast.sim.orders import Order
from hlfast.sim.record import FillRow
from hlfast.sim.universe import USDC, Asset
from hlfast.sim.venue import Venue

# Base tier, in 1e-5 of notional (August 2026): perp taker 0.045 %, maker 0.015 %; spot 0.070 % and 0.040 %.
PERP_TAKER, PERP_MAKER, SPOT_TAKER, SPOT_MAKER = 45, 15, 70, 40
FEE_UNIT = 100_000
CENT_6 = 100  # fees are charged as printed: six decimals
RECENT_TRADES = 30


@dataclass(slots=True, frozen=True)
class Match:
    """One trade about to be settled. The aggressor took what the resting order offered."""

    aggressor: Order
    resting: Order
    size: int
    price: int


@dataclass(slots=True, frozen=True)
class Print:
    """What the tape shows of a trade; `side` is the aggressor's, amounts are as on the wire."""

    side: str
    price: str
    size: str
    tid: int
    tx_hash: str


class Settlement:
    """Turns matches into money moved and rows shown. It never looks at books."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def settle(self, match: Match, block: Block) -> None:
        """Move positions and money of both sides and publish the trade."""
        taker, resting = match.aggressor, match.resting
        buyer, seller = (taker, resting) if taker.is_buy else (resting, taker)
        mixed = hashlib.blake2b(b"%d %d" % (buyer.oid, seller.oid), digest_size=7).digest()
        tid = int.from_bytes(mixed, "big") >> 6
        tx_hash = taker.tx_hash or resting.tx_hash or "0x" + "0" * 64
        asset = taker.asset
        for order, crossed in ((taker, True), (resting, False)):
            order.remaining -= match.size
            order.filled += match.size
            order.filled_value += times(match.price, match.size)
            self._settle_side(order, match, tid, tx_hash, crossed, block)
        self.publish_trade(
            asset,
            Print(taker.side, wire(match.price), wire(match.size), tid, tx_hash),
            buyer.owner,
            seller.owner,
            block,
        )
        self._venue.book(asset).last_price = match.price

    def publish_trade(self, asset: Asset, print_: Print, buyer: Account, seller: Account, block: Block) -> None:
        """Put a row on the public tape."""
        row = {
            "coin": asset.coin,
            "side": print_.side,
            "px": print_.price,
            "sz": print_.size,
            "time": block.time_ms,
            "hash": print_.tx_hash,
            "tid": print_.tid,
            "users": [buyer.address, seller.address],
        }
        block.trades.setdefault(asset.coin, []).append(row)
        block.coins.add(asset.coin)
        recent = self._venue.recent_trades.setdefault(asset.coin, [])
        recent.append(row)
        del recent[:-RECENT_TRADES]

    def _settle_side(self, order: Order, match: Match, tid: int, tx_hash: str, crossed: bool, block: Block) -> None:
        account, asset, venue = order.owner, order.asset, self._venue
        signed = match.size if order.is_buy else -match.size
        value = times(match.price, match.size)
        is_maker = account is venue.maker
        if asset.is_spot:
            start, pnl = self._trade_spot(account, asset, signed, value)
            rate = SPOT_TAKER if crossed else SPOT_MAKER
            token = asset.base_token if order.is_buy else asset.quote_token
            fee = 0 if is_maker else (match.size if order.is_buy else value) * rate // FEE_UNIT
            account.spot[token] = account.spot.get(token, 0) - fee
        else:
            start, pnl, _ = account.trade_perp(asset, signed, match.price)
            rate = PERP_TAKER if crossed else PERP_MAKER
            token = asset.quote_token
            fee = 0 if is_maker else value * rate // FEE_UNIT // CENT_6 * CENT_6
            account.raw[asset.dex] = account.raw.get(asset.dex, 0) - fee
            self.return_collateral(account, asset)
        venue.fees[token] = venue.fees.get(token, 0) + fee
        if is_maker:
            return
        builder_fee = self._charge_builder(order, value)
        fee += builder_fee
        account.volume += value
        row: dict[str, Any] = {
            "coin": asset.coin,
            "px": wire(match.price),
            "sz": wire(match.size),
            "side": order.side,
            "time": block.time_ms,
            "startPosition": wire(start),
            "dir": direction(asset, start, signed),
            "closedPnl": usd(pnl),
            "hash": tx_hash,
            "oid": order.oid,
            "crossed": crossed,
            "fee": wire(fee),
            "tid": tid,
        }
        if order.cloid is not None:
            row["cloid"] = order.cloid
        if builder_fee:
            row["builderFee"] = wire(builder_fee)
        row["feeToken"] = venue.universe.tokens[token]["name"]
        row["twapId"] = None
        self.publish_fill(account, row, block, nonce=order.nonce, signer=order.signer)

    def _charge_builder(self, order: Order, value: int) -> int:
        """Move the builder's part of a fill to the builder; spot pays it on the sell side only."""
        asset = order.asset
        if order.builder is None or (asset.is_spot and order.is_buy):
            return 0
        address, tenths = order.builder
        fee = value * tenths // FEE_UNIT // CENT_6 * CENT_6
        builder = self._venue.account(address)
        for account, amount in ((order.owner, -fee), (builder, fee)):
            if asset.is_spot:
                account.spot[asset.quote_token] = account.spot.get(asset.quote_token, 0) + amount
            else:
                account.raw[asset.dex] = account.raw.get(asset.dex, 0) + amount
        return fee

    def _trade_spot(self, account: Account, asset: Asset, signed: int, value: int) -> tuple[int, int]:
        start = account.spot.get(asset.base_token, 0)
        cost_before = account.spot_cost.get(asset.base_token, 0)
        pnl = 0
        if signed > 0:
            account.spot_cost[asset.base_token] = cost_before + value
        else:
            part = cost_before * min(-signed, start) // start if start > 0 else 0
            account.spot_cost[asset.base_token] = cost_before - part
            pnl = value - part
        account.spot[asset.base_token] = start + signed
        account.spot[asset.quote_token] = account.spot.get(asset.quote_token, 0) + (value if signed < 0 else -value)
        return start, pnl

    def publish_fill(
        self,
        account: Account,
        row: dict[str, Any],
        block: Block,
        *,
        nonce: int | None,
        signer: str | None,
        leader: bool = False,
    ) -> None:
        """Show a fill to its account, its subscribers and the checkers' record."""
        account.fills.append(row)
        block.fills.setdefault(account.address, []).append(row)
        record = self._venue.record
        record.fills.append(
            FillRow(
                record.next_number(),
                account.address,
                row["coin"],
                row["side"],
                row["px"],
                row["sz"],
                row["time"],
                row["oid"],
                row["tid"],
                row["crossed"],
                row.get("cloid"),
                nonce,
                signer,
                leader,
            )
        )

    def return_collateral(self, account: Account, asset: Asset) -> None:
        """Bring a builder dex's balance back to the main one once no position there needs it."""
        if not asset.dex or asset.quote_token != USDC or not self._venue.settings.dex_collateral:
            return
        if any(self._venue.universe.by_id[asset_id].dex == asset.dex for asset_id in account.positions):
            return
        account.raw[""] += account.raw.get(asset.dex, 0)
        account.raw[asset.dex] = 0
