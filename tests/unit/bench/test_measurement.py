"""What turns raw samples into rows and verdicts."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest
from eth_keys import keys

import report
from e2e import gates, identity
from e2e.exposition import Exposition
from e2e.histogram import Latencies
from e2e.tick_to_trade import Row
from micro.native import less_gate

if TYPE_CHECKING:
    from pathlib import Path


def round_of(last_us: list[float], **faults: int) -> dict[str, Any]:
    samples = [int(value * 1e3) for value in last_us]
    counters = {"incomplete": 0, "surplus": 0, "unattributed": 0} | faults
    return {"first_ns": samples, "last_ns": samples, "sent_late_ns": samples, **counters}


def row_of(copier: str, followers: int, last_us: float) -> dict[str, Any]:
    row = Row(copier, followers, interval_us=10_000_000)
    row.add(round_of([last_us] * 10))
    return row.result(bare_ns=38_000.0)


def test_latencies_percentiles_are_within_the_histograms_precision() -> None:
    latencies = Latencies()
    latencies.add_round(range(1_000, 1_001_000, 1_000))
    seen = latencies.summary()
    assert seen["count"] == 1_000
    for point, exact_us in (("p50", 500), ("p90", 900), ("p99", 990), ("p99_9", 999), ("max", 1_000)):
        assert seen[point] == pytest.approx(exact_us, rel=2e-3)


def test_latencies_keep_each_rounds_median_apart() -> None:
    latencies = Latencies()
    for median_us in (10, 30, 20):
        latencies.add_round([median_us * 1_000] * 5)
    seen = latencies.summary()
    assert (seen["best_round"], seen["median_of_rounds"], seen["worst_round"]) == (10, 20, 30)


@pytest.mark.parametrize(
    ("rounds", "word"),
    [
        ([], "no event"),
        ([round_of([5.0] * 10, incomplete=1)], "lacked"),
        ([round_of([5.0] * 10, surplus=1)], "too many"),
        ([round_of([5.0] * 10, unattributed=2)], "answer no event"),
        ([round_of([5_000.0] * 10)], "saturated"),
        ([round_of([5.0] * 10, incomplete=1) | {"merged": 1}], "merged"),
        ([round_of([5.0] * 40, incomplete=3) | {"merged": 2}], "1 of 41 events lacked"),
    ],
)
def test_row_says_why_it_is_no_result(rounds: list[dict[str, Any]], word: str) -> None:
    row = Row("x", 1, interval_us=1_000)
    for one in rounds:
        row.add(one)
    assert word in (row.fault() or "")


def test_row_is_sound_when_every_event_was_answered() -> None:
    row = Row("x", 1, interval_us=1_000)
    row.add(round_of([5.0] * 10))
    assert row.fault() is None


def test_row_tells_events_that_were_merged_from_those_that_were_lost() -> None:
    row = Row("x", 1, interval_us=1_000)
    row.add(round_of([5.0] * 40, incomplete=2) | {"merged": 3})
    assert (row.fault(), row.merged, row.incomplete) == (None, 2, 0)


def test_gates_judge_ratios_of_the_same_run() -> None:
    rows = [row_of(gates.BEST, 100, 400.0), row_of(gates.NAIVE, 100, 240_000.0)]
    found = {gate.what: gate for gate in gates.of_tick_to_trade({"followers": 100, "rows": rows})}
    against = found[f"100 followers, last order against {gates.NAIVE}"]
    assert against.figure == pytest.approx(600, rel=1e-2)
    assert against.passed
    assert found["100 followers, last order"].passed
    slower = [row_of(gates.BEST, 100, 600.0), rows[1]]
    assert not any(gate.passed for gate in gates.of_tick_to_trade({"followers": 100, "rows": slower}))


def test_gates_give_no_pass_to_a_faulty_row() -> None:
    row = row_of(gates.BEST, 1, 40.0) | {"fault": "3 of 10 events lacked orders"}
    assert gates.of_tick_to_trade({"followers": 1, "rows": [row]}) == []


@pytest.mark.parametrize(("last_us", "counts"), [(148.0, True), (110.0, True), (100.0, False), (200.0, False)])
def test_peer_counts_only_near_its_published_figure(last_us: float, counts: bool) -> None:
    assert (gates.peer_fault(gates.LEAN_SPIN, 1, last_us / 38.0) is None) is counts


def test_exposition_sums_the_series_of_a_family_and_no_longer_name() -> None:
    seen = Exposition.parse('# HELP a x\na{k="1"} 2\na{k="2"} 3.5\nab 7\n')
    assert seen.value("a") == 5.5
    assert seen.value("missing") == 0


def test_identity_addresses_are_those_of_the_keys(tmp_path: Path) -> None:
    accounts = identity.followers(3)
    for account in accounts:
        assert keys.PrivateKey(bytes.fromhex(account.agent_key)).public_key.to_address() == account.agent
    identity.write_credentials(tmp_path / "credentials", accounts)
    files = sorted((tmp_path / "credentials").iterdir())
    assert [file.name for file in files] == sorted(account.agent for account in accounts)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o400}


def test_report_shows_a_missed_target_as_missed() -> None:
    gate = gates.Gate("memory", 250.0, 200.0, "MiB").result()
    on = {"processor": "p", "cores": 2, "kernel": "k", "python": "3", "date": "d", "commit": "c", "load_average": 0.0}
    text = report.tables({"footprint": {"machine": on, "command": "x", "gates": [gate], "resident_mib": [250.0]}})
    assert "**missed**" in text
    assert "| memory | ≤ 200 MiB | 250 MiB |" in text


def test_part_is_taken_from_its_whole_within_a_round() -> None:
    # The second round was slow for all three, the third for the whole alone.
    rounds = [[300.0, 600.0, 900.0], [100.0, 200.0, 100.0], [1_000.0, 2_000.0, 1_000.0]]
    found = less_gate("less", rounds, 0.25)
    assert (found["figure"], found["passed"]) == (pytest.approx(0.2), True)
    assert found["note"].startswith("0.2 to 0.8 over the rounds")
    assert not less_gate("less", rounds, 0.19)["passed"]
