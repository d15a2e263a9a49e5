"""The composition root of `hlfast run`.

The command line reads settings with pydantic, then becomes (`exec`) a process that runs `hlfast.app`, with the settings
as JSON on its standard input. So the engine's process holds neither the settings loader nor the command line, and keeps
the process id that the operator's supervisor knows.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import NoReturn

import msgspec

from hlfast.config.model import Config


def launch(config: Config, *, json: bool = False, loop: str = "uvloop") -> NoReturn:
    """Become the engine's process. Does not return; the environment, where development keys may be, stays.

    What this release refuses to run is refused there, with exit code 2.

    Args:
        config: the settings.
        json: print the ready line as JSON.
        loop: "uvloop", or "asyncio" where uvloop is not available.
    """
    # Not a pipe: a thousand followers are more than a pipe's buffer holds.
    with tempfile.TemporaryFile() as settings:
        settings.write(msgspec.json.encode(config))
        settings.seek(0)
        os.dup2(settings.fileno(), 0)
    sys.stdout.flush()
    sys.stderr.flush()
    options = ["--json"] * json + ["--asyncio"] * (loop == "asyncio")
    os.execv(sys.executable, [sys.executable, "-m", "hlfast.app", *options])  # noqa: S606 - ourselves
