"""The engine's ways out besides HTTP: dialling, the clocks, its pace, and the chance that spreads reconnects.

Whoever composes the process hands them down and every user binds them once at set-up, so the hot path pays nothing for
it. Tests and simulations bring their own.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic_ns, time_ns

from picows import WSTransport, ws_connect

# As `picows.ws_connect`: a listener's factory and a URL, and its options by name.
Dial = Callable[..., Awaitable[tuple[WSTransport, object]]]


@dataclass(frozen=True, slots=True)
class Ports:
    """One process's ports.

    Attributes:
        dial: opens a WebSocket; raises OSError, TimeoutError or `picows.WSError` when it can't.
        monotonic_ns: nanoseconds that only grow.
        wall_ns: Unix nanoseconds; steps with the host's clock.
        rng: spreads reconnects, guards nothing.
        tick_ms: between two ticks of the engine.
    """

    dial: Dial = ws_connect
    monotonic_ns: Callable[[], int] = monotonic_ns
    wall_ns: Callable[[], int] = time_ns
    rng: random.Random = field(default_factory=random.Random)
    tick_ms: int = 20


REAL = Ports()
