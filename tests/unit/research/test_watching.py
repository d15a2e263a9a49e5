from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.fakes import journal

from hlfast.config.model import Fitness as Settings
from hlfast.control.rows import Translator
from hlfast.research.quotes import MOST_COINS, Quotes
from hlfast.research.watching import WAIT_MS, Watcher, render

START_MS = 1_767_000_000_000


def bbo(coin: str, at: int, bid: str | None, ask: str | None) -> bytes:
    levels = [None if px is None else {"px": px, "sz": "1", "n": 1} for px in (bid, ask)]
    return orjson.dumps({"channel": "bbo", "data": {"coin": coin, "time": START_MS + at, "bbo": levels}})


def test_quotes_give_the_middle_that_stood_at_a_time() -> None:
    quotes = Quotes()
    quotes.want("ETH")
    for frame in (
        bbo("ETH", 100, "99", "101"),
        bbo("ETH", 300, "101", "103"),
        bbo("ETH", 200, "1", "3"),  # overtaken
        bbo("BTC", 400, "1", "3"),  # nobody wants it
        bbo("ETH", 500, None, "3"),
        b"{",
        b"\xff",
        b'{"channel":"bbo","data":5}',
        b'{"channel":"bbo","data":{"coin":"ETH","time":1,"bbo":[{"px":"x"},{"px":"y"}]}}',
        b'{"channel":"trades","data":[]}',
    ):
        quotes.take(frame)
    at = [quotes.middle_at("ETH", START_MS + at) for at in (99, 100, 299, 300, 9_999)]
    assert at == [None, 100.0, 100.0, 102.0, 102.0]
    assert quotes.middle_at("BTC", START_MS + 999) is None


def test_quotes_are_bounded_in_coins_and_in_time() -> None:
    quotes = Quotes()
    dropped = [quotes.want(f"C{number}") for number in range(MOST_COINS + 1)]
    assert dropped == [*[None] * MOST_COINS, "C0"]
    assert quotes.want("C1") is None, "known already, and now the latest"
    assert quotes.want("X") == "C2"
    for at in range(5_000):
        quotes.take(bbo("X", at, "1", "3"))
    assert quotes.middle_at("X", START_MS + 10) is None
    assert quotes.middle_at("X", START_MS + 4_999) == 2.0


class Leader:
    """Makes the journal's objects of a leader who buys and sells one ETH again and again, and of his followers."""

    def __init__(self, **settings: Any) -> None:
        self.config = msgspec.structs.replace(journal.config(2), fitness=Settings(enabled=True, **settings))
        self.quotes = Quotes()
        self.wanted: list[str] = []
        self.watcher = Watcher(self.config, self.quotes, self._want)
        self.translator = Translator("j", self.config)
        self.now = 0
        self.number = 0
        self.position = Decimal(0)

    def _want(self, coin: str) -> None:
        self.wanted.append(coin)
        self.quotes.want(coin)

    def order(
        self,
        *,
        hold: int = 3_600_000,
        crossed: bool = True,
        reason: str = "none",
        worse: str = "0.02",
        drift: tuple[tuple[int, str], ...] = (),
    ) -> None:
        """One order of one fill, its receipts, and quotes after it."""
        self.number += 1
        self.now += hold
        buys = not self.position
        sign = 1 if buys else -1
        average = str(100 + sign * Decimal(worse))
        for after, favour in ((-1_000, "0"), *drift):
            middle = str(100 + sign * Decimal(favour))
            self.quotes.take(bbo("ETH", self.now + after, middle, middle))
        frame = journal.record(1)[0]
        fill = {"coin": "ETH", "px": "100", "sz": "1", "side": "B" if buys else "A", "time": START_MS + self.now}
        fill |= {
            "startPosition": str(self.position),
            "closedPnl": "0",
            "fee": "0",
            "oid": self.number,
            "tid": self.number,
        }
        fill |= {"crossed": crossed, "feeToken": "USDC", "dir": "", "hash": "0x0"}
        before, self.position = self.position, self.position + (1 if buys else -1)
        frame["body"] = orjson.dumps(
            {"channel": "userFills", "data": {"user": "0x" + "aa" * 20, "fills": [fill]}}
        ).decode()
        objects = [frame, *(self._receipt(place, before, reason, average) for place in range(2))]
        self.watcher.take(
            self.translator.batch([orjson.dumps({"sequence": self.number, **item}) for item in objects], 0)
        )

    def _receipt(self, place: int, before: Decimal, reason: str, average: str) -> dict[str, Any]:
        item = {**journal.record(1)[3 + place], "number": self.number * 2 + place, "coin": "ETH", "reason": reason}
        item |= {"time_ms": START_MS + self.now, "tid": self.number, "decision": self.number, "leader_price": "100"}
        item |= {"leader_before": str(before), "leader_after": str(self.position), "average_price": average}
        size = self.position - before
        item |= {"ordered": str(size), "filled": "0" if reason != "none" else str(size)}
        return item

    def judge(self) -> list[str]:
        return [unfit.why for unfit in self.watcher.judge(START_MS + self.now + WAIT_MS)]


QUICK = ((100, "0.5"), (60_000, "0.5"))
SLOW = ((20_000, "0.5"), (60_000, "1"))


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"crossed": False}, "maker share 1 is above 0.8"),
        ({"reason": "below_minimum"}, "share of orders below the minimum 1 is above 0.5"),
        ({"hold": 5_000}, "median holding time 5,000 ms is below 30,000 ms"),
        ({"worse": "0.4"}, "slippage 40 bps is above 25 bps"),
        ({"drift": QUICK}, "half-life of the edge"),
    ],
)
def test_leader_is_found_unfit_by_what_he_does_and_what_it_costs(order: dict[str, Any], said: str) -> None:
    leader = Leader()
    for number in range(60):
        assert leader.judge() == [] or number >= 20
        leader.order(**order)
        if verdict := leader.judge():
            break
    assert number >= 19, "fewer than twenty say nothing"
    assert said in verdict[0]


def test_fit_leader_is_left_alone_and_an_order_waits_for_its_minute() -> None:
    leader = Leader()
    for _ in range(60):
        leader.order(drift=SLOW)
    assert leader.watcher.judge(START_MS + leader.now + WAIT_MS - 1) == []
    assert leader.watcher.figures()["lead"].orders == 59
    assert leader.judge() == []
    found = leader.watcher.figures()["lead"]
    assert (found.orders, found.maker_share, found.below_minimum, found.median_holding_ms) == (60, 0.0, 0.0, 3_600_000)
    assert found.mean_slippage_bps == pytest.approx(2.0)
    assert found.half_life_ms == 30_000, "half of it was there at the horizon of 30 s"
    assert set(leader.wanted) == {"ETH"}


def test_verdict_comes_once_and_then_on_new_orders_alone() -> None:
    leader = Leader(fewest=5)
    said = []
    for _ in range(14):
        leader.order(crossed=False)
        said.append(bool(leader.judge()))
    assert [place for place, one in enumerate(said) if one] == [4, 9]


def test_fills_that_come_twice_count_once_and_receipts_without_fills_do_too() -> None:
    leader = Leader()
    leader.order()
    batch = leader.translator.batch(
        [
            orjson.dumps(
                {
                    "sequence": 2,
                    **journal.record(1)[0],
                    "body": orjson.dumps(
                        {"channel": "userFills", "data": {"user": "0x" + "aa" * 20, "fills": []}}
                    ).decode(),
                }
            )
        ],
        1,
    )
    leader.watcher.take(batch)
    alone = journal.record(1)[3] | {"coin": "ETH", "time_ms": START_MS + 5, "tid": 77, "sequence": 3}
    leader.watcher.take(leader.translator.batch([orjson.dumps(alone)], 2))
    leader.judge()
    leader.watcher.judge(START_MS + 10**9)
    assert leader.watcher.figures()["lead"].orders == 2


def test_figures_are_series_by_leader() -> None:
    leader = Leader(fewest=5)
    for _ in range(6):
        leader.order(drift=SLOW)
    leader.judge()
    families = {
        family.name: family for family in text_string_to_metric_families(render(leader.watcher.figures()).decode())
    }
    assert families["hlfast_fitness_orders"].samples[0].value == 6
    assert families["hlfast_fitness_maker_ratio"].samples[0].labels == {"leader": "lead"}
    assert families["hlfast_fitness_holding_ms"].samples == [], "three round trips are too few"
