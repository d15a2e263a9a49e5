"""Settlement of trades: positions, balances and fees of both sides, and what the tape and the accounts are shown."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Any

import msgspec

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


class Print(msgspec.Struct, frozen=True, gc=False):
    """A trade as the tape shows it; `side` is the aggressor's, `px` and `sz` are spelled as on the wire."""

    side: str
    price: int
    size: int
    px: str
    sz: str
    tid: int
    tx_hash: str


class Liquidated(msgspec.Struct, frozen=True, gc=False):
    """The `liquidation` object of a fill; `method` is `market` or `backstop`."""

    user: str
    mark: str
    method: str

    def row(self) -> dict[str, str]:
        """Return it as on the wire."""
        return {"liquidatedUser": self.user, "markPx": self.mark, "method": self.method}


class Transfer(msgspec.Struct, frozen=True, eq=False):
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

    def settle(self, taker: Order, resting: Order, size: int, block: Block) -> None:
        """Trade at the resting order's price: move positions and money of both sides and publish the trade."""
        buyer, seller = (taker, resting) if taker.is_buy else (resting, taker)
        price = resting.price
        value = times(price, size)
        # Only what a user sent has a transaction; slices, liquidations and fired triggers show zeros.
        tx_hash = taker.tx_hash or ZERO_HASH
        print_ = Print(taker.side, price, size, wire(price), wire(size), _tid(buyer.oid, seller.oid), tx_hash)
        self._settle_side(taker, print_, value, taker, block)
        self._settle_side(resting, print_, value, taker, block)
        self.publish_trade(taker.asset, print_, buyer.owner, seller.owner, block)

    def publish_trade(self, asset: Asset, print_: Print, buyer: Account, seller: Account, block: Block) -> None:
        """Put a row on the public tape."""
        row = {
            "coin": asset.coin,
            "side": print_.side,
            "px": print_.px,
            "sz": print_.sz,
            "time": block.time_ms,
            "hash": print_.tx_hash,
            "tid": print_.tid,
            "users": [buyer.address, seller.address],
        }
        block.trades.setdefault(asset.coin, []).append(row)
        block.coins.add(asset.coin)
        self._venue.bars.note(asset.coin, print_.price, print_.size)
        recent = self._venue.recent_trades.get(asset.coin)
        if recent is None:
            recent = self._venue.recent_trades[asset.coin] = deque(maxlen=RECENT_TRADES)
        recent.append(row)

    def _settle_side(self, order: Order, print_: Print, value: int, taker: Order, block: Block) -> None:
        account, asset, venue, size = order.owner, order.asset, self._venue, print_.size
        order.remaining -= size
        order.filled += size
        order.filled_value += value
        signed = size if order.is_buy else -size
        if asset.is_spot:
            start, pnl = self._trade_spot(account, asset, signed, value)
        else:
            start, pnl = account.trade_perp(asset, signed, value)
        if account is venue.maker:
            if asset.dex:
                self.return_collateral(account, asset)
            return
        crossed = order is taker
        fee, token = self._charge(order, size, value, block, crossed=crossed)
        builder_fee = 0 if order.builder is None else self._charge_builder(order, order.builder, value)
        account.volume += value
        venue.schedule.record(account, value, block.time_ms, crossed=crossed)
        row: dict[str, Any] = {
            "coin": asset.coin,
            "px": print_.px,
            "sz": print_.sz,
            "side": order.side,
            "time": block.time_ms,
            "startPosition": wire(start),
            "dir": direction(asset, start, signed),
            "closedPnl": usd(pnl),
            "hash": print_.tx_hash,
            "oid": order.oid,
            "crossed": crossed,
            "fee": wire(fee + builder_fee),
            "tid": print_.tid,
        }
        if order.cloid is not None:
            row["cloid"] = order.cloid
        if builder_fee:
            row["builderFee"] = wire(builder_fee)
        if taker.liquidation is not None:
            row["liquidation"] = taker.liquidation
        row["feeToken"] = venue.universe.tokens[token]["name"]
        row["twapId"] = None
        if order.twap_id is not None:
            self._publish_slice(account, order.twap_id, row, block)
            return
        self.publish_fill(account, row, block, nonce=order.nonce, signer=order.signer)

    def _charge(self, order: Order, size: int, value: int, block: Block, *, crossed: bool) -> tuple[int, int]:
        """Take the venue's fee of one side; returns it with the token that it was paid in."""
        account, asset, venue = order.owner, order.asset, self._venue
        if asset.is_spot:
            token = asset.base_token if order.is_buy else asset.quote_token
            received = size if order.is_buy else value
            fee = venue.schedule.of_spot(account, received, block.time_ms, crossed=crossed)
            account.spot[token] = account.spot.get(token, 0) - fee
        else:
            token = asset.quote_token
            fee = venue.schedule.of_perp(account, asset, value, block.time_ms, crossed=crossed)
            account.settle(asset.dex, token, -fee)
            if asset.dex:
                self.return_collateral(account, asset)
        venue.fees[token] = venue.fees.get(token, 0) + fee
        return fee, token

    def _charge_builder(self, order: Order, terms: tuple[str, int], value: int) -> int:
        """Move the builder's part of a fill to the builder; spot pays it on the sell side only."""
        asset = order.asset
        if asset.is_spot and order.is_buy:
            return 0
        address, tenths = terms
        fee = value * tenths // BUILDER_UNIT // CENT_6 * CENT_6
        builder = self._venue.account(address)
        for account, amount in ((order.owner, -fee), (builder, fee)):
            if asset.is_spot:
                account.spot[asset.quote_token] = account.spot.get(asset.quote_token, 0) + amount
            else:
                account.settle(asset.dex, asset.quote_token, amount)
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
        self._record_fill(account, row, None, None, False, twap_id)

    def transfer(self, deal: Transfer, block: Block) -> None:
        """Move a position between two accounts at a price and show it to both; the tape doesn't."""
        asset = deal.asset
        oids = (self._venue.next_oid(), self._venue.next_oid())
        tid = _tid(*oids)
        for oid, account, signed in zip(oids, (deal.account, deal.other), (deal.signed, -deal.signed), strict=True):
            start, pnl = account.trade_perp(asset, signed, times(deal.price, abs(signed)))
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
        self,
        account: Account,
        row: dict[str, Any],
        nonce: int | None,
        signer: str | None,
        leader: bool,
        twap_id: int | None = None,
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
                twap_id,
            )
        )

    def return_collateral(self, account: Account, asset: Asset) -> None:
        """Bring a builder dex's balance back to the main one once no position there needs it."""
        if not asset.dex or asset.is_spot or asset.quote_token != USDC or account.is_unified:
            return
        if not self._venue.settings.dex_collateral:
            return
        if any(self._venue.universe.by_id[asset_id].dex == asset.dex for asset_id in account.positions):
            return
        account.raw[""] += account.raw.get(asset.dex, 0)
        account.raw[asset.dex] = 0


def _tid(buyer_oid: int, seller_oid: int) -> int:
    """Return the trade's id: 50 bits of a hash of both orders."""
    mixed = hashlib.blake2b(b"%d %d" % (buyer_oid, seller_oid), digest_size=7).digest()
    return int.from_bytes(mixed, "big") >> 6
