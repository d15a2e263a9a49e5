"""The deployed monitoring as data: rules, dashboard, and the names both speak of."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs Debian's prometheus package, which .ci/run installs"
)
_NAME = re.compile(r"\b(?:hlfast|process)_[a-z0-9_]+")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def alerts(group: str = "hlfast") -> dict[str, str]:
    """Expression by alert of a group: of the engine's, or of the companion's."""
    groups = {found["name"]: found["rules"] for found in yaml.safe_load(RULES.read_text())["groups"]}
    return {rule["alert"]: rule["expr"] for rule in groups[group]}


def panels(dashboard: str = "hlfast") -> list[dict[str, Any]]:
    """All pictures, without the rows' headings."""
    found = json.loads((DASHBOARDS / f"{dashboard}.json").read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def queries(interval: str) -> dict[str, str]:
    """Every dashboard expression by panel and letter, with Grafana's variables put in."""
    return {
        f"{panel['title']} ({target['refId']})": target["expr"]
        .replace("$__rate_interval", interval)
        .replace("$instance", ".+")
        for panel in panels()
        for target in panel["targets"]
    }


def names(expression: str) -> set[str]:
    """The metric families an expression reads."""
    return {_SUFFIX.sub("", name) for name in _NAME.findall(expression)}
