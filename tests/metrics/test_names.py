"""What metrics may be called."""

from __future__ import annotations

import re

import pytest

from sessioncache.metrics import METRICS, Metric
from sessioncache.metrics.names import FINDINGS, LABELS

UNITS = (
    "seconds",
    "bytes",
    "sessions",
    "messages",
    "values",
    "jobs",
    "ratio",
    "info",
    "commands",
    "connections",
    "keys",
)
STATES = ("progress", "entries", "changes", "up", "ok", "clients", "replicas")
COUNTED = (
    *("calls", "reads", "retries", "repeats", "conflicts", "merges", "runs", "changes", "findings", "lost", "opened"),
    *("errors", "gaps", "batches", *UNITS),
)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_rules(metric: Metric) -> None:
    """Each begins with sessioncache_, counters end in _total, and what has a unit names the base unit."""
    assert re.fullmatch(r"sessioncache(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    last = metric.name.removesuffix("_total").rsplit("_", 1)[1]
    assert last in (COUNTED if metric.kind == "counter" else (*UNITS, *STATES))
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.help.endswith(".")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_labels_are_those_allowed(metric: Metric) -> None:
    """No metric has a label that is not declared, so none can carry an id, or one that Prometheus sets itself."""
    assert set(metric.labels) <= set(LABELS)
    assert not set(metric.labels) & {"session", "id", "user", "key", "host", "message", "shard"}
    assert not set(metric.labels) & {"job", "instance"}


def test_each_name_is_there_once() -> None:
    """No two metrics share a name."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_every_finding_of_a_job_has_a_name() -> None:
    """What reports count is what the label may say; the jobs' own tests compare their details with these words."""
    assert set(FINDINGS) >= {"expired", "vanished", "kept", "trimmed", "torn", "totals", "unsettled", "policy"}
