"""What the tree promises about itself: sizes, words, layout."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = {".py", ".pyi", ".rs"}
PLANNED = {
    *("pyproject.toml", "Cargo.toml", "Cargo.lock", "rust", "python", "tests", "bench", "Dockerfile"),
    *("Makefile", "README.md", "CHANGELOG.md", "LICENSE", "deploy", "docs", "requirements", ".ci"),
    *(".gitignore", ".dockerignore", "rustfmt.toml", "clippy.toml"),
}


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def code() -> list[Path]:
    return [path for path in tracked() if path.suffix in CODE]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def test_tree_top_level_is_the_planned_one() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert found <= PLANNED, f"not in the plan: {sorted(found - PLANNED)}"


def test_tree_code_files_stay_under_600_lines() -> None:
    assert not {str(path.relative_to(ROOT)): n for path in code() if (n := text_of(path).count("\n")) > 600}


def test_tree_has_no_unfinished_marks_in_product_code() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|unimplemented!|todo!\(")
    product = [path for path in code() if path.relative_to(ROOT).parts[0] in {"rust", "python"}]
    assert product
    assert not [str(path.relative_to(ROOT)) for path in product if marks.search(text_of(path))]


def test_tree_has_no_hidden_characters_and_no_endless_lines() -> None:
    hidden = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
    bad = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in code()
        for number, line in enumerate(text_of(path).split("\n"), 1)
        if hidden.search(line) or len(line) > 300
    ]
    assert not bad
