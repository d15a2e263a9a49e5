"""Hash random actions beside the official SDK: `bench/oracle/compare.py --count 1000000`.

The SDK runs in its own environment (`make oracle`), one process a worker; the hashes, and so the bytes that were hashed, must be equal.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hlfast.signing import action_hash

HERE = Path(__file__).resolve().parent
ORACLE = HERE.parents[1] / ".venv-oracle" / "bin" / "python"
BLOCK = 10_000


def block(seed: int, count: int) -> int:
    """Compare one block of actions; returns how many, raises on the first difference."""
    command = [str(ORACLE), str(HERE / "actions.py"), str(seed), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        compared = 0
        for line in process.stdout:
            action, nonce, vault, expires, wanted = json.loads(line)
            made = action_hash(action, nonce, vault, expires).hex()
            if made != wanted:
                raise SystemExit(f"seed {seed}, action {compared}: {made}, the SDK says {wanted}\n{line}")
            compared += 1
    if process.returncode or compared != count:
        raise SystemExit(f"seed {seed}: the SDK ended after {compared} of {count} actions, code {process.returncode}")
    return compared


def compare(count: int, first_seed: int, workers: int) -> int:
    """Compare `count` actions in blocks of their own seeds, so that a long run can be resumed at any seed."""
    sizes = [min(BLOCK, count - start) for start in range(0, count, BLOCK)]
    total = 0
    with ThreadPoolExecutor(workers) as pool:
        for done in pool.map(block, range(first_seed, first_seed + len(sizes)), sizes):
            total += done
            print(f"{total:>9} equal", file=sys.stderr, flush=True)
    return total


def main() -> None:
    """Parse and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    total = compare(args.count, args.first_seed, args.workers)
    print(json.dumps({"what": "random actions hashed as the official SDK does", "equal": total, "different": 0}))


if __name__ == "__main__":
    main()
