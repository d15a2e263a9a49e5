"""A wall clock that a test sets while a process runs by it; the process's monotonic clock stays the machine's."""

from __future__ import annotations

from pathlib import Path

_LIBRARY = "faketime/libfaketimeMT.so.1"


def _library() -> Path:
    found = [
        path for root in ("/usr/lib", "/usr/local/lib", "/usr/lib64") for path in Path(root).glob(f"**/{_LIBRARY}")
    ]
    assert found, f"{_LIBRARY} is nowhere: install libfaketime (Debian: apt-get install faketime)"
    return found[0]


class WallClock:
    """As far from the true time as it was last set; `environment` puts a process under it."""

    def __init__(self, directory: Path, seconds: float = 0.0) -> None:
        self._file = directory / "wall-clock"
        self.environment = {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # By default the file is read every ten seconds; at each look at a clock would be thousands of times a second.
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Else waits with a deadline end at once, and threads of Python fight for the interpreter a hundred times too often.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
        }
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """Step to so many seconds from the true time; the process notices within a second."""
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{seconds:+.3f}")
        # The process may read between any two writes.
        aside.replace(self._file)
        self.seconds = seconds
