"""Estimated venue time, from the monotonic clock and the venue's own timestamps.

The wall clock serves until the first sample. After that an operating-system step cannot move decisions; only samples
of the venue can, and those no faster than `SLEW_PPM`, but for one thing: when an answer comes, the venue's clock has
passed the time in it. An estimate that two answers prove to be behind is put forward at once, for everything sent until
then has expired.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from hlfast.venue.ports import REAL

_MS_NS: Final = 1_000_000
# 1 %: a second of error is gone in 100 s, and time never stands still, let alone runs back.
SLEW_PPM: Final = 10_000
# The venue tells the time of its last block, which is up to a block old: of a few samples the latest clock is the
# truest.
_WINDOW: Final = 8
# A sample this far off is a wrong answer rather than a wrong clock, except the very first, and so many in a row that
# are ahead and agree: this host was suspended, and its monotonic clock stood while the venue's went on. Samples behind
# are never believed: a venue that halts tells the time of its last block, again and again.
_ABSURD_MS: Final = 30_000
_AGREEING: Final = 3
_AGREE_MS: Final = 500
# A sample further ahead than a block is old: the next one is wanted soon.
_DOUBT_MS: Final = 500


class VenueClock:
    """Now, in the venue's Unix milliseconds.

    Args:
        monotonic: nanoseconds that only grow.
        wall: Unix nanoseconds; moves no decision once the venue has told its time.

    Attributes:
        offset_ns: what to add to a monotonic reading; `(recv_ns + clock.offset_ns) // 1_000_000` is the hot path's way.
        known: the venue has told its time.
        doubted: the last sample says that the estimate is behind; more of them are wanted soon.
        refused: samples not believed.
    """

    __slots__ = (
        "_advanced_ns", "_ahead", "_floors", "_monotonic", "_samples", "_target_ns", "_wall", "doubted", "known",
        "offset_ns", "refused",
    )  # fmt: skip

    def __init__(
        self, monotonic: Callable[[], int] = REAL.monotonic_ns, wall: Callable[[], int] = REAL.wall_ns
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._samples: deque[int] = deque(maxlen=_WINDOW)
        self._floors: deque[int] = deque(maxlen=_WINDOW)
        self._ahead: deque[int] = deque(maxlen=_AGREEING)
        self._advanced_ns = monotonic()
        self.offset_ns = self._target_ns = wall() - self._advanced_ns
        self.known = False
        self.doubted = False
        self.refused = 0

    def now_ms(self) -> int:
        """Estimated venue time."""
        return (self._monotonic() + self.offset_ns) // _MS_NS

    def skew_ms(self) -> int:
        """How far the estimate is from this host's wall clock as it is now."""
        return (self._monotonic() + self.offset_ns - self._wall()) // _MS_NS

    def observe(self, sent_ns: int, recv_ns: int, venue_ms: int) -> None:
        """Take in one answer of `exchangeStatus`.

        Args:
            sent_ns: monotonic, before the request.
            recv_ns: monotonic, after the answer.
            venue_ms: the answer's time.
        """
        sample = venue_ms * _MS_NS - (sent_ns + recv_ns) // 2
        floor = venue_ms * _MS_NS - recv_ns
        self.doubted = self.known and floor - self.offset_ns > _DOUBT_MS * _MS_NS
        if not self.known or self._was_suspended(sample):
            self._samples.clear()
            self._floors.clear()
            self._ahead.clear()
            self.offset_ns = sample
            self._advanced_ns = recv_ns
            self.known, self.doubted = True, False
        elif abs(sample - self._target_ns) > _ABSURD_MS * _MS_NS:
            self.refused += 1
            return
        self._samples.append(sample)
        self._floors.append(floor)
        self._target_ns = max(self._samples)
        if len(self._floors) > 1:
            # The second highest: one wrong answer moves nothing.
            self.offset_ns = max(self.offset_ns, sorted(self._floors)[-2])

    def _was_suspended(self, sample: int) -> bool:
        """Whether this sample and those before it agree that the monotonic clock missed much of the time."""
        if sample - self._target_ns <= _ABSURD_MS * _MS_NS:
            self._ahead.clear()
            return False
        self._ahead.append(sample)
        return len(self._ahead) == _AGREEING and max(self._ahead) - min(self._ahead) <= _AGREE_MS * _MS_NS

    def advance(self) -> None:
        """Move the estimate toward the samples by what the slew limit allows. Called on each tick."""
        now_ns = self._monotonic()
        most_ns = (now_ns - self._advanced_ns) * SLEW_PPM // 1_000_000
        self._advanced_ns = now_ns
        if self.offset_ns != self._target_ns:
            self.offset_ns += max(-most_ns, min(most_ns, self._target_ns - self.offset_ns))
