"""Who may import the native half. The other import rules are import-linter's; it sees Python files only."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "python" / "hlfast"
# The simulator and the judge check what the core does, so they must not share a line with it.
APART = ("sim", "demo/judge.py", "demo/policy.py", "demo/executions.py", "demo/evidence.py")
# These sit below the core's users, or are plain values.
BELOW = ("config/model.py", "telemetry", "venue/ws.py", "venue/http.py", "lanes")


def imports_core(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        if any(name == "hlfast._core" or name.startswith("hlfast._core.") for name in names):
            return True
    return False


def users() -> set[str]:
    return {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if imports_core(path)}


def test_imports_of_the_core_are_seen_at_all() -> None:
    assert {"errors.py", "app/serve.py"} <= users()


def test_imports_of_the_core_stay_out_of_what_judges_it_and_of_what_is_below_it() -> None:
    assert not [name for name in users() if name.startswith(APART + BELOW)]
    assert all((PACKAGE / name).exists() for name in APART + BELOW), "a renamed file must not slip out of the rule"
