from __future__ import annotations

import sys
from pathlib import Path

# The benches are programs beside the package, not a part of it.
sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))
