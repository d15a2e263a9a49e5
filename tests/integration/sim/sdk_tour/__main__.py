"""A tour through every public method of the official SDK's `Info` and `Exchange`; run with the SDK's own environment.

Usage: python sdk_tour BASE_URL. Prints one JSON object {"methods": [...], "entered": [...], "rows": [...]}: all public
methods that the SDK has, those whose code ran, and a row a step with what became of it.
"""

from __future__ import annotations

import importlib
import json
import sys

from tour import Tour

# Each stage needs what those before it have done.
STAGES = ("trades", "moves", "standing", "refusals", "reads", "channels")

if __name__ == "__main__":
    for stage in STAGES:
        importlib.import_module(stage)
    tour = Tour(sys.argv[1])
    tour.run()
    print(json.dumps({"methods": tour.methods, "entered": list(tour.entered), "rows": tour.rows}))
