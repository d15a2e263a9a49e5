"""Whether random days at the venue lose money: every kind of action, of forced trade and of passing time, by seed.

The venue audits itself after every block and stops at the first 1e-8 that nothing accounts for; every `--every` actions all
balances are summed anew by other code. Prints one JSON object; exits 1 when anything was lost.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from market_day import MarketDay

from hlfast.sim.audit import ConservationError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=1_000)
    parser.add_argument("--json", action="store_true", help="no progress on stderr")
    arguments = parser.parse_args()
    day = MarketDay(arguments.seed)
    started = time.perf_counter()
    lost: dict[str, int] = {}
    done = 0
    try:
        while done < arguments.actions and not lost:
            day.step()
            done += 1
            if done % arguments.every == 0 or done == arguments.actions:
                after = day.weigh()
                lost = {
                    name: after.get(name, 0) - day.before.get(name, 0)
                    for name in after | day.before
                    if after.get(name, 0) != day.before.get(name, 0)
                }
                if not arguments.json:
                    bar = "#" * (40 * done // arguments.actions)
                    print(f"\r[{bar:<40}] {done:,} of {arguments.actions:,}", end="", file=sys.stderr, flush=True)
    except ConservationError as error:
        lost = {str(error): error.amount}
    if not arguments.json:
        print(file=sys.stderr)
    blocks = day.venue.begin_block().number - 900_000_001 if not lost else None
    report = {
        "actions": done,
        "seed": arguments.seed,
        "lost": lost,
        "blocks_audited": blocks,
        "seconds": round(time.perf_counter() - started, 1),
        "events": day.count_events(),
    }
    print(json.dumps(report))
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
