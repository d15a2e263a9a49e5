"""The table of the official SDK's methods against the simulator: made here, kept in `docs/sdk-methods.md`.

`python tests/integration/sim/sdk_table.py` writes it anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
SDK_PYTHON = ROOT / ".venv-oracle/bin/python"
DOCUMENT = ROOT / "docs/sdk-methods.md"
# Keys of the tour's wallets are one byte repeated: the main one, a vault's leader, a multi-sig account, its signers.
FUNDED = {
    "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a": ("100000", "5000"),
    "0x1c5a77d9fa7ef466951b2f01f724bca3a5820b63": ("2000", None),
    "0x03a1bba60b5aa37094cf16123add674c01589488": ("1000", None),
    "0x1e32abcfe6db15c1570709e3fc02725335f50a47": ("100", None),
    "0x33e0f539e31b35170faaa062af703b76a8282bf7": ("100", None),
    "0x" + "b1" * 20: ("100", None),  # a builder must hold 100 USDC
}
HEAD = """# The official SDK against the simulator

Every public method of `Info` and `Exchange` of the official Python SDK 0.24.0, unmodified and in an environment of its own,
called against `hlfast sim`. An effect counts only when it is read back through `Info`; the last column says where. Made by
`python tests/integration/sim/sdk_table.py`; `pytest tests/integration/sim/test_sdk_methods.py` makes it again and compares.

"""


def prepare(process: Any) -> None:
    """Give the tour's accounts their money, and let stakes and deposits go at once."""
    for address, (perp, spot) in FUNDED.items():
        process.control(op="fund", address=address, usdc=perp)
        if spot is not None:
            process.control(op="fund", address=address, usdc=spot, spot=True)
    process.control(op="config", delegation_lock_s=0, vault_lock_s=0)


def tour(base_url: str) -> dict[str, Any]:
    """Run the SDK through all its methods; what it prints."""
    script = Path(__file__).with_name("sdk_tour")
    command = [str(SDK_PYTHON), str(script), base_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout))


def render(found: dict[str, Any]) -> str:
    """Return the document."""
    rows = {row["method"]: row for row in found["rows"]}
    by_result = [row["result"] for row in rows.values()]
    served, refused = by_result.count("ok"), by_result.count("not supported")
    lines = [f"{len(found['methods'])} methods: {served} succeed, {refused} are not supported by name."]
    for kind in ("Info", "Exchange"):
        lines += ["", f"## {kind}", "", "| method | result | seen |", "|---|---|---|"]
        for method in found["methods"]:
            if method.startswith(kind + "."):
                row = rows.get(method, {"result": "not called", "seen": ""})
                lines.append(f"| `{method.removeprefix(kind + '.')}` | {row['result']} | {row['seen']} |")
    return HEAD + "\n".join(lines) + "\n"


def main() -> None:
    """Write the document."""
    sys.path.insert(0, str(Path(__file__).parent))
    from conftest import Process

    process = Process()
    try:
        prepare(process)
        DOCUMENT.write_text(render(tour(process.base_url)))
    finally:
        process.stop()


if __name__ == "__main__":
    main()
