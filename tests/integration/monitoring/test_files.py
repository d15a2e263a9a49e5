"""Rules and dashboard as files: valid, tested, and in step with what makes them."""

from __future__ import annotations

import runpy
import subprocess

import pytest
import yaml

from hlfast.cli.companion import COUNTERS as COMPANION_COUNTERS
from hlfast.control.projector import Progress
from hlfast.control.projector import render as render_projector
from hlfast.research.watching import render as render_fitness

from .files import DASHBOARDS, DEPLOY, RULES, alerts, names, needs_prometheus, panels


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


@needs_prometheus
def test_rules_pass_promtool() -> None:
    for arguments in (
        ("check", "rules", str(RULES)),
        ("check", "config", "--syntax-only", str(DEPLOY / "prometheus" / "prometheus.yml")),
        ("test", "rules", str(DEPLOY / "prometheus" / "alerts_test.yml")),
    ):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_rules_tests_fail_when_a_rule_is_blunted(tmp_path) -> None:
    blunt = RULES.read_text().replace('up{job="hlfast"} == 0', 'up{job="hlfast"} == 7')
    (tmp_path / "alerts.yml").write_text(blunt)
    (tmp_path / "alerts_test.yml").write_text((DEPLOY / "prometheus" / "alerts_test.yml").read_text())
    assert promtool("test", "rules", str(tmp_path / "alerts_test.yml")).returncode != 0


def test_rules_each_alert_has_a_test_and_says_what_to_do() -> None:
    tested = {test["name"] for test in yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text())["tests"]}
    assert set(alerts()) | set(alerts("companion")) <= tested
    for rule in (rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]):
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "action"}


def test_dashboard_is_what_its_program_writes() -> None:
    program = runpy.run_path(str(DEPLOY / "grafana" / "dashboard.py"))
    for uid in program["DASHBOARDS"]:
        assert (DASHBOARDS / f"{uid}.json").read_text(encoding="utf-8") == program["text"](uid)


@pytest.mark.parametrize("panel", [*panels(), *panels("hlfast-companion")], ids=lambda panel: panel["title"])
def test_dashboard_panel_has_unit_description_and_room(panel) -> None:
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["description"].endswith(".")
    assert panel["targets"]
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24


@pytest.mark.parametrize("dashboard", ["hlfast", "hlfast-companion"])
def test_dashboard_panels_do_not_overlap(dashboard: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels(dashboard):
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_compose_has_no_default_secret_and_publishes_on_loopback_only() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert ":?" in compose["services"]["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
    assert any(volume.startswith("${HLFAST_AGENTS:?") for volume in compose["services"]["hlfast"]["volumes"])


def test_companion_pictures_and_alerts_read_what_it_shows() -> None:
    shown = {name for text in (render_projector(Progress()), render_fitness({})) for name in names(text.decode())}
    shown |= set(COMPANION_COUNTERS)
    read = [target["expr"] for panel in panels("hlfast-companion") for target in panel["targets"]]
    assert {name for expression in (*read, *alerts("companion").values()) for name in names(expression)} <= shown
