"""hlfast pushed to its limits: distinct fills a second, scraping while it trades, and a thousand leaders and followers."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from e2e import identity, service
from e2e.copiers import FAST, Copier, environment, hlfast
from e2e.gates import REFERENCE_SIGNATURE_US, Gate
from e2e.sink_process import SinkProcess, bare_signature_ns
from e2e.tick_to_trade import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.copiers import Drive

RECEIPTS = "hlfast_copy_receipts_total"
# Receipts of a fill that waits for an order's answer come a round trip later.
PATIENCE_SECONDS = 3.0
CPU = "process_cpu_seconds_total"
SCRAPE_US = 100_000
# A write holds about 64 kB: the copier's socket is never empty, and one read of it is many frames.
FRAMES_PER_WRITE = 160


def throughput(rounds: int, seconds: float, work: Path, advance: Callable[[str], None]) -> dict[str, Any]:
    """Distinct one-fill frames, as fast as the service takes them through its WebSocket callback, each with a decision.

    A decision is counted by its receipt: at the end there must be one for each fill. Two policies: one that trades (what arrives
    while an action is in flight is decided and merged), and one that skips every entry.
    """
    rates: dict[str, list[float]] = {"trading": [], "skipping": []}
    per_core: dict[str, list[float]] = {"trading": [], "skipping": []}
    bare_ns: list[float] = []
    faults = []
    note = "one core, relaxed; stands for 300,000 a second"
    for number in range(rounds):
        for policy, least in (("trading", None), ("skipping", "1000000")):
            advance(f"throughput, {policy}, round {number + 1}")
            bare_ns.append(bare_signature_ns())
            copier = hlfast(policy, FAST, service.Options("relaxed", min_value_usd=least))
            fills, decided, elapsed, cpu = _flood(copier, seconds, work)
            rates[policy].append(decided / elapsed)
            per_core[policy].append(decided / cpu)
            if decided < fills:
                faults.append(f"{policy}: {fills - decided:,.0f} of {fills:,} fills have no receipt")
            shutil.rmtree(work)
    bare_s = median(bare_ns) / 1e9
    limit = 300_000 * REFERENCE_SIGNATURE_US / 1e6
    gates = [
        Gate(
            f"fills decided in the time of a bare signature, {policy}",
            median(rate) * bare_s,
            limit,
            "fills",
            True,
            note,
        )
        for policy, rate in per_core.items()
    ]
    return {
        "bare_signature_us": bare_s * 1e6,
        "decided_per_s": rates,
        "decided_per_core_s": per_core,
        "faults": faults,
        "gates": [gate.result() for gate in gates],
    }


def _flood(copier: Copier, seconds: float, work: Path) -> tuple[int, float, float, float]:
    """Fills sent, receipts made, seconds and processor seconds it took."""
    accounts = identity.followers(1)
    work.mkdir(parents=True)
    identity.write_agents(work / "agents", accounts)
    with SinkProcess(identity.LEADER, work / "agents") as sink, copier.running(sink, accounts, work / "copier"):
        url = service.metrics_url(work / "copier")
        before, started = service.scrape(url), time.monotonic()
        fills = sink.command(op="flood", seconds=seconds, frames_per_write=FRAMES_PER_WRITE)["fills"]
        after, moved, elapsed = before, time.monotonic(), seconds
        while after.value(RECEIPTS) - before.value(RECEIPTS) < fills and time.monotonic() - moved < PATIENCE_SECONDS:
            time.sleep(0.02)
            newer = service.scrape(url)
            if newer.value(RECEIPTS) != after.value(RECEIPTS):
                moved = time.monotonic()
                elapsed = moved - started
            after = newer
    decided = after.value(RECEIPTS) - before.value(RECEIPTS)
    return fills, decided, elapsed, max(after.value(CPU) - before.value(CPU), 1e-9)


def scraping(rounds: int, share: float, work: Path, advance: Callable[[str], None]) -> dict[str, Any]:
    """Tick-to-trade of one follower with a scrape every 100 ms, and without."""
    copier = hlfast("hlfast relaxed, busy_poll", FAST, service.Options("relaxed", busy_poll=True))
    drive = replace(copier.drives[1], events=1_000).shortened(share)
    rows = {scraped: Row(copier.name, 1, drive.interval_us) for scraped in (False, True)}
    durations: list[float] = []
    for number in range(rounds):
        for scraped, row in rows.items():
            advance(f"scraping {'on' if scraped else 'off'}, round {number + 1}")
            report, took = _scraped_round(copier, drive, work, scraped=scraped)
            row.add(report)
            durations += took
            shutil.rmtree(work)
    quiet, scraped_row = rows[False].result(1.0), rows[True].result(1.0)
    ratio = median(rows[True].last.round_p99_ns) / median(rows[False].last.round_p99_ns)
    gate = Gate("p99 with a scrape every 100 ms ÷ without", ratio, 1.1, "times")
    return {
        "without": quiet["last_us"],
        "with": scraped_row["last_us"],
        "scrape_ms_median": median(durations) * 1e3,
        "faults": [fault for row in rows.values() if (fault := row.fault())],
        "gates": [gate.result()],
    }


def _scraped_round(copier: Copier, drive: Drive, work: Path, *, scraped: bool) -> tuple[dict[str, Any], list[float]]:
    """One round's report, and how long each scrape took in seconds. The sink reads the metrics: a monitor is another machine's work."""
    accounts = identity.followers(1)
    work.mkdir(parents=True)
    identity.write_agents(work / "agents", accounts)
    with SinkProcess(identity.LEADER, work / "agents") as sink, copier.running(sink, accounts, work / "copier"):
        address = service.metrics_url(work / "copier").removeprefix("http://").partition("/")[0]
        before = copier.merged(work / "copier")
        report = sink.command(
            op="run",
            events=drive.events,
            warmup=drive.warmup,
            interval_us=drive.interval_us,
            followers=1,
            scrape={"address": address, "every_us": SCRAPE_US} if scraped else None,
        )
        report |= {"merged": copier.merged(work / "copier") - before}
        return report, [took_ns / 1e9 for took_ns in report["scrapes_ns"]]


def footprint(rounds: int, work: Path, advance: Callable[[str], None], count: int = 1_000) -> dict[str, Any]:
    """Resident memory and time to the first subscription with many leaders, followers and pools."""
    resident, first, ready = [], [], []
    options = service.Options("durable", leaders=count, pool_depth=16)
    for number in range(rounds):
        advance(f"footprint, round {number + 1}")
        accounts = identity.followers(count)
        work.mkdir(parents=True)
        identity.write_agents(work / "agents", accounts)
        with SinkProcess(identity.LEADER, work / "agents") as sink:
            place = work / "copier"
            place.mkdir()
            argv = service.command(sink.base_url, accounts, place, options)
            started = time.monotonic()
            with subprocess.Popen(
                argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
            ) as process:
                try:
                    sink.command(op="wait_feed", seconds=60)
                    first.append(time.monotonic() - started)
                    assert process.stdout is not None, "opened with a pipe"
                    (place / "ready.json").write_bytes(process.stdout.readline())
                    ready.append(time.monotonic() - started)
                    service.settle(place, count * options.pool_depth)
                    resident.append(sum(resident_bytes(pid) for pid in family(process.pid)) / 2**20)
                finally:
                    process.terminate()
                    process.wait(timeout=30)
        shutil.rmtree(work)
    gates = [
        Gate(f"resident memory, {count:,} leaders, {count:,} followers, pools 16 deep", max(resident), 200.0, "MiB"),
        Gate("first subscription after start", median(first), 1.0, "s"),
    ]
    return {
        "resident_mib": resident,
        "first_subscription_s": first,
        "ready_s": ready,
        "gates": [gate.result() for gate in gates],
    }


def family(pid: int) -> Iterator[int]:
    """A process and all its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def resident_bytes(pid: int) -> int:
    """Resident set size."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
