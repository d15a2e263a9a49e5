"""Real copy traders beside hlfast: the same leaders, the same policy as far as it can be read off, order by order.

    .venv/bin/python bench/research/followers.py DIRECTORY [--market BOOKS.jsonl] [--write docs/followers.md]

DIRECTORY holds `leader_accN.jsonl` and `follower_accN.jsonl` (verbatim userFills rows of both). The policy of a real
follower is what its openings show: the same value each time (mode notional) or the same share (mode ratio). hlfast is
the what-if of this tree with that policy; both are then held against each order of the leader.
"""

from __future__ import annotations

import argparse
import statistics
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import polars as pl

from hlfast.config.model import Follow
from hlfast.research.chain import in_chain_order
from hlfast.research.files import history_from_file
from hlfast.research.history import History
from hlfast.research.tracking import Receipt, is_numbered
from hlfast.research.whatif import Markets, Model, Policy
from hlfast.research.whatif.markets import markets_from_files
from hlfast.research.whatif.record import prepare
from hlfast.research.whatif.run import Bench, Run

# A real follower's order within this after a leader's order of the same coin and side was made for it.
MOST_DELAY_MS = 10_000
# Openings whose values differ by less than this, relative to their mean, are of one value.
ONE_VALUE = Decimal("0.05")
MOST_OF = 0.7
# Where a follower's openings show that its policy was changed: (from, until), Unix ms.
PHASES = {6: ((0, 1_784_512_000_000), (1_784_512_000_000, 1 << 62))}
MARK = "<!-- from here on written by bench/research/followers.py -->"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """All fills of one order."""

    coin: str
    at_ms: int
    is_buy: bool
    size: Decimal
    usd: Decimal
    start: Decimal
    end: Decimal
    fills: tuple[int, ...]

    @property
    def price(self) -> Decimal:
        return self.usd / self.size

    @property
    def opens(self) -> bool:
        return abs(self.end) > abs(self.start) or self.start * self.end < 0


def orders_of(history: History) -> list[Order]:
    """A leader's or follower's orders by the time of their last fill."""
    chained, _ = in_chain_order(history)
    rows = chained.with_row_index("row").filter(pl.col("delta") != 0)
    grouped = rows.group_by(["coin", "oid"], maintain_order=True).agg(
        pl.col("time_ms").max(),
        pl.col("is_buy").first(),
        pl.col("size").sum(),
        (pl.col("size") * pl.col("price")).sum().alias("usd"),
        pl.col("start").first(),
        pl.col("end").last(),
        pl.col("time_ms").alias("times"),
    )
    found = [
        Order(
            coin=row["coin"],
            at_ms=row["time_ms"],
            is_buy=row["is_buy"],
            size=Decimal(row["size"]),
            usd=Decimal(row["usd"]),
            start=Decimal(row["start"]),
            end=Decimal(row["end"]),
            fills=tuple(row["times"]),
        )
        for row in grouped.iter_rows(named=True)
    ]
    return sorted(found, key=lambda order: (order.at_ms, order.coin))


def pairs_of(leader: Sequence[Order], follower: Sequence[Order]) -> dict[int, int]:
    """Places of the follower's orders → places of the leader's orders that they were made for."""
    found: dict[int, int] = {}
    for place, order in enumerate(follower):
        fitting = [
            at
            for at, theirs in enumerate(leader)
            if (theirs.coin, theirs.is_buy) == (order.coin, order.is_buy)
            and theirs.fills[0] <= order.at_ms <= theirs.at_ms + MOST_DELAY_MS
        ]
        if fitting:
            found[place] = fitting[-1]
    return found


def policy_of(leader: Sequence[Order], follower: Sequence[Order]) -> Follow:
    """What the openings show: one value each time, or a share of what the leader opened meanwhile."""
    openings = [order for order in follower if order.opens]
    usual = statistics.median(order.usd for order in openings)
    alike = sum(1 for order in openings if abs(order.usd / usual - 1) < ONE_VALUE)
    adds = sum(1 for order in openings if order.start)
    if alike > MOST_OF * len(openings) and adds < len(openings) / 2:
        return Follow(leader="l", follower="f", mode="notional", notional_usd=f"{usual.quantize(Decimal('0.01'))}")
    shares = []
    for coin in sorted({order.coin for order in openings}):
        mine = [order for order in openings if order.coin == coin]
        span = range(mine[0].at_ms - MOST_DELAY_MS, mine[-1].at_ms + 1)
        his = [order for order in leader if order.coin == coin and order.opens and order.at_ms in span]
        if his:
            shares.append(sum(one.size for one in mine) / sum(one.size for one in his))
    ratio = statistics.median(shares).quantize(Decimal("0.00000001"))
    return Follow(leader="l", follower="f", mode="ratio", ratio=f"{ratio:f}")


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """What hlfast made of it. `ending` is by place of the leader's order."""

    ending: tuple[str, ...]
    copied: frozenset[int]
    orders: int
    value: Decimal
    cost_bps: float | None
    held: dict[str, Decimal]


def ours_of(history: History, leader: Sequence[Order], follow: Follow, model: Model, markets: Markets) -> Ours:
    prepared = prepare(history, markets)
    bench = Bench(prepared, Policy(follow=follow), model)
    run = bench.run(bench.policy, model, keep=True)
    by_fill: dict[tuple[str, int], list[Receipt]] = defaultdict(list)
    for receipt in run.receipts:
        by_fill[receipt.coin, receipt.time_ms].append(receipt)
    resolved = _resolved(run.receipts)
    ending, copied = [], set()
    for place, order in enumerate(leader):
        mine = [one for at_ms in set(order.fills) for one in by_fill[order.coin, at_ms]]
        last = [resolved[one.decision] for one in mine if is_numbered(one)]
        # The best of an order's decisions stands for it: one that was executed, else the last one.
        best = next((one for one in last if one.outcome in {"filled", "partly_filled"}), last[-1] if last else None)
        ending.append(
            "no record" if best is None else best.outcome if best.reason == "none" else f"{best.outcome}: {best.reason}"
        )
        if best is not None and best.outcome in {"filled", "partly_filled"}:
            copied.add(place)
    outcome = run.outcome
    coins = zip(prepared.coins, outcome["coins"], strict=True)
    return Ours(
        ending=tuple(ending),
        copied=frozenset(copied),
        orders=sum(1 for row in outcome["executions"] if not row[6]),
        value=run.volume_usd,
        cost_bps=_cost_bps(run, leader, prepared.coins),
        held={name: Decimal(coin["size"]) / 10**8 for name, coin in coins if coin["size"]},
    )


def _resolved(receipts: Iterable[Receipt]) -> dict[int, Receipt]:
    """Where a decision's numbers ended: a merged one with the one that took it over."""
    numbered = {receipt.decision: receipt for receipt in receipts if is_numbered(receipt)}
    found = {}
    for decision, receipt in numbered.items():
        end = receipt
        while end.outcome == "merged_into" and end.merged_into in numbered and end.merged_into != end.decision:
            end = numbered[end.merged_into]
        found[decision] = end
    return found


def _cost_bps(run: Run, leader: Sequence[Order], names: Sequence[str]) -> float | None:
    made = [
        (at_ms, names[place], Decimal(size), Decimal(price))
        for at_ms, place, size, price, *_ in run.outcome["executions"]
    ]
    return cost_bps(leader, [(at_ms, coin, size > 0, price / 10**8) for at_ms, coin, size, price in made])


def cost_bps(leader: Sequence[Order], executed: Iterable[tuple[int, str, bool, Decimal]]) -> float | None:
    """The median of what was paid beside the leader's price; positive costs."""
    by_coin: dict[tuple[str, bool], list[Order]] = defaultdict(list)
    for order in leader:
        by_coin[order.coin, order.is_buy].append(order)
    costs = []
    for at_ms, coin, is_buy, price in executed:
        same = by_coin[coin, is_buy]
        at = bisect_right(same, at_ms, key=lambda order: order.fills[0]) - 1
        if at >= 0 and at_ms <= same[at].at_ms + MOST_DELAY_MS:
            gap = (price / same[at].price - 1) * 10_000
            costs.append(float(gap if is_buy else -gap))
    return round(statistics.median(costs), 1) if costs else None


def within(history: History, phase: tuple[int, int]) -> History:
    """The fills of a stretch of time."""
    at = pl.col("time_ms")
    return msgspec.structs.replace(history, fills=history.fills.filter((at >= phase[0]) & (at < phase[1])))


def compared(
    directory: Path, number: int, phase: tuple[int, int], markets: Markets
) -> tuple[list[str], list[tuple[str, str, str, int]], list[tuple[str, str, int]]]:
    """One row of the first table, and rows of the others: who copied what, and the follower's orders without a reason."""
    history = within(history_from_file(directory / f"leader_acc{number}.jsonl"), phase)
    leader = orders_of(history)
    follower = orders_of(within(history_from_file(directory / f"follower_acc{number}.jsonl"), phase))
    pairs = pairs_of(leader, follower)
    follow = policy_of(leader, follower)
    model = Model(equity_usd=Decimal(1_000), leverage=5)
    ours = ours_of(history, leader, follow, model, markets)
    adopting = ours_of(history, leader, msgspec.structs.replace(follow, existing="adopt"), model, markets)
    theirs = set(pairs.values())
    name = f"acc{number}" if len(PHASES.get(number, ())) < 2 else f"acc{number}, {'first' if phase[0] == 0 else 'then'}"
    delays = [
        follower[mine].at_ms - leader[his].at_ms
        for mine, his in pairs.items()
        if follower[mine].at_ms >= leader[his].at_ms
    ]
    size = (
        f"{follow.notional_usd} USD a position"
        if follow.mode == "notional"
        else f"{Decimal(follow.ratio or 0) * 100:.3g} % of his size"
    )
    their_cost = cost_bps(leader, [(one.at_ms, one.coin, one.is_buy, one.price) for one in follower])
    row = [
        name,
        f"{len(leader)}",
        size,
        f"{len(follower)} / {ours.orders} / {adopting.orders}",
        f"{len(theirs)} / {len(ours.copied)} / {len(adopting.copied)}",
        f"{len(follower) - len(pairs)}",
        f"{sum(one.usd for one in follower):,.0f} / {ours.value:,.0f} / {adopting.value:,.0f}",
        "n/a" if not delays else f"{statistics.median(delays):,.0f}",
        f"{_bps(their_cost)} / {_bps(ours.cost_bps)} / {_bps(adopting.cost_bps)}",
    ]
    strays = Counter(stray(leader, follower, place) for place in range(len(follower)) if place not in pairs)
    counted: Counter[tuple[str, str]] = Counter()
    for place, ending in enumerate(ours.ending):
        who = (
            ("both" if place in ours.copied else "real follower only")
            if place in theirs
            else "hlfast only"
            if place in ours.copied
            else "neither"
        )
        counted[who, ending] += 1
    kinds = [(name, who, ending, count) for (who, ending), count in counted.most_common()]
    return row, kinds, [(name, kind, count) for kind, count in strays.most_common()]


def stray(leader: Sequence[Order], follower: Sequence[Order], place: int) -> str:
    """What the leader did when a follower's order came that no order of his asked for."""
    order = follower[place]
    near = [
        theirs
        for theirs in leader
        if theirs.coin == order.coin and theirs.fills[0] <= order.at_ms <= theirs.at_ms + MOST_DELAY_MS
    ]
    does = "opened or added" if order.opens else "closed"
    if not near:
        return f"{does}: no order of his in that coin within 10 s"
    his = "opening" if near[-1].opens else "reducing"
    return f"{does}, {'buying' if order.is_buy else 'selling'} while he was {his} by {'buying' if near[-1].is_buy else 'selling'}"


def _bps(value: float | None) -> str:
    return "n/a" if value is None else f"{value:g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--market", type=Path, action="append", default=[], help="as in hlfast what-if")
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    numbers = sorted(int(path.stem.removeprefix("leader_acc")) for path in chosen.directory.glob("leader_acc*.jsonl"))
    markets = markets_from_files(chosen.market)
    whole = ((0, 1 << 62),)
    found = [
        compared(chosen.directory, number, phase, markets) for number in numbers for phase in PHASES.get(number, whole)
    ]
    head = (
        "leader",
        "his orders",
        "policy read off",
        "orders",
        "of his orders copied",
        "without an order of his",
        "USD traded",
        "delay, ms",
        "cost, bps",
    )
    first = table(head, [row for row, _, _ in found])
    second = table(
        ("leader", "copied by", "hlfast's receipt", "his orders"),
        [(number, who, ending, str(count)) for _, rows, _ in found for number, who, ending, count in rows],
    )
    third = table(
        ("leader", "the real follower", "its orders"),
        [(name, kind, str(n)) for *_, rows in found for name, kind, n in rows],
    )
    text = "\n\n".join(
        [
            '## Side by side: real follower / hlfast / hlfast with `existing = "adopt"`',
            first,
            "## Order by order",
            second,
            "## Orders of the real followers that no order of the leader asked for",
            f"{third}\n",
        ]
    )
    print(text)
    if chosen.write is not None:
        page = chosen.write.read_text(encoding="utf-8").partition(MARK)[0]
        chosen.write.write_text(f"{page}{MARK}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
