"""The hooks write what happens, each into a registry of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from sessioncache import AsyncSessionCache, Base, ConfigurationError, LimitExceeded, RetentionPolicy, VersionConflict
from sessioncache.metrics import (
    NamespaceMetrics,
    PrometheusHook,
    new_registry,
    render,
)
from sessioncache.stats import NamespaceStats
from sessioncache.telemetry import TelemetryHook
from tests.engines import Engine
from tests.maintenance.conftest import make_cache


@pytest.fixture
def hook() -> PrometheusHook:
    """A hook with a registry of its own."""
    return PrometheusHook()


@pytest.fixture
async def cache(engine: Engine, namespace: str, hook: PrometheusHook) -> AsyncIterator[AsyncSessionCache]:
    """A cache that tells the hook."""
    async with make_cache(engine, namespace, shards=1, hooks=[hook]) as opened:
        yield opened


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """One sample; 0 where there is none."""
    return registry.get_sample_value(f"sessioncache_{name}", labels) or 0.0


def test_the_hook_is_a_telemetry_hook(hook: PrometheusHook) -> None:
    """It has what the protocol asks for."""
    assert isinstance(hook, TelemetryHook)


async def test_calls_are_counted_and_timed(cache: AsyncSessionCache, hook: PrometheusHook) -> None:
    """Every call counts once, under its name and what came of it, with its duration and bytes."""
    await cache.transcripts.append("a", {"role": "user", "content": "hi"})
    await cache.transcripts.append("a", {"role": "user", "content": "hi"}, operation_id="one")
    await cache.transcripts.append("a", {"role": "user", "content": "hi"}, operation_id="one")
    calls = {"call": "transcripts.append", "error": "none"}
    assert value(hook.registry, "calls_total", outcome="created", **calls) == 1
    assert value(hook.registry, "calls_total", outcome="repeated", **calls) == 1
    assert value(hook.registry, "call_repeats_total", call="transcripts.append") == 1
    assert value(hook.registry, "call_duration_seconds_count", call="transcripts.append") == 3
    assert value(hook.registry, "call_sent_bytes_total", call="transcripts.append") > 30
    await cache.sessions.get("a")
    assert value(hook.registry, "call_received_bytes_total", call="sessions.get") > 50


async def test_errors_are_counted_by_code(cache: AsyncSessionCache, hook: PrometheusHook) -> None:
    """A call that failed counts under its error's stable code."""
    await cache.retention.save(RetentionPolicy(quota_messages=1))
    with pytest.raises(LimitExceeded):
        await cache.transcripts.append("a", [{"n": 1}, {"n": 2}])
    labels = {"call": "transcripts.append", "outcome": "failed", "error": "limit_exceeded"}
    assert value(hook.registry, "calls_total", **labels) == 1


async def test_conflicts_are_counted(cache: AsyncSessionCache, hook: PrometheusHook) -> None:
    """A write that came second counts as a conflict, whatever else it counts as."""
    await cache.transcripts.append("a", {"n": 1})
    with pytest.raises(VersionConflict):
        await cache.transcripts.append("a", {"n": 2}, base=Base(revision=7))
    labels = {"call": "transcripts.append", "error": "version_conflict"}
    assert value(hook.registry, "call_conflicts_total", **labels) == 1


async def test_merges_are_counted_by_who_won(cache: AsyncSessionCache, hook: PrometheusHook) -> None:
    """A runtime save counts as created, and as stored where a person's edit won."""
    await cache.transcripts.append("a", {"n": 1})
    session = await cache.sessions.get("a")
    assert session is not None
    await cache.session("a").update(title="by a person")
    await cache.sessions.save(session)
    assert value(hook.registry, "sessions_merges_total", outcome="stored") == 1


def test_retries_are_counted(hook: PrometheusHook) -> None:
    """Each attempt that is repeated counts under the error that it met."""
    hook.on_retry("sessions.get", "backend_timeout")
    assert value(hook.registry, "call_retries_total", call="sessions.get", error="backend_timeout") == 1


def test_objects_share_nothing() -> None:
    """Two hooks in one process count for themselves, and the global registry stays as it was."""
    one, two = PrometheusHook(), PrometheusHook()
    one.on_retry("sessions.get", "backend_timeout")
    assert value(two.registry, "call_retries_total", call="sessions.get", error="backend_timeout") == 0
    assert not [family for family in REGISTRY.collect() if family.name.startswith("sessioncache_")]


def test_one_registry_takes_a_metric_once() -> None:
    """Two hooks in one registry are refused, instead of showing every series twice."""
    registry = new_registry()
    PrometheusHook(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        PrometheusHook(registry)


def test_rendering_follows_the_accept_header(hook: PrometheusHook) -> None:
    """OpenMetrics for who asks for it, the plain format for everybody else."""
    hook.on_retry("sessions.get", "backend_timeout")
    plain, plain_type = render(hook.registry)
    openmetrics, open_type = render(hook.registry, "application/openmetrics-text; version=1.0.0")
    assert plain_type.startswith("text/plain")
    assert open_type.startswith("application/openmetrics-text")
    assert openmetrics.endswith(b"# EOF\n")
    assert b"_created" not in plain + openmetrics


@pytest.mark.parametrize("accept", ["application/openmetrics-text; version=abc", "text/plain;version=1.x", "a;b,,;;="])
def test_an_unreadable_accept_header_gets_the_plain_format(hook: PrometheusHook, accept: str) -> None:
    """A header that makes no sense is answered, not failed on."""
    assert render(hook.registry, accept)[1].startswith("text/plain")


def test_a_forgotten_namespace_is_not_shown() -> None:
    """What nobody knows any more has no number, least of all the last one; others keep theirs."""
    gauges = NamespaceMetrics()
    for namespace in ("gone", "known"):
        gauges.show(NamespaceStats(namespace, 1, sessions=5, messages=5, bytes=5, overdue=5, lag_ms=5, changes=5))
    for _ in range(2):
        gauges.forget("gone")
    shown = {sample.labels["namespace"] for family in gauges.registry.collect() for sample in family.samples}
    assert shown == {"known"}


async def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for metrics without prometheus-client is told what to install."""
    import sessioncache.metrics

    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    for module in ("family", "calls"):
        monkeypatch.delitem(sys.modules, f"sessioncache.metrics.{module}")
        monkeypatch.delattr(sessioncache.metrics, module, raising=False)
    with pytest.raises(ConfigurationError, match=r"sessioncache\[metrics\]"):
        await asyncio.to_thread(getattr, sessioncache.metrics, "PrometheusHook")
