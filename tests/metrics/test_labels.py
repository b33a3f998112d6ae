"""Every series of every registry has the labels that it is declared with, and values from finite sets."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

import sessioncache
from sessioncache import AsyncSessionCache
from sessioncache.maintenance.jobs import JOBS
from sessioncache.metrics import (
    METRICS,
    CacheMetrics,
    NamespaceMetrics,
    PrometheusHook,
    ServerMetrics,
    WorkerMetrics,
    new_registry,
)
from sessioncache.metrics.names import FINDINGS, JOB_NAMES, LABELS, OTHER, RUN_OUTCOMES
from sessioncache.stats import NamespaceStats, ServerStats
from sessioncache.telemetry import CallRecord
from sessioncache.wire.keys import ROOMS

HOSTILE = ("session-4711", "a\nb", "x" * 5_000, "{}", "10.0.0.7:6379", 'quo"te', "", "sc:{acme:3}:s:chat")
TIMES = 400
"""More different values than any label may show."""


def call_names() -> set[str]:
    """The names of all calls that the library makes: every script, and every plain command by its literal name."""
    root = Path(sessioncache.__file__).parent
    found = {f"{path.parent.name}.{path.stem}" for path in root.glob("*/*.lua") if path.parent.name != "include"}
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if called == "Call" and isinstance(node, ast.Call) and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found | {"call_many"}


def judge(registry: CollectorRegistry) -> set[str]:
    """The names of the metrics that were shown; fails for a series that is not as it was declared."""
    declared = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    for family in registry.collect():
        values: dict[str, set[str]] = {}
        metric = declared[family.name]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)
            assert not sample.name.endswith("_created")
            for label, value in sample.labels.items():
                values.setdefault(label, set()).add(value)
        for label in set(values) - {"le"}:
            shown, allowed = values[label], LABELS[label].values
            if allowed is not None:
                assert shown <= allowed | {OTHER}, label
            else:
                assert len(shown) <= LABELS[label].most + 1, label
                assert all(value.isprintable() and len(value) <= 100 for value in shown), label
    return {family.name for family in registry.collect()}


def fill(registry: CollectorRegistry) -> None:
    """Give every hook one of everything, and then what nobody expects."""
    hook = PrometheusHook(registry)
    worker, namespaces, servers = WorkerMetrics(registry), NamespaceMetrics(registry), ServerMetrics(registry)
    CacheMetrics(registry=registry)
    names = [*HOSTILE, *(f"made.up_{number}" for number in range(TIMES))]
    for record in (
        CallRecord("sessions.save", 0.1, None, "stored", 5, 6, "sc:{acme:1}:s:chat"),
        CallRecord("sessions.save", 0.1, None, "repeated", 5),
        CallRecord("sessions.save", 0.1, "version_conflict", None, 5),
        *(CallRecord(name, 0.1, name, name, 1) for name in names),
        *(CallRecord(name, 0.1, None, name, 1) for name in names),
    ):
        hook.on_call(record)
        hook.on_retry(record.call, record.error or "backend_timeout")
    worker.capacity(4)
    worker.queued(3)
    worker.queue_failed()
    for job in ("expire", *names):
        with worker.run(job):
            worker.ended(job, "done")
        worker.ended(job, "lost")
        worker.ended(job, job)
        worker.found(job, examined=1, changed=1, findings={"expired": 1, "bytes": 3, job: 1}, bytes_in=9, bytes_out=2)
        worker.batched(job, size=5, pause_s=0.1)
        worker.enqueued(job)
        worker.due("acme", {job: 1.0})
    for number in range(1_100):
        namespaces.show(NamespaceStats(f"n{number}", 1, 1, 1, 1, 1, 1, 1, rooms=dict.fromkeys(ROOMS, 1)))
        worker.due(f"n{number}", {"expire": 1.0})
    strange = {"redis_version": HOSTILE[2], "role": "sentinel", "maxmemory_policy": "mine", "used_memory": "5"}
    servers.show([ServerStats.of(strange, node=node, response_s=0.1) for node in range(2_000)])


def test_every_metric_is_declared_and_every_declared_one_is_shown() -> None:
    """What the hooks register is what the list of names says, and no label takes a value that is not declared."""
    registry = new_registry()
    fill(registry)
    assert judge(registry) == {metric.name.removesuffix("_total") for metric in METRICS}
    calls = {
        sample.labels["call"] for family in registry.collect() for sample in family.samples if "call" in sample.labels
    }
    assert "sessions.save" in calls
    assert OTHER in calls


async def test_every_call_of_the_library_fits_into_its_label(cache: AsyncSessionCache) -> None:
    """All names of calls together are fewer than the label may take, and what a real cache shows is among them."""
    names = call_names()
    assert {"transcripts.append", "server.info", "schedule.clock"} <= names
    assert len(names) < LABELS["call"].most
    registry = new_registry()
    hook = PrometheusHook(registry)
    for name in names:
        hook.on_call(CallRecord(name, 0.1, None, None, 0))
    shown = {
        sample.labels["call"] for family in registry.collect() for sample in family.samples if "call" in sample.labels
    }
    assert shown == names
    CacheMetrics(cache, registry=registry)
    await cache.transcripts.append("a", {"n": 1})
    judge(registry)


def test_the_declared_values_are_those_of_the_code() -> None:
    """Jobs, rooms and outcomes in labels are the ones that exist."""
    assert set(JOBS) <= set(JOB_NAMES)
    assert LABELS["room"].values == frozenset(ROOMS)
    assert LABELS["finding"].values == frozenset(FINDINGS)
    assert set(RUN_OUTCOMES) <= (LABELS["outcome"].values or set())
    assert {label for metric in METRICS for label in metric.labels} == set(LABELS)


@pytest.mark.parametrize("label", sorted(LABELS))
def test_every_label_has_a_bound(label: str) -> None:
    """A label either lists its values, or says how many it may take."""
    declared = LABELS[label]
    assert (declared.values is None) == (declared.most > 0)
    assert declared.about
