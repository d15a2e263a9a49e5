"""The engine and the venue, each a process, with a network between them that cuts, stalls, delays, loses and garbles bytes."""

from __future__ import annotations

import json
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

from tests.fakes.proxy import Proxy, Weather
from tests.fakes.service import Service, Sim, account, leader, wait_for

from hlfast._core import read_journal

FOLLOWERS, LEADERS = 3, 2
WEATHERS: tuple[Weather, ...] = ("cut", "delay", "truncate", "corrupt", "stall", "corrupt", "cut")
WEATHER_S = 0.8
# All feeds may be down when it clears up, with thirty dials spent in the minute before.
SETTLED_S = 75.0
# Nothing expires: each fill is to be copied, however long the network took.
PATIENT = "max_age_ms = 600000"


class Traders:
    """Leaders who trade one way, an ether at a time, so that an order too many can't be hidden by one the other way."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self.holds = [0] * LEADERS
        self.tids: list[tuple[int, int]] = []

    def trade(self, number: int, step: int) -> None:
        side = "B" if step > 0 else "A"
        start = str(float(self.holds[number]))
        made = self._sim.fill(leader(number), coin="ETH", px="3000.0", sz="1.0", side=side, start=start)
        self.holds[number] += step
        self.tids.append((number, made["tid"]))

    def held(self) -> list[Decimal]:
        positions = self._sim.control("ledger", since=2**52)["positions"]
        return [
            Decimal(positions.get(account(number), {}).get("ETH", {}).get("szi", "0")) for number in range(FOLLOWERS)
        ]


class Journal:
    """What the engine wrote of each fill and follower."""

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory / "journal")

    def rows(self) -> list[dict]:
        return [json.loads(raw) for raw in read_journal(self._directory, 0, 100_000)]

    def receipts(self) -> list[dict]:
        return [row for row in self.rows() if row["kind"] == "receipt"]

    def is_whole(self, traders: Traders) -> bool:
        """Each fill has exactly one receipt for each of its leader's followers."""
        found = Counter((row["tid"], row["follower"]) for row in self.receipts())
        owed = {(tid, at): 1 for number, tid in traders.tids for at in range(FOLLOWERS) if at % LEADERS == number}
        return found == owed

    def copied(self, traders: Traders) -> list[Decimal]:
        """What each follower is to hold: a tenth of the leader's, but for the entries that a gap in the feeds took.

        Such an entry was blocked; or positions that were read at the gap's end knew of it before its fill came, and it belongs
        to that reading, a decision without a receipt of its own.
        """
        wanted = [Decimal(traders.holds[number % LEADERS]) for number in range(FOLLOWERS)]
        receipts, believed = self.receipts(), self.has_alert("leader_reconciled")
        decided = {(row["follower"], row["decision"]) for row in receipts if row["outcome"] != "merged_into"}
        for row in receipts:
            if row["outcome"] == "blocked":
                assert row["reason"] == "leader_dirty"
                wanted[row["follower"]] -= Decimal(row["leader_after"]) - Decimal(row["leader_before"])
            elif believed and row["outcome"] == "merged_into" and (row["follower"], row["merged_into"]) not in decided:
                wanted[row["follower"]] -= 1
        return [each / 10 for each in wanted]

    def has_alert(self, code: str) -> bool:
        return any(row["kind"] == "alert" and row["code"] == code for row in self.rows())

    def tell(self, traders: Traders) -> str:
        """What a failure is to be understood by."""
        outcomes = Counter((row["follower"], row["outcome"], row["reason"]) for row in self.receipts())
        return f"held {traders.held()}, wanted {self.copied(traders)}, fills {len(traders.tids)}, receipts {outcomes}"


def weather_passes(proxy: Proxy, traders: Traders, step: int) -> None:
    """Each weather holds for a while; leaders trade meanwhile, and then it is fair again."""
    for weather in WEATHERS:
        proxy.weather = weather
        until, number = time.monotonic() + WEATHER_S, 0
        while time.monotonic() < until:
            number += 1
            if step > 0 or traders.holds[number % LEADERS]:
                traders.trade(number % LEADERS, step)
            time.sleep(0.1)
    proxy.weather = "fair"


def check_ledger(sim: Sim, copied: list[Decimal]) -> None:
    """Nothing but the entries that were to be copied, and as much the other way; no nonce and no order twice."""
    ledger = sim.control("ledger")
    assert ledger["counters"]["unknown_signers"] == 0
    executed = [row for row in ledger["actions"] if row["kind"] == "order" and row["ok"]]
    assert len({(row["signer"], row["nonce"]) for row in executed}) == len(executed)
    assert max(Counter(cloid for row in executed for cloid in row["cloids"]).values()) == 1
    traded = {(account(number), side): Decimal(0) for number in range(FOLLOWERS) for side in "BA"}
    for row in ledger["fills"]:
        if not row.get("leader"):
            traded[row["user"], row["side"]] += Decimal(row["sz"])
    assert traded == {(account(number), side): copied[number] for number in range(FOLLOWERS) for side in "BA"}


def test_each_fill_is_copied_once_however_bad_the_network_was(tmp_path: Path) -> None:
    patient = dict.fromkeys(range(FOLLOWERS), PATIENT)
    with Sim(tmp_path) as sim, Proxy(sim.base_url, seed=1) as proxy:
        settings = {"followers": FOLLOWERS, "leaders": LEADERS, "policies": patient, "base_url": proxy.base_url}
        with Service(tmp_path, sim, **settings) as service:
            traders, journal = Traders(sim), Journal(tmp_path)
            weather_passes(proxy, traders, +1)
            wait_for(
                lambda: journal.is_whole(traders) and traders.held() == journal.copied(traders),
                SETTLED_S,
                tell=lambda: journal.tell(traders),
            )
            copied = journal.copied(traders)
            most = sum(Decimal(traders.holds[number % LEADERS]) for number in range(FOLLOWERS)) / 10
            assert 2 * sum(copied) > most, "gaps in the feeds did not block most of them"
            weather_passes(proxy, traders, -1)
            for number in range(LEADERS):
                while traders.holds[number]:
                    traders.trade(number, -1)
            wait_for(
                lambda: journal.is_whole(traders) and not any(traders.held()),
                SETTLED_S,
                tell=lambda: journal.tell(traders),
            )
            wait_for(lambda: json.loads(service.get("health_url"))["core"]["in_flight"] == 0)
            assert service.process.end() == 0, service.process.said()
        check_ledger(sim, copied)
    assert journal.is_whole(traders)
    assert all(proxy.struck[weather] for weather in set(WEATHERS)), proxy.struck
