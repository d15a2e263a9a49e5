"""A venue on which everything has happened once, and the shapes of all that it then says."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from tests.shapes import Shape, exchange_subject, subject_of_frame

from hlfast.sim.actions import convert_envelope
from hlfast.sim.channels import read_subscription
from sim.desk import START_MS, Desk, Listener, Wallet

RICH, POOR, MAKER, LEADER = Wallet(1), Wallet(2), Wallet(3), Wallet(4)
BUILDER, DOOMED = Wallet(5), Wallet(8)
HOUR_MS = 3_600_000
CLOID = "0x" + "1" * 32
# A recorded row with every option, as a replayed leader's fill shows it.
REPLAYED = {
    "coin": "BTC",
    "px": "70000.0",
    "sz": "0.1",
    "side": "B",
    "cloid": "0x" + "2" * 32,
    "builderFee": "0.0001",
    "liquidation": {"liquidatedUser": "0x" + "b" * 40, "markPx": "70010.0", "method": "backstop"},
}
FIELDS: dict[str, dict[str, Any]] = {
    "activeAssetData": {"coin": "SOL"},
    "borrowLendReserveState": {"token": 0},
    "candleSnapshot": {"req": {"coin": "ETH", "interval": "1m", "startTime": START_MS - 60_000}},
    "fundingHistory": {"coin": "BTC", "startTime": START_MS - 7_200_000},
    "l2Book": {"coin": "ETH"},
    "orderStatus": {"oid": 1},
    "perpAnnotation": {"coin": "xyz:CL"},
    "perpDexLimits": {"dex": "xyz"},
    "settledOutcome": {"outcome": 95},
    "userFillsByTime": {"startTime": 0},
    "userFunding": {"startTime": 0},
    "userNonFundingLedgerUpdates": {"startTime": 0},
}
COIN_CHANNELS = ("trades", "bbo", "l2Book", "candle", "activeAssetCtx")
USER_CHANNELS = (
    "userFills", "userEvents", "orderUpdates", "userFundings", "userNonFundingLedgerUpdates", "userHistoricalOrders",
    "userTwapSliceFills", "userTwapHistory", "notification", "webData3", "spotState", "activeAssetData",
    "clearinghouseState", "openOrders", "allDexsClearinghouseState", "twapStates",
)  # fmt: skip
MARKET_CHANNELS = ("allMids", "assetCtxs", "spotAssetCtxs", "allDexsAssetCtxs", "fastAssetCtxs")


class Stage:
    """Shapes by subject, named as the recordings' are."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.shapes: dict[str, Shape] = {}
        self._listener = Listener()
        self._prepare()
        self._listen()
        self._act()
        self.desk.now_ms += 14_000
        self.desk.server.hub.push_states()
        for message in self._listener.frames:
            self.see(subject_of_frame(message), message["data"])
        self.see("ws pong", None)
        self.see("ws error", "Already subscribed: {}")

    def see(self, subject: str, value: Any) -> None:
        """Take in one value of a subject, as JSON spells it."""
        plain = json.loads(msgspec.json.encode(value))
        self.shapes.setdefault(subject, Shape()).add(plain, subject)

    def ask(self, kind: str) -> None:
        """Ask for a type of `/info`: of the rich account, of an empty one, and once for each thing that it names."""
        for user in (RICH.address, POOR.address, LEADER.address, DOOMED.address, self.lender):
            asks = [FIELDS.get(kind, {})]
            if kind == "metaAndAssetCtxs":
                asks.append({"dex": "xyz"})
            if kind == "orderStatus":
                asks.append({"oid": CLOID})
            for fields in asks:
                self.see(f"info {kind}", self.desk.server.info.answer({"type": kind, "user": user, "dex": ""} | fields))
        if kind == "userRole":
            for address in (Wallet(6).address, Wallet(99).address, self.vault, self.sub):
                self.see("info userRole", self.desk.info(kind, user=address))

    def answer(self, subject: str, answer: Any) -> None:
        """Take in an answer of `/exchange`, which must be of that subject."""
        assert exchange_subject(answer) == subject, answer
        self.see(subject, answer)

    def _prepare(self) -> None:
        desk = self.desk
        for wallet in (RICH, MAKER, LEADER, BUILDER):
            desk.wallet(int.from_bytes(wallet.key.secret), usdc="100000")
        desk.control(op="fund", address=RICH.address, usdc="3000", spot=True)
        desk.control(op="approve_agent", master=RICH.address, agent=Wallet(6).address, name="copy")
        desk.control(op="approve_agent", master=RICH.address, agent=Wallet(7).address, name="")
        desk.control(op="fund", address=RICH.address, token="HYPE", amount="50")

    def _user_signed(self, kind: str, **fields: Any) -> None:
        clock = "time" if kind in ("usdSend", "spotSend", "withdraw3") else "nonce"
        action = {"type": kind, "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"} | fields
        answer = self.desk.act(RICH, action | {clock: self.desk.nonce + 1})
        self.answer("exchange default", answer)

    def _listen(self) -> None:
        hub, venue = self.desk.server.hub, self.desk.venue
        subs: list[dict[str, Any]] = [{"type": kind} for kind in MARKET_CHANNELS]
        subs.append({"type": "allMids", "dex": "xyz"})
        for kind in COIN_CHANNELS:
            interval = {"interval": "1m"} if kind == "candle" else {}
            subs += [{"type": kind, "coin": coin} | interval for coin in ("ETH", "@107")]
        subs.append({"type": "l2Book", "coin": "ETH", "fast": True})
        for kind in USER_CHANNELS:
            for wallet in (RICH, POOR, LEADER, DOOMED):
                coin = {"coin": "SOL"} if kind == "activeAssetData" else {}
                subs.append({"type": kind, "user": wallet.address} | coin)
        for sent in subs:
            sub = read_subscription(sent, venue)
            self.see(f"ack {sent['type']}", {"method": "subscribe", "subscription": sub})
            hub.join(self._listener, sub)

    def first_frames(self) -> None:
        """Take in the first frames of all channels, now that there is something to show."""
        for kind in (*USER_CHANNELS, "trades", "bbo", "candle"):
            for user in (RICH.address, LEADER.address, DOOMED.address, self.vault, self.lender):
                fields = {"user": user} if kind in USER_CHANNELS else {}
                sent = {"type": kind, "coin": "ETH", "interval": "1m"} | fields
                if kind == "activeAssetData":
                    sent["coin"] = "SOL"
                first = self.desk.server.hub.snapshots.first(read_subscription(sent, self.desk.venue))
                if first is not None:
                    self.see(subject_of_frame({"channel": first[0], "data": first[1]}), first[1])

    def _act(self) -> None:
        desk = self.desk
        desk.act(RICH, {"type": "updateLeverage", "asset": desk.asset("SOL"), "isCross": False, "leverage": 5})
        self._user_signed("approveBuilderFee", maxFeeRate="0.05%", builder=BUILDER.address)
        self._trade()
        self._move()
        self._slice()
        self._let_hours_pass()
        self._liquidate()
        desk.control(op="leader_fills", address=LEADER.address, rows=[REPLAYED, {**REPLAYED, "coin": "ETH"}])
        desk.control(op="set_book", coin="@107", mid="21", depth_usd=0)
        self.first_frames()

    def _trade(self) -> None:
        desk = self.desk
        fee = {"builder": {"b": BUILDER.address, "f": 10}}
        rows = [desk.row("ETH", "B", "2500", "1", c=CLOID), desk.row("SOL", "A", "70", "5")]
        filled = desk.act(RICH, {"type": "order", "orders": rows, "grouping": "na"} | fee)
        self.answer("exchange order", filled)
        self.answer("exchange order", desk.orders(RICH, desk.row("PURR/USDC", "B", "0.22", "100")))
        resting = desk.orders(RICH, desk.row("SOL", "B", "60", "2", tif="Gtc", reduce_only=True))
        self.answer("exchange order", resting)
        self.answer("exchange order", desk.orders(RICH, desk.row("xyz:SP500", "B", "7700", "0.01", c="0x" + "3" * 32)))
        stop = {"trigger": {"isMarket": True, "triggerPx": "1500", "tpsl": "sl"}}
        entry = desk.row("ETH", "B", "2500", "1")
        child = desk.row("ETH", "A", "1400", "1", t=stop, reduce_only=True)
        self.answer("exchange order", desk.orders(RICH, entry, child, grouping="normalTpsl"))
        self.answer("exchange order", desk.orders(RICH, desk.row("ETH", "B", "2000", "0.001")))
        desk.order(RICH, "ETH", "B", "1000", "0.1", tif="Gtc", c="0x" + "4" * 32)
        desk.order(MAKER, "ETH", "A", "900", "0.2")
        oid = resting["response"]["data"]["statuses"][0]["resting"]["oid"]
        cancel = {"type": "cancel", "cancels": [{"a": desk.asset("SOL"), "o": oid}, {"a": 1, "o": 1}]}
        answer = desk.act(RICH, cancel)
        self.answer("exchange cancel", answer)
        self.see("ws post.action", {"id": 1, "response": {"type": "action", "payload": answer}})
        self.see("ws post.action", {"id": 2, "response": {"type": "action", "payload": resting}})
        self._rest()

    def _rest(self) -> None:
        """Let a resting order be taken, and another meet its own account's."""
        desk = self.desk
        desk.control(op="set_book", coin="ETH", mid="2059", depth_usd=0)
        desk.order(RICH, "ETH", "B", "2050", "0.1", tif="Gtc")
        desk.order(MAKER, "ETH", "A", "2050", "0.1")
        desk.order(RICH, "ETH", "A", "2100", "0.5", tif="Gtc")
        desk.order(RICH, "ETH", "B", "2100", "0.5", tif="Gtc")

    def _wait(self, ms: int) -> None:
        self.desk.now_ms += ms
        self.desk.server.run_block(self.desk.server.exchange.run_due)

    def _slice(self) -> None:
        """Run TWAPs to their ends of every kind."""
        desk = self.desk

        def twap(coin: str, size: str, minutes: int = 5, details: Any = None) -> Any:
            wire = {"a": desk.asset(coin), "b": True, "s": size, "r": False, "m": minutes, "t": True}
            answer = desk.act(RICH, {"type": "twapOrder", "twap": wire} | ({"details": details} if details else {}))
            self.answer("exchange twapOrder", answer)
            return answer["response"]["data"]["status"]

        twap("SOL", "10", minutes=1)
        twap("SOL", "10")
        twap("BTC", "0.01", details={"t": {"p": "10000", "a": False}, "s": "100000"})
        twap("@142", "1")
        stopped = twap("BTC", "0.01")["running"]["twapId"]
        for _ in range(3):
            self._wait(30_000)
        for number in (stopped, stopped):
            action = {"type": "twapCancel", "a": desk.asset("BTC"), "t": number}
            self.answer("exchange twapCancel", desk.act(RICH, action))

    def _let_hours_pass(self) -> None:
        """Let funding be paid at a premium."""
        self.desk.control(op="set_market", coin="SOL", oracle="80", oi_cap_usd=1)
        self._wait(5_000)
        self._wait(HOUR_MS)
        self.desk.control(op="set_market", coin="SOL", oracle=None)

    def _liquidate(self) -> None:
        """Let a highly leveraged account go under."""
        desk = self.desk
        desk.control(op="fund", address=DOOMED.address, usdc="120")
        mode = {"type": "updateLeverage", "asset": desk.asset("AVAX"), "isCross": True, "leverage": 10}
        desk.act(DOOMED, mode)
        mid = desk.info("allMids")["AVAX"]
        desk.order(DOOMED, "AVAX", "B", str(round(float(mid) * 1.05, 3)), "100")
        desk.control(op="set_book", coin="AVAX", mid=str(round(float(mid) * 0.85, 3)))
        self._wait(1_000)

    def _move(self) -> None:
        desk = self.desk
        self._user_signed("usdSend", destination=MAKER.address, amount="5")
        self._user_signed("spotSend", destination=MAKER.address, token="USDC", amount="5")
        self._user_signed("usdClassTransfer", amount="5", toPerp=True)
        self._user_signed("withdraw3", destination=MAKER.address, amount="5")
        self._user_signed("cDeposit", wei=40 * 10**8)
        self._user_signed("tokenDelegate", validator="0x" + "5c" * 20, wei=30 * 10**8, isUndelegate=False)
        created = desk.act(RICH, {"type": "createSubAccount", "name": "desk"})
        self.answer("exchange createSubAccount", created)
        self.sub = created["response"]["data"]
        move = {"type": "subAccountTransfer", "subAccountUser": self.sub, "isDeposit": True, "usd": 10**8}
        desk.act(RICH, move)
        spot = {"type": "subAccountSpotTransfer", "subAccountUser": self.sub, "isDeposit": True, "token": "USDC"}
        desk.act(RICH, spot | {"amount": "10"})
        desk.orders(RICH, desk.row("BTC", "B", "80000", "0.001"), vaultAddress=self.sub)
        vault = {"type": "createVault", "name": "Basket", "description": "A basket of things.", "nonce": 1}
        desk.act(RICH, vault | {"initialUsd": 10**8})
        self.vault = desk.act(MAKER, vault | {"initialUsd": 10**9})["response"]["data"]
        deposit = {"type": "vaultTransfer", "vaultAddress": self.vault, "isDeposit": True, "usd": 10**8}
        self.answer("exchange default", desk.act(RICH, deposit))
        desk.act(RICH, {"type": "setReferrer", "code": "CODE"})
        desk.act(RICH, {"type": "spotUser", "toggleSpotDusting": {"optOut": True}})
        self._user_signed("userDexAbstraction", user=RICH.address, enabled=True)
        self._lend()

    def _lend(self) -> None:
        """Give a second sub-account portfolio margin, a supply and a loan."""
        desk = self.desk
        self.lender = desk.act(RICH, {"type": "createSubAccount", "name": "lender"})["response"]["data"]
        self._user_signed("userSetAbstraction", user=self.lender, abstraction="portfolioMargin")
        spot = {"type": "subAccountSpotTransfer", "subAccountUser": self.lender, "isDeposit": True, "token": "USDC"}
        desk.act(RICH, spot | {"amount": "200"})
        lend = {"type": "borrowLend", "operation": "supply", "token": 0, "amount": "100"}
        self.answer("exchange default", desk.act(RICH, lend, vaultAddress=self.lender))
        desk.act(RICH, lend | {"operation": "borrow", "amount": "10"}, vaultAddress=self.lender)

    def repack(self, action: dict[str, Any]) -> None:
        """Take in what the venue makes of an action before it hashes it."""
        body = {"action": action, "nonce": 1, "signature": {"r": "0x1", "s": "0x1", "v": 27}}
        self.see(f"action {action['type']}", msgspec.to_builtins(convert_envelope(body).action))
