"""When each recorded event happens again."""

from __future__ import annotations

from collections.abc import Sequence

from hlfast.demo.recordings import RecordingError


def offsets(times_ms: Sequence[int], *, seconds: float, speed: float | None) -> list[float]:
    """Return for each event the seconds after the first one.

    Without `speed` the events are spread evenly over `seconds`: recordings of days with hours of silence would else be
    one burst. With it, recorded time runs that much faster.

    Raises:
        RecordingError: at this speed the recording takes longer than `seconds`.
    """
    if not times_ms:
        return []
    if speed is None:
        return [index * seconds / len(times_ms) for index in range(len(times_ms))]
    first = times_ms[0]
    played = [(time_ms - first) / 1_000 / speed for time_ms in times_ms]
    if played[-1] > seconds:
        needed = played[-1] / seconds * speed
        raise RecordingError(
            f"at speed {speed:g} the recording takes {played[-1]:,.0f} s and {seconds:.0f} s are left for it:"
            f" use --speed {needed:.0f} or more, a longer --seconds, or no --speed"
        )
    return played
