"""The alert rules: Prometheus reads them, each has both of its tests, and they ask for what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.source.rules import RUNBOOKS, Alert, Record
from scripts import dashboards
from tests.grafana import expressions
from tests.grafana.conftest import Promtool

RULES = dashboards.HOME / "alerts/sessioncache.rules.yaml"
TESTS = sorted((dashboards.HOME / "tests").glob("*.yaml"))
ALERTS = {rule.name: rule for group in dashboards.GROUPS for rule in group.rules if isinstance(rule, Alert)}
RECORDS = [rule for group in dashboards.GROUPS for rule in group.rules if isinstance(rule, Record)]


def written() -> dict[str, dict[str, Any]]:
    """The alerts in the file that is checked in."""
    found = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return {rule["alert"]: rule for group in found["groups"] for rule in group["rules"] if "alert" in rule}


def tried() -> list[tuple[str, bool]]:
    """Every question that the tests ask of an alert: its name, and whether it is to fire."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in TESTS]
    return [
        (asked["alertname"], bool(asked["exp_alerts"]))
        for file in files
        for test in file["tests"]
        for asked in test["alert_rule_test"]
    ]


def test_the_file_says_what_the_source_says() -> None:
    """The YAML that is written by hand-made code reads back as the alerts that were meant."""
    found = written()
    assert {name: (rule["expr"], rule["for"]) for name, rule in found.items()} == {
        name: (alert.expr, alert.wait) for name, alert in ALERTS.items()
    }
    assert {name: rule["labels"]["severity"] for name, rule in found.items()} == {
        name: alert.severity for name, alert in ALERTS.items()
    }


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_to_do(name: str) -> None:
    """It has a severity, a line, an explanation, a reason for its threshold and the address of its runbook."""
    alert, annotations = ALERTS[name], written()[name]["annotations"]
    assert name.startswith("Sessioncache")
    assert alert.why.endswith(".")
    assert annotations["summary"]
    assert not annotations["summary"].endswith(".")
    assert annotations["description"].endswith(".")
    assert annotations["runbook_url"] == f"{RUNBOOKS}/{name}.md"


@pytest.mark.parametrize("name", [*ALERTS, *(record.name for record in RECORDS)])
def test_a_rule_asks_for_what_there_is(name: str) -> None:
    """Each metric in it is in the catalogue or recorded by a rule, with these labels and values."""
    records = [record.name for record in RECORDS]
    exprs = {record.name: record.expr for record in RECORDS} | {alert.name: alert.expr for alert in ALERTS.values()}
    assert list(expressions.problems(exprs[name], records)) == []


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_test_that_fires_it_and_one_that_does_not(name: str) -> None:
    """Both are in grafana/tests."""
    assert {fires for asked, fires in tried() if asked == name} == {True, False}


def test_every_test_is_of_an_alert() -> None:
    """No test asks for an alert that is not there, which would never fire and so always pass."""
    assert {asked for asked, _ in tried()} - set(ALERTS) == set()


def test_prometheus_reads_the_rules(promtool: Promtool) -> None:
    """Promtool finds all of them, and nothing to complain of."""
    assert f"SUCCESS: {len(ALERTS) + len(RECORDS)} rules found" in promtool("check", "rules", "--lint=all", RULES)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(promtool: Promtool, path: Path) -> None:
    """The tests in grafana/tests pass."""
    assert "SUCCESS" in promtool("test", "rules", path)
