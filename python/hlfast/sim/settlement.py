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

BUILDER_UNIT = 100_000  # a builder's fee is in tenths of a basis point
CENT_6 = 100  # fees are charged as printed: six decimals
ZERO_HASH = "0x" + "0" * 64
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


@dataclass(slots=True, frozen=True)
class Liquidated:
    """The `liquidation` object of a fill; `method` is `market` or `backstop`."""

    user: str
    mark: str
    method: str

    def row(self) -> dict[str, str]:
        """Return it as on the wire."""
        return {"liquidatedUser": self.user, "markPx": self.mark, "method": self.method}


@dataclass(slots=True, frozen=True)
class Transfer:
    """A perp trade outside the book, free of fees: `account` trades `signed` against `other` at a price."""

    account: Account
    other: Account
    asset: Asset
    signed: int
    price: int
    text: str  # the `dir` of both fills
    liquidated: Liquidated | None


class Settlement:
    """Turns matches into money moved and rows shown. It never looks at books."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def settle(self, match: Match, block: Block) -> None:
        """Move positions and money of both sides and publish the trade."""
        taker, resting = match.aggressor, match.resting
        buyer, seller = (taker, resting) if taker.is_buy else (resting, taker)
        tid = _tid(buyer.oid, seller.oid)
        # Only what a user sent has a transaction; slices, liquidations and fired triggers show zeros.
        tx_hash = taker.tx_hash or ZERO_HASH
        asset = taker.asset
        for order, crossed in ((taker, True), (resting, False)):
            order.remaining -= match.size
            order.filled += match.size
            order.filled_value += times(match.price, match.size)
            self._settle_side(order, match, tid, tx_hash, crossed, block, taker.liquidation)
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

    def _settle_side(self, order: Order, match: Match, tid: int, tx_hash: str, crossed: bool, block: Block,
        liquidation: dict[str, str] | None,
    ) -> None:  # fmt: skip
        account, asset, venue = order.owner, order.asset, self._venue
        signed = match.size if order.is_buy else -match.size
        value = times(match.price, match.size)
        is_maker = account is venue.maker
        if asset.is_spot:
            start, pnl = self._trade_spot(account, asset, signed, value)
            token = asset.base_token if order.is_buy else asset.quote_token
            amount = match.size if order.is_buy else value
            fee = 0 if is_maker else venue.schedule.of_spot(account, amount, block.time_ms, crossed=crossed)
            account.spot[token] = account.spot.get(token, 0) - fee
        else:
            start, pnl, _ = account.trade_perp(asset, signed, match.price)
            token = asset.quote_token
            fee = 0 if is_maker else venue.schedule.of_perp(account, asset, value, block.time_ms, crossed=crossed)
            account.raw[asset.dex] = account.raw.get(asset.dex, 0) - fee
            self.return_collateral(account, asset)
        venue.fees[token] = venue.fees.get(token, 0) + fee
        if is_maker:
            return
        builder_fee = self._charge_builder(order, value)
        fee += builder_fee
        account.volume += value
        venue.schedule.record(account, value, block.time_ms, crossed=crossed)
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
        if liquidation is not None:
            row["liquidation"] = liquidation
        row["feeToken"] = venue.universe.tokens[token]["name"]
        row["twapId"] = None
        if order.twap_id is not None:
            self._publish_slice(account, order.twap_id, row, block)
            return
        self.publish_fill(account, row, block, nonce=order.nonce, signer=order.signer)

    def _charge_builder(self, order: Order, value: int) -> int:
        """Move the builder's part of a fill to the builder; spot pays it on the sell side only."""
        asset = order.asset
        if order.builder is None or (asset.is_spot and order.is_buy):
            return 0
        address, tenths = order.builder
        fee = value * tenths // BUILDER_UNIT // CENT_6 * CENT_6
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
        self._record_fill(account, row, nonce, signer, leader)

    def _publish_slice(self, account: Account, twap_id: int, row: dict[str, Any], block: Block) -> None:
        # Slices of a TWAP are shown apart from other fills, and only there.
        shown = {"fill": row, "twapId": twap_id}
        account.twap_slices.append(shown)
        block.twap_slices.setdefault(account.address, []).append(shown)
        self._record_fill(account, row, None, None, False)

    def transfer(self, deal: Transfer, block: Block) -> None:
        """Move a position between two accounts at a price and show it to both; the tape doesn't."""
        asset = deal.asset
        oids = (self._venue.next_oid(), self._venue.next_oid())
        tid = _tid(*oids)
        for oid, account, signed in zip(oids, (deal.account, deal.other), (deal.signed, -deal.signed), strict=True):
            start, pnl, _ = account.trade_perp(asset, signed, deal.price)
            self.return_collateral(account, asset)
            if account is self._venue.maker:
                continue
            row: dict[str, Any] = {
                "coin": asset.coin,
                "px": wire(deal.price),
                "sz": wire(abs(signed)),
                "side": "B" if signed > 0 else "A",
                "time": block.time_ms,
                "startPosition": wire(start),
                "dir": deal.text,
                "closedPnl": usd(pnl),
                "hash": ZERO_HASH,
                "oid": oid,
                "crossed": account is deal.account,
                "fee": "0.0",
                "tid": tid,
            }
            if deal.liquidated is not None:
                row["liquidation"] = deal.liquidated.row()
            row["feeToken"] = self._venue.universe.tokens[asset.quote_token]["name"]
            row["twapId"] = None
            self.publish_fill(account, row, block, nonce=None, signer=None)
        block.coins.add(asset.coin)

    def _record_fill(
        self, account: Account, row: dict[str, Any], nonce: int | None, signer: str | None, leader: bool
    ) -> None:
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


def _tid(buyer_oid: int, seller_oid: int) -> int:
    """Return the trade's id: 50 bits of a hash of both orders."""
    mixed = hashlib.blake2b(b"%d %d" % (buyer_oid, seller_oid), digest_size=7).digest()
    return int.from_bytes(mixed, "big") >> 6
