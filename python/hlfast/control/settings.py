"""The settings that a running engine has in force, and the request that puts others in their place."""

from __future__ import annotations

from typing import Any

import msgspec

from hlfast.config.model import Config, for_core


def in_force(answer: dict[str, Any]) -> tuple[Config, int]:
    """Read the answer to `{"do": "settings"}`: the settings, and the revision that a change of them has to name."""
    now = msgspec.convert(answer["settings"], Config)
    # Worked out anew from the settings whenever they are checked.
    return msgspec.structs.replace(now, zones=()), answer["revision"]


def configure(wanted: Config, revision: int, *, parting: str = "reduce") -> dict[str, Any]:
    """Make the request that puts checked settings in force if nobody has changed them since `revision`."""
    settings = msgspec.Raw(for_core(wanted))
    return {"do": "configure", "config": settings, "revision": revision, "parting": parting}
