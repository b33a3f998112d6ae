"""Monitors, rules and dashboards: what is scraped, and that the chart holds what grafana/ says."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sessioncache.metrics.names import METRICS
from tests.deploy.charts import CHART, NAMESPACE, RELEASE, ROOT, Object, of_kind, one, text
from tests.deploy.valuesets import PLAIN, SETS, merged

CONFIG_MAP_BYTES_MAX = 1_048_576
RULES = ROOT / "grafana/alerts/sessioncache.rules.yaml"


def endpoint(found: Object) -> Any:  # noqa: ANN401 - an endpoint of either kind
    """The one endpoint of a monitor."""
    spec = found["spec"]
    (only,) = spec.get("podMetricsEndpoints", spec.get("endpoints"))
    return only


def groups(values: dict[str, Any]) -> list[Any]:
    """The groups of the PrometheusRule."""
    found: list[Any] = one(values, "PrometheusRule")["spec"]["groups"]
    return found


@pytest.mark.parametrize("name, kind", [("monitored", "PodMonitor"), ("service-monitor", "ServiceMonitor")])
def test_monitors_keep_our_labels(name: str, kind: str) -> None:
    """The label `namespace` of our metrics survives the scrape, and the job tells releases apart."""
    found = one(SETS[name], kind)
    told = endpoint(found)
    assert any("namespace" in metric.labels for metric in METRICS)
    assert told["honorLabels"] is True
    assert (told["port"], told["path"]) == ("metrics", "/metrics")
    assert {"targetLabel": "job", "replacement": f"{NAMESPACE}/{RELEASE}"} in told["relabelings"]
    assert found["spec"]["namespaceSelector"] == {"matchNames": [NAMESPACE]}
    assert not any("job" in metric.labels for metric in METRICS)


def test_the_pod_monitor() -> None:
    """It selects the worker pods, carries the labels that Prometheus looks for, and may be in another namespace."""
    found = one(SETS["monitored"], "PodMonitor")
    assert found["metadata"]["labels"]["release"] == "prom"
    assert found["metadata"]["namespace"] == "monitoring"
    assert found["spec"]["selector"] == one(SETS["monitored"], "Deployment")["spec"]["selector"]
    assert (endpoint(found)["interval"], endpoint(found)["scrapeTimeout"]) == ("15s", "10s")
    assert not of_kind(PLAIN, "PodMonitor")


def test_the_service_monitor() -> None:
    """It selects the Service by its labels, and takes relabelings of one's own."""
    found, service = one(SETS["service-monitor"], "ServiceMonitor"), one(SETS["service-monitor"], "Service")
    assert found["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    told = endpoint(found)
    assert told["interval"] == "30s"
    assert [item.get("targetLabel") for item in told["relabelings"]] == ["job", "kubernetes_namespace", "node"]
    assert told["metricRelabelings"][0]["action"] == "drop"


def test_the_service() -> None:
    """It leads to the metrics port of the workers."""
    service = one(SETS["settings"], "Service")
    assert service["spec"]["ports"] == [{"name": "metrics", "port": 80, "targetPort": "metrics", "protocol": "TCP"}]
    assert service["spec"]["selector"] == one(SETS["settings"], "Deployment")["spec"]["selector"]["matchLabels"]
    changed = one(SETS["service-monitor"], "Service")
    assert (changed["spec"]["type"], changed["metadata"]["labels"]["a"]) == ("NodePort", "b")
    assert changed["metadata"]["annotations"] == {"c": "d"}
    assert not of_kind(SETS["off"], "Service")


def test_rules_are_those_of_grafana() -> None:
    """The PrometheusRule holds every group and rule as they are, with Prometheus' own double braces."""
    wanted = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    assert groups(merged(PLAIN, {"prometheusRule": {"enabled": True}})) == wanted
    assert any("{{ $labels." in json.dumps(rule) for group in wanted for rule in group["rules"])


def test_rules_can_be_changed() -> None:
    """Alerts get labels and another address of runbooks, or are left out; recording rules stay as they are."""
    plain = groups(merged(PLAIN, {"prometheusRule": {"enabled": True}}))
    alerts = [rule["alert"] for group in plain for rule in group["rules"] if "alert" in rule]
    given = {"enabled": True, "alertLabels": {"team": "a"}, "runbookURL": "https://wiki/rb/", "disabled": alerts[:1]}
    changed = [rule for group in groups(merged(PLAIN, {"prometheusRule": given})) for rule in group["rules"]]
    kept = [rule for rule in changed if "alert" in rule]
    assert [rule["alert"] for rule in kept] == alerts[1:]
    assert {rule["labels"]["team"] for rule in kept} == {"a"}
    assert all(rule["annotations"]["runbook_url"].startswith("https://wiki/rb/") for rule in kept)
    assert not any("team" in rule.get("labels", {}) for rule in changed if "record" in rule)
    every = merged(PLAIN, {"prometheusRule": {"enabled": True, "disabled": alerts}})
    assert all("record" in rule for group in groups(every) for rule in group["rules"])


def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    """What the PrometheusRule holds is valid for Prometheus."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not on PATH; that the rules are those of grafana/ is tested above, and those there")
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(one(SETS["monitored"], "PrometheusRule")["spec"]), encoding="utf-8")
    ended = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_dashboards_are_those_of_grafana() -> None:
    """There is a ConfigMap a dashboard, with the label of Grafana's sidecar, small enough, and with the same JSON."""
    maps = [found for found in of_kind(SETS["monitored"], "ConfigMap") if "dashboard" in found["metadata"]["name"]]
    sources = sorted((ROOT / "grafana/dashboards").glob("*.json"))
    assert len(maps) == len(sources) > 0
    held = {name: text for found in maps for name, text in found["data"].items()}
    assert {name: json.loads(text) for name, text in held.items()} == {
        path.name: json.loads(path.read_text(encoding="utf-8")) for path in sources
    }
    for found in maps:
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["annotations"] == {"grafana_folder": "Agents"}
        assert found["metadata"]["namespace"] == "grafana"
        assert sum(len(text.encode()) for text in found["data"].values()) < CONFIG_MAP_BYTES_MAX
    assert [found["metadata"]["name"] for found in of_kind(PLAIN, "ConfigMap")] == ["demo-sessioncache-config"]


def test_a_release_fits_into_its_secret() -> None:
    """Helm keeps chart and manifest of a release in one Secret of at most 1 MiB; all of it leaves room to spare."""
    files = b"".join(path.read_bytes() for path in sorted(CHART.rglob("*")) if path.is_file())
    packed = gzip.compress(files + text(SETS["everything"]).encode())
    assert len(packed) * 4 / 3 < CONFIG_MAP_BYTES_MAX / 2
