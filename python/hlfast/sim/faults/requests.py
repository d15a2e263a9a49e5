"""The control door's ops on faults: add, draw, list, clear."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hlfast.sim.faults.schedule import draw_faults, read_faults

if TYPE_CHECKING:
    from hlfast.sim.faults.injector import Faults

MAX_HORIZON_MS = 86_400_000


class FaultRequests:
    """Each op returns its part of the control answer and raises ValueError for fields that don't fit."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def ops(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Return the ops by name."""
        return {
            "add_faults": self._add,
            "draw_faults": self._draw,
            "faults": lambda _request: self._listed(),
            "clear_faults": self._clear,
        }

    def _add(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"numbers": [self._faults.add(fault) for fault in read_faults(request.get("faults"))]}

    def _draw(self, request: dict[str, Any]) -> dict[str, Any]:
        seed = _whole(request, "seed", 2**63)
        horizon_ms = _whole(request, "horizon_ms", MAX_HORIZON_MS)
        faults = draw_faults(seed, horizon_ms)
        return {"numbers": [self._faults.add(fault) for fault in faults], "faults": faults}

    def _listed(self) -> dict[str, Any]:
        return {"faults": self._faults.rows(), "struck": dict(self._faults.struck)}

    def _clear(self, request: dict[str, Any]) -> dict[str, Any]:
        number = None if request.get("number") is None else _whole(request, "number", 2**53)
        return {"cleared": self._faults.clear(number)}


def _whole(request: dict[str, Any], name: str, most: int) -> int:
    value = request.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 0 to {most}, not {value!r}")
    return value
