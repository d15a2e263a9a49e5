"""The core between recorded or made leaders and a venue that fills every order at once, whole, at its limit."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from tests.reference.losses import is_limited
from tests.reference.world import BEGIN_MS, DAY_MS, FEE_RATE, WORTH_A_WEEK_AGO, Coin, Past

from hlfast import _core
from hlfast.config import model

ZERO = Decimal(0)
LANE, USER, TAPE = 1, 2, 3

# Reads whose answer is always the same: nobody deposits, and the venue's limits are far.
ALWAYS: dict[str, Any] = {
    "userRateLimit": {"cumVlm": "0.0", "nRequestsUsed": 0, "nRequestsCap": 10_000_000, "nRequestsSurplus": 0},
    "userAbstraction": "disabled",
    "userFillsByTime": [],
    "userNonFundingLedgerUpdates": [],
    "userFunding": [],
    "userFees": {"userCrossRate": str(FEE_RATE), "userAddRate": "0.00015", "userSpotCrossRate": "0.0007"},
}
ASSET_DATA = {
    "leverage": {"type": "cross", "value": 10},
    "maxTradeSzs": ["1000000.0"] * 2,
    "availableToTrade": ["1000000.0"] * 2,
    "markPx": "100.0",
}


@dataclass(frozen=True)
class Executed:
    """An order was."""

    account: str
    coin: str
    size: Decimal  # sold: negative
    price: Decimal


@dataclass(frozen=True)
class Read:
    """An account was."""

    account: str
    now_ms: int
    worth: Decimal


class Ideal:
    """One engine and its venue. Positions are what orders made; nothing is late, refused or partly filled."""

    def __init__(
        self, config: model.Config, directory: Path, coins: tuple[Coin, ...], equities: dict[str, Decimal]
    ) -> None:
        keys, agents = _keys(len(config.followers))
        followers = tuple(
            # As a vault's, so that each action says which account it is for.
            msgspec.structs.replace(one, agent=agent, vault=True)
            for one, agent in zip(config.followers, agents, strict=True)
        )
        config = msgspec.structs.replace(config, followers=followers)
        self.config, self.coins = config, coins
        self._assets = {at: coin.name for at, coin in enumerate(self._perps())}
        self._assets |= {10_000 + coin.token: coin.name for coin in coins if coin.token is not None}
        self.now_ms = BEGIN_MS
        self.positions: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))  # account, coin
        self.leaders: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}  # address, coin: position, entry price
        self.events: list[Executed | Read] = []
        self._cash: dict[str, Decimal] = defaultdict(lambda: ZERO)  # taken in by orders
        self.marks: dict[str, Decimal] = {}  # the leaders' last prices
        self._equities = {
            one.address if isinstance(one, model.Leader) else one.account: equities.get(one.name, Decimal(10_000))
            for one in (*config.leaders, *config.followers)
        }
        self.engine = _core.Engine(model.for_core(config), str(directory / "journal"), self.now_ms)
        self.engine.load_credentials(keys.name)

    def begin(self) -> None:
        """Come up: metadata, connections, empty histories, account reads."""
        self.engine.load_meta(json.dumps({"universe": self._universe()}).encode(), self.now_ms)
        self.engine.load_meta(json.dumps(self._pairs()).encode(), self.now_ms)
        self.engine.source_up(LANE, "lane", self.now_ms)
        self.engine.source_up(USER, "user", self.now_ms)
        for leader in self.config.leaders:
            data = {"user": leader.address, "fills": [], "isSnapshot": True}
            self._frame({"channel": "userFills", "data": data})
        self._write(self.engine.start(self.now_ms))
        self.pass_ms(64_000, 1_000)

    def pass_ms(self, ms: int, step_ms: int) -> None:
        """Let time pass."""
        for _ in range(max(1, ms // step_ms)):
            self.now_ms += min(step_ms, ms)
            self._write(self.engine.on_tick(self.now_ms))

    def fills(self, address: str, rows: list[dict[str, Any]]) -> None:
        """One userFills frame of a leader, now."""
        self.now_ms += 1
        rows = [row | {"time": self.now_ms} for row in rows]
        for row in rows:
            size = Decimal(row["sz"]) if row["side"] == "B" else -Decimal(row["sz"])
            self.leaders[address, row["coin"]] = (Decimal(row["startPosition"]) + size, Decimal(row["px"]))
            self.marks[row["coin"]] = Decimal(row["px"])
        self._frame({"channel": "userFills", "data": {"user": address, "fills": rows}})

    def status(self) -> dict[str, Any]:
        """What the engine believes."""
        return json.loads(self.engine.status())

    def _frame(self, message: dict[str, Any]) -> None:
        """One frame, and every answer that it leads to: one by one, for an order cut by its cap has thousands behind it."""
        frames = deque([message])
        while frames:
            message = frames.popleft()
            source = LANE if message["channel"] == "post" else USER
            sends = self.engine.on_frame(source, json.dumps(message).encode(), 0, self.now_ms)
            frames += self._answers(sends if isinstance(sends, list) else None)

    def _write(self, sends: list[tuple[int, int, bytes]] | None) -> None:
        for answer in self._answers(sends):
            self._frame(answer)

    def _answers(self, sends: list[tuple[int, int, bytes]] | None) -> list[dict[str, Any]]:
        """Execute what is sent and answer what is read; the frames that say what was executed."""
        posts: list[dict[str, Any]] = []
        while sends is not None:
            posts += [json.loads(payload) for _, _, frames in sends for payload in unmask(frames)]
            sends = self.engine.next_chunk(self.now_ms)
        answers = []
        for post in posts:
            response = {"type": "action", "payload": self._execute(post["request"]["payload"])}
            answers.append({"channel": "post", "data": {"id": post["id"], "response": response}})
        for request in self.engine.take_requests():
            asked = json.loads(request)
            if "token" in asked:
                body = json.dumps(self._info(asked["request"])).encode()
                answers += self._answers(self.engine.on_info(asked["token"], 200, body, self.now_ms))
        return answers

    def _execute(self, payload: dict[str, Any]) -> dict[str, Any]:
        action = payload["action"]
        if action["type"] != "order":
            return {"status": "ok", "response": {"type": "default"}}
        account = payload["vaultAddress"]
        statuses = []
        for order in action["orders"]:
            coin, size = self._assets[order["a"]], Decimal(order["s"])
            held = self.positions[account][coin]
            if order["r"]:
                assert held * (1 if order["b"] else -1) < 0, f"a reduction of {held} {coin} that grows it"
                size = min(size, abs(held))
            self.positions[account][coin] += size if order["b"] else -size
            bought, price = size if order["b"] else -size, Decimal(order["p"])
            self._cash[account] -= bought * price + size * price * FEE_RATE
            self.events.append(Executed(account, coin, bought, price))
            statuses.append({"filled": {"totalSz": str(size), "avgPx": order["p"], "oid": 7}})
        return {"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}}

    def _info(self, request: dict[str, Any]) -> Any:
        kind, user = request["type"], request.get("user", "")
        answers: dict[str, Callable[[], Any]] = {
            "clearinghouseState": lambda: self._account(user),
            "spotClearinghouseState": lambda: self._balances(user),
            "metaAndAssetCtxs": lambda: [
                {"universe": self._universe()},
                [self._context(coin) for coin in self._perps()],
            ],
            "allMids": lambda: {coin.name: str(self.marks.get(coin.name, Decimal(100))) for coin in self.coins},
            "portfolio": lambda: [["perpWeek", self._week(user)]],
            "candleSnapshot": lambda: self._candles(request["req"]["coin"]),
            "activeAssetData": lambda: ASSET_DATA | {"user": user, "coin": request["coin"]},
        }
        return answers[kind]() if kind in answers else ALWAYS[kind]

    def _candles(self, name: str) -> list[dict[str, Any]]:
        coin = next(one for one in self.coins if one.name == name)
        return [
            {"t": coin.listed_ms + at * DAY_MS, "c": str(close)} for at, close in enumerate(coin.closes(self.now_ms))
        ]

    def _account(self, user: str) -> dict[str, Any]:
        held = {coin: (size, Decimal(100)) for coin, size in self.positions[user].items()}
        held |= {coin: where for (address, coin), where in self.leaders.items() if address == user}
        perps = {coin.name for coin in self._perps()}
        rows = [
            _row(coin, size, entry, self.marks.get(coin, entry))
            for coin, (size, entry) in held.items()
            if size and coin in perps
        ]
        worth = self._worth(user)
        self.events.append(Read(user, self.now_ms, worth))
        summary = {"accountValue": str(worth)}
        return {"marginSummary": summary, "crossMarginSummary": summary, "assetPositions": rows, "time": self.now_ms}

    def _worth(self, user: str) -> Decimal:
        """With limits of losses, what was earned too: equities stay where positions are sized by them."""
        if not any(one.account == user and is_limited(one) for one in self.config.followers):
            return self._equities[user]
        positions = sum((size * self.marks[coin] for coin, size in self.positions[user].items()), ZERO)
        return self._equities[user] + self._cash[user] + positions

    def _universe(self) -> list[dict[str, Any]]:
        return [
            {"name": coin.name, "szDecimals": coin.size_decimals, "maxLeverage": 10, "isDelisted": False}
            for coin in self._perps()
        ]

    def _perps(self) -> list[Coin]:
        return [coin for coin in self.coins if not coin.is_spot]

    def _pairs(self) -> dict[str, Any]:
        pairs = [coin for coin in self.coins if coin.token is not None]
        tokens = [{"name": "USDC", "index": 0, "szDecimals": 8, "weiDecimals": 8}]
        tokens += [
            {"name": f"T{coin.token}", "index": coin.token, "szDecimals": coin.size_decimals, "weiDecimals": 8}
            for coin in pairs
        ]
        universe = [{"name": coin.name, "index": coin.token, "tokens": [coin.token, 0]} for coin in pairs]
        return {"tokens": tokens, "universe": universe}

    def _balances(self, user: str) -> dict[str, Any]:
        """Its tokens, and dollars for more of them."""
        rows = [{"coin": "USDC", "token": 0, "total": "1000000.0", "hold": "0.0", "entryNtl": "0.0"}]
        for coin in self.coins:
            held = self.leaders.get((user, coin.name), (self.positions[user][coin.name], None))[0]
            if coin.token is not None and held:
                rows.append(
                    {
                        "coin": f"T{coin.token}",
                        "token": coin.token,
                        "total": str(held),
                        "hold": "0.0",
                        "entryNtl": "0.0",
                    }
                )
        return {"balances": rows}

    def _context(self, coin: Coin) -> dict[str, str]:
        mark = self.marks.get(coin.name, Decimal(100))
        open_interest = round(coin.open_interest_usd / mark, 8)
        return {"dayNtlVlm": str(coin.day_volume_usd), "markPx": str(mark), "openInterest": f"{open_interest:f}"}

    def _week(self, address: str) -> dict[str, Any]:
        past = Past.of(next(one.name for one in self.config.leaders if one.address == address))
        gains = [(self.now_ms - 10_000 + at, gain) for at, gain in enumerate((ZERO, past.height, past.depth, past.end))]
        return {
            "pnlHistory": [[at, str(gain)] for at, gain in gains],
            "accountValueHistory": [[at, str(WORTH_A_WEEK_AGO + gain)] for at, gain in gains],
            "vlm": "0.0",
        }


@cache
def _keys(count: int) -> tuple[TemporaryDirectory[str], list[str]]:
    """Agents' keys, made once for all engines: each is a file on stable storage."""
    directory = TemporaryDirectory()
    return directory, [_core.create_credential(directory.name) for _ in range(count)]


def _row(coin: str, size: Decimal, entry: Decimal, mark: Decimal) -> dict[str, Any]:
    leverage = {"type": "cross", "value": 10}
    position = {"coin": coin, "szi": str(size), "entryPx": str(entry), "positionValue": str(abs(size) * mark)}
    return {"type": "oneWay", "position": position | {"unrealizedPnl": "0.0", "leverage": leverage}}


def unmask(frames: bytes) -> Iterator[bytes]:
    """The payloads of whole client frames, one behind the other (RFC 6455, 5.2)."""
    at = 0
    while at < len(frames):
        size, at = frames[at + 1] & 0x7F, at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(frames[at : at + width], "big"), at + width
        mask, at = frames[at : at + 4], at + 4
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        yield (int.from_bytes(frames[at : at + size], "big") ^ key).to_bytes(size, "big")
        at += size
