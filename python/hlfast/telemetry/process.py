"""Metrics of the process and of the shell, as text.

Written by hand: a registry of objects takes some 20 µs a series to render and holds the interpreter meanwhile, which
the hot path would wait for; this takes a tenth.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def sample(name: str, kind: str, text: str, value: float) -> str:
    """One series with its header."""
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n{name} {value:.10g}\n"


def render_gauges(gauges: Mapping[str, tuple[str, str, float]]) -> bytes:
    """Render name → (kind, help, value)."""
    return "".join(sample(name, kind, text, value) for name, (kind, text, value) in gauges.items()).encode()


def render_by(name: str, text: str, label: str, values: Mapping[str, float]) -> bytes:
    """Render a gauge with one series for each value of a label; values of labels need no escape."""
    series = "".join(f'{name}{{{label}="{of}"}} {value:.10g}\n' for of, value in values.items())
    return f"# HELP {name} {text}\n# TYPE {name} gauge\n{series}".encode()


def _start_time_s() -> float:
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    boot_s = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    return boot_s + int(_stat_fields()[19]) / _TICKS


def _stat_fields() -> list[str]:
    """The fields of /proc/self/stat after the command's name, which may itself hold spaces."""
    return Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def render_process() -> bytes:
    """Memory, processor time, open files and start time, as Prometheus clients name them. Any thread; Linux."""
    cpu = time.process_time()
    with open("/proc/self/statm", "rb", buffering=0) as statm:  # noqa: PTH123 - a quarter of what a Path takes
        resident = int(statm.read(128).split()[1]) * _PAGE
    return render_gauges(
        {
            "process_resident_memory_bytes": ("gauge", "Resident memory size in bytes.", resident),
            "process_cpu_seconds_total": ("counter", "Total user and system CPU time spent in seconds.", cpu),
            "process_open_fds": (
                "gauge",
                "Number of open file descriptors.",
                len(os.listdir("/proc/self/fd")) - 1,  # noqa: PTH208 - no objects; less the one that lists
            ),
            "process_start_time_seconds": ("gauge", "Start time of the process since unix epoch in seconds.", _START_S),
        }
    )


_START_S: Final = _start_time_s()
