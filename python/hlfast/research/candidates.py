"""Addresses worth a closer look: those who take most on the public tape, and those whom the leaderboard shows to win.

An analysis costs up to 800 of the venue's 1,200 weight a minute, so what is cheap to know decides who is analysed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, zip_longest
from typing import Literal

from hlfast.research.figures import Figures
from hlfast.research.leaderboard import Row
from hlfast.research.sketch import Hitter

Source = Literal["tape", "leaderboard", "asked"]
# Below these a follower can't keep what is made: he takes what they rest, and their orders are too small for him.
LEAST_TAKEN = 0.3
LEAST_TRADE_USD = 50
# A month's volume of this many times the equity is a market maker or a program that no follower keeps up with.
MOST_TURNOVER = 300
# Nobody, and the accounts of the venue that hold bridged tokens.
_SYSTEM = ("0x" + "0" * 38, "0x20" + "0" * 30, "0x" + "2" * 40)


class Candidate(Figures, frozen=True):
    """An address and what speaks for it, in words with numbers."""

    address: str
    source: Source
    why: str
    last_seen_ms: int


def from_tape(hitters: Iterable[Hitter]) -> Iterator[Candidate]:
    """Choose those who take, largest taken volume first."""
    chosen = [hitter for hitter in hitters if _takes(hitter) and not _is_system(hitter.address)]
    for hitter in sorted(chosen, key=lambda hitter: (-hitter.taken_cents, hitter.address)):
        share = hitter.taken_cents / hitter.volume_cents
        why = f"took {hitter.taken_cents / 100:,.0f} USD ({share:.0%} of what he traded) in {hitter.trades:,} trades"
        yield Candidate(address=hitter.address, source="tape", why=why, last_seen_ms=hitter.last_ms)


def _takes(hitter: Hitter) -> bool:
    # The volume is a lower bound, what was taken is not: the share is at most too high, never too low.
    mean_usd = hitter.volume_cents / 100 / max(1, hitter.trades)
    return (
        hitter.volume_cents > 0
        and hitter.taken_cents >= LEAST_TAKEN * hitter.volume_cents
        and mean_usd >= LEAST_TRADE_USD
    )


def from_leaderboard(rows: Iterable[Row], least_equity: Decimal, now_ms: int) -> Iterator[Candidate]:
    """Choose winners of the month and of all time with enough equity, largest profit of the month first."""
    chosen = [row for row in rows if _wins(row, least_equity) and not _is_system(row.address)]
    for row in sorted(chosen, key=lambda row: (-row.month.pnl, row.address)):
        why = f"made {row.month.pnl:,.0f} USD in a month on {row.account_value:,.0f}, {row.all_time.pnl:,.0f} in all"
        yield Candidate(address=row.address, source="leaderboard", why=why, last_seen_ms=now_ms)


def _wins(row: Row, least_equity: Decimal) -> bool:
    return (
        row.account_value >= least_equity
        and row.month.pnl > 0
        and row.all_time.pnl > 0
        and 0 < row.month.volume <= MOST_TURNOVER * row.account_value
    )


def _is_system(address: str) -> bool:
    return address.startswith(_SYSTEM)


def in_turns(*sources: Iterable[Candidate], without: Sequence[str] = ()) -> Iterator[Candidate]:
    """Take one of each source at a time, so that none starves the other; each address once, none of `without`."""
    seen = set(without)
    for candidate in chain.from_iterable(zip_longest(*sources)):
        if candidate is not None and candidate.address not in seen:
            seen.add(candidate.address)
            yield candidate
