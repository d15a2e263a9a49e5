"""The core between recorded or made leaders and a venue that fills every order at once, whole, at its limit."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from hlfast import _core
from hlfast.config import model

ZERO = Decimal(0)
BEGIN_MS = 1_795_161_600_000
DAY_MS, DAYS = 86_400_000, 40
LANE, USER, TAPE = 1, 2, 3


@dataclass(frozen=True)
class Coin:
    """A perp of the venue."""

    name: str
    size_decimals: int

    @property
    def lot(self) -> Decimal:
        """The smallest step of a size."""
        return Decimal(1).scaleb(-self.size_decimals)

    @property
    def closes(self) -> list[Decimal]:
        """Prices at the end of the last days: 2, 3 or 4 % more each day, by the coin's name."""
        daily = 1 + Decimal(2 + sum(self.name.encode()) % 3) / 100
        return [round(Decimal(100) * daily**day, 8) for day in range(DAYS)]


class Ideal:
    """One engine and its venue. Positions are what orders made; nothing is late, refused or partly filled."""

    def __init__(
        self, config: model.Config, directory: Path, coins: tuple[Coin, ...], equities: dict[str, Decimal]
    ) -> None:
        keys = directory / "keys"
        keys.mkdir(mode=0o700)
        followers = tuple(
            # As a vault's, so that each action says which account it is for.
            msgspec.structs.replace(one, agent=_core.create_credential(str(keys)), vault=True)
            for one in config.followers
        )
        config = msgspec.structs.replace(config, followers=followers)
        self.config, self.coins = config, coins
        self.now_ms = BEGIN_MS
        self.positions: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)  # account, coin
        self.leaders: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}  # address, coin: position, entry price
        self._equities = {
            one.address if isinstance(one, model.Leader) else one.account: equities.get(one.name, Decimal(10_000))
            for one in (*config.leaders, *config.followers)
        }
        self.engine = _core.Engine(model.for_core(config), str(directory / "journal"), self.now_ms)
        self.engine.load_credentials(str(keys))

    def begin(self) -> None:
        """Come up: metadata, connections, empty histories, account reads."""
        universe = [
            {"name": coin.name, "szDecimals": coin.size_decimals, "maxLeverage": 10, "isDelisted": False}
            for coin in self.coins
        ]
        self.engine.load_meta(json.dumps({"universe": universe}).encode(), self.now_ms)
        self.engine.source_up(LANE, "lane", self.now_ms)
        self.engine.source_up(USER, "user", self.now_ms)
        for leader in self.config.leaders:
            data = {"user": leader.address, "fills": [], "isSnapshot": True}
            self._frame({"channel": "userFills", "data": data})
        self._write(self.engine.start(self.now_ms))
        self.pass_ms(100)

    def pass_ms(self, ms: int, step_ms: int = 20) -> None:
        """Let time pass."""
        for _ in range(max(1, ms // step_ms)):
            self.now_ms += step_ms
            self._write(self.engine.on_tick(self.now_ms))

    def fills(self, address: str, rows: list[dict[str, Any]]) -> None:
        """One userFills frame of a leader, now."""
        self.now_ms += 1
        rows = [row | {"time": self.now_ms} for row in rows]
        for row in rows:
            size = Decimal(row["sz"]) if row["side"] == "B" else -Decimal(row["sz"])
            self.leaders[address, row["coin"]] = (Decimal(row["startPosition"]) + size, Decimal(row["px"]))
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
            coin, size = self.coins[order["a"]].name, Decimal(order["s"])
            held = self.positions[account, coin]
            if order["r"]:
                assert held * (1 if order["b"] else -1) < 0, f"a reduction of {held} {coin} that grows it"
                size = min(size, abs(held))
            self.positions[account, coin] += size if order["b"] else -size
            statuses.append({"filled": {"totalSz": str(size), "avgPx": order["p"], "oid": 7}})
        return {"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}}

    def _info(self, request: dict[str, Any]) -> Any:
        kind, user = request["type"], request.get("user", "")
        if kind == "clearinghouseState":
            held = {coin: (size, Decimal(100)) for (account, coin), size in self.positions.items() if account == user}
            held |= {coin: where for (address, coin), where in self.leaders.items() if address == user}
            rows = [_row(coin, size, entry) for coin, (size, entry) in held.items() if size != 0]
            summary = {"accountValue": str(self._equities[user])}
            return {
                "marginSummary": summary,
                "crossMarginSummary": summary,
                "assetPositions": rows,
                "time": self.now_ms,
            }
        if kind == "userRateLimit":
            return {"cumVlm": "0.0", "nRequestsUsed": 0, "nRequestsCap": 10_000_000, "nRequestsSurplus": 0}
        if kind == "userAbstraction":
            return "disabled"
        if kind == "userFillsByTime":
            return []
        if kind == "candleSnapshot":
            coin = next(one for one in self.coins if one.name == request["req"]["coin"])
            first_ms = self.now_ms // DAY_MS * DAY_MS - DAYS * DAY_MS
            return [{"t": first_ms + at * DAY_MS, "c": str(close)} for at, close in enumerate(coin.closes)]
        if kind == "activeAssetData":
            leverage = {"type": "cross", "value": 10}
            sizes = {"maxTradeSzs": ["1000000.0"] * 2, "availableToTrade": ["1000000.0"] * 2}
            return {"user": user, "coin": request["coin"], "leverage": leverage, "markPx": "100.0"} | sizes
        raise AssertionError(f"an unexpected read: {request}")


def _row(coin: str, size: Decimal, entry: Decimal) -> dict[str, Any]:
    leverage = {"type": "cross", "value": 10}
    position = {"coin": coin, "szi": str(size), "entryPx": str(entry), "positionValue": str(abs(size) * entry)}
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
