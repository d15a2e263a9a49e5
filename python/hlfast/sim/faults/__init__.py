"""Faults on command: what goes wrong between the venue and its clients, and inside the venue."""

from __future__ import annotations

from hlfast.sim.faults.injector import AnyFault, Faults

__all__ = ["AnyFault", "Faults"]
