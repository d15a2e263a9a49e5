"""Native TWAPs: an order cut into slices, one every thirty seconds, until its time is over."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from hlfast.sim.accounts import Account
from hlfast.sim.actions import TwapCancelAction, TwapOrderAction
from hlfast.sim.blocks import Block
from hlfast.sim.book import round_price
from hlfast.sim.entry import Origin
from hlfast.sim.numbers import SCALE, times, trimmed, try_parse, usd, wire
from hlfast.sim.orders import Order
from hlfast.sim.record import TwapRow
from hlfast.sim.trading import Trading
from hlfast.sim.universe import Asset
from hlfast.sim.venue import Venue
from hlfast.sim.verdicts import Handlers, Response

SLICE_MS = 30_000
SHORTEST_MIN, LONGEST_MIN = 5, 10_080
MINIMUM_USD = 100 * SCALE
SLIPPAGE_PERCENT = 3
CATCH_UP = 3  # a slice makes good for missed ones up to three times its own size
JITTER_PERCENT = 20  # of a randomised slice
FIRST_TWAP = 2_000_000
TOO_SMALL = f"TWAP order must have minimum value of ${trimmed(MINIMUM_USD)}."  # the venue's own words are not known
NEVER = "TWAP was never placed, already canceled, or filled."


@dataclass(slots=True, eq=False)
class Twap:
    """One TWAP. `slices` counts those tried; the last one, at the end of the time, makes `planned`."""

    twap_id: int
    account: Account
    asset: Asset
    is_buy: bool
    size: int
    minutes: int
    reduce_only: bool
    randomize: bool
    placed_ms: int
    trigger: tuple[int, bool] | None = None
    stop: int | None = None
    row: TwapRow | None = None
    started_ms: int | None = None
    slices: int = 0
    executed: int = 0
    executed_value: int = 0

    @property
    def planned(self) -> int:
        """How many slices there are: one at the start and one each thirty seconds until the end."""
        return self.minutes * 60_000 // SLICE_MS + 1

    def state(self) -> dict[str, Any]:
        """Return the state as `twapStates` and `twapHistory` show it."""
        return {
            "coin": self.asset.coin,
            "user": self.account.address,
            "side": "B" if self.is_buy else "A",
            "sz": wire(self.size),
            "executedSz": wire(self.executed),
            "executedNtl": usd(self.executed_value),
            "minutes": self.minutes,
            "reduceOnly": self.reduce_only,
            "randomize": self.randomize,
            "timestamp": self.placed_ms,
            "trigger": None if self.trigger is None else {"px": wire(self.trigger[0]), "above": self.trigger[1]},
            "stopPx": None if self.stop is None else wire(self.stop),
        }


class Twaps:
    """Places, runs and ends TWAPs."""

    def __init__(self, venue: Venue, trading: Trading) -> None:
        self._venue = venue
        self._trading = trading
        self._last_id = FIRST_TWAP

    def handlers(self) -> Handlers:
        """Return the method of each action."""
        return {TwapOrderAction: self.place, TwapCancelAction: self.cancel}

    def place(self, action: TwapOrderAction, origin: Origin, block: Block) -> Response:
        """Start a TWAP, or have it wait for its trigger; the first slice goes at the next tick of the clock."""
        found = self._read(action, origin.account, block)
        if isinstance(found, str):
            return _response("twapOrder", {"error": found})
        self._last_id += 1
        found.twap_id = self._last_id
        origin.account.twaps[found.twap_id] = found
        side = "B" if found.is_buy else "A"
        place = (found.account.address, found.asset.coin, side, wire(found.size), block.time_ms)
        found.row = TwapRow(found.twap_id, *place, origin.signer, origin.nonce)
        self._venue.record.twaps.append(found.row)
        if found.trigger is None:
            found.started_ms = block.time_ms
        self._tell(found, "activated" if found.trigger is None else "waitingForTrigger", block)
        return _response("twapOrder", {"running": {"twapId": found.twap_id}})

    def _read(self, action: TwapOrderAction, account: Account, block: Block) -> Twap | str:
        sent, details = action.twap, action.details
        asset, size = self._venue.universe.by_id.get(sent.a), try_parse(sent.s) or 0
        if asset is None:
            return "Invalid asset"
        settings, position = self._venue.settings, account.position(asset)
        is_closing = not asset.is_spot and (position < 0 if sent.b else position > 0)
        refusals = (
            (asset.is_delisted or settings.halted or asset.coin in settings.halted_coins, "Trading is halted."),
            (not SHORTEST_MIN <= sent.m <= LONGEST_MIN, f"Invalid TWAP duration: {sent.m} min(s)"),
            (size <= 0 or size % asset.lot != 0, "Order has invalid size."),
            (sent.r and not is_closing, "Reduce-only TWAP order would increase position."),
            (times(self._venue.mark(asset), size) < MINIMUM_USD, TOO_SMALL),
        )
        refusal = next((text for holds, text in refusals if holds), None)
        if refusal is not None:
            return refusal
        twap = Twap(0, account, asset, sent.b, size, sent.m, sent.r, sent.t, block.time_ms)
        if details is not None:
            prices = [try_parse(text) for text in (details.t.p if details.t else None, details.s) if text is not None]
            if not all(price is not None and price > 0 and asset.price_is_legal(price) for price in prices):
                return "Price must be divisible by tick size."
            if details.t is not None:
                twap.trigger = (try_parse(details.t.p) or 0, details.t.a)
            twap.stop = None if details.s is None else try_parse(details.s)
        return twap

    def cancel(self, action: TwapCancelAction, origin: Origin, block: Block) -> Response:
        """Stop a TWAP; what it has traded stays traded."""
        twap = origin.account.twaps.get(action.t)
        if twap is None or twap.asset.asset_id != action.a:
            return _response("twapCancel", {"error": NEVER})
        self._end(twap, {"status": "terminated"}, block)
        return _response("twapCancel", "success")

    def run_due(self, block: Block) -> None:
        """Send the slices whose time has come."""
        for account in self._venue.accounts.values():
            for twap in list(account.twaps.values()) if account.twaps else ():
                self._run(twap, block)

    def _run(self, twap: Twap, block: Block) -> None:
        mark = self._venue.mark(twap.asset)
        if twap.asset.is_delisted:
            self._end(twap, {"status": "error", "description": "Trading is halted."}, block)
            return
        if twap.started_ms is None:
            price, above = twap.trigger or (0, True)
            if mark < price if above else mark > price:
                return
            twap.started_ms = block.time_ms
            self._tell(twap, "activated", block)
        if twap.stop is not None and (mark >= twap.stop if twap.is_buy else mark <= twap.stop):
            self._end(twap, {"status": "stopped"}, block)
            return
        due = (block.time_ms - twap.started_ms) // SLICE_MS + 1
        while twap.slices < min(due, twap.planned):
            twap.slices += 1
            error = self._slice(twap, mark, block)
            if error is not None:
                self._end(twap, {"status": "error", "description": error}, block)
                return
        if twap.executed >= twap.size or twap.slices >= twap.planned:
            self._end(twap, {"status": "finished"}, block)

    def _slice(self, twap: Twap, mark: int, block: Block) -> str | None:
        """Send one slice; returns why the whole TWAP must end, None when it goes on."""
        asset = twap.asset
        size = self._due_size(twap)
        if twap.reduce_only:
            position = twap.account.position(asset)
            is_closing = position < 0 if twap.is_buy else position > 0
            size = min(size, abs(position)) if is_closing else 0
            if size == 0:
                return "Reduce-only TWAP order would increase position."
        if size == 0:
            return None
        away = mark * SLIPPAGE_PERCENT // 100
        price = round_price(asset, mark + away if twap.is_buy else mark - away, up=not twap.is_buy)
        order = Order(
            self._venue.next_oid(), twap.account, asset, twap.is_buy, price, size, size, "Ioc", twap.reduce_only, None,
            block.time_ms, twap_id=twap.twap_id,
        )  # fmt: skip
        error = self._trading.admit(order, block)
        twap.executed += order.filled
        twap.executed_value += order.filled_value
        # A slice that finds nobody at its price is made good by the next ones.
        return None if error is None or error.startswith(("Order could not", "No liquidity")) else error

    def _due_size(self, twap: Twap) -> int:
        whole = -(-twap.size // twap.planned)
        if twap.randomize and twap.slices < twap.planned:
            whole = whole * self._jitter(twap) // 100
        target = twap.size if twap.slices >= twap.planned else twap.size * twap.slices // twap.planned
        size = min(max(target - twap.executed, 0), CATCH_UP * whole, twap.size - twap.executed)
        return -(-size // twap.asset.lot) * twap.asset.lot

    @staticmethod
    def _jitter(twap: Twap) -> int:
        """Return 80 to 120, the same for the same slice of the same TWAP in every run."""
        mixed = hashlib.blake2b(b"%d %d" % (twap.twap_id, twap.slices), digest_size=4).digest()
        return 100 - JITTER_PERCENT + int.from_bytes(mixed, "big") % (2 * JITTER_PERCENT + 1)

    def _end(self, twap: Twap, status: dict[str, str], block: Block) -> None:
        del twap.account.twaps[twap.twap_id]
        if twap.row is not None:
            twap.row.ended = block.time_ms
        self._tell(twap, status, block)

    def _tell(self, twap: Twap, status: str | dict[str, str], block: Block) -> None:
        row = {
            "time": block.time_ms // 1_000,  # the one time of the protocol that counts seconds
            "state": twap.state(),
            "status": {"status": status} if isinstance(status, str) else status,
            "twapId": twap.twap_id,
        }
        twap.account.twap_history.append(row)
        block.twap_history.setdefault(twap.account.address, []).append(row)


def _response(kind: str, status: Any) -> Response:
    return {"type": kind, "data": {"status": status}}
