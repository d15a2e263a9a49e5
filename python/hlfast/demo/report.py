"""What the demo says at the end: one JSON object, or the same for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from hlfast.demo.board import limits_note, render
from hlfast.demo.judge import Verdict
from hlfast.demo.recordings import Recording
from hlfast.demo.session import Options, Run

# People see this many differences; `--json` has all of them.
SHOWN_MISMATCHES = 40


def report(options: Options, run: Run, verdict: Verdict) -> dict[str, Any]:
    """Build the object that `--json` prints; every number is counted from the evidence."""
    evidence, progress = run.evidence, run.progress
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for (outcome, reason), count in progress.receipts.items():
        outcomes[outcome] += count
        if reason:
            reasons[f"{outcome}: {reason}"] += count
    mismatches = [*verdict.mismatches, *run.problems]
    orders = sum(action.kind == "order" for action in evidence.ledger.actions)
    return {
        "verdict": "mismatch" if mismatches else "ok",
        "leaders": len(evidence.config.leaders),
        "followers": len(evidence.config.followers),
        "follows": len(evidence.config.follows),
        "leader_fills": len(evidence.fills),
        "orders": orders,
        "executions": len(evidence.ledger.executions),
        "receipts": {"total": len(evidence.receipts), "by_outcome": dict(outcomes), "by_reason": dict(reasons)},
        "mismatches": mismatches,
        "positions": {"compared": verdict.positions, "known_exactly": verdict.exact},
        "entries": {"let_in": verdict.entries, "expired": verdict.expired},
        "latency_us": progress.latency_us,
        "counters": evidence.ledger.counters,
        "durability": options.durability,
        "seconds": round(progress.elapsed, 1),
        "limits": limits_note(len(evidence.ledger.actions), progress.copied_s, options.limits),
        "complete": not run.cut_short,
        "notes": [f"{recording.name}: {note}" for recording in options.recordings for note in recording.notes],
    }


def print_notes(console: Console, recordings: Sequence[Recording]) -> None:
    """Say what the reader of the recordings made or left out."""
    for recording in recordings:
        for note in recording.notes:
            console.print(Text(f"{recording.name}: {note}", style="dim"), soft_wrap=True)


def print_report(console: Console, run: Run, summary: dict[str, Any]) -> None:
    """Print the last board, what one address would be allowed, and the verdict with its differences."""
    console.print(render(run.progress))
    console.print(Text(summary["limits"]))
    if run.cut_short:
        console.print(Text(run.cut_short, style="yellow"))
    checked = (
        f"{summary['positions']['compared']} positions compared, {summary['positions']['known_exactly']} exactly;"
        f" {summary['receipts']['total']:,} receipts; {summary['orders']:,} orders, none executed twice"
    )
    if summary["verdict"] == "ok":
        console.print(Text.assemble(("verdict: ok", "bold green"), f"  {checked}"))
        return
    mismatches: list[str] = summary["mismatches"]
    console.print(Text.assemble(("verdict: mismatch", "bold red"), f"  {len(mismatches)} differences"))
    for mismatch in mismatches[:SHOWN_MISMATCHES]:
        console.print(Text(f"  {mismatch}"), soft_wrap=True)
    if len(mismatches) > SHOWN_MISMATCHES:
        console.print(Text(f"  … and {len(mismatches) - SHOWN_MISMATCHES} more (--json prints all)"))
