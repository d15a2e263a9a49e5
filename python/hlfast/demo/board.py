"""The live table of a demo: fills in, orders out, what was skipped and why, and how long each stage took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

# Reasons beyond these are summed up: the table keeps its height.
SHOWN_REASONS = 8
# Weight-1 actions that one address may send to the venue in a minute; posts share it.
ACTIONS_PER_MINUTE = 1_200


@dataclass
class Progress:
    """What the board shows; one owner, updated by the session."""

    leaders: Sequence[str]
    followers: int
    edges: int
    fills_total: int
    receipts_due: int
    seconds: float
    stage: str = "starting"
    elapsed: float = 0.0
    copied_s: float = 0.0  # from the first fill to quiet
    actions: int = 0  # attempts written down
    fills: Counter[str] = field(default_factory=Counter)  # injected, by leader
    receipts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by (outcome, reason)
    latency_us: dict[str, dict[str, float]] = field(default_factory=dict)  # stage → p50, p99, max

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1: fills and receipts weigh the same."""
        due = self.fills_total + self.receipts_due
        return min(1.0, (self.fills.total() + self.receipts.total()) / due) if due else 0.0


def render(progress: Progress) -> RenderableType:
    """Draw the whole board."""
    return Panel(
        Group(_headline(progress), ProgressBar(total=1.0, completed=progress.share), Text(), _tables(progress)),
        title="hlfast demo",
        subtitle=f"{progress.stage}, {progress.elapsed:.1f} of at most {progress.seconds:.0f} s",
    )


def _headline(progress: Progress) -> Text:
    rate = progress.actions / progress.copied_s if progress.copied_s else 0.0
    return Text.assemble(
        (f"{progress.fills.total():,}", "bold cyan"),
        f" of {progress.fills_total:,} fills in   ",
        (f"{progress.actions:,}", "bold green"),
        f" actions out ({rate:,.0f}/s)   ",
        (f"{progress.receipts.total():,}", "bold"),
        f" of {progress.receipts_due:,} receipts   {progress.followers} followers, {progress.edges} follows",
    )


def _tables(progress: Progress) -> RenderableType:
    return Columns([_leaders(progress), _receipts(progress), _stages(progress)], padding=(0, 3))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", style="" if index == 0 else "cyan")
    return table


def _leaders(progress: Progress) -> Table:
    table = _table("leaders", "name", "fills")
    for leader in progress.leaders:
        table.add_row(leader[:20], f"{progress.fills[leader]:,}")
    return table


def _receipts(progress: Progress) -> Table:
    table = _table("receipts", "outcome (reason)", "count")
    rows = progress.receipts.most_common()
    for (outcome, reason), count in rows[:SHOWN_REASONS]:
        table.add_row(f"{outcome} ({reason})" if reason else outcome, f"{count:,}")
    if len(rows) > SHOWN_REASONS:
        table.add_row("others", f"{sum(count for _, count in rows[SHOWN_REASONS:]):,}")
    return table


def _stages(progress: Progress) -> Table:
    table = _table("stage latency, µs", "stage", "p50", "p99", "max")
    for stage, figures in progress.latency_us.items():
        table.add_row(stage, *(f"{figures[name]:,.1f}" for name in ("p50", "p99", "max")))
    return table


def limits_note(actions: int, seconds: float, limits: str) -> str:
    """Say what one address would be allowed, beside what the run did."""
    rate = actions * 60 / seconds if seconds else 0.0
    mode = "the simulator's limits are off" if limits == "off" else "the venue's limits are on"
    allowed = f"the venue allows one address {ACTIONS_PER_MINUTE:,} actions/min"
    return f"{actions:,} actions in {seconds:.1f} s ({rate:,.0f}/min); {mode}; {allowed}"
