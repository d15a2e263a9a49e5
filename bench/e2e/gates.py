"""The figures that must be reached, and whether a run reached them.

A limit in microseconds is also a limit in bare signatures (performance: that signature takes about 38 µs where the limits
were set); on a slower or noisier machine the ratio decides.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

REFERENCE_SIGNATURE_US = 38.0
BEST = "hlfast relaxed, busy_poll"
DURABLE = "hlfast durable, busy_poll"
NAIVE = "official SDK + coincurve"
LEAN_SPIN = "lean Python, never sleeping"
ECHO_SPIN = "echo, never sleeping"

# Last order in bare signatures, from the published figures of each peer; a peer counts within ± 30 % of its own.
PEER_SIGNATURES = {
    ("official SDK", 1): (11_000, 11_000),
    ("official SDK", 100): (800_000, 800_000),
    (NAIVE, 1): (2_500, 3_600),
    (NAIVE, 100): (260_000, 260_000),
    ("lean Python", 1): (334, 420),
    ("lean Python", 100): (9_000, 9_000),
    ("lean Python", 1_000): (63_000, 88_000),
    (LEAN_SPIN, 1): (148, 148),
    (LEAN_SPIN, 100): (9_000, 9_000),
}


@dataclass(frozen=True, slots=True)
class Gate:
    """One figure beside its limit."""

    what: str
    figure: float
    limit: float
    unit: str
    at_least: bool = False
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the figure is on the right side of its limit."""
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit

    def result(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "passed": self.passed}


def in_signatures(what: str, signatures: float, limit_us: float) -> Gate:
    """A limit in microseconds, judged as a ratio."""
    return Gate(
        what, signatures, limit_us / REFERENCE_SIGNATURE_US, "bare signatures", note=f"stands for {limit_us:g} µs"
    )


def peer_fault(copier: str, followers: int, signatures: float) -> str | None:
    """Why a peer's row doesn't count, by its own published figure; None when it does."""
    published = PEER_SIGNATURES.get((copier, followers))
    if published is None:
        return None
    low, high = (published[0] * 0.7 / REFERENCE_SIGNATURE_US, published[1] * 1.3 / REFERENCE_SIGNATURE_US)
    if low <= signatures <= high:
        return None
    return f"{signatures:.3g} signatures, outside {low:.3g} to {high:.3g} (its published figure ± 30 %)"


def of_tick_to_trade(table: dict[str, Any]) -> list[Gate]:
    """The gates of one number of followers; rows that are missing or faulty give no gate and so no pass."""
    rows = {row["copier"]: row for row in table["rows"] if row["fault"] is None}
    ours = rows.get(BEST)
    if ours is None:
        return []
    followers = table["followers"]
    gates = []
    last = ours["last_us"]["median_of_rounds"]
    if followers == 1:
        gates += _against(rows, NAIVE, last, 20.0, followers)
        gates += _against(rows, LEAN_SPIN, last, 1.4, followers)
        gates += _tail(rows, ours)
        gates += _durable(rows, {"p50": 150.0, "p99": 600.0})
    elif followers == 100:
        gates += _against(rows, NAIVE, last, 450.0, followers)
        gates.append(in_signatures("100 followers, last order", ours["last_in_signatures"], 500.0))
    elif followers == 1_000:
        gates.append(in_signatures("1,000 followers, first order", ours["first_in_signatures"], 250.0))
        gates.append(in_signatures("1,000 followers, last order", ours["last_in_signatures"], 3_000.0))
    return gates


def of_journal_before_send(table: dict[str, Any]) -> list[Gate]:
    """What waiting for stable storage adds to the last of 100 orders."""
    return _durable({row["copier"]: row for row in table["rows"] if row["fault"] is None}, {"p99": 500.0})


def _against(rows: dict[str, Any], peer: str, last_us: float, times: float, followers: int) -> list[Gate]:
    if peer not in rows:
        return []
    row = rows[peer]
    fault = peer_fault(peer, followers, row["last_in_signatures"])
    ratio = row["last_us"]["median_of_rounds"] / last_us
    return [Gate(f"{followers} followers, last order against {peer}", ratio, times, "times", True, fault or "")]


def _tail(rows: dict[str, Any], ours: dict[str, Any]) -> list[Gate]:
    last = ours["last_us"]
    gates = [Gate("1 follower, p99 ÷ p50", last["p99"] / last["p50"], 3.0, "times", note="this or the next")]
    if ECHO_SPIN in rows:
        ratio = last["p99"] / rows[ECHO_SPIN]["last_us"]["p99"]
        gates.append(Gate("1 follower, p99 ÷ p99 of the bare echo", ratio, 1.5, "times", note="this or the one before"))
    return gates


def _durable(rows: dict[str, Any], limits_us: dict[str, float]) -> list[Gate]:
    """What waiting for stable storage adds, metrics on and pool refilling; each loop against its own kind."""
    gates = []
    for loop in (", busy_poll", ""):
        relaxed, durable = rows.get(f"hlfast relaxed{loop}"), rows.get(f"hlfast durable{loop}")
        if relaxed is None or durable is None:
            continue
        bare_us = durable["last_us"]["median_of_rounds"] / durable["last_in_signatures"]
        for point, limit_us in limits_us.items():
            extra_us = durable["last_us"][point] - relaxed["last_us"][point]
            what = f"durable less relaxed{loop}, {point}"
            gates.append(in_signatures(what, extra_us / bare_us, limit_us))
    return gates
