"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def processor() -> str:
    """The processor's name as the kernel tells it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def commit() -> str:
    """The commit measured, marked when the tree holds more than that."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def describe() -> dict[str, str | int | float]:
    """Machine, versions and date of a run."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "load_average": os.getloadavg()[0],
    }


def journal_file_system(path: Path) -> str:
    """The type of the file system that holds `path`; journals of a bench must lie on a disk."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, mount, found, *_ = line.split()
        if str(path).startswith(mount) and len(mount) >= len(best):
            best, kind = mount, found
    return kind


def conditions(work: Path, program: str) -> dict[str, Any]:
    """What a result says of its run: asked before it, with the program's own arguments."""
    command = " ".join([program, *sys.argv[1:]])
    return {"machine": describe(), "journal_file_system": journal_file_system(work), "command": command}
