"""Write deploy/grafana/dashboards: `python deploy/grafana/dashboard.py`.

A dashboard is a list of rows of panels; a panel is a title, a unit, what it tells, and its queries. Grafana's JSON
says the same in many times the lines, so this file is what people edit, and a test holds the JSON to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
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


def by_leader(figure: str) -> tuple[tuple[str, str], ...]:
    """A figure of fitness, a line a leader."""
    return ((gauge(f"hlfast_fitness_{figure}", "avg", "leader"), "{{leader}}"),)


STAGES = "hlfast_engine_stage_latency_seconds"
STAGE_P99 = f"histogram_quantile(0.99, sum by (le, stage) (rate({STAGES}_bucket{{{TARGET}}}[$__rate_interval])))"
READY_BUCKETS = f'sum by (le) (increase({STAGES}_bucket{{stage="ready",{TARGET}}}[$__rate_interval]))'
ADDRESS_SHARE = 1_200

GLANCE = (
    Panel("Engines up", "none", "Engines that Prometheus reaches.", (('sum(up{job="hlfast"})', ""),), "stat", 4),
    Panel(
        "Frame to first bytes, p99",
        "s",
        "From a leader's frame to the first order's bytes.",
        quantiles(STAGES, 'stage="ready"')[1:2],
        "stat",
        4,
        0.01,
    ),
    Panel(
        "Leaders uncovered",
        "none",
        "Leaders that no feed covers now: their trades are not copied.",
        ((gauge("hlfast_shell_leaders_uncovered"), ""),),
        "stat",
        4,
        1,
    ),
    Panel(
        "Unresolved attempts",
        "none",
        "Actions whose outcome is unknown; each is fenced, then looked up.",
        ((gauge("hlfast_order_unresolved_attempts"), ""),),
        "stat",
        4,
        1,
    ),
    Panel(
        "Breaker",
        "none",
        "1: the venue saw another signer than ours. No entries until restart; reductions go on.",
        ((gauge("hlfast_risk_breaker_tripped", "max"), ""),),
        "stat",
        4,
        1,
    ),
    Panel(
        "Journal reserve in use",
        "none",
        "1: the disk is full. Entries are stopped; reductions go on.",
        ((gauge("hlfast_journal_reserve_active", "max"), ""),),
        "stat",
        4,
        1,
    ),
)

LATENCY = (
    Panel(
        "Frame to first bytes",
        "s",
        "Receive, decide, journal, sign and frame of the first chunk of followers.",
        quantiles(STAGES, 'stage="ready"'),
    ),
    Panel(
        "Frame to last bytes written",
        "s",
        "Until the shell has handed the last follower's order to the transport.",
        quantiles(STAGES, 'stage="written"'),
    ),
    Panel("p99 by stage", "s", "Where the time goes.", ((STAGE_P99, "{{stage}}"),)),
    Panel(
        "Frame to first bytes, heatmap",
        "s",
        "Every event that led to a send, by how long it took.",
        ((READY_BUCKETS, "{{le}}"),),
        "heatmap",
        WIDTH,
    ),
)

ORDERS = (
    Panel(
        "Receipts by outcome",
        "reqps",
        "One receipt per leader fill and follow edge; beside them positions that took their ratio anew.",
        (
            (rate("hlfast_copy_receipts_total", "outcome"), "{{outcome}}"),
            (rate("hlfast_copy_rebalanced_total"), "rebalanced"),
        ),
    ),
    Panel(
        "Skipped, blocked, expired and rejected, by reason",
        "reqps",
        "Why something was not copied. A reason that is new here deserves a look.",
        ((rate('hlfast_copy_reasons_total{reason!="none"}', "reason"), "{{reason}}"),),
    ),
    Panel(
        "Attempts by road",
        "reqps",
        f"Signed actions handed to a lane. The venue allows one source address {ADDRESS_SHARE:,} a minute.",
        ((rate("hlfast_lane_attempts_total", "road"), "{{road}}"),),
    ),
)

FEEDS = (
    Panel(
        "Feeds up",
        "none",
        "Open connections by kind.",
        ((gauge("hlfast_shell_user_feeds_up"), "user"), (gauge("hlfast_shell_tape_feeds_up"), "tape")),
        width=5,
    ),
    Panel(
        "Not covered",
        "none",
        "Leaders that only the tape covers, and coins whose trades found no room on a connection.",
        (
            (gauge("hlfast_shell_leaders_without_user_feed"), "leaders without userFills"),
            (gauge("hlfast_shell_coins_uncovered"), "coins without trades"),
        ),
        width=5,
    ),
    Panel(
        "Feed age",
        "s",
        "Time since the last byte of the most silent open feed.",
        ((gauge("hlfast_feed_age_seconds", "max", "kind"), "{{kind}}"),),
        width=5,
    ),
    Panel(
        "Feed lag",
        "s",
        "From a fill's venue time until its frame was here.",
        quantiles("hlfast_feed_lag_seconds"),
        width=5,
    ),
    Panel(
        "Feeds and connections lost",
        "reqps",
        "Connections that ended, and feeds dropped because they were silent.",
        (
            (rate("hlfast_shell_connections_lost_total"), "lost"),
            (rate("hlfast_shell_feed_stalls_total"), "stalled"),
        ),
        width=4,
    ),
)

LANES = (
    Panel(
        "Lanes",
        "none",
        "WebSocket lanes that take orders, and those whose socket takes no more now.",
        ((gauge("hlfast_shell_lanes_up"), "up"), (gauge("hlfast_shell_lanes_paused"), "paused")),
        width=6,
    ),
    Panel(
        "Venue budget left",
        "none",
        "REST weight and WebSocket messages that this address may still spend in the running minute.",
        ((gauge("hlfast_lane_weight_left"), "weight"), (gauge("hlfast_lane_messages_left"), "messages")),
        width=6,
    ),
    Panel(
        "Posts in flight",
        "none",
        "The venue allows 100 over WebSocket.",
        (
            (gauge("hlfast_lane_posts_in_flight"), "WebSocket"),
            (gauge("hlfast_shell_http_posts_in_flight"), "HTTP"),
        ),
        width=6,
    ),
    Panel(
        "Back-pressure",
        "reqps",
        "Times a lane's socket was full, and writes that a lane did not take.",
        (
            (rate("hlfast_shell_lane_pauses_total"), "paused"),
            (rate("hlfast_shell_writes_refused_total"), "refused"),
        ),
        width=6,
    ),
)

SIGNING = (
    Panel(
        "Presignatures ready",
        "none",
        "Over all signers. Empty pools cost about 40 µs an order, nothing else.",
        ((gauge("hlfast_presign_ready_presignatures"), "ready"),),
    ),
    Panel(
        "Signatures by way",
        "reqps",
        "Presigned, or hedged because the pool was empty or is off.",
        ((rate("hlfast_sign_signatures_total", "how"), "{{how}}"),),
    ),
    Panel(
        "Refill and verification",
        "reqps",
        "Presignatures made, pools found empty, refills that failed; sent signatures recovered to their signer or not.",
        (
            (rate("hlfast_presign_made_total"), "made"),
            (rate("hlfast_presign_empty_total"), "empty"),
            (rate("hlfast_presign_failed_total"), "failed"),
            (rate("hlfast_verify_checked_total"), "verified"),
            (rate("hlfast_verify_dropped_total"), "unverified"),
        ),
    ),
)

JOURNAL = (
    Panel("fdatasync", "s", "One sync of the journal.", quantiles("hlfast_journal_sync_latency_seconds")),
    Panel("Records", "reqps", "Records made.", ((rate("hlfast_journal_records_total"), "records"),), width=5),
    Panel("Bytes", "Bps", "Handed to the kernel.", ((rate("hlfast_journal_written_bytes_total"), "bytes"),), width=5),
    Panel(
        "Not yet on stable storage",
        "none",
        "Records that a power loss now would take (`relaxed`), or that wait for no send (`durable`).",
        ((gauge("hlfast_journal_unsynced_records"), "records"),),
        width=6,
    ),
)

PROCESS = (
    Panel(
        "Loop lag", "s", "How late the event loop ran its timers.", quantiles("hlfast_engine_loop_lag_seconds"), width=6
    ),
    Panel(
        "Reads of the venue",
        "none",
        "Reads not yet answered.",
        ((gauge("hlfast_shell_reads_waiting"), "waiting"),),
        width=6,
    ),
    Panel(
        "Clock skew",
        "s",
        "Venue time less wall clock.",
        ((gauge("hlfast_shell_clock_skew_seconds", "max", "instance"), "{{instance}}"),),
        width=6,
    ),
    Panel(
        "Resident memory",
        "bytes",
        "Of the process.",
        ((gauge("process_resident_memory_bytes", "max", "instance"), "{{instance}}"),),
        width=6,
    ),
    Panel(
        "Processor",
        "percentunit",
        "Cores used; a never-sleeping loop uses one whole.",
        ((rate("process_cpu_seconds_total", "instance"), "{{instance}}"),),
        width=6,
    ),
    Panel(
        "Open files", "none", "Descriptors.", ((gauge("process_open_fds", "max", "instance"), "{{instance}}"),), width=6
    ),
    Panel(
        "Log events lost",
        "reqps",
        "Dropped because the log's ring was full.",
        ((rate("hlfast_shell_log_events_lost_total"), "lost"),),
        width=6,
    ),
    Panel(
        "Agents end in",
        "s",
        "By follower. Entries stop 12 hours before; after the end nothing can be closed.",
        ((gauge("hlfast_shell_agent_expires_seconds", "min", "follower"), "{{follower}}"),),
        width=6,
    ),
)

FITNESS = (
    Panel(
        "Leaders found unfit",
        "none",
        "Leaders that were downgraded to close-only in the last hour; the log says why.",
        ((f"sum(increase(hlfast_fitness_downgrades_total{{{TARGET}}}[1h]))", ""),),
        "stat",
        4,
        1,
    ),
    Panel("Rested", "percentunit", "Share of a leader's orders that rested.", by_leader("maker_ratio"), width=10),
    Panel("Round trip", "ms", "Median holding time.", by_leader("holding_ms"), width=10),
    Panel(
        "Too small for followers",
        "percentunit",
        "Share of a leader's orders below most followers' minimum.",
        by_leader("below_minimum_ratio"),
    ),
    Panel("Cost of copies", "none", "Mean cost against the leader's price, bps.", by_leader("slippage_bps")),
    Panel("Half-life of the edge", "ms", "Until half of the move after an order is over.", by_leader("half_life_ms")),
)

STORE = (
    Panel(
        "Projector behind",
        "ms",
        "Age of the newest projected record while more wait; the engine never waits for it.",
        ((gauge("hlfast_projector_lag_ms", "max", "instance"), "{{instance}}"),),
        width=12,
    ),
    Panel(
        "Receipts written",
        "reqps",
        "From the journal into the database.",
        ((rate("hlfast_projector_receipts_total", "instance"), "{{instance}}"),),
        width=12,
    ),
    Panel(
        "Failures",
        "none",
        "Tries that the database refused, and parts of the companion that failed and were begun again.",
        (
            (rate("hlfast_projector_failures_total"), "database"),
            (rate("hlfast_companion_failures_total"), "companion"),
        ),
        width=12,
    ),
    Panel(
        "Traders judged",
        "none",
        "By the scheduled discovery.",
        (
            (gauge("hlfast_discovery_judged_total"), "judged"),
            (gauge("hlfast_discovery_searches_total"), "searches"),
        ),
        width=12,
    ),
)

Rows = tuple[tuple[str, tuple[Panel, ...]], ...]
ENGINE: Rows = (
    ("At a glance", GLANCE),
    ("Latency", LATENCY),
    ("Orders", ORDERS),
    ("Feeds", FEEDS),
    ("Lanes", LANES),
    ("Signing", SIGNING),
    ("Journal", JOURNAL),
    ("Process", PROCESS),
)
COMPANION: Rows = (("Fitness of leaders", FITNESS), ("Store and discovery", STORE))
# Title, rows, and the metric whose instances one may choose from, by file.
DASHBOARDS: dict[str, tuple[str, Rows, str]] = {
    "hlfast": ("hlfast", ENGINE, "hlfast_build_info"),
    "hlfast-companion": ("hlfast companion", COMPANION, "hlfast_companion_failures_total"),
}


def options(panel: Panel) -> dict[str, Any]:
    """What each kind of picture is told."""
    if panel.kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "graphMode": "area"}
    if panel.kind == "heatmap":
        return {"calculate": False, "yAxis": {"unit": panel.unit}, "color": {"scheme": "Spectral"}, "cellGap": 1}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}


def thresholds(panel: Panel) -> dict[str, Any]:
    """Green, and red from where somebody should look."""
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    return {"mode": "absolute", "steps": steps}


def draw(panel: Panel, number: int, x: int, y: int, height: int) -> dict[str, Any]:
    """One panel in Grafana's words."""
    targets = [
        {
            "refId": chr(ord("A") + index),
            "expr": expression,
            "legendFormat": legend or "__auto",
            "format": "heatmap" if panel.kind == "heatmap" else "time_series",
            "datasource": SOURCE,
        }
        for index, (expression, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.tells,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": height},
        "targets": targets,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0 if panel.unit != "s" else None, "thresholds": thresholds(panel)},
            "overrides": [],
        },
        "options": options(panel),
    }


def build(uid: str) -> dict[str, Any]:
    """A whole dashboard."""
    name, rows, chosen_from = DASHBOARDS[uid]
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in rows:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
            }
        )
        y += 1
        x, height = 0, 4 if row[0].kind == "stat" else 8
        for panel in row:
            if x + panel.width > WIDTH:
                x, y = 0, y + height
            panels.append(draw(panel, len(panels) + 1, x, y, height))
            x += panel.width
        y += height
    instance = {
        "name": "instance",
        "type": "query",
        "label": "Engine",
        "datasource": SOURCE,
        "query": {"query": f"label_values({chosen_from}, instance)", "refId": "instance"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
    }
    return {
        "uid": uid,
        "title": name,
        "tags": ["hlfast"],
        "timezone": "utc",
        "schemaVersion": 41,
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "graphTooltip": 1,
        "templating": {"list": [instance]},
        "panels": panels,
    }


def text(uid: str) -> str:
    """A file's content."""
    return json.dumps(build(uid), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for uid in DASHBOARDS:
        (HERE / "dashboards" / f"{uid}.json").write_text(text(uid), encoding="utf-8")
