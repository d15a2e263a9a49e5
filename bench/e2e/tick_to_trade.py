"""Tick-to-trade: from the intended moment of a leader's fill to the last byte of the orders it caused.

Open loop on loopback without TLS. In each round every copier runs once, freshly started, against a sink of its own; rounds
repeat, so that a slow stretch of the machine falls on all of them. A bare signature is timed before each copier.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from e2e import identity
from e2e.histogram import Latencies
from e2e.sink_process import SinkProcess, bare_signature_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from e2e.copiers import Copier, Drive


# An event that comes while an answer is still in flight is answered together with the next one and has no latency of its
# own. More of these than this share would make the others look better than the copier is.
MERGED_MOST = 0.05


@dataclass(slots=True)
class Row:
    """What one copier showed at one number of followers."""

    copier: str
    followers: int
    interval_us: int
    first: Latencies = field(default_factory=Latencies)
    last: Latencies = field(default_factory=Latencies)
    generator_late: Latencies = field(default_factory=Latencies)
    incomplete: int = 0
    merged: int = 0
    surplus: int = 0
    unattributed: int = 0

    def add(self, report: dict[str, Any]) -> None:
        """Take one round."""
        self.first.add_round(report["first_ns"])
        self.last.add_round(report["last_ns"])
        self.generator_late.add_round(report["sent_late_ns"])
        merged = min(report["incomplete"], report.get("merged", 0))
        self.incomplete += report["incomplete"] - merged
        self.merged += merged
        self.surplus += report["surplus"]
        self.unattributed += report["unattributed"]

    def fault(self) -> str | None:
        """Why this row must not be used; None when it is sound."""
        total = self.last.all.total_count
        if total == 0:
            return "no event was completed"
        if self.merged > total * MERGED_MOST:
            return (
                f"{self.merged} of {total + self.merged} events were merged with later ones: the interval is too short"
            )
        if self.incomplete * 1_000 > total:
            return f"{self.incomplete} of {total + self.incomplete} events lacked orders"
        if self.surplus or self.unattributed:
            return f"{self.surplus} orders too many, {self.unattributed} that answer no event"
        if self.last.summary()["p90"] > self.interval_us:
            return "saturated: an event takes longer than the interval"
        return None

    def result(self, bare_ns: float) -> dict[str, Any]:
        """The row as plain numbers; `*_in_signatures` is the ratio to the bare signature of the same run."""
        first, last = self.first.summary(), self.last.summary()
        return {
            "copier": self.copier,
            "followers": self.followers,
            "interval_us": self.interval_us,
            "first_us": first,
            "last_us": last,
            "first_in_signatures": first.get("median_of_rounds", 0.0) * 1e3 / bare_ns,
            "last_in_signatures": last.get("median_of_rounds", 0.0) * 1e3 / bare_ns,
            "generator_late_us": self.generator_late.summary(),
            "merged": self.merged,
            "fault": self.fault(),
        }


def measure(copier: Copier, drive: Drive, followers: int, work: Path) -> dict[str, Any]:
    """One round of one copier."""
    accounts = identity.followers(followers)
    work.mkdir(parents=True)
    identity.write_agents(work / "agents", accounts)
    with SinkProcess(identity.LEADER, work / "agents") as sink, copier.running(sink, accounts, work / "copier"):
        before = copier.merged(work / "copier")
        report = sink.command(
            op="run", events=drive.events, warmup=drive.warmup, interval_us=drive.interval_us, followers=followers
        )
        # With one follower a receipt is an event; a wider fan-out that merges is never complete, and stays a fault.
        merged = copier.merged(work / "copier") - before if followers == 1 else 0
        return report | {"merged": merged}


def run(
    copiers: list[Copier],
    followers: int,
    rounds: int,
    share: float,
    work: Path,
    advance: Callable[[str], None],
) -> dict[str, Any]:
    """All copiers that are driven at this number of followers, interleaved; `share` shortens each round."""
    taking_part = [copier for copier in copiers if followers in copier.drives]
    rows = {copier.name: Row(copier.name, followers, copier.drives[followers].interval_us) for copier in taking_part}
    bare: list[float] = []
    for number in range(rounds):
        for copier in taking_part:
            advance(f"tick-to-trade, {followers} followers, round {number + 1}: {copier.name}")
            bare.append(bare_signature_ns())
            place = work / "round"
            rows[copier.name].add(measure(copier, copier.drives[followers].shortened(share), followers, place))
            shutil.rmtree(place)
    bare_ns = median(bare)
    return {
        "followers": followers,
        "rounds": rounds,
        "bare_signature_us": bare_ns / 1e3,
        "rows": [row.result(bare_ns) for row in rows.values()],
    }
