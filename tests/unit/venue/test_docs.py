"""The page for users of the library shows code that compiles and names that exist."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "library.md").read_text(encoding="utf-8")


def test_library_page_imports_what_exists() -> None:
    whole = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    tree = ast.parse(whole)
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert len(imported) >= 8
    for node in imported:
        module = importlib.import_module(str(node.module))
        for name in node.names:
            assert hasattr(module, name.name), f"{node.module}.{name.name}"
