"""Write deploy/grafana/dashboards/hlfast.json: `python deploy/grafana/dashboard.py`.

The dashboard is a list of rows of panels; a panel is a title, a unit, what it tells, and its queries. Grafana's own JSON says the
same in twenty times the lines, so this file is what people edit, and a test holds the JSON to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE / "dashboards" / "hlfast.json"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
WIDTH = 24
TARGET = 'instance=~"$instance"'


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    title: str
    unit: str
    tells: str
    queries: tuple[tuple[str, str], ...]  # (expression, legend)
    kind: str = "timeseries"
    width: int = 8
    red_from: float | None = None


def rate(counter: str, by: str = "") -> str:
    """Events a second, summed."""
    name, _, labels = counter.partition("{")
    wanted = ",".join(part for part in (labels.rstrip("}"), TARGET) if part)
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({name}{{{wanted}}}[$__rate_interval]))"


def gauge(name: str, how: str = "sum", by: str = "") -> str:
    """A gauge over the chosen instances."""
    grouped = f" by ({by})" if by else ""
    return f"{how}{grouped} ({name}{{{TARGET}}})"


def quantiles(histogram: str, labels: str = "") -> tuple[tuple[str, str], ...]:
    """p50, p99 and p99.9 of a histogram."""
    wanted = ",".join(part for part in (labels, TARGET) if part)
    buckets = f"sum by (le) (rate({histogram}_bucket{{{wanted}}}[$__rate_interval]))"
    points = ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"))
    return tuple((f"histogram_quantile({point}, {buckets})", legend) for point, legend in points)


STAGES = "hlfast_engine_stage_latency_seconds"
STAGE_P99 = f"histogram_quantile(0.99, sum by (le, stage) (rate({STAGES}_bucket{{{TARGET}}}[$__rate_interval])))"

ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "At a glance",
        (
            Panel("Engines up", "none", "Engines that Prometheus reaches.", (("sum(up{job=\"hlfast\"})", ""),), "stat", 4),
            Panel("Frame to first bytes, p99", "s", "From a leader's frame to the first order's bytes.", quantiles(STAGES, 'stage="ready"')[1:2], "stat", 4, 0.01),
            Panel("Attempts", "reqps", "Signed actions handed to a lane.", ((rate("hlfast_lane_attempts_total"), ""),), "stat", 4),
            Panel("Leaders uncovered", "none", "Leaders that no feed covers now: their trades are not copied.", ((gauge("hlfast_shell_leaders_uncovered"), ""),), "stat", 4, 1),
            Panel("Lanes up", "none", "WebSocket lanes that take orders.", ((gauge("hlfast_shell_lanes_up"), ""),), "stat", 4),
            Panel("Journal reserve in use", "none", "1: the disk is full; entries are stopped, reductions go on.", ((gauge("hlfast_journal_reserve_active", "max"), ""),), "stat", 4, 1),
        ),
    ),
    (
        "Latency",
        (
            Panel("Frame to first bytes", "s", "Receive, decide, journal, sign and frame of the first chunk of followers.", quantiles(STAGES, 'stage="ready"')),
            Panel("Frame to last bytes written", "s", "Until the shell has handed the last follower's order to the transport.", quantiles(STAGES, 'stage="written"')),
            Panel("p99 by stage", "s", "Where the time goes.", ((STAGE_P99, "{{stage}}"),)),
            Panel("Frame to first bytes, heatmap", "s", "Every event with a send, by how long it took.", ((f'sum by (le) (increase({STAGES}_bucket{{stage="ready",{TARGET}}}[$__rate_interval]))', "{{le}}"),), "heatmap", WIDTH),
        ),
    ),
)
