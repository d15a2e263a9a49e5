"""How a venue was started, complete enough to start it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from hlfast.sim.faults import Faults
from hlfast.sim.faults.schedule import parse_faults
from hlfast.sim.server import Server
from hlfast.sim.settings import Settings
from hlfast.sim.timers import Timers

VERSION = 1


class Head(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The first line of a recorded session.

    Attributes:
        hlfast_sim_session: version of the file.
        start_ms: the venue's clock while it was started, in Unix ms.
        settings: every switch.
        ops: control ops that ran before the first client came.
        faults: the text of the schedule of faults.
        faults_are_json: else they are TOML.
    """

    hlfast_sim_session: int = VERSION
    start_ms: int
    settings: dict[str, Any]
    ops: list[Any]
    faults: str | None = None
    faults_are_json: bool = False

    def server(self, now_ms: Callable[[], int], monotonic_s: Callable[[], float]) -> Server:
        """Return the venue, its clock not running and its ops not run yet.

        Raises:
            ValueError: settings or faults that don't fit.
        """
        faults = Faults()
        if self.faults is not None:
            faults = parse_faults(self.faults.encode(), is_json=self.faults_are_json)
        return Server(msgspec.convert(self.settings, Settings), now_ms, monotonic_s, faults)

    def begin(self, server: Server, timers: Timers) -> None:
        """Start the clock of a venue of this head and run its ops.

        Raises:
            ControlError: an op that doesn't fit.
        """
        server.run(timers)
        server.control.run_all(self.ops)
