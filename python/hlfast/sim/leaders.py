"""Replay of recorded fills: a leader's row happens again, with its price, size, side and start position, now."""

from __future__ import annotations

from typing import Any

from hlfast.sim.accounts import Account, direction
from hlfast.sim.blocks import Block
from hlfast.sim.book import round_price
from hlfast.sim.numbers import parse, times, try_parse, usd, wire
from hlfast.sim.orders import Order
from hlfast.sim.settlement import Print
from hlfast.sim.trading import Trading
from hlfast.sim.universe import Asset
from hlfast.sim.venue import Venue

_ZERO_HASH = "0x" + "0" * 64
# What a replayed row keeps of its recording, beside the fields that are always set.
_KEPT = ("cloid", "builderFee", "liquidation", "feeTrialEscrow")


class LeaderTape:
    """Turns recorded rows into fills of this venue; oids of one recording stay one oid."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading
        self._oids: dict[tuple[str, str], int] = {}
        self._tid = 1 << 40

    def set_position(self, account: Account, asset: Asset, size: int, price: int, block: Block) -> None:
        """Give an account a position (or spot balance) against the synthetic maker, without a trade on the tape."""
        change = size - account.position(asset)
        self._exchange(account, asset, change, price)
        held = account.positions.get(asset.asset_id)
        if held is not None:
            held.cost = times(price, size)
        account.deposited = account.is_scripted = True
        block.coins.add(asset.coin)

    def _exchange(self, account: Account, asset: Asset, change: int, price: int) -> int:
        """Move `change` from the maker to the account at a price; returns the closed PnL."""
        if change == 0:
            return 0
        maker = self._venue.maker
        if asset.is_spot:
            value = times(price, change)
            for owner, sign in ((account, 1), (maker, -1)):
                owner.spot[asset.base_token] = owner.spot.get(asset.base_token, 0) + sign * change
                owner.spot[asset.quote_token] = owner.spot.get(asset.quote_token, 0) - sign * value
            return 0
        notional = times(price, abs(change))
        _, pnl = account.trade_perp(asset, change, notional)
        maker.trade_perp(asset, -change, notional)
        return pnl

    def replay(self, account: Account, rows: list[dict[str, Any]], block: Block) -> list[dict[str, Any]]:
        """Let recorded rows happen in one block, in the order given.

        Returns:
            [{tid, oid, time}…] of the new fills, in the same order.

        Raises:
            ValueError: a row names an unknown coin or holds no legal number; nothing of the call has happened then.
        """
        parsed = [self._read(index, row) for index, row in enumerate(rows)]
        account.deposited = account.is_scripted = True
        made: list[dict[str, Any]] = []
        filled: dict[int, tuple[Asset, dict[str, Any], int, int]] = {}
        for row, asset, price, size, start in parsed:
            self._trading.move(asset, round_price(asset, price, up=False), block)
            shown = self._happen(account, row, asset, price, size, start, block)
            made.append({"tid": shown["tid"], "oid": shown["oid"], "time": shown["time"]})
            total = filled.get(shown["oid"], (asset, shown, 0, price))[2]
            filled[shown["oid"]] = (asset, shown, total + size, price)
        for oid, (asset, shown, total, price) in filled.items():
            self._announce(account, asset, oid, shown, total, price, block)
        return made

    def check(self, rows: list[dict[str, Any]]) -> None:
        """Look at rows without replaying them.

        Raises:
            ValueError: as `replay` would.
        """
        for index, row in enumerate(rows):
            self._read(index, row)

    def _read(self, index: int, row: dict[str, Any]) -> tuple[dict[str, Any], Asset, int, int, int | None]:
        where = f"rows[{index}]"
        if not isinstance(row, dict):
            raise ValueError(f"{where} is not an object")  # noqa: TRY004 - bad data from outside, one error for all of it
        asset = self._venue.universe.by_coin.get(str(row.get("coin")))
        if asset is None:
            raise ValueError(f"{where}.coin {row.get('coin')!r} is not listed here; see /info meta and spotMeta")
        if row.get("side") not in ("A", "B"):
            raise ValueError(f'{where}.side {row.get("side")!r} is neither "A" nor "B"')
        try:
            price, size = parse(str(row.get("px"))), parse(str(row.get("sz")))
            start = parse(str(row["startPosition"])) if row.get("startPosition") is not None else None
            for money in ("fee", "closedPnl"):
                parse("0" if row.get(money) is None else str(row[money]))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if price <= 0 or size <= 0:
            raise ValueError(f"{where}: px and sz must be above zero")
        return row, asset, price, size, start

    def _happen(
        self,
        account: Account,
        row: dict[str, Any],
        asset: Asset,
        price: int,
        size: int,
        start: int | None,
        block: Block,
    ) -> dict[str, Any]:
        signed = size if row["side"] == "B" else -size
        if start is not None and start != account.position(asset):
            # The recording has a gap (or fees moved a spot balance): close it silently, as the leader's past.
            self.set_position(account, asset, start, price, block)
        begin = account.position(asset)
        pnl = self._exchange(account, asset, signed, price)
        fee_text = row.get("fee")
        fee_text = "0.0" if fee_text is None else str(fee_text)
        self._tid += 2_654_435_761
        crossed = bool(row.get("crossed", True))
        shown: dict[str, Any] = {
            "coin": asset.coin,
            "px": str(row["px"]),
            "sz": str(row["sz"]),
            "side": row["side"],
            "time": block.time_ms,
            "startPosition": wire(begin) if start is None else str(row["startPosition"]),
            "dir": row.get("dir") or direction(asset, begin, signed),
            "closedPnl": usd(pnl) if row.get("closedPnl") is None else str(row["closedPnl"]),
            "hash": _ZERO_HASH if row.get("hash") == _ZERO_HASH else self._venue.system_hash(),
            "oid": self._oid_of(account, row),
            "crossed": crossed,
            "fee": fee_text,
            "tid": self._tid % (1 << 50),
        }
        shown |= {key: row[key] for key in _KEPT if row.get(key) is not None}
        shown["feeToken"] = row.get("feeToken") or "USDC"
        shown["twapId"] = row.get("twapId")
        if not asset.is_spot:
            fee = try_parse(fee_text) or 0
            account.settle(asset.dex, asset.quote_token, -fee)
            self._venue.fees[asset.quote_token] = self._venue.fees.get(asset.quote_token, 0) + fee
            self._trading.settlement.return_collateral(account, asset)
        account.volume += times(price, size)
        maker = self._venue.maker
        is_buy = row["side"] == "B"
        aggressor = row["side"] if crossed else ("A" if is_buy else "B")
        self._trading.settlement.publish_fill(account, shown, block, nonce=None, signer=None, leader=True)
        self._trading.settlement.publish_trade(
            asset,
            Print(aggressor, price, size, shown["px"], shown["sz"], shown["tid"], shown["hash"]),
            account if is_buy else maker,
            maker if is_buy else account,
            block,
        )
        return shown

    def _oid_of(self, account: Account, row: dict[str, Any]) -> int:
        if row.get("oid") is None:
            return self._venue.next_oid()
        key = (account.address, str(row["oid"]))
        oid = self._oids.get(key)
        if oid is None:
            oid = self._oids[key] = self._venue.next_oid()
        return oid

    def _announce(
        self, account: Account, asset: Asset, oid: int, shown: dict[str, Any], total: int, price: int, block: Block
    ) -> None:
        order = Order(
            oid,
            account,
            asset,
            shown["side"] == "B",
            price,
            total,
            0,
            "Ioc" if shown["crossed"] else "Gtc",
            False,
            shown.get("cloid"),
            block.time_ms,
            status="filled",
            status_ms=block.time_ms,
        )
        account.remember(order)
        self._trading.announce(order, block)
