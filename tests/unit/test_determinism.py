"""Decision code knows no clock, no chance and no order that differs from run to run: a replay must decide the same."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "hlfast"
CORE = ROOT / "rust" / "core" / "src"
PURE = sorted([*CORE.rglob("*.rs"), *(ROOT / "rust" / "whatif" / "src").rglob("*.rs")])
# The shell's hot path. `ports.py` is where the clocks and the chance come in; the typed client beside it is for people.
SHELL = sorted(
    path
    for place in ("engine", "feeds", "lanes", "venue/ws.py", "venue/http.py")
    for path in ([PACKAGE / place] if place.endswith(".py") else (PACKAGE / place).rglob("*.py"))
)
OUTSIDE = {"time", "random", "datetime", "uuid", "secrets"}
# Only to say what type a parameter has.
TYPES_ONLY = {("venue/ws.py", "random")}
FORBIDDEN_IN_CORE = re.compile(
    r"\b(Instant|SystemTime|thread_rng|getrandom|std::time|std::thread|std::fs|std::net|std::env)\b"
)
UNORDERED = re.compile(r"\b(\w+): Hash(?:Map|Set)<")


def imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def is_set(node: ast.expr) -> bool:
    made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"set", "frozenset"}
    return made or isinstance(node, ast.Set | ast.SetComp)


def iterates_a_set(tree: ast.AST) -> bool:
    loops = [node.iter for node in ast.walk(tree) if isinstance(node, ast.For | ast.comprehension)]
    kept = {
        node.target.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Attribute)
        and ast.unparse(node.annotation).startswith(("set[", "frozenset["))
    }
    return any(is_set(each) or (isinstance(each, ast.Attribute) and each.attr in kept) for each in loops)


@pytest.mark.parametrize("path", SHELL, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_shell_takes_time_and_chance_from_its_ports_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = str(path.relative_to(PACKAGE))
    assert {each for each in imports(tree) & OUTSIDE if (name, each) not in TYPES_ONLY} == set()
    assert not iterates_a_set(tree)
    if (name, "random") in TYPES_ONLY:
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "random"
        }
        assert used <= {"Random"}


def product_code(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("#[cfg(test)]")[0]


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT / "rust")))
def test_core_knows_no_clock_no_thread_and_no_system(path: Path) -> None:
    lines = [line for line in product_code(path).split("\n") if not line.lstrip().startswith("//")]
    assert not [line for line in lines if FORBIDDEN_IN_CORE.search(line)]


def test_core_never_walks_a_table_without_an_order() -> None:
    text = {path: product_code(path) for path in CORE.rglob("*.rs")}
    fields = {name for each in text.values() for name in UNORDERED.findall(each)}
    assert fields, "the rule must not look past all tables"
    walks = re.compile(
        rf"\b({'|'.join(fields)})\s*\.\s*(iter|keys|values|drain|retain|into_iter)\b|in &?(self\.)?({'|'.join(fields)})\b"
    )
    # Built once from a list of the settings, or told apart by a name of its own.
    assert not [
        f"{path.name}: {line.strip()}"
        for path, each in text.items()
        for line in each.split("\n")
        if (found := walks.search(line)) and f"self.{found.group(1)}." in line
    ]


def test_the_rules_see_what_they_forbid() -> None:
    assert imports(ast.parse("from time import monotonic")) & OUTSIDE
    assert iterates_a_set(ast.parse("for x in {1, 2}: pass"))
    assert iterates_a_set(
        ast.parse("class A:\n def f(self):\n  self.x: set[int] = set()\n  return [y for y in self.x]")
    )
    assert FORBIDDEN_IN_CORE.search("let now = Instant::now();")
    assert UNORDERED.search("    leader_by_address: HashMap<[u8; 20], u32>,")
