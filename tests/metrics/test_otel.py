"""Spans of OpenTelemetry, by the telemetry hook."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sessioncache import AsyncSessionCache, Base, ConfigurationError, VersionConflict
from sessioncache.metrics import OpenTelemetryHook
from sessioncache.telemetry import CallRecord, TelemetryHook
from tests.engines import Engine
from tests.maintenance.conftest import make_cache

pytestmark = pytest.mark.engines("valkey")


class Tracing:
    """A real SDK whose spans end in a list."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def spans(self, name: str) -> list[ReadableSpan]:
        """Those of that name that have ended."""
        return [span for span in self._exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def tracing() -> Tracing:
    """A tracer of its own."""
    return Tracing()


@pytest.fixture
async def traced(engine: Engine, namespace: str, tracing: Tracing) -> AsyncIterator[AsyncSessionCache]:
    """A cache that makes spans."""
    async with make_cache(engine, namespace, shards=1, hooks=[OpenTelemetryHook(tracing.provider)]) as opened:
        yield opened


async def test_a_call_is_a_span_in_the_one_it_was_made_in(traced: AsyncSessionCache, tracing: Tracing) -> None:
    """Name, kind, parent, duration and attributes are those of the conventions; no id or payload is in them."""
    with tracing.provider.get_tracer("agent").start_as_current_span("turn") as turn:
        await traced.transcripts.append("chat-4711", {"role": "user", "content": "a secret"})
    [span] = tracing.spans("transcripts.append")
    assert span.kind is SpanKind.CLIENT
    assert span.parent is not None
    assert span.parent.span_id == turn.get_span_context().span_id
    assert span.attributes is not None
    assert span.attributes["db.system.name"] == "redis"
    assert span.attributes["db.operation.name"] == "transcripts.append"
    assert span.attributes["sessioncache.outcome"] == "created"
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0 < span.end_time - span.start_time < 60_000_000_000
    assert span.status.status_code is StatusCode.UNSET
    said = str(span.attributes)
    assert "4711" not in said
    assert "secret" not in said


async def test_an_error_is_told_by_its_code(traced: AsyncSessionCache, tracing: Tracing) -> None:
    """A call that failed is an error with the stable code as its type."""
    await traced.transcripts.append("a", {"n": 1})
    with pytest.raises(VersionConflict):
        await traced.transcripts.append("a", {"n": 2}, base=Base(revision=9))
    failed = tracing.spans("transcripts.append")[-1]
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "version_conflict"


async def test_retries_are_events_of_their_call(tracing: Tracing) -> None:
    """Attempts that were repeated are on the span of their call, and on no other, also where tasks run side by side."""
    hook = OpenTelemetryHook(tracing.provider)
    assert isinstance(hook, TelemetryHook)

    async def call(name: str, retries: int) -> None:
        for _ in range(retries):
            hook.on_retry(name, "backend_timeout")
            await asyncio.sleep(0)
        hook.on_call(CallRecord(name, 0.1, None, None, 5))
        hook.on_call(CallRecord("sessions.count", 0.1, None, None, 5))

    await asyncio.gather(call("sessions.get", 2), call("sessions.save", 1))
    assert [event.name for event in tracing.spans("sessions.get")[0].events] == ["retry", "retry"]
    assert len(tracing.spans("sessions.save")[0].events) == 1
    assert all(not span.events for span in tracing.spans("sessions.count"))


async def test_keys_are_told_where_they_are_asked_for(engine: Engine, namespace: str, tracing: Tracing) -> None:
    """A program may have the key of each call in its spans."""
    hook = OpenTelemetryHook(tracing.provider, keys=True)
    async with make_cache(engine, namespace, shards=1, hooks=[hook]) as cache:
        await cache.sessions.get("chat-4711")
    [span] = tracing.spans("sessions.get")
    assert span.attributes is not None
    assert str(span.attributes["sessioncache.key"]).endswith("s:chat-4711")


async def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for spans without OpenTelemetry is told what to install."""
    import sessioncache.metrics

    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "sessioncache.metrics.otel")
    monkeypatch.delattr(sessioncache.metrics, "otel", raising=False)
    with pytest.raises(ConfigurationError, match=r"sessioncache\[otel\]"):
        await asyncio.to_thread(getattr, sessioncache.metrics, "OpenTelemetryHook")
