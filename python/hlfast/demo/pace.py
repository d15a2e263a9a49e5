"""When each recorded event happens again."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hlfast.demo.recordings import RecordingError

# An order that copies an event takes some milliseconds to reach the simulator's book. Where the coin's next recorded
# price is further away than half of the entry band (30 bps), it comes no sooner than this, as it did in the recording.
HOLD_S = 0.06
JUMP = Decimal("0.0015")


def jumps(events: Sequence[tuple[str, Decimal, Decimal]]) -> list[int | None]:
    """For each event (coin, first price, last price): the earlier event of the coin that its price jumps away from."""
    newest: dict[str, tuple[int, Decimal]] = {}
    found: list[int | None] = []
    for index, (coin, first, last) in enumerate(events):
        before = newest.get(coin)
        jumped = before is not None and max(abs(first - before[1]), abs(last - before[1])) > JUMP * before[1]
        found.append(before[0] if before is not None and jumped else None)
        newest[coin] = (index, last)
    return found


def offsets(
    times_ms: Sequence[int], *, seconds: float, speed: float | None, after: Sequence[int | None] | None = None
) -> list[float]:
    """Return for each event the seconds after the first one.

    Without `speed` the events are spread evenly over `seconds`: recordings of days with hours of silence would else be
    one burst. An event that comes `after` an earlier one leaves it HOLD_S. With `speed`, recorded time runs that much
    faster and nothing is held.

    Raises:
        RecordingError: at this speed the recording takes longer than `seconds`.
    """
    if not times_ms:
        return []
    if speed is None:
        return _spread(after or [None] * len(times_ms), seconds)
    first = times_ms[0]
    played = [(time_ms - first) / 1_000 / speed for time_ms in times_ms]
    if played[-1] > seconds:
        needed = played[-1] / seconds * speed
        raise RecordingError(
            f"at speed {speed:g} the recording takes {played[-1]:,.0f} s and {seconds:.0f} s are left for it:"
            f" use --speed {needed:.0f} or more, a longer --seconds, or no --speed"
        )
    return played


def _spread(after: Sequence[int | None], seconds: float) -> list[float]:
    """The widest even step with which everything, holds included, ends within `seconds`; 20 halvings find it."""
    low, high = 0.0, 2 * seconds / len(after)
    for _ in range(20):
        step = (low + high) / 2
        if _placed(after, step)[-1] + step <= seconds:
            low = step
        else:
            high = step
    return _placed(after, low)


def _placed(after: Sequence[int | None], step: float) -> list[float]:
    placed: list[float] = []
    for index, earlier in enumerate(after):
        due = placed[-1] + step if index else 0.0
        placed.append(due if earlier is None else max(due, placed[earlier] + HOLD_S))
    return placed
