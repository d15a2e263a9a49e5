"""One play: cues taken from their source as time passes, at a speed, once or round and round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from hlfast.sim.blocks import Block
from hlfast.sim.life.cues import Cue, Cues
from hlfast.sim.life.stage import Stage
from hlfast.sim.timers import Handle

# A play that fell behind (a laptop that slept) catches up in slices, so that clients are served between them.
SLICE = 50
FULL_SPEED = 1_000  # a thousandth is the unit: 1500 is one and a half times as fast as recorded
ROUND_GAP_MS = 1_000  # between the last cue of a round and the first of the next


RunBlock = Callable[[Callable[[Block], Any]], Any]
CallLater = Callable[[float, Callable[[], None]], Handle]  # delay in seconds


class Play:
    """Runs from its construction until its cues end or `stop` is called. All of it on the loop's thread."""

    def __init__(
        self,
        stage: Stage,
        run_block: RunBlock,
        now_ms: Callable[[], int],
        call_later: CallLater,
        rounds: Iterator[Cues],
        *,
        speed: int = FULL_SPEED,
    ) -> None:
        """Start a play.

        Args:
            stage: where it happens.
            run_block: runs work as a block of its own and publishes it.
            now_ms: the venue's clock.
            call_later: sets a timer on the venue's clock.
            rounds: the cues, once for each time that they are to be played.
            speed: in thousandths of the recorded pace, above zero.
        """
        self._stage = stage
        self._run_block = run_block
        self._now_ms = now_ms
        self._call_later = call_later
        self._rounds = rounds
        self._speed = speed
        self._cues: Cues = iter(())
        self._start_ms = now_ms()
        self._next: Cue | None = None
        self._handle: Handle | None = None
        self._last_at_ms = 0
        self.counts: Counter[str] = Counter()
        self.is_done = False
        self._enter_round()
        self._arm()

    def stop(self) -> None:
        """End the play where it is."""
        self.is_done = True
        if self._handle is not None:
            self._handle.cancel()

    def _enter_round(self) -> None:
        cues = next(self._rounds, None)
        if cues is None:
            self._next = None
            return
        self._cues = cues
        self._next = next(cues, None)

    def _due_ms(self, cue: Cue) -> int:
        return self._start_ms + cue.at_ms * FULL_SPEED // self._speed

    def _arm(self) -> None:
        if self._next is None:
            self.is_done = True
            return
        delay_ms = max(0, self._due_ms(self._next) - self._now_ms())
        self._handle = self._call_later(delay_ms / 1_000, self._on_timer)

    def _on_timer(self) -> None:
        now = self._now_ms()
        for _ in range(SLICE):
            cue = self._next
            if self.is_done or cue is None or self._due_ms(cue) > now:
                break
            self._run_block(lambda block, acts=cue.acts: self._stage.perform(acts, self.counts, block))  # type: ignore[misc]
            self.counts["cues"] += 1
            self._advance(cue)
        if not self.is_done:
            self._arm()

    def _advance(self, played: Cue) -> None:
        self._next = next(self._cues, None)
        if self._next is None:
            self._start_ms = self._due_ms(played) + ROUND_GAP_MS * FULL_SPEED // self._speed
            self._enter_round()
