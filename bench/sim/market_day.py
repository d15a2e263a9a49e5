"""Random days of a whole market: every kind of order and of moving money, and everything the venue does by itself.

Virtual time, no sockets, no signature checks; the same seed is the same day. The venue's own audit runs after every block;
`weigh` is the second opinion: it sums plain balances from scratch and shares no code with the audit.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from hlfast.sim.actions import convert_envelope
from hlfast.sim.book import round_price
from hlfast.sim.numbers import SCALE, trimmed, wire
from hlfast.sim.server import Server
from hlfast.sim.settings import Settings

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
TRADERS = 10
BUILDER = f"0x{0xB0:040x}"
LEADER = f"0x{0x1E:040x}"
COINS = ("BTC", "ETH", "SOL", "kPEPE", "xyz:SP500", "xyz:CL", "@107", "PURR/USDC")
LISTED = ("ATOM", "DYDX", "AVAX")  # delisted and listed anew, in turn
Action = dict[str, Any]


class MarketDay:
    """`step` lets one random thing happen; `seen` counts what did."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"market {seed}")
        self.now_ms = START_MS
        self.server = Server(Settings(verify=False, block_ms=0), lambda: self.now_ms)
        self.venue = self.server.venue
        self.seen: Counter[str] = Counter()
        self.addresses = [f"0x{number + 1:040x}" for number in range(TRADERS)]
        self.subs: dict[str, str] = {}
        self._nonce = START_MS
        self._cloid = 0
        self._hour = 0
        self._moves = self._weighted()
        self._open()
        self.outside = dict(self.venue.audit.outside)
        self.before = self.weigh()

    def _open(self) -> None:
        self.control(op="fund", address=BUILDER, usdc="1000")
        for address in self.addresses:
            self.control(op="fund", address=address, usdc="20000")
            self.control(op="fund", address=address, usdc="5000", spot=True)
            self.control(op="fund", address=address, token="HYPE", amount="100")
            fee = {"type": "approveBuilderFee", "maxFeeRate": "0.05%", "builder": BUILDER}
            self._user(address, fee | {"nonce": 0})
            made = self.send(address, {"type": "createSubAccount", "name": "desk"})
            self.subs[address] = made["response"]["data"]

    def control(self, **request: Any) -> None:
        """Run an op of the control door."""
        self.server.control.run(request)

    def send(self, address: str, action: Action, vault: str | None = None) -> Any:
        """Have an address (its `r` names the signer) send an action; returns the answer."""
        self._nonce = max(self._nonce + 1, self.now_ms)
        for field in ("nonce", "time"):
            if field in action and "signatureChainId" in action:
                action[field] = self._nonce
        body: Action = {"action": action, "nonce": self._nonce, "signature": {"r": address, "s": "0x1", "v": 27}}
        if vault is not None:
            body["vaultAddress"] = vault
        answers: list[Any] = []
        self.server.submit(convert_envelope(body), "127.0.0.1", answers.append)
        answer = msgspec.json.decode(msgspec.json.encode(answers[0]))
        kind = f"{action['type']} {answer['status']}"
        if action["type"] == "order" and answer["status"] == "ok":
            items = answer["response"]["data"]["statuses"]
            self.seen["orders refused"] += sum(isinstance(item, dict) and "error" in item for item in items)
            self.seen["orders taken"] += sum(not (isinstance(item, dict) and "error" in item) for item in items)
        self.seen[kind] += 1
        return answer

    def _user(self, address: str, action: Action) -> None:
        self.send(address, {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"} | action)

    def _weighted(self) -> list[Callable[[str], None]]:
        weights: tuple[tuple[int, Callable[[str], None]], ...] = (
            (480, self._orders), (40, self._grouped), (30, self._trigger), (90, self._cancel), (30, self._cancel_by_cloid),
            (40, self._modify), (20, self._batch_modify), (8, self._twap), (4, self._twap_cancel), (30, self._leverage),
            (30, self._isolated), (20, self._class_transfer), (15, self._send_usd), (10, self._send_spot), (5, self._withdraw),
            (10, self._sub_transfer), (6, self._schedule), (8, self._stake), (100, self._move), (6, self._jump),
            (6, self._oracle), (3, self._cap), (10, self._lead), (1, self._delist), (25, self._tick), (1, self._pass_hour),
            (4, self._refund), (20, self._for_sub), (6, self._mode),
        )  # fmt: skip
        return [move for weight, move in weights for _ in range(weight)]

    def step(self) -> None:
        """Let one thing happen, then the market's own clock every now and then."""
        self.now_ms += self.rng.randrange(1, 200)
        self.rng.choice(self._moves)(self.rng.choice(self.addresses))

    def weigh(self) -> dict[str, int]:
        """Return all tokens and positions there are, by name, and what came from outside taken off."""
        found: dict[str, int] = {}
        tokens = self.venue.universe.tokens
        for token in tokens:
            whole = self.venue.total(token) - self.venue.audit.outside.get(token, 0)
            found[tokens[token]["name"]] = whole
        for account in self.venue.everybody():
            for asset_id, held in account.positions.items():
                coin = self.venue.universe.by_id[asset_id].coin
                found[coin] = found.get(coin, 0) + held.size
        return {name: amount for name, amount in found.items() if amount}

    def _asset(self) -> Any:
        coins = COINS if self.rng.random() < 0.9 else LISTED
        return self.venue.universe.by_coin[self.rng.choice(coins)]

    def _row(self, asset: Any, *, tif: str | None = None) -> Action:
        rng = self.rng
        mark = self.venue.mark(asset)
        price = round_price(asset, mark * rng.randint(9_800, 10_200) // 10_000, up=rng.random() < 0.5)
        notional = rng.choice((8, 30, 300, 3_000, 60_000))
        size = max(asset.lot, rng.randint(notional // 2, notional) * SCALE * SCALE // mark // asset.lot * asset.lot)
        row: Action = {"a": asset.asset_id, "b": rng.random() < 0.5, "p": trimmed(price), "s": trimmed(size)}
        row |= {"r": rng.random() < 0.2 and not asset.is_spot}
        row["t"] = {"limit": {"tif": tif or rng.choice(("Ioc", "Ioc", "Gtc", "Gtc", "Alo", "FrontendMarket"))}}
        if rng.random() < 0.5:
            self._cloid += 1
            row["c"] = f"0x{self._cloid:032x}"
        return row

    def _stop(self, asset: Any, is_buy: bool, size: str) -> Action:
        mark = self.venue.mark(asset)
        tpsl = self.rng.choice(("tp", "sl"))
        above = (tpsl == "tp") != is_buy
        away = mark * self.rng.randint(20, 400) // 10_000
        fires = round_price(asset, mark + away if above else mark - away, up=above)
        limit = round_price(asset, fires * 11 // 10 if is_buy else fires * 9 // 10, up=is_buy)
        kind = {"trigger": {"isMarket": self.rng.random() < 0.7, "triggerPx": trimmed(fires), "tpsl": tpsl}}
        return {"a": asset.asset_id, "b": is_buy, "p": trimmed(limit), "s": size, "r": True, "t": kind}

    def _orders(self, address: str) -> None:
        rows = [self._row(self._asset()) for _ in range(self.rng.choice((1, 1, 2, 4)))]
        action: Action = {"type": "order", "orders": rows, "grouping": "na"}
        if self.rng.random() < 0.2:
            action["builder"] = {"b": BUILDER, "f": self.rng.randint(1, 60)}
        if self.rng.random() < 0.1:
            tif = self.rng.choice(("Ioc", "Alo"))
            action["orders"] = [row | {"r": False, "t": {"limit": {"tif": tif}}} for row in rows]
            action["grouping"] = {"p": self.rng.randrange(1, 100_000)}
        stake = self.venue.account(address).stake
        staked = stake.undelegated
        self.send(address, action)
        if action["grouping"] != "na":
            self.seen["priority batches"] += 1
            self.seen["priority fees paid"] += stake.undelegated < staked

    def _grouped(self, address: str) -> None:
        asset = self.venue.universe.by_coin[self.rng.choice(COINS[:6])]
        if self.rng.random() < 0.5:
            parent = self._row(asset, tif="Gtc") | {"r": False}
            children = [self._stop(asset, not parent["b"], parent["s"]) for _ in range(2)]
            self.send(address, {"type": "order", "orders": [parent, *children], "grouping": "normalTpsl"})
            return
        is_buy = self.venue.account(address).position(asset) < 0
        rows = [self._stop(asset, is_buy, "0")]
        self.send(address, {"type": "order", "orders": rows, "grouping": "positionTpsl"})

    def _trigger(self, address: str) -> None:
        asset = self._asset()
        if not asset.is_spot:
            row = self._stop(asset, self.rng.random() < 0.5, self._row(asset)["s"])
            self.send(address, {"type": "order", "orders": [row | {"r": self.rng.random() < 0.7}], "grouping": "na"})

    def _open_orders(self, address: str) -> list[Any]:
        return list(self.venue.account(address).orders.values())

    def _cancel(self, address: str) -> None:
        rows = [{"a": order.asset.asset_id, "o": order.oid} for order in self._open_orders(address)[:6]]
        self.send(address, {"type": "cancel", "cancels": rows or [{"a": 1, "o": 1}]})

    def _cancel_by_cloid(self, address: str) -> None:
        known = [order for order in self._open_orders(address) if order.cloid]
        rows = [{"asset": order.asset.asset_id, "cloid": order.cloid} for order in known[:3]]
        self.send(address, {"type": "cancelByCloid", "cancels": rows or [{"asset": 1, "cloid": f"0x{7:032x}"}]})

    def _modify(self, address: str) -> None:
        orders = self._open_orders(address)
        if orders:
            order = self.rng.choice(orders)
            change = {"type": "modify", "oid": order.oid, "order": self._row(order.asset)}
            self.send(address, change | ({"a": True} if self.rng.random() < 0.5 else {}))

    def _batch_modify(self, address: str) -> None:
        rows = [{"oid": order.oid, "order": self._row(order.asset)} for order in self._open_orders(address)[:3]]
        if rows:
            self.send(address, {"type": "batchModify", "modifies": rows})

    def _twap(self, address: str) -> None:
        asset = self._asset()
        row = self._row(asset)
        terms = {"a": row["a"], "b": row["b"], "s": row["s"], "r": row["r"], "m": self.rng.choice((5, 6, 30, 3))}
        self.send(address, {"type": "twapOrder", "twap": terms | {"t": self.rng.random() < 0.5}})

    def _twap_cancel(self, address: str) -> None:
        for twap in list(self.venue.account(address).twaps.values())[:1]:
            self.send(address, {"type": "twapCancel", "a": twap.asset.asset_id, "t": twap.twap_id})

    def _leverage(self, address: str) -> None:
        asset = self.venue.universe.by_coin[self.rng.choice(COINS[:6])]
        value = self.rng.randint(1, asset.max_leverage)
        is_cross = self.rng.random() < 0.5
        self.send(address, {"type": "updateLeverage", "asset": asset.asset_id, "isCross": is_cross, "leverage": value})

    def _isolated(self, address: str) -> None:
        held = self.venue.account(address).positions
        pots = [asset_id for asset_id, position in held.items() if position.isolated is not None]
        if pots:
            change = {"asset": self.rng.choice(pots), "isBuy": True, "ntli": self.rng.randint(-50, 50) * 10**6 + 7}
            self.send(address, {"type": "updateIsolatedMargin"} | change)

    def _amount(self) -> str:
        return trimmed(self.rng.randrange(1, 300 * SCALE))

    def _class_transfer(self, address: str) -> None:
        move = {"type": "usdClassTransfer", "amount": self._amount(), "toPerp": self.rng.random() < 0.5}
        self._user(address, move | {"nonce": 0})

    def _send_usd(self, address: str) -> None:
        to = self.rng.choice(self.addresses)
        self._user(address, {"type": "usdSend", "destination": to, "amount": self._amount(), "time": 0})

    def _send_spot(self, address: str) -> None:
        sent = {
            "destination": self.rng.choice(self.addresses),
            "token": "HYPE",
            "amount": trimmed(self.rng.randrange(1, SCALE)),
        }
        self._user(address, {"type": "spotSend", **sent, "time": 0})

    def _withdraw(self, address: str) -> None:
        self._user(address, {"type": "withdraw3", "destination": address, "amount": self._amount(), "time": 0})

    def _sub_transfer(self, address: str) -> None:
        move = {"isDeposit": self.rng.random() < 0.7, "usd": self.rng.randrange(500 * 10**6)}
        self.send(address, {"type": "subAccountTransfer", "subAccountUser": self.subs[address], **move})

    def _for_sub(self, address: str) -> None:
        rows = [self._row(self._asset())]
        self.send(address, {"type": "order", "orders": rows, "grouping": "na"}, vault=self.subs[address])

    def _mode(self, address: str) -> None:
        account = self.rng.choice((address, self.subs[address]))
        mode = self.rng.choice(("disabled", "unifiedAccount", "unifiedAccount", "portfolioMargin"))
        self._user(address, {"type": "userSetAbstraction", "user": account, "abstraction": mode, "nonce": 0})

    def _schedule(self, address: str) -> None:
        self.send(address, {"type": "scheduleCancel", "time": self.now_ms + self.rng.randrange(6_000, 60_000)})

    def _stake(self, address: str) -> None:
        kind = self.rng.choice(("cDeposit", "cWithdraw"))
        self._user(address, {"type": kind, "wei": self.rng.randrange(1, 5 * SCALE), "nonce": 0})

    def _move(self, _address: str, span: int = 40) -> None:
        asset = self._asset()
        # Prices stay within a factor of three of where they began, so that sizes keep their meaning.
        mid = self.venue.mark(asset) * self.rng.randint(10_000 - span, 10_000 + span) // 10_000
        mid = max(asset.mid // 3, min(asset.mid * 3, mid))
        if not asset.is_delisted:
            depth = self.rng.choice((None, None, None, 0, 20_000))
            depth_usd = {} if depth is None else {"depth_usd": depth}
            self.control(op="set_book", coin=asset.coin, mid=wire(mid), **depth_usd)
            self.seen["moves"] += 1

    def _jump(self, address: str) -> None:
        self._move(address, 1_500)
        self._tick(address)

    def _tick(self, _address: str) -> None:
        self.server.run_block(self.server.exchange.run_due)

    def _oracle(self, _address: str) -> None:
        asset = self.venue.universe.by_coin[self.rng.choice(COINS[:6])]
        oracle = self.venue.mark(asset) * self.rng.randint(9_900, 10_100) // 10_000
        self.control(op="set_market", coin=asset.coin, oracle=wire(oracle) if self.rng.random() < 0.7 else None)

    def _cap(self, _address: str) -> None:
        cap = self.rng.choice((None, 20_000, 500_000))
        self.control(op="set_market", coin=self.rng.choice(COINS[:6]), oi_cap_usd=cap)

    def _lead(self, _address: str) -> None:
        asset = self.venue.universe.by_coin[self.rng.choice(COINS[:6])]
        # Recorded sizes are whatever they were: here they need not be lots, so products need not be exact.
        size = self.rng.randrange(1, 40 * SCALE * SCALE // self.venue.mark(asset) + 2)
        row = {"coin": asset.coin, "px": wire(self.venue.mark(asset)), "sz": wire(size), "side": self.rng.choice("AB")}
        self.control(op="leader_fills", address=LEADER, rows=[row | {"fee": "0.01"}])
        self.seen["leader fills"] += 1

    def _delist(self, _address: str) -> None:
        asset = self.venue.universe.by_coin[self.rng.choice(LISTED)]
        if asset.is_delisted:
            asset.is_delisted = False
            del asset.entry["isDelisted"]
        else:
            self.control(op="delist", coin=asset.coin)
            self.seen["delistings"] += 1

    def _pass_hour(self, address: str) -> None:
        self.now_ms += HOUR_MS
        self._tick(address)
        self.seen["hours"] += 1

    def _refund(self, _address: str) -> None:
        for address in self.addresses:
            if self.venue.margin.total_value(self.venue.account(address)) < 1_000 * SCALE:
                self.control(op="fund", address=address, usdc="5000")

    def count_events(self) -> dict[str, int]:
        """Return how often each thing happened, forced trades by their kind."""
        forced: Counter[str] = Counter(self.seen)
        for account in self.venue.everybody():
            for row in account.ledger:
                forced["liquidations"] += row["delta"]["type"] == "liquidation"
            forced["funding payments"] += len(account.fundings)
            forced["twap slices kept"] += len(account.twap_slices)
            for fill in account.fills:
                if fill["dir"] in ("Auto-Deleveraging", "Settlement"):
                    forced[fill["dir"]] += 1
                if "liquidation" in fill:
                    forced[f"fills of method {fill['liquidation']['method']}"] += 1
        return dict(sorted(forced.items()))
