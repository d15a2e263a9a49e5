"""Results as tables: what `bench/RESULTS.md` says and what `bench/run.py` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from e2e.gates import peer_fault

HEADER = """# Results

Written by `bench/run.py` (`make bench`) from bench/results; the last section is kept by hand in bench/tried_and_lost.md.

How it is measured: open loop on loopback without TLS; latency counts from the *intended* moment of the leader's fill to the last
byte of the orders that answer it, stamped by one process with one monotonic clock; HDR histograms; warm-up left out; garbage
collection as in production; every copier freshly started in each of the interleaved rounds, each against a sink of its own; rates
stated, chosen so that no copier is saturated. "Signatures" are medians divided by the median of a bare libsecp256k1 recoverable signature
of the same run: on another or a noisier machine read that column. A row with a fault is no result.

What the venue allows: one source address has 1,200 weight a minute and each follower's action costs at least 1, so **one address may
send 1,200 follower actions a minute** (one fan-out to 1,000 followers a minute), with 100 posts in flight. The rows below are engine
time with `limits = "off"`; with `limits = "venue"` fan-outs above 100 followers wait for the venue's answers.
"""
POINTS = ("p50", "p90", "p99", "p99_9", "max")


def record(results: Mapping[str, dict[str, Any]]) -> None:
    """Keep the results of parts in bench/results and render RESULTS.md anew."""
    kept = Path(__file__).resolve().parent / "results"
    kept.mkdir(exist_ok=True)
    for name, result in results.items():
        (kept / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write(kept.with_name("RESULTS.md"), kept)


def write(path: Path, results: Path) -> None:
    """Render every recorded part into `path`."""
    recorded = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(results.glob("*.json"))}
    lost = path.with_name("tried_and_lost.md").read_text(encoding="utf-8")
    path.write_text(f"{HEADER}\n{tables(recorded)}\n{lost}", encoding="utf-8")


def tables(results: Mapping[str, dict[str, Any]]) -> str:
    """All parts as Markdown."""
    return "\n".join(_part(name, result) for name, result in results.items())


def _part(name: str, result: dict[str, Any]) -> str:
    lines = [f"## {name.replace('_', ' ')}", "", _conditions(result), ""]
    if "rows" in result:
        lines += _tick_rows(result)
    elif "table" in result:
        lines += table(result["table"][0], result["table"][1:])
    else:
        shown = {
            key: value
            for key, value in result.items()
            if key not in {"gates", "machine", "command", "journal_file_system"}
        }
        values = [[key, _plain(value)] for key, value in shown.items() if value != []]
        lines += table(["figure", "value"], values) if values else []
    lines += ["", *_gates(result.get("gates", [])), ""]
    return "\n".join(lines)


def _conditions(result: dict[str, Any]) -> str:
    on = result["machine"]
    where = f"{on['processor']}, {on['cores']} cores, Linux {on['kernel']}, Python {on['python']}"
    rounds = f" {result['rounds']} interleaved rounds." if "rounds" in result else ""
    bare = f" Bare signature {result['bare_signature_us']:.1f} µs." if "bare_signature_us" in result else ""
    journal = f" Journals on {result['journal_file_system']}." if "journal_file_system" in result else ""
    return f"{on['date']}, commit {on['commit']}, {where}, load {on['load_average']:.1f} before.{rounds}{bare}{journal}\n`{result['command']}`"


def _tick_rows(result: dict[str, Any]) -> list[str]:
    followers = result["followers"]
    which = ("last",) if followers == 1 else ("first", "last")
    lines: list[str] = []
    for order in which:
        title = "order" if followers == 1 else f"{order} order"
        head = ["copier", "a fill each", *(f"{title} {point.replace('_', '.')} µs" for point in POINTS)]
        head += ["best to worst round", "signatures", "remark"]
        lines += [*table(head, [_tick_row(row, order) for row in result["rows"]]), ""]
    return lines


def _tick_row(row: dict[str, Any], order: str) -> list[str]:
    seen = row[f"{order}_us"]
    interval = f"{row['interval_us'] / 1e3:g} ms"
    if not seen["count"]:
        return [row["copier"], interval, *["-"] * (len(POINTS) + 2), row["fault"] or ""]
    remark = row["fault"] or peer_fault(row["copier"], row["followers"], row["last_in_signatures"]) or _merged(row)
    spread = f"{number(seen['best_round'])} to {number(seen['worst_round'])}"
    signatures = number(row[f"{order}_in_signatures"])
    return [row["copier"], interval, *(number(seen[point]) for point in POINTS), spread, signatures, remark]


def _merged(row: dict[str, Any]) -> str:
    count = row.get("merged", 0)
    return f"{count} events merged with later ones behind an answer in flight" if count else ""


def _gates(gates: list[dict[str, Any]]) -> list[str]:
    if not gates:
        return []
    rows = []
    for gate in gates:
        limit = f"{'≥' if gate['at_least'] else '≤'} {number(gate['limit'])} {gate['unit']}"
        figure = f"{number(gate['figure'])} {gate['unit']}"
        rows.append([gate["what"], limit, figure, "reached" if gate["passed"] else "**missed**", gate["note"]])
    return table(["target", "limit", "figure", "", "note"], rows)


def number(value: float) -> str:
    """Three digits that matter, thousands separated."""
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_plain(part) for part in value)
    return number(value) if isinstance(value, float) else str(value)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
