"""The packaged recordings of real traders through the core: money, causes and curves to the last digit.

A change of the core's decisions or of the model changes them. Look at the difference, and if it is meant:
`python -m tests.unit.research.whatif.test_golden` writes the vector anew.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import hlfast.demo
from hlfast.config.model import Follow
from hlfast.demo.recordings import PACKAGED
from hlfast.research.files import history_from_file
from hlfast.research.history import History
from hlfast.research.whatif import Model, Policy, Result, what_if

VECTOR = Path(__file__).parents[3] / "vectors/what_if.json"
FOLLOWS = {
    "equity": Follow(leader="l", follower="f", mode="equity", weight="1"),
    "ratio": Follow(leader="l", follower="f", mode="ratio", ratio="0.05", max_position_usd="500", coins_block=("ZEC",)),
    "adopt": Follow(leader="l", follower="f", mode="equity", weight="1", existing="adopt"),
    "notional": Follow(leader="l", follower="f", mode="notional", notional_usd="60", scale_adds=True),
}
SHOWN = ("money", "copied", "error", "latencies", "least", "return_share", "max_drawdown", "liquidations")


def recording(name: str) -> History:
    return history_from_file(Path(hlfast.demo.__file__).parent / "data" / PACKAGED[name])


def figures(name: str, mode: str) -> dict[str, Any]:
    result = what_if(
        recording(name), Policy(follow=FOLLOWS[mode]), Model(equity_usd=Decimal(2_000)), latencies_ms=(0, 2_000)
    )
    found = json.loads(msgspec.json.encode(result))
    return {field: found[field] for field in SHOWN}


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(json.loads(VECTOR.read_text()))


@pytest.mark.parametrize("mode", FOLLOWS)
@pytest.mark.parametrize("name", PACKAGED)
def test_what_if_is_the_golden_result(name: str, mode: str, golden: dict[str, Any]) -> None:
    assert figures(name, mode) == golden[f"{name} {mode}"]


def edge_of(history: History, ratio: Decimal) -> Decimal:
    """The ideal copy once more, as a loop: positions from before stay out until flat or flipped."""
    cash = Decimal(0)
    state: dict[str, list[Decimal]] = {}  # leader's position, copied position, last price
    rows = history.fills.filter(~history.fills["spot"]).iter_rows(named=True)
    for row in rows:
        signed = row["size"] if row["is_buy"] else -row["size"]
        held = state.setdefault(row["coin"], [row["start"], Decimal(0), row["price"], row["start"]])
        before, after = held[0], held[0] + signed
        copied, ignoring = held[1], held[3] != 0
        if after == 0 or before * after < 0:
            wanted, held[3] = after * ratio, Decimal(0)
        elif abs(after) > abs(before):
            wanted = copied if ignoring else copied + signed * ratio
        else:
            wanted = copied * after / before
        cash -= (wanted - copied) * row["price"]
        held[0], held[1], held[2] = after, wanted, row["price"]
    return cash + sum((copied * price for _, copied, price, _ in state.values()), Decimal(0))


@pytest.mark.parametrize("name", ["day", "scalper", "shorts", "kbonk", "xyz"])
def test_the_edge_is_what_a_loop_over_the_fills_finds(name: str) -> None:
    history = recording(name)
    free = Model(latency_ms=0, taker_bps=Decimal(0), funding_rate=Decimal(0), equity_usd=Decimal(10_000_000))
    follow = Follow(leader="l", follower="f", mode="ratio", ratio="0.25")
    found = what_if(history, Policy(follow=follow), free, latencies_ms=(), wanted=None)
    # The last middle lies half a spread off the last print, so positions open at the end differ by that.
    spread = sum((abs(coin.volume_usd) for coin in found.coins), Decimal(0)) * Decimal("0.0007")
    assert abs(found.money.edge_usd - edge_of(history, Decimal("0.25"))) <= spread


@pytest.mark.parametrize("name", ["day", "scalper", "xyz"])
def test_the_money_adds_up_from_its_parts(name: str) -> None:
    found = what_if(recording(name), latencies_ms=(), wanted=None)
    money = found.money
    costs = money.missed_usd + money.drift_usd + money.spread_usd + money.impact_usd + money.fees_usd
    assert money.edge_usd - costs + money.funding_usd == money.net_usd
    assert abs(sum(coin.net_usd for coin in found.coins) - money.net_usd) < Decimal("0.001")
    assert money.fees_usd <= found.copied.volume_usd * found.taker_bps * 2 / 10_000
    assert found.error.usd_hours == pytest.approx(
        sum(one.usd_hours for one in found.error.causes), abs=Decimal("0.00001")
    )


def test_what_if_of_nothing_but_time_keeps_the_whole_edge() -> None:
    from hlfast.research.whatif import Liquidity, Market

    history = recording("day")
    ideal = Liquidity(half_spread_bps=Decimal(0), depth_usd=Decimal(10**10), measured=True)
    markets = {coin: Market(liquidity=ideal) for coin in set(history.fills["coin"])}
    free = Model(latency_ms=0, taker_bps=Decimal(0), funding_rate=Decimal(0), equity_usd=Decimal(1_000_000))
    follow = Follow(leader="l", follower="f", mode="ratio", ratio="1", entry_band_bps=300, reduce_band_bps=300)
    found = what_if(history, Policy(follow=follow), free, markets, latencies_ms=(), wanted=None)
    assert found.error.share == pytest.approx(0, abs=0.001)
    # What is left is his own sweep through the book, paid at its last price.
    assert found.money.net_usd + found.money.drift_usd + found.money.impact_usd == pytest.approx(
        found.money.edge_usd, abs=Decimal("0.05")
    )


def test_the_same_input_is_the_same_to_the_byte() -> None:
    one, other = (encoded(what_if(recording("scalper"))) for _ in range(2))
    assert one == other


def encoded(result: Result) -> bytes:
    return msgspec.json.encode(result)


if __name__ == "__main__":
    rows = {f"{name} {mode}": figures(name, mode) for name in PACKAGED for mode in FOLLOWS}
    VECTOR.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
