"""Latencies as HDR histograms: 1 ns to 60 s at three significant digits."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from hdrh.histogram import HdrHistogram

HIGHEST_NS = 60_000_000_000
POINTS = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}


class Latencies:
    """Samples of one copier over all rounds, and the median of each round."""

    def __init__(self) -> None:
        """Start empty."""
        self.all = HdrHistogram(1, HIGHEST_NS, 3)
        self.round_medians_ns: list[float] = []
        self.round_p99_ns: list[float] = []

    def add_round(self, samples_ns: Iterable[int]) -> None:
        """Take the samples of one round."""
        ordered = sorted(samples_ns)
        if not ordered:
            return
        for sample in ordered:
            self.all.record_value(sample)
        self.round_medians_ns.append(float(median(ordered)))
        self.round_p99_ns.append(float(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]))

    def summary(self) -> dict[str, float]:
        """Percentiles over all rounds, and the spread of the rounds' medians, in microseconds."""
        if not self.round_medians_ns:
            return {"count": 0}
        row = {name: self.all.get_value_at_percentile(point) / 1e3 for name, point in POINTS.items()}
        return {
            "count": self.all.total_count,
            **row,
            "max": self.all.get_max_value() / 1e3,
            "median_of_rounds": median(self.round_medians_ns) / 1e3,
            "best_round": min(self.round_medians_ns) / 1e3,
            "worst_round": max(self.round_medians_ns) / 1e3,
        }
